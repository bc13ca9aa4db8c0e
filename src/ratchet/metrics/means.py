"""Means over rows or rounds: the paired tests of two of them, and the interval of one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ratchet.metrics.bootstrap import bca_bounds
from ratchet.metrics.paired_tests import DRAWS, Floats, Paired, blocks, permutation_z, quotient, z_of

ROUNDS, SAVING = "sign flips of log ratios", "mean saving"
"""How the names of the tests begin whose differences are relative savings: in rounds, and over rows."""


def mean_difference(scores: Floats, *, worst: float | None = None, seed: int = 0, draws: int = DRAWS) -> Paired:
    """Sign-flip test of a mean against zero, and Student's t against any other value.

    Args:
        scores: shape (n,), challenger's score minus champion's score on each row, higher is better.
        worst: the largest size that the difference of a row can have. Where it is given, the test is made as if one more
            row had been seen, as bad for the claim as can be: what is rare and dreadful may not have been in these rows.

    Under the null the sign of each row's difference is a fair coin (Fisher 1935; Good 2005, ch. 3). Rows with the same
    absolute difference are flipped together by one binomial draw, which is the same distribution and far faster. The added
    row is that of Gaffke 2005 ("Three test statistics for a nonparametric one-sided hypothesis on the mean of a
    nonnegative variable"), with a normal law in place of his resampling.
    """
    n, estimate = len(scores), float(scores.mean())
    error = float(scores.std(ddof=1)) / math.sqrt(n) if n > 1 else math.inf
    null = _sign_flips(scores, np.random.default_rng(seed), draws=draws) / n
    zero = permutation_z(estimate, null)

    def score(value: float) -> float:
        return zero if value == 0 else quotient(estimate - value, error, freedom=n - 1)

    return Paired(
        estimate=estimate,
        score=score if worst is None else one_worse(score, estimate=estimate, error=error, n=n, worst=worst),
        test="sign flips, t" if worst is None else "sign flips, t, one worst row more",
        influence=scores - estimate,
    )


def one_worse(
    score: Callable[[float], float], *, estimate: float, error: float, n: int, worst: float
) -> Callable[[float], float]:
    """The same z-scores as if one more row had been seen, which speaks against the claim as loudly as ``worst``."""

    def doubted(value: float) -> float:
        z = score(value)
        side = -math.copysign(worst, estimate - value)  # against what the rows say
        shifted = (n * estimate + side) / (n + 1)
        spread = math.sqrt((n * error**2 * n + (side - estimate) ** 2) / (n + 1) ** 2) if n > 1 else math.inf
        less = quotient(shifted - value, spread)
        if less * (estimate - value) < 0:
            return 0.0
        return min(z, less) if estimate > value else max(z, less)

    return doubted


def few_decide(challenger: Floats, champion: Floats) -> str:
    """Why a comparison of means cannot be told where a handful of rows is nearly all of it; empty elsewhere.

    Args:
        challenger: shape (n,), the loss on each row, 0 or more; ``champion`` likewise.

    A test of a mean is right only where no single row matters much (Lindeberg's condition). Four rows that hold more than
    half of all loss, one of them ten times as large as the middle one, are a fault to look at and no evidence.
    """
    gaps = np.sort(np.abs(challenger - champion))[::-1][:4]
    losses = np.concatenate([challenger, champion])
    positive = losses[losses > 0]
    if not len(positive) or gaps.sum() <= max(challenger.sum(), champion.sum()) / 2:
        return ""
    if gaps[0] <= 10 * float(np.median(positive)):
        return ""
    count = int(np.searchsorted(np.cumsum(gaps), gaps.sum() * 0.9)) + 1
    return f"{count} row{'s' if count > 1 else ''} of {len(champion):,} decide{'' if count > 1 else 's'} it"


def relative_saving(
    challenger: Floats, champion: Floats, *, factor: float = 1.0, seed: int = 0, draws: int = DRAWS
) -> Paired:
    """How much less the challenger takes on the same rows, as a share of what the champion takes.

    Args:
        challenger: shape (n,), a cost or a time, 0 or more; ``champion`` likewise.
        factor: the claim is "less than one ``factor``-th": tested is the mean of ``champion / factor - challenger``.

    The estimate is 1 - challenger / champion of the means (.25: a quarter less). A saving of v is tested as the mean of
    ``(1 - v) * champion - challenger`` (Fieller 1954, "Some problems in interval estimation"), as if one more row had been
    seen that is as bad for the claim as the worst of them: a dear row is rare, and may not be among these.
    """
    n, mean = len(champion), float(champion.mean())
    null = 1 - 1 / factor
    if mean <= 0:
        nothing = mean_difference(-challenger, seed=seed, draws=draws)
        return replace(nothing, test=SAVING, null=null, doubt="the champion takes nothing")
    estimate = 1 - float(challenger.mean()) / mean

    def tested(value: float) -> Paired:
        saved = (1 - value) * champion - challenger
        return mean_difference(saved, worst=float(np.abs(saved).max()), seed=seed, draws=draws)

    claimed = tested(null).score(0.0)
    equal = claimed if null == 0 else tested(0.0).score(0.0)

    def score(value: float) -> float:
        if value in (null, 0.0):
            return claimed if value == null else equal
        saved = (1 - value) * champion - challenger
        centre = float(saved.mean())
        error = float(saved.std(ddof=1)) / math.sqrt(n) if n > 1 else math.inf
        plain = quotient(centre, error, freedom=n - 1)
        return one_worse(lambda _: plain, estimate=centre, error=error, n=n, worst=float(np.abs(saved).max()))(0.0)

    return Paired(
        estimate=estimate,
        score=score,
        test=f"{SAVING}, one worst row more",
        influence=((1 - estimate) * champion - challenger) / mean,
        null=null,
        doubt=few_decide(challenger, champion),
    )


def _sign_flips(scores: Floats, generator: np.random.Generator, *, draws: int) -> Floats:
    """Sums of the scores under random signs, shape (draws,)."""
    sizes, totals = np.unique(np.abs(scores[scores != 0]), return_counts=True)
    sums = np.zeros(draws)
    few = len(sizes) < 1_000
    width = len(sizes) if few else len(scores)
    for start, stop in blocks(draws, width):
        if few:
            heads = generator.binomial(totals, 0.5, size=(stop - start, width))
            sums[start:stop] = (2 * heads - totals) @ sizes
        else:
            signs = generator.integers(0, 2, size=(stop - start, width), dtype=np.int8) * np.int8(2) - np.int8(1)
            sums[start:stop] = signs.astype(np.float64) @ scores
    return sums


def mean_interval(
    scores: Floats, *, alpha: float, generator: np.random.Generator, draws: int = 4_999
) -> tuple[float, float]:
    """BCa interval of a mean, shape (n,) in; its acceleration has a closed form (Efron 1987, section 3)."""
    n, observed = len(scores), float(scores.mean())
    spread = float(scores.std())
    if spread == 0:
        return observed, observed
    resampled = np.empty(draws)
    for start, stop in blocks(draws, n):
        resampled[start:stop] = scores[generator.integers(0, n, size=(stop - start, n))].mean(axis=1)
    skewness = float(((scores - observed) ** 3).mean()) / spread**3
    return bca_bounds(resampled, observed, skewness / (6 * math.sqrt(n)), alpha=alpha)


def log_ratio(challenger: Floats, champion: Floats) -> Paired:
    """A measured quantity (seconds, bytes; lower is better) in interleaved rounds, as the relative saving.

    Args:
        challenger: shape (r,), positive measurements, round i beside ``champion[i]``.

    The estimate is 1 - challenger/champion (0.25: a quarter less). Rounds are compared as log ratios: a sign-flip test (all
    2^r signs when r <= 16) against zero, Student's t against other values. A quantity that never varies (a size) is exact.
    """
    ratios = np.log(champion) - np.log(challenger)
    mean, r = float(ratios.mean()), len(ratios)
    estimate = 1 - math.exp(-mean)
    if ratios.min() == ratios.max():
        return Paired(estimate=estimate, score=lambda value: quotient(estimate - value, 0.0), test="exact")
    error, zero = float(ratios.std(ddof=1)) / math.sqrt(r), _sign_flip_z(ratios)

    def score(value: float) -> float:
        if value >= 1:
            return -math.inf
        return zero if value == 0 else quotient(mean + math.log1p(-value), error, freedom=r - 1)

    return Paired(estimate=estimate, score=score, test=f"{ROUNDS}, t")


def _sign_flip_z(values: Floats, *, seed: int = 0) -> float:
    n, observed = len(values), float(values.mean())
    if n > 16:
        signs = np.random.default_rng(seed).integers(0, 2, size=(DRAWS, n)) * 2 - 1
        return permutation_z(observed, signs @ values / n)
    signs = (np.arange(2**n)[:, None] >> np.arange(n) & 1) * 2 - 1
    beyond = float(np.mean(np.abs(signs @ values / n) >= abs(observed) * (1 - 1e-12)))
    return math.copysign(max(z_of(beyond / 2), 0.0), observed)
