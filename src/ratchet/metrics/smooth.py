"""Smooth functions of sums over rows (F1, RMSE, R2, BLEU, chrF, a ratio): one paired test and one interval for all of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ratchet.metrics.bootstrap import bca_bounds
from ratchet.metrics.means import one_worse
from ratchet.metrics.paired_tests import DRAWS, Floats, Paired, blocks, normal_quantile, permutation_z, quotient

Statistics = npt.NDArray[np.floating] | npt.NDArray[np.integer] | npt.NDArray[np.bool_]
MOST_DRAWS, LEAST_DRAWS = 1_999, 199
_WORK = 1_000_000_000  # cells of all draws together
_MOST_NATS = 700.0  # more is no float
_MANY = 20_000  # from so many rows on a bootstrap's interval is the normal one


@dataclass(frozen=True, kw_only=True)
class Smooth:
    """A function of sums that is higher where a contender is better.

    It must not change when all sums are multiplied by one factor, so that it is of means too.
    """

    value: Callable[[Floats], Floats]
    """From sums, shape (..., d), to values, shape (...)."""
    slope: Callable[[Floats], Floats]
    """Its derivative by each sum: from shape (b, d) to (b, d)."""

    def of(self, statistics: Statistics) -> float:
        """The value on rows of statistics, shape (n, d)."""
        return float(self.value(statistics.sum(axis=0, dtype=np.float64)))


def slope_of_counts(value: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
    """The derivative of a function of counts by central differences, half a count to each side or a thousandth of it."""

    def slope(sums: Floats) -> Floats:
        found = np.empty_like(sums)
        for place in range(sums.shape[-1]):
            step = np.maximum(np.abs(sums[:, place]) / 1_000, 0.5)
            up, down = sums.copy(), sums.copy()
            up[:, place] += step
            down[:, place] -= step
            found[:, place] = (value(up) - value(down)) / (2 * step)
        return found

    return slope


def left_out(statistics: Statistics, value: Callable[[Floats], Floats]) -> Floats:
    """What each row adds to the value, shape (n,), centred: n - 1 times what is lost without it (Efron, Stein 1981)."""
    total = statistics.sum(axis=0, dtype=np.float64)
    n = len(statistics)
    without = np.empty(n)
    for start, stop in blocks(n, statistics.shape[1]):
        without[start:stop] = value(total - statistics[start:stop])
    influence: Floats = (n - 1) * (without.mean() - without)
    return influence


def smooth_difference(
    challenger: Statistics,
    champion: Statistics,
    function: Smooth,
    *,
    rare: float = 0.0,
    unbounded: bool = False,
    seed: int = 0,
    draws: int = DRAWS,
) -> Paired:
    """Studentised test of a function of two contenders' sums that swaps their statistics row by row.

    Args:
        challenger: shape (n, d), what each row adds to the sums; ``champion`` likewise.
        function: of the sums.
        rare: variance that is added for what these rows may not show (a label with few rows).
        unbounded: whether a single row may weigh without limit; then one row more is assumed, as bad for the claim as
            the loudest of these (`means.one_worse`).
        seed: of the swaps; ``draws``: how many, fewer where rows are many: beyond them the tail is a normal one.

    The standard error leaves one row out at a time (jackknife). Divided by its standard error, the null law of the swapped
    difference is right also where the two are equally good without being exchangeable (Chung, Romano 2013, Annals of
    Statistics 41); values other than 0 are tested by Student's t.
    """
    n = len(challenger)
    estimate = function.of(challenger) - function.of(champion)
    influence = left_out(challenger, function.value) - left_out(champion, function.value)
    error = math.sqrt(float((influence**2).sum()) / (n * (n - 1)) + rare) if n > 1 else math.inf
    zero = quotient(estimate, error, freedom=n - 1)
    if estimate and influence.any():
        linear, null = _swapped(challenger, champion, function, rare=rare, seed=seed, draws=draws)
        exact = permutation_z(math.copysign(linear, estimate), null)
        zero = min(zero, exact) if estimate > 0 else max(zero, exact)

    def score(value: float) -> float:
        return zero if value == 0 else quotient(estimate - value, error, freedom=n - 1)

    worst = float(np.abs(estimate + influence).max())
    return Paired(
        estimate=estimate,
        score=one_worse(score, estimate=estimate, error=error, n=n, worst=worst) if unbounded else score,
        test="studentised swaps, jackknife" + (", one worst row more" if unbounded else ""),
        influence=influence,
    )


def _swapped(
    challenger: Statistics, champion: Statistics, function: Smooth, *, rare: float, seed: int, draws: int
) -> tuple[float, Floats]:
    """The studentised difference as it is, in size, and under random swaps of the rows, shape (draws,)."""
    n, width = challenger.shape
    draws = max(LEAST_DRAWS, min(draws, MOST_DRAWS, _WORK // (n * width)))
    first, second = (side.sum(axis=0, dtype=np.float64) for side in (challenger, champion))
    differs = (challenger != champion).any(axis=1)
    generator = np.random.default_rng(seed)
    null = np.empty(draws + 1)  # the first draw swaps nothing
    for start, stop in blocks(draws + 1, 3 * n + 4 * width):
        swap = generator.random((stop - start, n), dtype=np.float32) < 0.5
        swap &= differs
        if start == 0:
            swap[0] = False
        moved = np.zeros((stop - start, width))
        for low, high in blocks(n, width):
            gap = champion[low:high].astype(np.float64) - challenger[low:high]
            moved += swap[:, low:high].astype(np.float64) @ gap
        a, b = first + moved, second - moved
        spread = _spread(challenger, champion, swap, function.slope(a), function.slope(b))
        null[start:stop] = (function.value(a) - function.value(b)) / np.sqrt(np.maximum(spread + rare, 1e-300))
    return abs(float(null[0])), null[1:]


def _spread(
    challenger: Statistics, champion: Statistics, swap: npt.NDArray[np.bool_], up: Floats, down: Floats
) -> Floats:
    """Variance of each swapped difference to first order, shape (b,), from the slopes of both sides, shape (b, d)."""
    n = len(challenger)
    sums, squares = np.zeros(len(swap)), np.zeros(len(swap))
    for low, high in blocks(n, max(challenger.shape[1], len(swap))):
        a, b = (side[low:high].T.astype(np.float64) for side in (challenger, champion))
        terms = np.where(swap[:, low:high], up @ b - down @ a, up @ a - down @ b)
        sums += terms.sum(axis=1)
        squares += np.einsum("ij,ij->i", terms, terms)
    found: Floats = squares - sums**2 / n
    return found


def smooth_interval(
    statistics: Statistics, function: Smooth, *, alpha: float, generator: np.random.Generator, draws: int = 1_999
) -> tuple[float, float]:
    """Interval of the value on rows of statistics, shape (n, d).

    The bias-corrected and accelerated bootstrap, its acceleration from leaving one row out (Efron 1987); with very many
    rows the normal law with the jackknife's error, which it tends to.
    """
    n, observed = len(statistics), function.of(statistics)
    influence = left_out(statistics, function.value)
    squares = float((influence**2).sum())
    if squares == 0:
        return observed, observed
    if n > _MANY:
        half = normal_quantile(1 - alpha / 2) * math.sqrt(squares / (n * (n - 1)))
        return observed - half, observed + half
    resampled, plain = np.empty(draws), statistics.astype(np.float64)
    for start, stop in blocks(draws, n):
        counts = generator.multinomial(n, np.full(n, 1 / n), size=stop - start).astype(np.float64)
        resampled[start:stop] = function.value(counts @ plain)
    acceleration = float((influence**3).sum()) / (6 * squares**1.5)
    return bca_bounds(resampled, observed, acceleration, alpha=alpha)


def _safe(values: Floats) -> Floats:
    found: Floats = np.where(values > 0, values, 1.0)
    return found


def _ratio_slope(sums: Floats) -> Floats:
    below = _safe(sums[:, 1])
    return np.stack([-1 / below, sums[:, 0] / below**2], axis=1)


RATIO = Smooth(value=lambda sums: -sums[..., 0] / _safe(sums[..., 1]), slope=_ratio_slope)
"""Of (loss, size): the loss per unit of size, negated."""


def _rmse_slope(sums: Floats) -> Floats:
    root = np.sqrt(_safe(sums[:, 0] / _safe(sums[:, 1])))
    return np.stack([-1 / (2 * root), root / 2], axis=1) / _safe(sums[:, 1])[:, None]


RMSE = Smooth(
    value=lambda sums: -np.sqrt(np.maximum(sums[..., 0], 0.0) / _safe(sums[..., 1])),
    slope=_rmse_slope,
)
"""Of (squared error, one): the root of the mean squared error, negated."""


def _around_mean(sums: Floats) -> Floats:
    return _safe(sums[..., 3] - sums[..., 2] ** 2 / _safe(sums[..., 1]))


def _r2_slope(sums: Floats) -> Floats:
    around, n = _around_mean(sums), _safe(sums[:, 1])
    by_around = sums[:, 0] / around**2
    mean = sums[:, 2] / n
    return np.stack([-1 / around, by_around * mean**2, -2 * by_around * mean, by_around], axis=1)


R2 = Smooth(value=lambda sums: 1 - sums[..., 0] / _around_mean(sums), slope=_r2_slope)
"""Of (squared error, one, target, squared target): the share of the targets' variance that is explained."""


