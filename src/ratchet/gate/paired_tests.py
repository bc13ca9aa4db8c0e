"""Paired tests: two models scored on the same rows, or measured in the same rounds.

Every test returns a `Paired`: the difference "challenger minus champion", and how strongly the rows speak against each
value that the true difference might have. Nothing here decides anything; `ratchet.gate.verdict` does.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
CountStatistic = Callable[[Floats], Floats]

DRAWS = 9_999
TAIL = 10  # fewer permutations than this beyond the observed value: the tail is read off a normal fit
FEW = 20  # a ranking of fewer rows of a class than this tells nothing about others
_BLOCK = 4_000_000  # cells of one block of resamples
_STEPS = 60  # halvings of an interval, for a bound


@dataclass(frozen=True, kw_only=True, eq=False)
class Paired:
    """What one paired test says about the true difference.

    Args:
        estimate: the difference that was seen.
        score: maps a value to a z-score: how many standard errors the rows lie above it; falls as the value rises.
        test: name of the test.
        influence: shape (n,), what each row adds to the estimate, centred; ``mean`` of the squares over n is the estimate's
            variance. It tells how two comparisons on the same rows hang together. Empty for measured quantities.
        variance: how many times larger the variance is than the rows alone show.
        freedom: degrees of freedom of the standard error; infinite where rows are many.
        doubt: why nothing can be told from these rows; empty where it can.
    """

    estimate: float
    score: Callable[[float], float]
    test: str
    influence: Floats = field(default_factory=lambda: np.zeros(0))
    variance: float = 1.0
    freedom: float = math.inf
    doubt: str = ""

    def at_most(self, value: float = 0.0) -> float:
        """One-sided p-value of "the true difference is at most ``value``": small where the challenger is above it."""
        return self._tail(self.score(value))

    def at_least(self, value: float = 0.0) -> float:
        """One-sided p-value of "the true difference is at least ``value``"."""
        return self._tail(-self.score(value))

    def lower(self, level: float) -> float:
        """Lower confidence bound, wrong at most ``level`` of the time; never above 0 unless 0 itself is rejected."""
        if self.doubt:
            return -1.0
        bound = self._bound(level, side=-1)
        return max(bound, 0.0) if self.at_most() <= level else min(bound, 0.0)

    def upper(self, level: float) -> float:
        """Upper confidence bound, wrong at most ``level`` of the time; never below 0 unless 0 itself is rejected."""
        if self.doubt:
            return 1.0
        bound = self._bound(level, side=1)
        return min(bound, 0.0) if self.at_least() <= level else max(bound, 0.0)

    def widened(self, factor: float, *, freedom: float = math.inf) -> Paired:
        """The same test when the variance is ``factor`` times what it took, with so many degrees of freedom."""
        return replace(self, variance=self.variance * max(factor, 1.0), freedom=min(self.freedom, freedom))

    def _tail(self, z: float) -> float:
        if self.doubt:
            return 1.0
        z /= math.sqrt(self.variance)
        if math.isinf(self.freedom):
            return math.erfc(z / math.sqrt(2)) / 2
        if math.isinf(z):
            return 0.0 if z > 0 else 1.0
        from scipy.special import stdtr

        return float(stdtr(self.freedom, -z))

    def _bound(self, level: float, *, side: int) -> float:
        """Where the p-value of the estimate's one side is ``level``."""

        def rejected(value: float) -> bool:
            return self._tail(-side * self.score(value)) <= level

        step = 1e-3
        while not rejected(self.estimate + side * step):
            step *= 2
            if step > 1e6:
                return side * math.inf
        inside, outside = self.estimate, self.estimate + side * step
        for _ in range(_STEPS):
            middle = (inside + outside) / 2
            inside, outside = (inside, middle) if rejected(middle) else (middle, outside)
        return (inside + outside) / 2


def normal_quantile(probability: float) -> float:
    """The standard normal quantile."""
    from statistics import NormalDist

    return NormalDist().inv_cdf(probability)


def z_of(p: float) -> float:
    """The z-score with the one-sided p-value ``p``; good down to 1e-300."""
    from scipy.special import ndtri, ndtri_exp

    if p <= 0:
        return math.inf
    return float(-ndtri_exp(math.log(p))) if p < 0.5 else float(-ndtri(min(p, 1.0)))


