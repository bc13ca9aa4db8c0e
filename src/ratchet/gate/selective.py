"""Selective answers: the confidence from which answers may go out by themselves, for a wanted error rate, with a guarantee.

Learn then Test (Angelopoulos, Bates, Candès, Jordan and Lei 2021): each threshold of a grid that was fixed beforehand is a
hypothesis, "more than the wanted share of the rows that it answers is wrong", and a threshold is taken only when its
hypothesis is rejected. They are tested from strict to loose, each at the whole level, up to the first that is not rejected
(fixed-sequence testing); with several chains that begin at different places, each has its share of the level (Bonferroni).

How many rows a threshold answers is random, so each test is made given that number: of n answered rows with error rate r the
wrong ones are Binomial(n, r), and p = P(Binomial(n, error) <= wrong), exact. A chain begins where enough rows are answered,
which is told by their number alone. What is promised, with probability ``confidence_level`` over the rows that it is chosen by:

* Where an answer with a higher confidence is wrong no more often than one with a lower, the error rate among all further rows
  that are answered is at most ``error``. Proof for a chain: let t be the strictest threshold whose error rate r(t) is above
  ``error``. If enough rows are answered at t, the chain must reject t, whose wrong rows are Binomial(n, r(t)) given n. If not,
  it begins at a looser one, where each further row is wrong with probability r(t) or more, so that the wrong rows are at least
  Binomial(n, error), given all counts. Either way it fails with at most its level.
* Without that condition it holds for texts with the confidences of these rows: given them, the wrong rows are a sum of
  independent draws with mean n r, whose lower tail is no heavier than that of Binomial(n, r) (Hoeffding 1956, "On the
  distribution of the number of successes in independent trials", theorem 4; up to n r - 1, beyond which nothing is rejected).

A confidence must not know whether its own answer is right: where a temperature is fitted, each fold is at that of the others.
What is served at one temperature of all rows is no part of the promise; what it does to these rows is told beside it.

Rows that belong together (copies, one customer) are no independent draws: of each unit one row, drawn at random, is tested, and
the promise is about one row of a further unit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ratchet.errors import DataError
from ratchet.metrics.metrics import Score
from ratchet.metrics.proportions import wilson

NAIVE = 0.9
"""The threshold that people take without asking."""
STEP, STRICTEST, LOOSEST = 0.1, 14.0, -8.0
"""The grid, in logits of the confidence; the loosest threshold of all answers every row."""
QUARTERS = (0.25, 0.5)
"""Shares of the rows at which two of the three chains begin; the first begins where a test can succeed at all."""
MOST, TRIED = 1e8, 400
"""Up to how many rows it is told how many are needed, and how many numbers are tried."""
Doubles = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Point:
    """What happens at a threshold, on the rows that were judged: the share answered, and the share of these that is wrong."""

    threshold: float
    answered: Score
    """With Wilson's 95 % interval."""
    wrong: int
    error: Score | None
    """With the exact 95 % interval of Clopper and Pearson (1934); ``None`` where nothing is answered."""

    @classmethod
    def of(cls, threshold: float, confidence: Doubles, right: Bools) -> Point:
        """At this threshold, of (n,) confidences and whether each answer is right."""
        taken = confidence >= threshold
        n, wrong, rows = int(taken.sum()), int((taken & ~right).sum()), len(confidence)
        low, high = wilson(n, rows) if rows else (0.0, 1.0)
        share = n / rows if rows else 0.0
        return cls(
            threshold=threshold,
            answered=Score(value=share, low=low, high=high, n=rows, metric="answered"),
            wrong=wrong,
            error=error_of(wrong, n),
        )


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The threshold that keeps the promise and answers most, or that none does; and the usual one beside it."""

    error: float
    """Wanted: at most this share of what is answered is wrong."""
    confidence_level: float
    threshold: float | None
    """Answers of this confidence or more go out; ``None``: no threshold keeps the promise."""
    p: float | None
    """Of the test that the threshold passed, at ``level``."""
    level: float
    tested: int
    """Rows that the tests are about: one of each unit."""
    chosen: Point | None
    naive: Point
    rows_needed: int | None
    """Where there is no threshold: it takes about so many rows at least, if the errors stay as they are; ``None``: no number
    of them would do."""

    @property
    def line(self) -> str:
        """The choice in one line for people."""
        wanted = (
            f"at most {100 * self.error:.3g}% of what is answered wrong, with probability {self.confidence_level:g}"
        )
        beside = f"from {self.naive.threshold:g} on it would be {told(self.naive)}"
        if self.chosen is not None:
            return f"{wanted}: answers from {self.chosen.threshold:.4g} on, {told(self.chosen)}; {beside}"
        rows = (
            f"it takes at least about {self.rows_needed:,} judged rows"
            if self.rows_needed
            else "more rows would not help"
        )
        return f"{wanted}: no threshold holds this on {self.tested:,} rows, so every answer is for people ({rows}); {beside}"


def told(point: Point) -> str:
    """The share that is answered and the share of it that is wrong, for people."""
    error = (
        "no row" if point.error is None else f"{point.error.value:.2%} [{point.error.low:.2%}, {point.error.high:.2%}]"
    )
    answered = point.answered
    return f"{answered.value:.1%} [{answered.low:.1%}, {answered.high:.1%}] of the rows, of them wrong {error}"


def error_of(wrong: int, n: int) -> Score | None:
    """The share of ``n`` rows that is wrong, with its exact 95 % interval; ``None`` of no rows.

    >>> error_of(0, 100).high.__round__(4)
    0.0362
    """
    from scipy.stats import beta

    if not n:
        return None
    low = float(beta.ppf(0.025, wrong, n - wrong + 1)) if wrong else 0.0
    high = float(beta.ppf(0.975, wrong + 1, n - wrong)) if wrong < n else 1.0
    return Score(value=wrong / n, low=low, high=high, n=n, metric="error")


def grid() -> Doubles:
    """The thresholds, from strict to loose; equal steps in the logit, so that they are dense where errors are rare."""
    logits = np.arange(STRICTEST, LOOSEST - STEP / 2, -STEP)
    thresholds: Doubles = np.append(np.round(1 / (1 + np.exp(-logits)), 7), 0.0)
    return thresholds


def choose_threshold(
    confidence: Doubles,
    right: Bools,
    *,
    error: float,
    confidence_level: float = 0.95,
    unit: Ints | None = None,
    seed: int = 0,
) -> Choice:
    """The loosest threshold at which at most ``error`` of what is answered is wrong, with the guarantee above.

    Args:
        confidence: (n,) of each row, from 0 to 1, by a model that was not trained on it.
        right: (n,) whether its answer is right.
        error: the wanted error rate among the answered rows, above 0 and below 1.
        confidence_level: the probability with which the promise is kept.
        unit: (n,) equal for rows that belong together.
        seed: draws the row of each unit.

    Raises:
        DataError: a rate is not between 0 and 1, or a confidence is not a number.
    """
    for name, value in (("error", error), ("confidence_level", confidence_level)):
        if not 0 < value < 1:
            raise DataError(f"{name} must be between 0 and 1 but got {value:g}.")
    if not np.isfinite(confidence).all():
        raise DataError("Every confidence must be a number but one is not.")
    drawn = _one_each(len(confidence), unit, seed)
    thresholds, level = grid(), (1 - confidence_level) / (1 + len(QUARTERS))
    answered, wrong = _counts(confidence[drawn], right[drawn], thresholds)
    p = _p_values(answered, wrong, error)
    found = max((_chain(answered, p, begin, level) for begin in _begins(len(drawn), error, level)), default=-1)
    threshold = float(thresholds[found]) if found >= 0 else None
    return Choice(
        error=error,
        confidence_level=confidence_level,
        threshold=threshold,
        p=float(p[found]) if found >= 0 else None,
        level=level,
        tested=len(drawn),
        chosen=None if threshold is None else Point.of(threshold, confidence, right),
        naive=Point.of(NAIVE, confidence, right),
        rows_needed=None if found >= 0 else _rows_needed(answered, wrong, rows=len(drawn), error=error, level=level),
    )


def curve(confidence: Doubles, right: Bools, *, most: int = 60) -> tuple[Point, ...]:
    """What happens at the thresholds of the grid, from strict to loose; of those that answer the same rows one."""
    points: list[Point] = []
    for threshold in grid():
        point = Point.of(float(threshold), confidence, right)
        if point.error is not None and (not points or point.error.n > points[-1].error.n):  # type: ignore[union-attr]
            points.append(point)
    kept = np.unique(np.linspace(0, max(len(points) - 1, 0), min(most, len(points))).astype(np.int64))
    return tuple(points[place] for place in kept.tolist())


def _one_each(n: int, unit: Ints | None, seed: int) -> Ints:
    """Positions of one row of each unit, drawn at random."""
    if unit is None:
        return np.arange(n)
    order = np.random.default_rng(seed).permutation(n)
    _, first = np.unique(unit[order], return_index=True)
    drawn: Ints = np.sort(order[first])
    return drawn


def _counts(confidence: Doubles, right: Bools, thresholds: Doubles) -> tuple[Ints, Ints]:
    """For each threshold the rows that it answers, and how many of them are wrong."""
    rising = np.sort(confidence), np.sort(confidence[~right])
    answered, wrong = (len(side) - np.searchsorted(side, thresholds, side="left") for side in rising)
    return answered.astype(np.int64), wrong.astype(np.int64)


def _p_values(answered: Ints, wrong: Ints, error: float) -> Doubles:
    """P(Binomial(answered, error) <= wrong); 1 where Hoeffding's theorem says nothing, which rejects nothing anyway."""
    from scipy.stats import binom

    p = binom.cdf(wrong, answered, error)
    safe: Doubles = np.where((answered > 0) & (wrong <= answered * error - 1), p, 1.0)
    return safe