def f1_of_labels(sums: Floats) -> Floats:
    """Macro-F1 from sums, shape (..., 2 k): hits of each label, then its true and given rows together; empty ones left out.

    With k = 1 it is the F1 of one label, or the micro-F1 of all.
    """
    hits, total = np.split(sums, 2, axis=-1)
    present = total > 0
    f1 = np.where(present, 2 * hits / _safe(total), 0.0)
    found: Floats = f1.sum(axis=-1) / np.maximum(present.sum(axis=-1), 1)
    return found


def _f1_slope(sums: Floats) -> Floats:
    hits, total = np.split(sums, 2, axis=-1)
    present, safe = total > 0, _safe(total)
    labels = np.maximum(present.sum(axis=-1, keepdims=True), 1)
    by_hits = np.where(present, 2 / safe, 0.0) / labels
    by_total = np.where(present, -2 * hits / safe**2, 0.0) / labels
    return np.concatenate([by_hits, by_total], axis=-1)


F1 = Smooth(value=f1_of_labels, slope=_f1_slope)


def _weighted_f1(sums: Floats) -> Floats:
    hits, true, given = np.split(sums, 3, axis=-1)
    f1 = 2 * hits / _safe(true + given)
    found: Floats = (true * f1).sum(axis=-1) / _safe(true.sum(axis=-1))
    return found