def design_effect(influence: Floats, unit: Ints) -> tuple[float, int]:
    """By how much rows that belong together enlarge the variance, and how many units there are.

    Args:
        influence: shape (n,), from `Paired.influence`.
        unit: shape (n,), the number of the unit that each row belongs to.

    The variance of a sum over units is the sum of the squares of the units' sums (Obuchowski 1998, "On the comparison of
    correlated proportions for clustered data", Statistics in Medicine 17).
    """
    sums = np.bincount(np.unique(unit, return_inverse=True)[1], weights=influence)
    alone = float((influence**2).sum())
    return (float((sums**2).sum()) / alone if alone > 0 else 1.0), len(sums)


def mcnemar(wins: float, losses: float, n: float) -> Paired:
    """McNemar's test with mid-p, and Tango's score test of any other difference of two paired proportions.

    Args:
        wins: rows that only the challenger has right.
        losses: rows that only the champion has right.
        n: all rows.

    The mid-p test is exact up to half the probability of the observed table (Fagerland, Lydersen, Laake 2013, "The McNemar
    test for binary matched-pairs data"); other values are tested by the score test of Tango 1998, Statistics in Medicine 17.

    >>> mcnemar(4, 0, 200).at_most()
    0.03125
    """
    m = wins + losses
    p = 0.5 if m == 0 else _binomial_mid_cdf(losses, m)
    zero = z_of(p) if p < 0.5 else -z_of(_binomial_mid_cdf(wins, m)) if m else 0.0

    def score(value: float) -> float:
        return zero if value == 0 else _tango_z(wins, losses, n, value)

    return Paired(estimate=(wins - losses) / n, score=score, test="mid-p McNemar")


def _binomial_mid_cdf(k: float, m: float) -> float:
    """P(X < k) + P(X = k) / 2 for X ~ Binomial(m, 1/2)."""
    from scipy.special import betainc

    upto = float(betainc(m - k, k + 1, 0.5)) if k < m else 1.0
    below = float(betainc(m - k + 1, k, 0.5)) if k > 0 else 0.0
    return (upto + below) / 2


def _tango_z(wins: float, losses: float, n: float, delta: float) -> float:
    """Tango's score statistic of "the true difference is ``delta``"."""
    if abs(delta) >= 1:
        return -math.copysign(math.inf, delta)
    b = -wins - losses + (2 * n - wins + losses) * delta
    c = -losses * delta * (1 - delta)
    q = (math.sqrt(max(b * b - 8 * n * c, 0.0)) - b) / (4 * n)  # share of losses under the restriction
    variance = n * (2 * q + delta * (1 - delta))
    gap = wins - losses - n * delta
    if variance <= 0:
        return 0.0 if gap == 0 else math.copysign(math.inf, gap)
    return gap / math.sqrt(variance)


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
        z = zero if value == 0 else _quotient(estimate - value, error, freedom=n - 1)
        if worst is None:
            return z
        side = -math.copysign(worst, estimate - value)  # against what the rows say
        shifted = (n * estimate + side) / (n + 1)
        spread = math.sqrt((n * error**2 * n + (side - estimate) ** 2) / (n + 1) ** 2) if n > 1 else math.inf
        doubted = _quotient(shifted - value, spread)
        if doubted * (estimate - value) < 0:
            return 0.0
        return min(z, doubted) if estimate > value else max(z, doubted)

    return Paired(
        estimate=estimate,
        score=score,
        test="sign flips, t" if worst is None else "sign flips, t, one worst row more",
        influence=scores - estimate,
    )


def _quotient(distance: float, error: float, *, freedom: float = math.inf) -> float:
    """The z-score of a distance in standard errors, which have so many degrees of freedom (Student's t)."""
    if error == 0:
        return 0.0 if distance == 0 else math.copysign(math.inf, distance)
    if freedom > 300 or math.isinf(error):
        return distance / error
    from scipy.special import stdtr

    return math.copysign(z_of(float(stdtr(freedom, -abs(distance / error)))), distance)


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


def permutation_z(observed: float, null: Floats) -> float:
    """The z-score of the observed value among draws of a symmetric null.

    Draws as large as the observed one count half, as in mid-p. With fewer than `TAIL` draws beyond it, the tail is that of
    a normal law with the draws' spread: a plan's levels lie below what the draws can resolve.
    """
    spread, size = float(null.std()), abs(observed)
    if spread == 0:
        return 0.0
    sizes = np.abs(null)
    beyond = float(np.count_nonzero(sizes > size * (1 + 1e-9)))
    equal = float(np.count_nonzero(np.abs(sizes - size) <= size * 1e-9)) if size > 0 else 0.0
    if size == 0:
        return 0.0
    if beyond + equal >= TAIL:
        p = ((beyond + equal / 2) / 2 + 0.5) / (len(null) + 1)
        z = max(z_of(min(p, 0.5)), 0.0)
    else:
        z = max(size / spread, z_of(((beyond + equal / 2) / 2 + 0.5) / (len(null) + 1)))
    return math.copysign(z, observed)


