"""Bias-corrected and accelerated bootstrap intervals (Efron 1987)."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ratchet.metrics.paired_tests import Floats, blocks, normal_quantile

CountStatistic = Callable[[Floats], Floats]


def bca(
    counts: npt.NDArray[np.int64],
    statistic: CountStatistic,
    *,
    alpha: float,
    generator: np.random.Generator,
    draws: int = 4_999,
) -> tuple[float, float]:
    """Bias-corrected and accelerated bootstrap interval of a statistic of category counts (Efron 1987).

    Args:
        counts: shape (t,), rows in each category of interchangeable rows.
        statistic: maps counts of shape (b, t) to values of shape (b,).
    """
    n, weights = int(counts.sum()), counts.astype(np.float64)
    observed = float(statistic(weights[None, :])[0])
    resampled = np.empty(draws)
    for start, stop in blocks(draws, len(counts)):
        drawn = generator.multinomial(n, weights / n, size=stop - start).astype(np.float64)
        resampled[start:stop] = statistic(drawn)
    return bca_bounds(resampled, observed, _acceleration(weights, statistic), alpha=alpha)


def bca_bounds(resampled: Floats, observed: float, acceleration: float, *, alpha: float) -> tuple[float, float]:
    """Bounds from the resampled values, shape (draws,), the value that was observed, and the acceleration."""
    draws = len(resampled)
    if resampled.min() == resampled.max():
        return observed, observed
    less = (np.count_nonzero(resampled < observed) + np.count_nonzero(resampled == observed) / 2) / draws
    bias = normal_quantile(min(max(less, 1 / draws), 1 - 1 / draws))
    bounds = []
    for z in (normal_quantile(alpha / 2), normal_quantile(1 - alpha / 2)):
        shifted = bias + (bias + z) / max(1 - acceleration * (bias + z), 1e-6)
        bounds.append(float(np.quantile(resampled, math.erfc(-shifted / math.sqrt(2)) / 2)))
    return bounds[0], bounds[1]


def _acceleration(weights: Floats, statistic: CountStatistic) -> float:
    """Efron's acceleration from the jackknife; rows of one category share one leave-one-out value."""
    left_out = np.empty(len(weights))
    for start, stop in blocks(len(weights), len(weights)):
        block = np.repeat(weights[None, :], stop - start, axis=0)
        block[np.arange(stop - start), np.arange(start, stop)] -= 1
        left_out[start:stop] = statistic(block)
    centre = float(np.average(left_out, weights=weights))
    deviation = centre - left_out
    spread = float((weights * deviation**2).sum())
    return 0.0 if spread == 0 else float((weights * deviation**3).sum()) / (6 * spread**1.5)
