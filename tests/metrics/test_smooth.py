"""Smooth functions of sums against plain loops, and against tests that are right for a special case."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from ratchet.metrics.corpus import BLEU
from ratchet.metrics.smooth import (
    F1,
    MCC,
    PERPLEXITY,
    R2,
    RATIO,
    RMSE,
    WEIGHTED_F1,
    Smooth,
    left_out,
    smooth_difference,
    smooth_interval,
)

RNG = np.random.default_rng(0)


def squares(n: int) -> np.ndarray:
    true = RNG.normal(size=n)
    error = RNG.normal(scale=0.5, size=n)
    return np.stack([error**2, np.ones(n), true, true**2], axis=1)


def f1_counts(n: int) -> np.ndarray:
    true, given = RNG.random((n, 3)) < 0.4, RNG.random((n, 3)) < 0.4
    return np.concatenate([true & given, true.astype(int) + given], axis=1)


def bleu_counts(n: int) -> np.ndarray:
    totals = np.maximum(RNG.integers(4, 30, size=(n, 1)) - np.arange(4), 0)
    matches = RNG.binomial(totals, 0.6 ** np.arange(1, 5))
    return np.concatenate([matches, totals, totals[:, :1], totals[:, :1] + 2], axis=1)


def memberships(n: int) -> np.ndarray:
    true = RNG.integers(0, 3, n)
    given = np.where(RNG.random(n) < 0.6, true, RNG.integers(0, 3, n))
    return np.concatenate([np.eye(3)[true] * np.eye(3)[given], np.eye(3)[true], np.eye(3)[given]], axis=1)


CASES = [
    (RMSE, lambda n: squares(n)[:, :2]),
    (R2, squares),
    (RATIO, lambda n: np.stack([RNG.gamma(2, 2, size=n), RNG.integers(1, 9, size=n)], axis=1)),
    (F1, f1_counts),
    (BLEU, bleu_counts),
    (MCC, memberships),
    (WEIGHTED_F1, memberships),
    (PERPLEXITY, lambda n: np.stack([RNG.gamma(2, 2, size=n), RNG.integers(1, 9, size=n)], axis=1)),
]


@pytest.mark.parametrize(("function", "draw"), CASES)
def test_slopes_are_those_of_small_steps(function: Smooth, draw: Callable[[int], np.ndarray]) -> None:
    sums = draw(200).sum(axis=0, dtype=float)
    found = function.slope(sums[None])[0]
    for place in range(len(sums)):
        up, down = sums.copy(), sums.copy()
        step = 1e-5 * max(abs(sums[place]), 1.0)
        up[place] += step
        down[place] -= step
        numeric = float(function.value(up) - function.value(down)) / (2 * step)
        assert found[place] == pytest.approx(numeric, rel=1e-3, abs=1e-9)


@pytest.mark.parametrize(("function", "draw"), CASES)
def test_the_influence_of_a_row_is_what_is_lost_without_it(function: Smooth, draw: Callable[[int], np.ndarray]) -> None:
    statistics = draw(60)
    without = np.array([function.of(np.delete(statistics, row, axis=0)) for row in range(60)])
    assert left_out(statistics, function.value) == pytest.approx(59 * (without.mean() - without))


def test_a_ratio_of_equal_sizes_is_a_mean() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(2.0, 0.5, size=200), rng.normal(2.05, 0.5, size=200)
    ones = np.ones(200)
    found = smooth_difference(np.stack([a, ones], axis=1), np.stack([b, ones], axis=1), RATIO)
    reference = stats.ttest_1samp(b - a, 0, alternative="greater")
    assert found.estimate == pytest.approx((b - a).mean())
    assert found.at_most() == pytest.approx(reference.pvalue, abs=0.015)
    high = stats.ttest_1samp(b - a, 0).confidence_interval(0.9).high
    assert found.upper(0.05) == pytest.approx(high, abs=1e-9)


def test_swaps_agree_with_a_plain_loop() -> None:
    rng = np.random.default_rng(2)
    a, b = bleu_counts(60), bleu_counts(60)

    def studentised(first: np.ndarray, second: np.ndarray) -> float:
        influence = left_out(first, BLEU.value) - left_out(second, BLEU.value)
        return (BLEU.of(first) - BLEU.of(second)) / float(np.sqrt((influence**2).sum()))

    observed = abs(studentised(a, b))
    beyond = 0
    for _ in range(1_500):
        swap = (rng.random(60) < 0.5)[:, None]
        beyond += abs(studentised(np.where(swap, b, a), np.where(swap, a, b))) > observed
    found = smooth_difference(a, b, BLEU)
    assert min(found.at_most(), found.at_least()) == pytest.approx(beyond / 1_500 / 2, abs=0.03)


def test_blocks_of_rows_and_draws_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = f1_counts(300).astype(np.uint8), f1_counts(300).astype(np.uint8)
    whole = smooth_difference(a, b, F1, rare=1e-4, draws=300)
    monkeypatch.setattr("ratchet.metrics.paired_tests._BLOCK", 1_000)
    pieces = smooth_difference(a, b, F1, rare=1e-4, draws=300)
    assert pieces.estimate == whole.estimate
    assert pieces.influence == pytest.approx(whole.influence)
    assert pieces.at_most() == pytest.approx(whole.at_most(), abs=0.03)


def test_one_loud_row_does_not_promote() -> None:
    rng = np.random.default_rng(3)
    good, poor = rng.normal(size=200) ** 2, rng.normal(size=200) ** 2
    poor[7] = 1e18
    ones = np.ones(200)
    sides = (np.stack([good, ones], axis=1), np.stack([poor, ones], axis=1))
    found = smooth_difference(*sides, RMSE, unbounded=True)
    assert found.estimate > 1e7
    assert found.at_most() > 0.1
    assert found.at_most(-0.1) > 0.1


@pytest.mark.parametrize("n", [300, 20_001])
def test_the_interval_of_a_mean_is_the_known_one(n: int) -> None:
    values = np.random.default_rng(4).normal(3.0, 1.0, size=n)
    low, high = smooth_interval(
        np.stack([values, np.ones(n)], axis=1), RATIO, alpha=0.05, generator=np.random.default_rng(0)
    )
    reference = stats.norm.interval(0.95, loc=-values.mean(), scale=values.std(ddof=1) / n**0.5)
    assert (low, high) == pytest.approx(reference, abs=0.12 / n**0.5)


def test_equal_contenders_are_neither_better_nor_worse() -> None:
    rows = f1_counts(50)
    found = smooth_difference(rows, rows, F1)
    assert (found.estimate, found.at_most(), found.at_least()) == (0.0, 0.5, 0.5)
