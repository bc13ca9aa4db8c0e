"""The paired tests against independent implementations."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score
from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar
from statsmodels.stats.proportion import proportion_confint

from ratchet.gate.metrics import macro_f1_of
from ratchet.gate.paired_tests import (
    Paired,
    auc,
    auc_difference,
    delong_interval,
    design_effect,
    log_ratio,
    macro_f1_difference,
    macro_f1_influence,
    mcnemar,
    mean_difference,
    wilson,
)


@pytest.mark.parametrize(("wins", "losses"), [(4, 0), (0, 0), (8, 1), (1, 8), (10, 10), (336, 246), (3, 2)])
def test_mid_p_is_the_exact_p_less_the_probability_of_the_table(wins: int, losses: int) -> None:
    exact = reference_mcnemar([[0, wins], [losses, 0]], exact=True).pvalue
    m, k = wins + losses, min(wins, losses)
    expected = 1.0 if wins == losses else exact - stats.binom.pmf(k, m, 0.5)
    found = mcnemar(wins, losses, 1_000)
    assert 2 * min(found.at_most(), found.at_least()) == pytest.approx(expected, rel=1e-9)


def test_four_wins_and_no_loss() -> None:
    found = mcnemar(4, 0, 200)
    assert found.at_most() == pytest.approx(0.03125)
    assert found.lower(0.025) == pytest.approx(0.0, abs=1e-12)
    assert found.lower(0.025) <= 0.0
    assert found.lower(0.05) >= 0.0


@pytest.mark.parametrize(("wins", "losses", "n"), [(9, 3, 50), (30, 10, 300), (0, 5, 40), (12, 12, 100)])
def test_other_differences_are_where_the_restricted_likelihood_says(wins: int, losses: int, n: int) -> None:
    found = mcnemar(wins, losses, n)
    for bound in (found._bound(0.025, side=-1), found._bound(0.025, side=1)):
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


@pytest.mark.parametrize("found", [mcnemar(40, 10, 500), mcnemar(12, 10, 100), mcnemar(0, 9, 80)])
@pytest.mark.parametrize("level", [0.001, 0.01, 0.05])
def test_bounds_never_contradict_the_test(found: Paired, level: float) -> None:
    assert (found.lower(level) >= 0) == (found.at_most() <= level) or found.lower(level) == 0
    assert found.lower(level) <= found.estimate <= found.upper(level)
    assert found.at_most(found.lower(level) - 0.01) <= level
    assert found.lower(level / 2) <= found.lower(level)


def test_a_larger_variance_weakens_the_test_by_its_root() -> None:
    found, root = mcnemar(40, 10, 500), math.sqrt(2)
    wide = found.widened(2.0)
    assert stats.norm.isf(wide.at_most()) == pytest.approx(stats.norm.isf(found.at_most()) / root)
    assert wide.lower(0.01) < found.lower(0.01)
    few = found.widened(1.0, freedom=3)
    assert few.at_most() == pytest.approx(stats.t.sf(stats.norm.isf(found.at_most()), 3))


def test_rows_that_belong_together_are_one_unit() -> None:
    values = np.random.default_rng(3).normal(size=300)
    copied, unit = np.repeat(values, 4), np.repeat(np.arange(300), 4)
    effect, units = design_effect(copied - copied.mean(), unit)
    assert (effect, units) == (pytest.approx(4.0), 300)
    assert design_effect(values, np.arange(300)) == (pytest.approx(1.0), 300)


def test_sign_flips_agree_with_scipy() -> None:
    scores = np.random.default_rng(1).normal(0.15, 1, size=60)
    found = mean_difference(scores, draws=20_000)
    reference = stats.permutation_test(
        (scores,),
        np.mean,
        permutation_type="samples",
        n_resamples=20_000,
        alternative="greater",
        rng=np.random.default_rng(2),
    )
    assert found.at_most() == pytest.approx(reference.pvalue, abs=0.012)
    interval = stats.ttest_1samp(scores, 0).confidence_interval(0.95)
    assert found._bound(0.025, side=1) == pytest.approx(interval.high, abs=1e-6)


def test_grouped_and_plain_sign_flips_are_one_distribution() -> None:
    generator = np.random.default_rng(4)
    grouped = generator.choice([-1.0, 0.0, 1.0], p=[0.1, 0.7, 0.2], size=2_000)
    spread = grouped + generator.normal(scale=1e-6, size=2_000) * (grouped != 0)
    assert mean_difference(grouped).at_most() == pytest.approx(mean_difference(spread).at_most(), rel=0.5, abs=0.003)


def test_what_is_rare_and_dreadful_is_doubted() -> None:
    """A small gain on each of 200 rows may hide a loss of 6.9 on one row in five hundred."""
    gain = np.full(200, 0.0138) + np.random.default_rng(0).normal(scale=1e-4, size=200)
    assert mean_difference(gain).at_most() < 1e-6
    assert mean_difference(gain, worst=6.9).at_most() > 0.05
    assert mean_difference(gain + 0.3, worst=6.9).at_most() < 1e-3


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
    beyond = 0.0
    for _ in range(4_000):
        swap = generator.random(80) < 0.5
        drawn = difference(np.where(swap, second, first), np.where(swap, first, second))
        beyond += (drawn > observed + 1e-12) + (abs(drawn - observed) <= 1e-12) / 2
    found = macro_f1_difference(truth, first, second, classes=3)
    assert found.estimate == pytest.approx(observed)
    assert beyond / 4_000 - 0.02 <= found.at_most() <= beyond / 4_000 + 0.08
    assert found.lower(0.05) < observed < found.upper(0.05)


def test_the_influence_of_a_row_is_what_the_score_loses_without_it() -> None:
    generator = np.random.default_rng(5)
    truth = generator.integers(0, 4, size=400)
    predicted = np.where(generator.random(400) < 0.7, truth, generator.integers(0, 4, size=400))
    value, influence, _ = macro_f1_influence(truth, predicted, classes=4)
    assert influence.mean() == pytest.approx(0.0, abs=1e-12)
    for row in range(0, 400, 40):
        keep = np.arange(400) != row
        without, _, _ = macro_f1_influence(truth[keep], predicted[keep], classes=4)
        assert 399 * (value - without) == pytest.approx(influence[row], rel=0.03, abs=0.01)


def test_five_rows_of_a_class_tell_little() -> None:
    """Both models have all five right: that is no proof that one is not worse by a point."""
    truth = np.array([1] * 5 + [0] * 495)
    right, other = truth.copy(), truth.copy()
    right[100:110] ^= 1
    other[103:113] ^= 1
    assert macro_f1_difference(truth, right, other, classes=2).at_most(-0.01) > 0.05
    even = np.arange(5_000) % 2
    first, second = even.copy(), even.copy()
    first[:100] ^= 1
    second[3:103] ^= 1
    assert macro_f1_difference(even, first, second, classes=2).at_most(-0.01) < 0.001


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


def test_ten_positives_tell_nothing_about_a_ranking() -> None:
    generator = np.random.default_rng(8)
    truth = np.arange(200) < 10
    found = auc_difference(truth, generator.normal(size=200) + 5 * truth, generator.normal(size=200))
    assert "10 rows" in found.doubt
    assert found.at_most() == found.at_most(-0.5) == 1.0


def test_rounds_of_latency_are_flipped_exhaustively() -> None:
    champion = np.array([1.0, 1.1, 0.9, 1.0, 1.05])
    challenger = champion * np.array([0.5, 0.55, 0.45, 0.5, 0.5])
    ratios = np.log(challenger / champion)
    signs = np.array(list(itertools.product([-1, 1], repeat=5)))
    expected = np.mean(np.abs(signs @ ratios) >= abs(ratios.sum()) - 1e-12)
    found = log_ratio(challenger, champion)
    assert found.at_most() == pytest.approx(expected / 2)
    assert found.estimate == pytest.approx(0.5, abs=0.02)


def test_sizes_are_exact() -> None:
    found = log_ratio(np.array([250.0]), np.array([1_000.0]))
    assert (found.estimate, found.at_most(), found.test) == (0.75, 0.0, "exact")
    assert found.lower(0.01) == pytest.approx(0.75)
    assert log_ratio(np.array([10.0]), np.array([10.0])).at_most() == 0.5


def test_wilson_is_statsmodels() -> None:
    assert wilson(45, 50) == pytest.approx(proportion_confint(45, 50, method="wilson"))


def test_a_permutation_tail_goes_below_its_resolution() -> None:
    scores = np.random.default_rng(8).normal(1, 1, size=200)
    assert 0 < mean_difference(scores, draws=999).at_most() < 1e-20
