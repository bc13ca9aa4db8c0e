"""What a paired test says: two models scored on the same rows, or measured in the same rounds.

Every test returns a `Paired`: the difference "challenger minus champion", and how strongly the rows speak against each
value that the true difference might have. Nothing here decides anything; `ratchet.gate.verdict` does. The tests: shares
(`proportions`), means (`means`), macro-F1 (`macro_f1`), rankings (`ranking`), and smooth functions of sums (`smooth`).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

DRAWS = 9_999
TAIL = 10  # fewer permutations than this beyond the observed value: the tail is read off a normal fit
FEW = 20  # a ranking of fewer rows of a class than this tells nothing about others
_BLOCK = 4_000_000  # cells of one block of resamples
_STEPS = 60  # halvings of an interval, for a bound
_FAR = 1e100  # a bound or a statistic beyond this is none


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
        null: the value that a claim of "better" is tested against; other than 0 only for a saving by a factor.
        doubt: why nothing can be told from these rows; empty where it can.
    """

    estimate: float
    score: Callable[[float], float]
    test: str
    influence: Floats = field(default_factory=lambda: np.zeros(0))
    variance: float = 1.0
    freedom: float = math.inf
    null: float = 0.0
    doubt: str = ""

    def at_most(self, value: float = 0.0) -> float:
        """One-sided p-value of "the true difference is at most ``value``": small where the challenger is above it."""
        return self._tail(self.score(value))

    def at_least(self, value: float = 0.0) -> float:
        """One-sided p-value of "the true difference is at least ``value``"."""
        return self._tail(-self.score(value))

    def lower(self, level: float) -> float:
        """Lower confidence bound, wrong at most ``level`` of the time; never above `null` unless that is rejected."""
        if self.doubt:
            return min(-1.0, self.estimate)
        bound = self._bound(level, side=-1)
        return max(bound, self.null) if self.at_most(self.null) <= level else min(bound, self.null)

    def upper(self, level: float) -> float:
        """Upper confidence bound, wrong at most ``level`` of the time; never below 0 unless 0 itself is rejected."""
        if self.doubt:
            return max(1.0, self.estimate)
        bound = self._bound(level, side=1)
        return min(bound, 0.0) if self.at_least() <= level else max(bound, 0.0)

    def widened(self, factor: float, *, freedom: float = math.inf) -> Paired:
        """The same test when the variance is ``factor`` times what it took, with so many degrees of freedom."""
        return replace(self, variance=self.variance * max(factor, 1.0), freedom=min(self.freedom, freedom))

    def unskewed(self) -> Paired:
        """The same test where rows against the claim are few and large: z-scores are lowered as their skewness asks.

        The transformation is that of Hall 1992, "On the removal of skewness by transformation", Journal of the Royal
        Statistical Society B 54; it is used only where it speaks against the claim, so a symmetric law loses nothing.
        """
        spread, root = float((self.influence**2).mean()), math.sqrt(len(self.influence))
        skewness = float((self.influence**3).mean()) / spread**1.5 / root if spread else 0.0

        def score(value: float) -> float:
            z = self.score(value)
            if not skewness or math.isinf(z):
                return z
            even = z + skewness * (2 * z**2 + 1) / 6 + skewness**2 * z**3 / 27
            return max(min(z, even), 0.0) if z > 0 else min(max(z, even), 0.0)

        return replace(self, score=score)

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
            if step > _FAR:
                return side * sys.float_info.max  # no value is rejected; a record holds finite figures
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


def quotient(distance: float, error: float, *, freedom: float = math.inf) -> float:
    """The z-score of a distance in standard errors, which have so many degrees of freedom (Student's t)."""
    if error == 0:
        return 0.0 if distance == 0 else math.copysign(math.inf, distance)
    if freedom > 300 or math.isinf(error):
        return distance / error
    from scipy.special import stdtr

    return math.copysign(z_of(float(stdtr(freedom, -abs(distance / error)))), distance)


def permutation_z(observed: float, null: Floats) -> float:
    """The z-score of the observed value among draws of a symmetric null.

    Draws as large as the observed one count half, as in mid-p. With fewer than `TAIL` draws beyond it, the tail is that of
    a normal law with the draws' spread: a plan's levels lie below what the draws can resolve. An infinite one, of an
    estimate without any error, is told by the draws alone.
    """
    spread, size = float(null.std()), abs(observed)
    if spread == 0:
        return 0.0
    sizes = np.abs(null)
    if math.isinf(size):
        as_far = float(np.count_nonzero(sizes > _FAR))
        return math.copysign(max(z_of((as_far / 4 + 0.5) / (len(null) + 1)), 0.0), observed)
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


def blocks(total: int, width: int) -> list[tuple[int, int]]:
    """Ranges that together are 0 ... ``total``, each of so few items of ``width`` cells that they fit the cache."""
    size = max(1, _BLOCK // max(width, 1))
    return [(start, min(start + size, total)) for start in range(0, total, size)]
