"""Calibration: whether a probability of .8 means right in 80 %, and one number, the temperature, that mends it.

A temperature T divides the logits, here the logarithms of the probabilities: below 1 a model gets surer, above 1 less sure, and
which label is the most probable stays (Guo, Pleiss, Sun and Weinberger 2017, "On calibration of modern neural networks").
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ratchet.metrics.proportions import wilson
from ratchet.models.model import Answers
from ratchet.models.targets import Targets

BINS = 15
TINY = 1e-9
"""Smaller probabilities count as this one: a model may say 0."""
COLDEST, HOTTEST = 0.05, 20.0
"""The ends between which a temperature is sought."""
LEVEL = 0.01
"""A temperature is used where the chance that it only seems to lower the loss is below this."""
EACH = 10
"""Right and wrong answers, each, below which no temperature is used: with none wrong, the best one would be 0."""
PARTS = 5
"""Parts for cross-fitting where the rows have no folds."""
Doubles = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Bin:
    """Rows of about the same confidence: its mean, the share that is right, and Wilson's 95 % interval of that share."""

    confidence: float
    right: float
    low: float
    high: float
    rows: int


def bins_of(confidence: Doubles, right: Bools, *, count: int = BINS) -> tuple[Bin, ...]:
    """Bins of about equal numbers of rows, the least sure first; equal confidences share a bin.

    Args:
        confidence: (n,) from 0 to 1.
        right: (n,)
        count: of bins at most.
    """
    if not len(confidence):
        return ()
    inner = np.quantile(confidence, np.arange(1, count) / count, method="inverted_cdf")
    place = np.searchsorted(np.unique(inner), confidence, side="left")
    made = []
    for one in np.unique(place):
        rows = place == one
        hits, n = int(right[rows].sum()), int(rows.sum())
        low, high = wilson(hits, n)
        made.append(Bin(confidence=float(confidence[rows].mean()), right=hits / n, low=low, high=high, rows=n))
    return tuple(made)


def ece(bins: Sequence[Bin]) -> float:
    """Expected calibration error: the mean distance between confidence and share of right rows (Guo et al. 2017).

    It is never below what chance alone makes of a perfect model; see `debiased`.

    >>> ece([Bin(confidence=0.9, right=0.8, low=0, high=1, rows=10), Bin(confidence=0.5, right=0.5, low=0, high=1, rows=10)])
    0.05
    """
    rows = sum(one.rows for one in bins)
    return round(sum(one.rows * abs(one.confidence - one.right) for one in bins) / rows, 12) if rows else 0.0


def debiased(bins: Sequence[Bin]) -> float:
    """Root of the mean squared distance, less what chance adds to it, 0 where that is all of it (Kumar, Liang, Ma 2019).

    "Verified uncertainty calibration", section 4.1; bins of one row tell nothing and are left out.
    """
    known = [one for one in bins if one.rows > 1]
    rows = sum(one.rows for one in known)
    squares = sum(
        one.rows * ((one.confidence - one.right) ** 2 - one.right * (1 - one.right) / (one.rows - 1)) for one in known
    )
    return math.sqrt(max(squares / rows, 0.0)) if rows else 0.0


def scaled(answers: Answers, temperature: float, *, apart: bool = False) -> Doubles:
    """Probabilities at a temperature, (n, k).

    >>> scaled(np.array([[0.2, 0.8]]), 0.5).round(3).tolist()
    [[0.059, 0.941]]

    Args:
        answers: (n, k) probabilities.
        temperature: above 0; 1 changes nothing.
        apart: each column is a probability of its own (several labels a row), rows do not add up to 1.
    """
    given = answers.astype(np.float64)
    if temperature == 1.0 or not given.size:
        return given
    own = np.log(np.clip(given, TINY, 1.0)) / temperature
    if apart:
        other = np.log(np.clip(1.0 - given, TINY, 1.0)) / temperature
        each: Doubles = np.exp(own - np.logaddexp(own, other))
        return each
    weights = np.exp(own - own.max(axis=1, keepdims=True))
    shares: Doubles = weights / weights.sum(axis=1, keepdims=True)
    return shares


class _Losses:
    """The log loss of each row as a function of the temperature; what does not depend on it is computed once."""

    def __init__(self, answers: Answers, targets: Targets) -> None:
        given = answers.astype(np.float64)
        logits = np.log(np.clip(given, TINY, 1.0))
        self._apart = targets.kind == "labels"
        if self._apart:
            # (n, k) by how much the logit speaks for what is true of the label
            self._margin = np.where(targets.values, 1.0, -1.0) * (logits - np.log(np.clip(1.0 - given, TINY, 1.0)))
            return
        top = logits.max(axis=1, keepdims=True)
        self._below = logits - top  # (n, k)
        self._missed = -self._below[np.arange(len(given)), targets.values]  # (n,)

    def at(self, temperature: float) -> Doubles:
        """(n,) at a temperature; of several labels the mean over them."""
        if self._apart:
            several: Doubles = np.logaddexp(0.0, -self._margin / temperature).mean(axis=1)
            return several
        single: Doubles = np.log(np.exp(self._below / temperature).sum(axis=1)) + self._missed / temperature
        return single