def fewest(error: float, level: float) -> int:
    """Rows without a mistake that prove the rate: with fewer no test can succeed.

    >>> fewest(0.01, 0.05)
    299
    """
    return max(math.ceil(math.log(level) / math.log1p(-error)), math.ceil(1 / error))


def _begins(rows: int, error: float, level: float) -> Sequence[int]:
    """The numbers of answered rows at which the chains begin."""
    least = fewest(error, level)
    return [least, *(max(least, math.ceil(share * rows)) for share in QUARTERS)]


def _chain(answered: Ints, p: Doubles, begin: int, level: float) -> int:
    """The last threshold of a chain that is rejected, as its place in the grid; -1: not even the first."""
    last = -1
    for place in np.flatnonzero(answered >= begin).tolist():
        if p[place] > level:
            break
        last = place
    return last


def _rows_needed(answered: Ints, wrong: Ints, *, rows: int, error: float, level: float) -> int | None:
    """About how many rows at least would prove a threshold, if the shares answered and wrong stay as they are."""
    needed = [
        enough * rows / n
        for n, missed in sorted({*zip(answered.tolist(), wrong.tolist(), strict=True)})
        if n and (enough := _enough(missed / n, error, level)) is not None
    ]
    return math.ceil(min(needed)) if needed else None


def _enough(rate: float, error: float, level: float) -> int | None:
    """Answered rows from which so low a rate is proven to be below ``error``; ``None``: never, or beyond `MOST`."""
    from scipy.stats import binom

    n = np.unique(np.geomspace(fewest(error, level), MOST, TRIED).round())
    proven = np.flatnonzero(binom.cdf(np.floor(rate * n), n, error) <= level)
    return int(n[proven[0]]) if rate < error and len(proven) else None
