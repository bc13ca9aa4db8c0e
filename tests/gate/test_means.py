"""Means over rows and rounds against SciPy and all signs."""

import itertools

import numpy as np
import pytest
from scipy import stats

from ratchet.gate.means import log_ratio, mean_difference


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