def macro_f1_influence(truth: Ints, predicted: Ints, *, classes: int) -> tuple[float, Floats, Floats]:
    """Macro-F1, what each row adds to it, shape (n,), and what one more wrong row of each class would take, shape (k,).

    F1 of a class is twice its hits over its true and its predicted rows; its first-order term in a row is that of a ratio
    (Takahashi et al. 2022, "Confidence interval for micro-averaged F1 and macro-averaged F1 scores").
    """
    true = np.bincount(truth, minlength=classes).astype(np.float64)
    said = np.bincount(predicted, minlength=classes).astype(np.float64)
    hits = np.bincount(truth[truth == predicted], minlength=classes).astype(np.float64)
    total = true + said
    present = total > 0
    safe = np.where(present, total, 1.0)
    f1 = np.where(present, 2 * hits / safe, 0.0)
    k = max(int(present.sum()), 1)
    right = truth == predicted
    terms = (2 * right - f1[truth]) / safe[truth] - f1[predicted] / safe[predicted]
    influence = terms * len(truth) / k
    return float(f1.sum() / k), influence, np.where(present, 2 / safe, 0.0) / k


def macro_f1_difference(
    truth: Ints, challenger: Ints, champion: Ints, *, classes: int, seed: int = 0, draws: int = DRAWS
) -> Paired:
    """Studentised test of two macro-F1s that swaps the two models' predictions row by row.

    Args:
        truth: shape (n,), true classes 0 ... ``classes`` - 1; ``challenger`` and ``champion`` likewise predicted.

    The standard error is as if each class had one row more that only the challenger has right and one that only the
    champion has right (as Agresti, Min 2005 add to a matched table, Statistics in Medicine 24): where a class has five rows
    and the models agree on all five, little is known about the class, and little is claimed. Swaps: Chung, Romano 2013
    (Annals of Statistics 41): divided by its standard error, the statistic's null law is right also where the models
    are equally good without being exchangeable.
    """
    n = len(truth)
    first, inf_a, unit_a = macro_f1_influence(truth, challenger, classes=classes)
    second, inf_b, unit_b = macro_f1_influence(truth, champion, classes=classes)
    estimate, influence = first - second, inf_a - inf_b
    seen = float((influence**2).sum()) / n**2
    rare = float((((unit_a + unit_b) / 2) ** 2).sum())
    error = math.sqrt(seen + rare)
    zero = _quotient(estimate, error)
    if estimate and seen:
        null = _swapped_f1(truth, challenger, champion, classes=classes, rare=rare, seed=seed, draws=draws)
        exact = permutation_z(zero, null)
        zero = min(zero, exact) if estimate > 0 else max(zero, exact)

    def score(value: float) -> float:
        return zero if value == 0 else _quotient(estimate - value, error)

    return Paired(estimate=estimate, score=score, test="studentised swaps, rare classes doubted", influence=influence)


def _swapped_f1(
    truth: Ints, challenger: Ints, champion: Ints, *, classes: int, rare: float, seed: int, draws: int
) -> Floats:
    """Studentised differences under random swaps, shape (draws,).

    Rows with the same (true, challenger, champion) triple are interchangeable: a draw is one binomial count a triple.
    """
    keys = (truth * classes + challenger) * classes + champion
    triples, counts = np.unique(keys, return_counts=True)
    t, a, b = triples // classes**2, triples // classes % classes, triples % classes
    true = np.bincount(t, weights=counts, minlength=classes)
    differs = np.where(a != b, counts, 0)
    generator = np.random.default_rng(seed)
    null = np.empty(draws)
    at_a, at_b = np.zeros((len(triples), classes)), np.zeros((len(triples), classes))
    at_a[np.arange(len(t)), a], at_b[np.arange(len(t)), b] = 1, 1
    right_a, right_b = at_a * (a == t)[:, None], at_b * (b == t)[:, None]
    for start, stop in blocks(draws, 6 * len(triples) + 6 * classes):
        swapped = generator.binomial(differs, 0.5, size=(stop - start, len(triples))).astype(np.float64)
        kept = counts - swapped
        sides = []
        for stay, go in ((kept, swapped), (swapped, kept)):
            said = stay @ at_a + go @ at_b
            hits = stay @ right_a + go @ right_b
            total = true + said
            safe = np.where(total > 0, total, 1.0)
            f1 = np.where(total > 0, 2 * hits / safe, 0.0)
            sides.append((f1, safe, np.maximum((total > 0).sum(axis=1), 1)))
        (f_a, s_a, k_a), (f_b, s_b, k_b) = sides
        gap = f_a.sum(axis=1) / k_a - f_b.sum(axis=1) / k_b

        def term(f1: Floats, safe: Floats, k: Ints, said: Ints) -> Floats:
            found: Floats = ((2 * (said == t) - f1[:, t]) / safe[:, t] - f1[:, said] / safe[:, said]) / k[:, None]
            return found

        straight = term(f_a, s_a, k_a, a) - term(f_b, s_b, k_b, b)
        crossed = term(f_a, s_a, k_a, b) - term(f_b, s_b, k_b, a)
        spread = (kept * straight**2 + swapped * crossed**2).sum(axis=1)
        null[start:stop] = gap / np.sqrt(spread + rare)
    return null