def row_losses(answers: Answers, targets: Targets, temperature: float = 1.0) -> Doubles:
    """(n,) log loss of each row at a temperature; of several labels the mean over them."""
    return _Losses(answers, targets).at(temperature) if len(answers) else np.zeros(0)


def temperature_of(answers: Answers, targets: Targets) -> float:
    """The temperature with the lowest log loss, between `COLDEST` and `HOTTEST`; 1 where every temperature has the same.

    The loss is convex in 1/T, so there is one lowest place.

    Args:
        answers: (n, k) probabilities of rows that the model was not trained on.
        targets: their right answers: classes, or several labels.
    """
    from scipy.optimize import minimize_scalar

    if not answers.size or np.isin(answers, (0.0, 1.0)).all():
        return 1.0
    losses = _Losses(answers, targets)
    found = minimize_scalar(
        lambda cold: float(losses.at(math.exp(cold)).mean()),
        bounds=(math.log(COLDEST), math.log(HOTTEST)),
        method="bounded",
        options={"xatol": 1e-4},
    )
    flat = losses.at(1.0).mean() - float(found.fun) < 1e-12
    return 1.0 if flat else math.exp(float(found.x))


@dataclass(frozen=True, kw_only=True, eq=False)
class Calibration:
    """The temperature of a model, and what it does to rows that did not fit it.

    ``answers`` (n, k) are cross-fitted: those of a fold at the temperature of the other folds. The losses and ``p`` are of
    these, so they hold for rows that are new to the model and to the temperature. ``temperature`` is that of all rows where
    it is ``used``, else 1.
    """

    fitted: float
    used: bool
    loss_before: float
    loss_after: float
    p: float
    answers: Doubles

    @property
    def temperature(self) -> float:
        """What probabilities are served at."""
        return self.fitted if self.used else 1.0


def calibrate(answers: Answers, targets: Targets, *, right: Bools, fold: Ints | None, unit: Ints | None) -> Calibration:
    """Fit a temperature, and tell whether it lowers the log loss of rows that did not fit it.

    Args:
        answers: (n, k) probabilities, of each row by a model that was not trained on it.
        targets: their right answers.
        right: (n,) whether the answer that is given is right.
        fold: (n,) of each row; ``None`` or one fold alone: parts are made of the rows.
        unit: (n,) equal for rows that belong together, which are one piece of evidence.
    """
    n = len(answers)
    unit = np.arange(n) if unit is None else unit
    fold = _parts(unit) if fold is None or len(np.unique(fold)) < 2 else fold
    apart, fitted = targets.kind == "labels", temperature_of(answers, targets)
    after, shares = np.zeros(n), answers.astype(np.float64)
    for one in np.unique(fold):
        held, rest = np.flatnonzero(fold == one), np.flatnonzero(fold != one)
        cold = temperature_of(answers[rest], targets.take(rest))
        after[held] = row_losses(answers[held], targets.take(held), cold)
        shares[held] = scaled(answers[held], cold, apart=apart)
    before = row_losses(answers, targets)
    p = _p_of(before - after, unit)
    enough = min(int(right.sum()), int((~right).sum())) >= EACH
    used = enough and p < LEVEL and fitted != 1.0
    return Calibration(
        fitted=fitted,
        used=used,
        loss_before=float(before.mean()) if n else 0.0,
        loss_after=float(after.mean()) if n else 0.0,
        p=p,
        answers=shares if used else answers.astype(np.float64),
    )


def _parts(unit: Ints) -> Ints:
    """Folds of about equal size that no unit crosses."""
    _, place = np.unique(unit, return_inverse=True)
    parts: Ints = np.random.default_rng(0).permutation(int(place.max(initial=-1)) + 1)[place] % PARTS
    return parts


def _p_of(saved: Doubles, unit: Ints) -> float:
    """One-sided p-value of "the mean is not above 0", by Student's t over the sums of units."""
    from scipy.stats import t

    sums = np.bincount(np.unique(unit, return_inverse=True)[1], weights=saved)
    if len(sums) < 2 or sums.std() == 0:
        return 1.0
    return float(t.sf(math.sqrt(len(sums)) * sums.mean() / sums.std(ddof=1), len(sums) - 1))
