"""Means over rows and rounds against SciPy and all signs."""

import itertools

import numpy as np
import pytest
from scipy import stats

from ratchet.metrics.means import few_decide, log_ratio, mean_difference, relative_saving


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


def test_a_saving_is_tested_as_fieller_says() -> None:
    """The bound is where the mean of (1 - v) champion - challenger is just rejected by Student's t, one worst row more."""
    rng = np.random.default_rng(0)
    champion, challenger = rng.gamma(4, 1, size=80), rng.gamma(4, 0.6, size=80)
    found = relative_saving(challenger, champion)
    assert found.estimate == pytest.approx(1 - challenger.mean() / champion.mean())
    bound = found._bound(0.05, side=-1)
    saved = (1 - bound) * champion - challenger
    worst = -np.abs(saved).max()
    shifted, spread = (saved.sum() + worst) / 81, np.sqrt(80 * saved.var(ddof=1) + (worst - saved.mean()) ** 2) / 81
    assert shifted / spread == pytest.approx(stats.norm.isf(0.05), abs=1e-3)
    plain = stats.ttest_1samp((1 - bound) * champion - challenger, 0, alternative="greater").pvalue
    assert 0.01 < plain < 0.05


def test_the_influence_on_a_saving_is_what_is_lost_without_a_row() -> None:
    rng = np.random.default_rng(1)
    champion, challenger = rng.gamma(4, 1, size=200), rng.gamma(4, 0.6, size=200)
    found = relative_saving(challenger, champion)
    for row in range(0, 200, 40):
        keep = np.arange(200) != row
        without = relative_saving(challenger[keep], champion[keep]).estimate
        assert 199 * (found.estimate - without) == pytest.approx(found.influence[row], rel=0.05, abs=0.01)


def test_a_champion_that_takes_nothing_cannot_be_undercut() -> None:
    found = relative_saving(np.ones(30), np.zeros(30))
    assert "takes nothing" in found.doubt
    assert found.at_most() == 1.0


def test_few_rows_that_decide_are_named() -> None:
    calm = np.random.default_rng(2).gamma(2, 1, size=100)
    wild = calm.copy()
    wild[3] = 1e6
    assert few_decide(calm, wild) == few_decide(wild, calm) == "1 row of 100 decides it"
    wild[4] = 1e6
    assert few_decide(calm, wild) == "2 rows of 100 decide it"
    assert few_decide(calm, calm[::-1]) == ""
    assert few_decide(calm, calm + (np.arange(100) < 3) * 1e-6) == ""
    assert few_decide(np.zeros(9), np.zeros(9)) == ""
