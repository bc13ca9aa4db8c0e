"""Conformal intervals of a value: how far from a prediction the truth lies, from residuals of rows the model had not seen.

Three things with three guarantees, all for rows that are exchangeable with those of the residuals and all on average over rows
(no guarantee for a given text, and none when the world has moved):

* :func:`half_width` of residuals of one model on rows that it was not trained on (the valid part, for the model of fold 0):
  split conformal prediction. The truth lies within with probability at least ``1 - alpha``, and at most
  ``1 - alpha + 1/(n + 1)`` where no two residuals are equal (Vovk, Gammerman and Shafer 2005; Lei et al. 2018,
  "Distribution-free predictive inference for regression").
* :func:`cv_plus` of the models of all folds: at least ``1 - 2 alpha - sqrt(2/n)`` whatever the model, and in practice about
  ``1 - alpha`` (Barber, Candes, Ramdas and Tibshirani 2021, "Predictive inference with the jackknife+", theorem 4).
* :func:`half_width` of residuals out of fold, around a model trained once more on all rows: no guarantee without an assumption.
  It holds about ``1 - alpha`` where leaving a fold out hardly moves the predictions; the same paper has a model where it covers
  nothing. Check it with :func:`coverage` on rows that nothing was chosen by.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ratchet.errors import DataError

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def half_width(residuals: Doubles, *, alpha: float = 0.1) -> float:
    """The smallest half-width of an interval around a prediction that misses a further row with chance ``alpha`` or less.

    That is the ``ceil((1 - alpha)(n + 1))``-th smallest of the absolute residuals; infinite where there are fewer than
    ``1/alpha - 1`` of them.

    >>> half_width(np.array([3.0, -1.0, 2.0, -4.0]), alpha=0.25)
    4.0

    Args:
        residuals: (n,) truth minus prediction of rows that the model was not trained on, in the unit of the value.
        alpha: share of rows that may lie outside.
    """
    _require_share(alpha)
    rank = _rank(len(residuals), alpha)
    return math.inf if rank > len(residuals) else float(np.sort(np.abs(residuals))[rank - 1])


def cv_plus(predictions: Doubles, residuals: Doubles, fold: Ints, *, alpha: float = 0.1) -> tuple[Doubles, Doubles]:
    """The lower and the upper end of the CV+ interval of each new row, both (m,).

    Args:
        predictions: (m, folds) of the new rows, by the model that left out each fold.
        residuals: (n,) out of fold.
        fold: (n,) of each residual, 0 to folds - 1.
        alpha: the interval is nominally of ``1 - alpha``; see the guarantee above.
    """
    _require_share(alpha)
    spread, rank = np.abs(residuals), _rank(len(residuals), alpha)
    if rank > len(spread):
        ends = np.full(len(predictions), np.inf)
        return -ends, ends
    low, high = np.empty(len(predictions)), np.empty(len(predictions))
    for row, own in enumerate(predictions):
        centre = own[fold]
        # The lower end is the floor(alpha (n + 1))-th smallest, which is the rank-th largest.
        low[row] = -np.partition(spread - centre, rank - 1)[rank - 1]
        high[row] = np.partition(spread + centre, rank - 1)[rank - 1]
    return low, high


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """The share of rows whose truth lay in its interval, and the exact 95 % interval of that share."""

    share: float
    low: float
    high: float
    n: int


def coverage(truth: Doubles, predicted: Doubles, *, half_width: float) -> Coverage:
    """How often the truth lay within ``half_width`` of the prediction, with the interval of Clopper and Pearson (1934).

    Args:
        truth: (n,) of rows that neither trained the model nor gave a residual.
        predicted: (n,)
        half_width: of the interval, in the unit of the value.

    Raises:
        DataError: there is no row.
    """
    from scipy.stats import beta

    n = len(truth)
    if not n:
        raise DataError("The coverage must be of at least one row but got none.")
    inside = int((np.abs(truth - predicted) <= half_width).sum())
    low = float(beta.ppf(0.025, inside, n - inside + 1)) if inside else 0.0
    high = float(beta.ppf(0.975, inside + 1, n - inside)) if inside < n else 1.0
    return Coverage(share=inside / n, low=low, high=high, n=n)


def _rank(n: int, alpha: float) -> int:
    """Smallest whole number that is at least ``(1 - alpha)(n + 1)``; rounding must not make it one more."""
    return math.ceil((1 - alpha) * (n + 1) - 1e-9)


def _require_share(alpha: float) -> None:
    if not 0 < alpha < 1:
        raise DataError(f"alpha must be between 0 and 1 but got {alpha:g}.")