def auc_difference(
    truth: npt.NDArray[np.bool_], challenger: Floats, champion: Floats, *, seed: int = 0, draws: int = DRAWS
) -> Paired:
    """Studentised test of two correlated AUCs (ranks swapped row by row), with DeLong's standard error.

    Args:
        truth: shape (n,), true where the row is of the positive class.
        challenger: shape (n,), scores; higher means more likely positive; ``champion`` likewise.

    Scores are turned into mid-ranks first, so that two models on different scales can be exchanged (Bandos, Rockette, Gur
    2005, Statistics in Medicine 24); divided by DeLong's error (DeLong, DeLong, Clarke-Pearson 1988, Biometrics 44), the
    statistic is right also where the curves cross (Chung, Romano 2013). With fewer than `FEW` rows of a class nothing is
    told.
    """
    a, b = _doubled_midranks(challenger), _doubled_midranks(champion)
    n = len(truth)
    rows = min(int(truth.sum()), int((~truth).sum()))
    up_a, down_a = _placements(truth, challenger)
    up_b, down_b = _placements(truth, champion)
    up, down = up_a - up_b, down_a - down_b
    estimate = float(up.mean())
    error = math.sqrt(sum(float(part.var(ddof=1)) / len(part) for part in (up, down) if len(part) > 1))
    influence = np.zeros(n)
    influence[truth] = (up - up.mean()) * n / len(up)
    influence[~truth] = (down - down.mean()) * n / len(down)
    zero = 0.0
    if estimate and rows >= FEW:
        null = _swapped_aucs(truth, a, b, seed=seed, draws=draws)
        exact = permutation_z(_quotient(estimate, error), null)
        zero = _quotient(estimate, error, freedom=_satterthwaite(up, down))
        zero = min(zero, exact) if estimate > 0 else max(zero, exact)

    def score(value: float) -> float:
        return zero if value == 0 else _quotient(estimate - value, error, freedom=freedom)

    doubt = "" if rows >= FEW else f"{rows} rows of one class; AUC needs {FEW} of each"
    freedom = _satterthwaite(up, down)
    return Paired(
        estimate=estimate,
        score=score,
        test="studentised rank swaps, DeLong",
        influence=influence,
        doubt=doubt,
    )


def _satterthwaite(up: Floats, down: Floats) -> float:
    """Degrees of freedom of DeLong's variance, the sum of two sample variances (Satterthwaite 1946)."""
    parts = [(float(part.var(ddof=1)) / len(part), len(part) - 1) for part in (up, down) if len(part) > 1]
    total = sum(variance for variance, _ in parts)
    if total <= 0:
        return math.inf
    return total**2 / sum(variance**2 / freedom for variance, freedom in parts)


def _swapped_aucs(truth: npt.NDArray[np.bool_], a: Ints, b: Ints, *, seed: int, draws: int) -> Floats:
    """Studentised AUC differences under random swaps of the two models' ranks, shape (draws,)."""
    differs = np.flatnonzero(a != b)
    generator = np.random.default_rng(seed)
    null = np.empty(draws)
    for start, stop in blocks(draws, 400 * len(a)):  # small blocks stay in the cache
        swap = np.zeros((stop - start, len(a)), dtype=bool)
        swap[:, differs] = generator.random((stop - start, len(differs)), dtype=np.float32) < 0.5
        up_a, down_a = _rank_placements(truth, np.where(swap, b, a))
        up_b, down_b = _rank_placements(truth, np.where(swap, a, b))
        up, down = up_a - up_b, down_a - down_b
        variance = sum(part.var(axis=1, ddof=1) / part.shape[1] for part in (up, down) if part.shape[1] > 1)
        null[start:stop] = up.mean(axis=1) / np.sqrt(np.maximum(variance, 1e-300))
    return null


