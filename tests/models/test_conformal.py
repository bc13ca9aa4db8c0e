from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from ratchet.errors import DataError
from ratchet.models.conformal import coverage, cv_plus, half_width
from ratchet.models.ridge import fit_ridge


def draw(dice: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    rows = dice.normal(size=(count, 4))
    return rows, rows @ [1.0, -2.0, 0.5, 0.0] + dice.standard_t(3, size=count)


@pytest.mark.parametrize("n", [19, 20, 39, 100])
@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.5])
def test_the_rank_is_that_of_the_theorem(n: int, alpha: float) -> None:
    residuals = np.random.default_rng(n).permutation(np.arange(1.0, n + 1)) * -1
    whole = -(-round((1 - alpha) * 100) * (n + 1) // 100)
    assert half_width(residuals, alpha=alpha) == (whole if whole <= n else np.inf)


def test_too_few_residuals_promise_nothing() -> None:
    assert half_width(np.arange(8.0), alpha=0.1) == np.inf
    assert half_width(np.arange(9.0), alpha=0.1) == 8.0
    low, high = cv_plus(np.zeros((2, 2)), np.arange(8.0), np.arange(8) % 2, alpha=0.1)
    assert (low == -np.inf).all()
    assert (high == np.inf).all()


@pytest.mark.parametrize("alpha", [0.0, 1.0, -1.0])
def test_a_share_is_a_share(alpha: float) -> None:
    with pytest.raises(DataError, match="alpha must be between 0 and 1"):
        half_width(np.ones(3), alpha=alpha)


def test_split_and_cv_plus_cover_what_they_promise() -> None:
    """One new row a simulation, so that the hits are independent: a miss of the bound is by chance in 1 of 10,000."""
    dice, alpha, runs = np.random.default_rng(11), 0.2, 1_500
    split = plus = out_of_fold = 0
    for _ in range(runs):
        rows, values = draw(dice, 41)
        new, truth, rows, values = rows[40:], values[40], rows[:40], values[:40]
        fold = np.arange(40) % 4
        models = [np.linalg.lstsq(rows[fold != held], values[fold != held], rcond=None)[0] for held in range(4)]
        residuals = np.array([values[i] - rows[i] @ models[fold[i]] for i in range(40)])
        own = residuals[fold == 0]
        split += abs(truth - new[0] @ models[0]) <= half_width(own, alpha=alpha)
        low, high = cv_plus(np.array([[new[0] @ model for model in models]]), residuals, fold, alpha=alpha)
        plus += low[0] <= truth <= high[0]
        whole = np.linalg.lstsq(rows, values, rcond=None)[0]
        out_of_fold += abs(truth - new[0] @ whole) <= half_width(residuals, alpha=alpha)
    least = binom.ppf(1e-4, runs, 1 - alpha)
    assert min(split, plus, out_of_fold) >= least
    assert split <= binom.ppf(1 - 1e-4, runs, 1 - alpha + 1 / 11)


def test_cv_plus_of_equal_models_is_the_half_width() -> None:
    dice = np.random.default_rng(2)
    residuals, fold = dice.normal(size=50), np.arange(50) % 5
    low, high = cv_plus(np.full((3, 5), 7.0), residuals, fold, alpha=0.1)
    width = half_width(residuals, alpha=0.1)
    np.testing.assert_allclose(low, 7 - width)
    np.testing.assert_allclose(high, 7 + width)


def test_coverage_is_counted_with_its_interval() -> None:
    dice = np.random.default_rng(5)
    rows, values = draw(dice, 600)
    fitted = fit_ridge(rows[:200], values[:200], C=10)
    predicted = rows @ fitted.weights + fitted.bias
    width = half_width(values[200:400] - predicted[200:400], alpha=0.1)
    found = coverage(values[400:], predicted[400:], half_width=width)
    assert found.n == 200
    assert found.low < 0.9 < found.high
    assert coverage(values, predicted, half_width=np.inf).share == 1.0
    nothing = coverage(values, predicted + 1e9, half_width=0.0)
    assert (nothing.share, nothing.low) == (0.0, 0.0)
    assert nothing.high == pytest.approx(1 - 0.025 ** (1 / 600))
    with pytest.raises(DataError, match="at least one row"):
        coverage(np.zeros(0), np.zeros(0), half_width=1.0)
