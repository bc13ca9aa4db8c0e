"""What the rows alone do not show: fold models that share their training rows, and seeds."""

from __future__ import annotations

import math

import numpy as np

from ratchet.errors import RatchetError
from ratchet.metrics.evidence import Evidence
from ratchet.metrics.metric import Metric
from ratchet.metrics.paired_tests import Floats, Ints

OVERLAP = 8.0
"""Two procedures compared out of fold: variance over what the rows show is ``1 + OVERLAP / sqrt(n)`` at most. Measured on
pairs of equally good procedures with disjoint features (benchmarks/gate_power.py), which is the worst pair there is."""
SEED_SD, SEED_ROWS = 0.003, 1.0
"""What is assumed of the spread between seeds of a trained network before it is seen, and the weight of that in folds."""
SEED_SHARE = 0.01
"""The same spread over that of the difference between rows: .3 of a point where two models differ on a tenth of the rows."""


def out_of_fold(a: Evidence, b: Evidence) -> bool:
    """Whether at least one side predicted each row by a model of the other folds."""
    fold = _folds(a, b)
    return fold is not None and len(np.unique(fold)) > 1


def _folds(a: Evidence, b: Evidence) -> Ints | None:
    """The folds of whoever has some; a fixed model, such as a prompt or a file of answers, has none."""
    return a.fold if a.fold is not None else b.fold


def overlap(a: Evidence, b: Evidence, influence: Floats, *, bounded: bool = True) -> tuple[float, float]:
    """By how much the variance of an out-of-fold difference exceeds what the rows show, for a claim about procedures.

    Args:
        a: evidence on the same rows and folds as ``b``.
        influence: shape (n,), what each row adds to the difference.
        bounded: whether the metric has the same range on all tables; where not, the spread between seeds is assumed to be
            `SEED_SHARE` of the spread of the rows.

    Returns:
        The factor, and the degrees of freedom of the standard error (infinite where nothing was estimated from folds).

    The fold models share most of their training rows, and another table would have given others: on average over tables
    the difference of two procedures varies more than the rows of one table tell (Nadeau, Bengio 2003; Bates, Hastie,
    Tibshirani 2024). Their worst case is 1 + K/(K - 1) for K folds; what was measured shrinks with the rows (`OVERLAP`).
    Where training draws lots, each fold is also a draw of its own: the spread between folds is estimated from the K folds
    and from what is known of such models, as Smyth 2004 moderates a variance; the degrees of freedom are Satterthwaite's.
    A fixed model beside a procedure gets the same factor: without it a fixed one that is just as good on average is called
    better in up to 7.3 % of tables at a level of 5 % (benchmarks/gate_fixed.py).
    """
    fold = _folds(a, b)
    if fold is None or not out_of_fold(a, b):
        return 1.0, math.inf
    if a.fold is not None and b.fold is not None and not np.array_equal(a.fold, b.fold):
        raise RatchetError(f"{a.name!r} and {b.name!r} must have the same folds but got different ones.")
    folds, sizes = np.unique(fold, return_counts=True)
    k, n = len(folds), len(influence)
    factor = min(1 + k / (k - 1), 1 + OVERLAP / math.sqrt(n))
    within = float((influence**2).mean())
    if not (a.chance or b.chance) or within == 0:
        return factor, math.inf
    means = np.array([influence[fold == number].mean() for number in folds])
    between = float((sizes * means**2).sum()) / (k - 1)
    seeds = min(len(e.runs) for e in (a, b) if e.chance)
    seed_sd = SEED_SD if bounded else SEED_SHARE * math.sqrt(within)
    assumed = within * factor + n / k * seed_sd**2 / seeds
    freedom = SEED_ROWS + k - 1
    moderated = (SEED_ROWS * assumed + (k - 1) * between) / freedom
    drawn = moderated - within * factor
    if drawn <= 0:
        return factor, math.inf
    uncertain = min(drawn / moderated + math.sqrt(2 / freedom), 1.0)  # one standard error up, as it is estimated itself
    return moderated / within, freedom / uncertain**2


def seed_noise(a: Evidence, b: Evidence, metric: Metric) -> float | None:
    """Standard deviation over seeds of the difference; of independent seeds when both sides have some."""
    variance, found = 0.0, False
    for evidence in (a, b):
        if evidence.seeds:
            values = [metric.value(run) for run in evidence.seed_runs()]
            variance, found = variance + float(np.var(values, ddof=1)), True
    unit = abs(metric.value(b)) if metric.saving else 1.0
    return math.sqrt(variance) / (unit or 1.0) if found else None