def _weighted_f1_slope(sums: Floats) -> Floats:
    hits, true, given = np.split(sums, 3, axis=-1)
    both, n = _safe(true + given), _safe(true.sum(axis=-1, keepdims=True))
    whole = _weighted_f1(sums)[..., None]
    by_hits = 2 * true / both
    by_true = 2 * hits / both - 2 * hits * true / both**2 - whole
    by_given = -2 * hits * true / both**2
    return np.concatenate([by_hits, by_true, by_given], axis=-1) / n


WEIGHTED_F1 = Smooth(value=_weighted_f1, slope=_weighted_f1_slope)
"""Of (hits, true rows, given rows) of each class: the mean of their F1, each by its true rows."""


def _mcc(sums: Floats) -> Floats:
    above, true, given = _mcc_parts(sums)
    found: Floats = np.where((true > 0) & (given > 0), above / np.sqrt(_safe(true) * _safe(given)), 0.0)
    return found


def _mcc_parts(sums: Floats) -> tuple[Floats, Floats, Floats]:
    """n times the covariance of true and given classes, and of each with itself (Gorodkin 2004), shape (...) each."""
    hits, true, given = np.split(sums, 3, axis=-1)
    n = true.sum(axis=-1)
    above = n * hits.sum(axis=-1) - (true * given).sum(axis=-1)
    return above, n**2 - (true**2).sum(axis=-1), n**2 - (given**2).sum(axis=-1)


def _mcc_slope(sums: Floats) -> Floats:
    hits, true, given = np.split(sums, 3, axis=-1)
    n, all_hits = true.sum(axis=-1, keepdims=True), hits.sum(axis=-1, keepdims=True)
    above, spread_true, spread_given = (part[..., None] for part in _mcc_parts(sums))
    root = np.sqrt(_safe(spread_true) * _safe(spread_given))
    value, known = above / root, (spread_true > 0) & (spread_given > 0)
    by_hits = np.broadcast_to(n / root, hits.shape)
    # n is the sum of the true rows; both n**2 above stand for n_true * n_true and n_given * n_given
    by_true = (all_hits - given) / root - value * ((n - true) / _safe(spread_true) + n / _safe(spread_given))
    by_given = -true / root + value * given / _safe(spread_given)
    slope: Floats = np.where(known, np.concatenate([by_hits, by_true, by_given], axis=-1), 0.0)
    return slope


MCC = Smooth(value=_mcc, slope=_mcc_slope)
"""Of (hits, true rows, given rows) of each class: Matthews' correlation of true and given classes, 0 where either is constant
(Gorodkin 2004, Computational Biology and Chemistry 28)."""


def _perplexity(sums: Floats) -> Floats:
    found: Floats = -np.exp(np.minimum(sums[..., 0] / _safe(sums[..., 1]), _MOST_NATS))
    return found


PERPLEXITY = Smooth(value=_perplexity, slope=lambda sums: -_perplexity(sums)[:, None] * _ratio_slope(sums))
"""Of (loss, tokens): e to the loss per token, negated."""
