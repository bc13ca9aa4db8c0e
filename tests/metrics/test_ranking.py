"""Rankings against scikit-learn and SciPy."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from ratchet.metrics.ranking import (
    _rank_influence,
    auc,
    auc_difference,
    delong_interval,
    spearman,
    spearman_difference,
    spearman_interval,
)


def test_auc_is_scikit_learns_with_ties() -> None:
    generator = np.random.default_rng(6)
    truth = generator.random(300) < 0.3
    scores = np.round(generator.normal(size=300) + truth, 1)
    assert auc(truth, scores) == pytest.approx(roc_auc_score(truth, scores), abs=1e-12)
    low, high = delong_interval(truth, scores)
    draws = [auc(truth[i], scores[i]) for i in (generator.integers(0, 300, size=300) for _ in range(500))]
    assert (low, high) == pytest.approx(tuple(np.quantile(draws, [0.025, 0.975])), abs=0.02)


def test_rank_swaps_find_the_better_ranking_and_ignore_the_scale() -> None:
    generator = np.random.default_rng(7)
    truth = generator.random(400) < 0.5
    good, poor = generator.normal(size=400) + 2 * truth, generator.normal(size=400) + truth
    found = auc_difference(truth, good, poor, draws=999)
    assert found.lower(0.01) > 0
    assert found.at_most() < 1e-3
    scaled = auc_difference(truth, np.exp(good), poor, draws=999)
    assert (scaled.estimate, scaled.at_most()) == (found.estimate, found.at_most())
    same = auc_difference(truth, np.exp(good), good, draws=99)
    assert (same.estimate, same.at_most()) == (0.0, 0.5)


def test_a_ranking_without_any_error_is_better_than_one_that_tells_nothing() -> None:
    truth = np.arange(120) % 3 > 0
    found = auc_difference(truth, truth.astype(float), np.zeros(120))
    assert found.estimate == 0.5
    assert 3 < found.score(0.0) < 6  # what the draws can resolve, and no more
    again = auc_difference(truth, np.zeros(120), truth.astype(float))
    assert again.score(0.0) == -found.score(0.0)


def test_ten_positives_tell_nothing_about_a_ranking() -> None:
    generator = np.random.default_rng(8)
    truth = np.arange(200) < 10
    found = auc_difference(truth, generator.normal(size=200) + 5 * truth, generator.normal(size=200))
    assert "10 rows" in found.doubt
    assert found.at_most() == found.at_most(-0.5) == 1.0


def ranked(n: int, *, ties: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(n)
    truth = rng.normal(size=n)
    sides = [truth + spread * rng.normal(size=n) for spread in (0.6, 1.0)]
    first, second, third = (np.round(side) if ties else side for side in (truth, *sides))
    return first, second, third


@pytest.mark.parametrize("ties", [False, True])
def test_spearman_is_scipys_and_its_influence_that_of_a_row_left_out(ties: bool) -> None:
    truth, scores, _ = ranked(400, ties=ties)
    value, influence = _rank_influence(truth, scores)
    assert value == spearman(truth, scores) == pytest.approx(stats.spearmanr(truth, scores).statistic)
    for row in range(0, 400, 25):
        keep = np.arange(400) != row
        without = stats.spearmanr(truth[keep], scores[keep]).statistic
        assert 399 * (value - without) == pytest.approx(influence[row], abs=0.03)


@pytest.mark.parametrize("ties", [False, True])
def test_the_error_of_a_rank_correlation_is_the_bootstraps(ties: bool) -> None:
    truth, first, second = ranked(300, ties=ties)
    found = spearman_difference(truth, first, second)
    rng = np.random.default_rng(0)
    draws = []
    for _ in range(1_000):
        i = rng.integers(0, 300, size=300)
        draws.append([stats.spearmanr(truth[i], side[i]).statistic for side in (first, second)])
    one, other = np.array(draws).T
    error = (found.estimate - found._bound(0.05, side=-1)) / stats.t.isf(0.05, 298)
    assert error == pytest.approx((one - other).std(), rel=0.12)
    assert spearman_interval(truth, first) == pytest.approx(tuple(np.quantile(one, [0.025, 0.975])), abs=0.02)


def test_nineteen_rows_tell_nothing_about_ranks() -> None:
    truth, first, second = ranked(19, ties=False)
    assert "19 rows; a rank correlation needs 20" in spearman_difference(truth, first, second).doubt
    assert spearman_interval(np.arange(9.0), np.arange(9.0)) == (1.0, 1.0)
