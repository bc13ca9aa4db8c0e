"""The paired tests against independent implementations."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score
from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar
from statsmodels.stats.proportion import proportion_confint

from ratchet.metrics import macro_f1_of
from ratchet.paired import (
    auc,
    delong_interval,
    log_ratio,
    mcnemar,
    mean_difference,
    swapped_confusions,
    swapped_rankings,
    tango_interval,
    wilson,
)


@pytest.mark.parametrize(("wins", "losses"), [(4, 0), (0, 0), (8, 1), (1, 8), (10, 10), (336, 246), (3, 2)])
def test_mid_p_is_the_exact_p_less_the_probability_of_the_table(wins: int, losses: int) -> None:
    exact = reference_mcnemar([[0, wins], [losses, 0]], exact=True).pvalue
    m, k = wins + losses, min(wins, losses)
    expected = 1.0 if wins == losses else exact - stats.binom.pmf(k, m, 0.5)
    assert mcnemar(wins, losses, 1_000).p == pytest.approx(expected, rel=1e-9)


def test_four_wins_and_no_loss_are_not_enough() -> None:
    found = mcnemar(4, 0, 200)
    assert found.p == 0.0625
    assert found.low == 0.0


@pytest.mark.parametrize(("wins", "losses", "n"), [(9, 3, 50), (30, 10, 300), (0, 5, 40), (12, 12, 100)])
def test_tango_bounds_are_where_the_restricted_likelihood_says(wins: int, losses: int, n: int) -> None:
    low, high = tango_interval(wins, losses, n)
    for bound in (low, high):
        # the restricted maximum likelihood estimate by brute force over the share of losses
        losses_grid = np.linspace(max(0.0, -bound), (1 - bound) / 2, 400_001)[1:-1]
        wins_grid, rest = losses_grid + bound, 1 - 2 * losses_grid - bound
        with np.errstate(divide="ignore", invalid="ignore"):
            likelihood = (
                (wins * np.log(wins_grid) if wins else 0)
                + (losses * np.log(losses_grid) if losses else 0)
                + (n - wins - losses) * np.log(rest)
            )
        q = losses_grid[np.nanargmax(likelihood)]
        z = (wins - losses - n * bound) / math.sqrt(n * (2 * q + bound - bound**2))
        assert abs(z) == pytest.approx(1.959964, abs=2e-3)


def test_mcnemar_at_zero_margin_agrees_with_the_interval() -> None:
    found = mcnemar(40, 10, 500, margin=0.02)
    assert found.low > 0
    assert found.p < 1e-4
    assert found.p_margin < found.p


def test_sign_flips_agree_with_scipy() -> None:
    scores = np.random.default_rng(1).normal(0.15, 1, size=60)
    found = mean_difference(scores, draws=20_000)
    reference = stats.permutation_test(
        (scores,), np.mean, permutation_type="samples", n_resamples=20_000, rng=np.random.default_rng(2)
    )
    assert found.p == pytest.approx(reference.pvalue, abs=0.012)
    interval = stats.bootstrap((scores,), np.mean, method="BCa", rng=np.random.default_rng(3)).confidence_interval
    assert (found.low, found.high) == pytest.approx((min(interval.low, 0), interval.high), abs=0.02)


def test_grouped_and_plain_sign_flips_are_one_distribution() -> None:
    generator = np.random.default_rng(4)
    grouped = generator.choice([-1.0, 0.0, 1.0], p=[0.1, 0.7, 0.2], size=2_000)
    spread = grouped + generator.normal(scale=1e-6, size=2_000) * (grouped != 0)
    assert mean_difference(grouped).p == pytest.approx(mean_difference(spread).p, rel=0.5, abs=0.003)


def test_prediction_swaps_agree_with_a_plain_loop() -> None:
    generator = np.random.default_rng(5)
    truth = generator.integers(0, 3, size=80)
    first = np.where(generator.random(80) < 0.8, truth, generator.integers(0, 3, size=80))
    second = np.where(generator.random(80) < 0.6, truth, generator.integers(0, 3, size=80))

    def difference(a: np.ndarray, b: np.ndarray) -> float:
        def matrix(predicted: np.ndarray) -> np.ndarray:
            return np.bincount(truth * 3 + predicted, minlength=9).reshape(1, 3, 3).astype(float)

        return float((macro_f1_of(matrix(a)) - macro_f1_of(matrix(b)))[0])

    observed = difference(first, second)
    beyond = 0
    for _ in range(4_000):
        swap = generator.random(80) < 0.5
        beyond += abs(difference(np.where(swap, second, first), np.where(swap, first, second))) >= observed - 1e-12
    found = swapped_confusions(truth, first, second, macro_f1_of, classes=3)
    assert found.estimate == pytest.approx(observed)
    assert found.p == pytest.approx(beyond / 4_000, abs=0.02)
    assert found.low < observed < found.high


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
    found = swapped_rankings(truth, good, poor, draws=999)
    assert found.low > 0
    assert found.p < 1e-3
    assert swapped_rankings(truth, np.exp(good), poor, draws=999) == found
    same = swapped_rankings(truth, np.exp(good), good, draws=99)
    assert (same.estimate, same.p) == (0.0, 1.0)


def test_rounds_of_latency_are_flipped_exhaustively() -> None:
    champion = np.array([1.0, 1.1, 0.9, 1.0, 1.05])
    challenger = champion * np.array([0.5, 0.55, 0.45, 0.5, 0.5])
    ratios = np.log(challenger / champion)
    signs = np.array(list(itertools.product([-1, 1], repeat=5)))
    expected = np.mean(np.abs(signs @ ratios) >= abs(ratios.sum()) - 1e-12)
    found = log_ratio(challenger, champion)
    assert found.p == pytest.approx(expected)
    assert found.estimate == pytest.approx(0.5, abs=0.02)


def test_sizes_are_exact() -> None:
    found = log_ratio(np.array([250.0]), np.array([1_000.0]))
    assert (found.estimate, found.p, found.test) == (0.75, 0.0, "exact")
    assert log_ratio(np.array([10.0]), np.array([10.0])).p == 1.0


def test_wilson_is_statsmodels() -> None:
    assert wilson(45, 50) == pytest.approx(proportion_confint(45, 50, method="wilson"))


def test_a_permutation_tail_goes_below_its_resolution() -> None:
    scores = np.random.default_rng(8).normal(1, 1, size=200)
    assert 0 < mean_difference(scores, draws=999).p < 1e-20