def _doubled_midranks(scores: Floats) -> Ints:
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    upto = np.cumsum(counts)
    ranks: Ints = (2 * upto - counts)[inverse].astype(np.int64)
    return ranks


def _rank_placements(truth: npt.NDArray[np.bool_], ranks: Ints) -> tuple[Floats, Floats]:
    """Placements of small non-negative integer scores of shape (b, n), by counting instead of sorting: (b, n1), (b, n0)."""
    draws, size = len(ranks), 2 * ranks.shape[1] + 1
    cells = ranks + np.arange(draws)[:, None] * size
    places = []
    for mine, other in ((truth, ~truth), (~truth, truth)):
        counts = np.bincount(cells[:, other].ravel(), minlength=draws * size).reshape(draws, size)
        below = (np.cumsum(counts, axis=1) - counts / 2) / int(other.sum())
        places.append(below.ravel()[cells[:, mine]])
    return places[0], 1 - places[1]


def auc(truth: npt.NDArray[np.bool_], scores: Floats) -> float:
    """Area under the ROC curve, ties counted half."""
    return float(_placements(truth, scores)[0].mean())


def _placements(truth: npt.NDArray[np.bool_], scores: Floats) -> tuple[Floats, Floats]:
    """DeLong's structural components: of the positives, shape (n1,), and of the negatives, shape (n0,)."""
    positive, negative = np.sort(scores[truth]), np.sort(scores[~truth])
    up = np.searchsorted(negative, scores[truth], "left") + np.searchsorted(negative, scores[truth], "right")
    down = np.searchsorted(positive, scores[~truth], "left") + np.searchsorted(positive, scores[~truth], "right")
    return up / (2 * len(negative)), 1 - down / (2 * len(positive))


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
    return _bca_bounds(resampled, observed, skewness / (6 * math.sqrt(n)), alpha=alpha)


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
    for start, stop in blocks(draws, len(counts)):
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
    for start, stop in blocks(len(weights), len(weights)):
        block = np.repeat(weights[None, :], stop - start, axis=0)
        block[np.arange(stop - start), np.arange(start, stop)] -= 1
        left_out[start:stop] = statistic(block)
    centre = float(np.average(left_out, weights=weights))
    deviation = centre - left_out
    spread = float((weights * deviation**2).sum())
    return 0.0 if spread == 0 else float((weights * deviation**3).sum()) / (6 * spread**1.5)


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
        return Paired(estimate=estimate, score=lambda value: _quotient(estimate - value, 0.0), test="exact")
    error, zero = float(ratios.std(ddof=1)) / math.sqrt(r), _sign_flip_z(ratios)

    def score(value: float) -> float:
        if value >= 1:
            return -math.inf
        return zero if value == 0 else _quotient(mean + math.log1p(-value), error, freedom=r - 1)

    return Paired(estimate=estimate, score=score, test="sign flips of log ratios, t")


def _sign_flip_z(values: Floats, *, seed: int = 0) -> float:
    n, observed = len(values), float(values.mean())
    if n > 16:
        signs = np.random.default_rng(seed).integers(0, 2, size=(DRAWS, n)) * 2 - 1
        return permutation_z(observed, signs @ values / n)
    signs = (np.arange(2**n)[:, None] >> np.arange(n) & 1) * 2 - 1
    beyond = float(np.mean(np.abs(signs @ values / n) >= abs(observed) * (1 - 1e-12)))
    return math.copysign(max(z_of(beyond / 2), 0.0), observed)


def blocks(total: int, width: int) -> list[tuple[int, int]]:
    """Ranges that together are 0 ... ``total``, each of so few items of ``width`` cells that they fit the cache."""
    size = max(1, _BLOCK // max(width, 1))
    return [(start, min(start + size, total)) for start in range(0, total, size)]


def wilson(successes: float, n: float, *, alpha: float = 0.05) -> tuple[float, float]:
    """Wilson's score interval of a share (Wilson 1927)."""
    z = normal_quantile(1 - alpha / 2)
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, centre - half), min(1.0, centre + half)
