"""Paired tests and intervals: two models scored on the same rows, or measured in the same rounds.

Every function returns a `Paired`: the difference "challenger minus champion", a two-sided interval, a two-sided p-value,
and the p-value against a loss of ``margin``. Nothing here decides anything; `ratchet.verdict` does.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
CountStatistic = Callable[[Floats], Floats]

DRAWS = 9_999
TAIL = 10  # fewer permutations than this beyond the observed value: the tail is read off a normal fit
_BLOCK = 4_000_000  # cells of one block of resamples


@dataclass(frozen=True, kw_only=True)
class Paired:
    """What one paired test says.

    ``p`` tests "no difference" (two-sided). ``p_margin`` tests "worse by ``margin`` or more" and ``p_excess`` "better by
    ``margin`` or more"; both are doubled one-sided values, so that one ``alpha`` serves all three.
    """

    estimate: float
    low: float
    high: float
    p: float
    p_margin: float
    p_excess: float
    test: str

    def widened(self, factor: float, *, alpha: float, margin: float) -> Paired:
        """The same finding when its variance is ``factor`` times what the rows alone show."""
        if factor <= 1 or self.low == self.high:
            return self
        root = math.sqrt(factor)
        low = self.estimate - (self.estimate - self.low) * root
        high = self.estimate + (self.high - self.estimate) * root
        return _assembled(self.estimate, low, high, _deflate(self.p, root), alpha=alpha, margin=margin, test=self.test)


def normal_quantile(probability: float) -> float:
    """The standard normal quantile."""
    from statistics import NormalDist

    return NormalDist().inv_cdf(probability)


def normal_tail(z: float) -> float:
    """The two-sided tail beyond ``|z|``."""
    return math.erfc(abs(z) / math.sqrt(2))


def _deflate(p: float, root: float) -> float:
    """The two-sided p-value whose z-score is ``root`` times smaller."""
    if p >= 1 or p <= 0:
        return p
    return normal_tail(_z_of(p) / root)


def _z_of(p: float) -> float:
    """The |z| with that two-sided tail; good for p down to 1e-300."""
    from scipy.special import ndtri_exp

    return float(-ndtri_exp(math.log(p) - math.log(2)))


def _margin_p(estimate: float, low: float, high: float, *, alpha: float, margin: float) -> tuple[float, float]:
    """Tests at -margin and +margin from the two half-widths of the interval."""
    z = normal_quantile(1 - alpha / 2)
    below, above = (estimate - low) / z, (high - estimate) / z
    worse = _one_sided((estimate + margin), below)
    better = _one_sided((margin - estimate), above)
    return worse, better


def _one_sided(distance: float, error: float) -> float:
    """Doubled one-sided p-value of "distance <= 0"."""
    if error <= 0:
        return 0.0 if distance > 0 else 1.0
    return min(1.0, math.erfc(distance / error / math.sqrt(2)))


def mcnemar(wins: float, losses: float, n: float, *, alpha: float = 0.05, margin: float = 0.01) -> Paired:
    """McNemar's test with mid-p, and Tango's score interval for the difference of two paired proportions.

    Args:
        wins: rows that only the challenger has right.
        losses: rows that only the champion has right.
        n: all rows.
        alpha: one minus the confidence of the interval.
        margin: the difference against which ``p_margin`` tests, in shares of 1.

    The mid-p test is exact up to half the probability of the observed table (Fagerland, Lydersen, Laake 2013, "The McNemar
    test for binary matched-pairs data"); the interval inverts the score test (Tango 1998, Statistics in Medicine 17).
    Where the two disagree about zero, the interval is stretched to it, so that nobody reads a win into an open case.

    >>> mcnemar(4, 0, 200).p
    0.0625
    """
    m = wins + losses
    p = 1.0 if m == 0 else min(1.0, 2 * _binomial_mid_cdf(min(wins, losses), m))
    estimate = (wins - losses) / n
    low, high = tango_interval(wins, losses, n, alpha=alpha)
    if p > alpha:
        low, high = min(low, 0.0), max(high, 0.0)
    p_margin = min(1.0, math.erfc(_tango_z(wins, losses, n, -margin) / math.sqrt(2)))
    p_excess = min(1.0, math.erfc(-_tango_z(wins, losses, n, margin) / math.sqrt(2)))
    return Paired(
        estimate=estimate, low=low, high=high, p=p, p_margin=p_margin, p_excess=p_excess, test="mid-p McNemar"
    )


def _binomial_mid_cdf(k: float, m: float) -> float:
    """P(X < k) + P(X = k) / 2 for X ~ Binomial(m, 1/2)."""
    from scipy.special import betainc

    upto = float(betainc(m - k, k + 1, 0.5)) if k < m else 1.0
    below = float(betainc(m - k + 1, k, 0.5)) if k > 0 else 0.0
    return (upto + below) / 2


def _tango_z(wins: float, losses: float, n: float, delta: float) -> float:
    """Tango's score statistic of "the true difference is ``delta``"."""
    b = -wins - losses + (2 * n - wins + losses) * delta
    c = -losses * delta * (1 - delta)
    q = (math.sqrt(max(b * b - 8 * n * c, 0.0)) - b) / (4 * n)  # share of losses under the restriction
    variance = n * (2 * q + delta * (1 - delta))
    gap = wins - losses - n * delta
    if variance <= 0:
        return 0.0 if gap == 0 else math.copysign(math.inf, gap)
    return gap / math.sqrt(variance)


def tango_interval(wins: float, losses: float, n: float, *, alpha: float = 0.05) -> tuple[float, float]:
    """Tango's two-sided score interval of the difference of two paired proportions."""
    z = normal_quantile(1 - alpha / 2)
    estimate = (wins - losses) / n

    def bound(inside: float, outside: float, target: float) -> float:
        for _ in range(60):
            middle = (inside + outside) / 2
            if abs(_tango_z(wins, losses, n, middle)) > target:
                outside = middle
            else:
                inside = middle
        return (inside + outside) / 2

    return bound(estimate, -1.0, z), bound(estimate, 1.0, z)


def mean_difference(
    scores: Floats, *, alpha: float = 0.05, margin: float = 0.01, seed: int = 0, draws: int = DRAWS
) -> Paired:
    """Paired permutation (sign-flip) test of a mean, with a BCa bootstrap interval.

    Args:
        scores: shape (n,), challenger's score minus champion's score on each row, higher is better.

    Under the null the sign of each row's difference is a fair coin (Fisher 1935; Good 2005, ch. 3). Rows with the same
    absolute difference are flipped together by one binomial draw, which is the same distribution and far faster. BCa:
    Efron 1987, JASA 82.
    """
    n, estimate = len(scores), float(scores.mean())
    generator = np.random.default_rng(seed)
    null = _sign_flips(scores, generator, draws=draws) / n
    p = _permutation_p(estimate, null)
    low, high = mean_interval(scores, alpha=alpha, generator=generator)
    return _assembled(estimate, low, high, p, alpha=alpha, margin=margin, test="paired permutation, BCa")


def _sign_flips(scores: Floats, generator: np.random.Generator, *, draws: int) -> Floats:
    """Sums of the scores under random signs, shape (draws,)."""
    sizes, totals = np.unique(np.abs(scores[scores != 0]), return_counts=True)
    sums = np.zeros(draws)
    few = len(sizes) < 1_000
    width = len(sizes) if few else len(scores)
    for start, stop in _blocks(draws, width):
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
    for start, stop in _blocks(draws, n):
        resampled[start:stop] = scores[generator.integers(0, n, size=(stop - start, n))].mean(axis=1)
    skewness = float(((scores - observed) ** 3).mean()) / spread**3
    return _bca_bounds(resampled, observed, skewness / (6 * math.sqrt(n)), alpha=alpha)


def swapped_confusions(
    truth: Ints,
    challenger: Ints,
    champion: Ints,
    metric: Callable[[Floats], Floats],
    *,
    classes: int,
    alpha: float = 0.05,
    margin: float = 0.01,
    seed: int = 0,
    draws: int = DRAWS,
) -> Paired:
    """Permutation test that swaps the two models' predictions row by row, for any metric of the confusion matrix.

    Args:
        truth: shape (n,), true classes 0 ... ``classes`` - 1; ``challenger`` and ``champion`` likewise predicted.
        metric: maps confusion matrices of shape (b, classes, classes), [true, predicted], to shape (b,), higher is better.

    Rows with the same (true, challenger, champion) triple are interchangeable, so a draw is one binomial count a triple and
    a bootstrap resample one multinomial over the triples. Interval: BCa (Efron 1987).
    """
    keys = (truth * classes + challenger) * classes + champion
    triples, counts = np.unique(keys, return_counts=True)
    t, a, b = triples // classes**2, triples // classes % classes, triples % classes
    generator = np.random.default_rng(seed)

    def score(weights_a: Floats, predicted_a: Ints, weights_b: Floats, predicted_b: Ints) -> Floats:
        matrix = np.zeros((len(weights_a), classes * classes))
        for cell in np.unique(np.concatenate([t * classes + predicted_a, t * classes + predicted_b])):
            in_a, in_b = t * classes + predicted_a == cell, t * classes + predicted_b == cell
            matrix[:, cell] = weights_a[:, in_a].sum(axis=1) + weights_b[:, in_b].sum(axis=1)
        return metric(matrix.reshape(-1, classes, classes))

    def difference(weights: Floats) -> Floats:
        zero = np.zeros_like(weights)
        return score(weights, a, zero, b) - score(zero, a, weights, b)

    estimate = float(difference(counts[None, :].astype(np.float64))[0])
    differs = np.where(a != b, counts, 0)
    null = np.empty(draws)
    for start, stop in _blocks(draws, max(len(triples), classes * classes)):
        swapped = generator.binomial(differs, 0.5, size=(stop - start, len(triples))).astype(np.float64)
        null[start:stop] = score(counts - swapped, a, swapped, b) - score(swapped, a, counts - swapped, b)
    low, high = bca(counts, difference, alpha=alpha, generator=generator)
    p = _permutation_p(estimate, null)
    return _assembled(estimate, low, high, p, alpha=alpha, margin=margin, test="prediction-swap permutation, BCa")


def swapped_rankings(
    truth: npt.NDArray[np.bool_],
    challenger: Floats,
    champion: Floats,
    *,
    alpha: float = 0.05,
    margin: float = 0.01,
    seed: int = 0,
    draws: int = DRAWS,
) -> Paired:
    """Permutation test of two correlated AUCs (ranks swapped row by row), with DeLong's interval.

    Args:
        truth: shape (n,), true where the row is of the positive class.
        challenger: shape (n,), scores; higher means more likely positive; ``champion`` likewise.

    Scores are turned into mid-ranks first, so that two models on different scales can be exchanged (Bandos, Rockette, Gur
    2005, Statistics in Medicine 24). Interval: DeLong, DeLong, Clarke-Pearson 1988, Biometrics 44.
    """
    a, b = _doubled_midranks(challenger), _doubled_midranks(champion)
    estimate, error = _delong(truth, challenger, champion)
    differs = np.flatnonzero(a != b)
    generator = np.random.default_rng(seed)
    null = np.empty(draws)
    for start, stop in _blocks(draws, 400 * len(a)):  # small blocks stay in the cache
        swap = np.zeros((stop - start, len(a)), dtype=bool)
        swap[:, differs] = generator.random((stop - start, len(differs)), dtype=np.float32) < 0.5
        null[start:stop] = _auc_of_ranks(truth, np.where(swap, b, a)) - _auc_of_ranks(truth, np.where(swap, a, b))
    z = normal_quantile(1 - alpha / 2)
    low, high = estimate - z * error, estimate + z * error
    p = _permutation_p(estimate, null)
    return _assembled(estimate, low, high, p, alpha=alpha, margin=margin, test="rank-swap permutation, DeLong")


def _doubled_midranks(scores: Floats) -> Ints:
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    upto = np.cumsum(counts)
    ranks: Ints = (2 * upto - counts)[inverse].astype(np.int64)
    return ranks


def _auc_of_ranks(truth: npt.NDArray[np.bool_], ranks: Ints) -> Floats:
    """AUCs, shape (b,), of small non-negative integer scores of shape (b, n), by counting instead of sorting."""
    draws, size = len(ranks), 2 * ranks.shape[1] + 1
    cells = ranks + np.arange(draws)[:, None] * size
    positive = np.bincount(cells[:, truth].ravel(), minlength=draws * size).reshape(draws, size)
    negative = np.bincount(cells[:, ~truth].ravel(), minlength=draws * size).reshape(draws, size)
    below = np.cumsum(negative, axis=1) - negative / 2
    areas: Floats = (positive * below).sum(axis=1) / (int(truth.sum()) * int((~truth).sum()))
    return areas


def auc(truth: npt.NDArray[np.bool_], scores: Floats) -> float:
    """Area under the ROC curve, ties counted half."""
    return float(_auc_of_ranks(truth, _doubled_midranks(scores)[None, :])[0])


def _placements(truth: npt.NDArray[np.bool_], scores: Floats) -> tuple[Floats, Floats]:
    """DeLong's structural components: of the positives, shape (n1,), and of the negatives, shape (n0,)."""
    positive, negative = np.sort(scores[truth]), np.sort(scores[~truth])
    up = np.searchsorted(negative, scores[truth], "left") + np.searchsorted(negative, scores[truth], "right")
    down = np.searchsorted(positive, scores[~truth], "left") + np.searchsorted(positive, scores[~truth], "right")
    return up / (2 * len(negative)), 1 - down / (2 * len(positive))


def _delong(truth: npt.NDArray[np.bool_], challenger: Floats, champion: Floats) -> tuple[float, float]:
    """Difference of two AUCs on the same rows and its standard error."""
    up_a, down_a = _placements(truth, challenger)
    up_b, down_b = _placements(truth, champion)
    up, down = up_a - up_b, down_a - down_b
    variance = sum(float(part.var(ddof=1)) / len(part) for part in (up, down) if len(part) > 1)
    return float(up.mean()), math.sqrt(variance)


def delong_interval(truth: npt.NDArray[np.bool_], scores: Floats, *, alpha: float = 0.05) -> tuple[float, float]:
    """DeLong's interval of one AUC."""
    up, down = _placements(truth, scores)
    error = math.sqrt(sum(float(part.var(ddof=1)) / len(part) for part in (up, down) if len(part) > 1))
    half = normal_quantile(1 - alpha / 2) * error
    return max(0.0, float(up.mean()) - half), min(1.0, float(up.mean()) + half)


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
    for start, stop in _blocks(draws, len(counts)):
        drawn = generator.multinomial(n, weights / n, size=stop - start).astype(np.float64)
        resampled[start:stop] = statistic(drawn)
    return _bca_bounds(resampled, observed, _acceleration(weights, statistic), alpha=alpha)


def _bca_bounds(resampled: Floats, observed: float, acceleration: float, *, alpha: float) -> tuple[float, float]:
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
    for start, stop in _blocks(len(weights), len(weights)):
        block = np.repeat(weights[None, :], stop - start, axis=0)
        block[np.arange(stop - start), np.arange(start, stop)] -= 1
        left_out[start:stop] = statistic(block)
    centre = float(np.average(left_out, weights=weights))
    deviation = centre - left_out
    spread = float((weights * deviation**2).sum())
    return 0.0 if spread == 0 else float((weights * deviation**3).sum()) / (6 * spread**1.5)


def log_ratio(challenger: Floats, champion: Floats, *, alpha: float = 0.05, margin: float = 0.01) -> Paired:
    """A measured quantity (seconds, bytes; lower is better) in interleaved rounds, as the relative saving.

    Args:
        challenger: shape (r,), positive measurements, round i beside ``champion[i]``.

    The estimate is 1 - challenger/champion (0.25: a quarter less). Rounds are compared as log ratios: a sign-flip test (all
    2^r signs when r <= 16) and Student's t interval. A quantity that never varies (a size) is exact: no test is needed.
    """
    ratios = np.log(challenger) - np.log(champion)
    estimate = 1 - math.exp(float(ratios.mean()))
    if ratios.min() == ratios.max():
        p = 1.0 if estimate == 0 else 0.0
        p_margin, p_excess = float(estimate <= -margin), float(estimate >= margin)
        return Paired(
            estimate=estimate, low=estimate, high=estimate, p=p, p_margin=p_margin, p_excess=p_excess, test="exact"
        )
    from scipy.special import stdtrit

    r = len(ratios)
    half = float(stdtrit(r - 1, 1 - alpha / 2)) * float(ratios.std(ddof=1)) / math.sqrt(r)
    low, high = 1 - math.exp(float(ratios.mean()) + half), 1 - math.exp(float(ratios.mean()) - half)
    p = _sign_flip_p(ratios)
    return _assembled(estimate, low, high, p, alpha=alpha, margin=margin, test="sign-flip of log ratios, t")


def _sign_flip_p(values: Floats, *, seed: int = 0) -> float:
    n = len(values)
    observed = float(values.mean())
    if n > 16:
        signs = np.random.default_rng(seed).integers(0, 2, size=(DRAWS, n)) * 2 - 1
        return _permutation_p(observed, signs @ values / n)
    signs = (np.arange(2**n)[:, None] >> np.arange(n) & 1) * 2 - 1
    return float(np.mean(np.abs(signs @ values / n) >= abs(observed) * (1 - 1e-12)))


def _permutation_p(observed: float, null: Floats) -> float:
    """Two-sided p-value with the observed value among the draws (Phipson, Smyth 2010).

    With fewer than `TAIL` draws beyond it, the tail is that of a normal law with the draws' spread: a family's later
    challengers face levels below what the draws can resolve.
    """
    beyond = int(np.count_nonzero(np.abs(null) >= abs(observed) * (1 - 1e-9)))
    p = (beyond + 1) / (len(null) + 1)
    spread = float(null.std())
    if beyond >= TAIL or spread == 0:
        return p
    return min(p, normal_tail(observed / spread))


def _assembled(estimate: float, low: float, high: float, p: float, *, alpha: float, margin: float, test: str) -> Paired:
    """A finding whose interval never claims more than its test."""
    if p > alpha:
        low, high = min(low, 0.0), max(high, 0.0)
    p_margin, p_excess = _margin_p(estimate, low, high, alpha=alpha, margin=margin)
    return Paired(estimate=estimate, low=low, high=high, p=p, p_margin=p_margin, p_excess=p_excess, test=test)


def _blocks(total: int, width: int) -> list[tuple[int, int]]:
    size = max(1, _BLOCK // max(width, 1))
    return [(start, min(start + size, total)) for start in range(0, total, size)]


def wilson(successes: float, n: float, *, alpha: float = 0.05) -> tuple[float, float]:
    """Wilson's score interval of a share (Wilson 1927)."""
    z = normal_quantile(1 - alpha / 2)
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, centre - half), min(1.0, centre + half)
