"""Calibration: the threshold that keeps a promised rate of false positives on your own benign traffic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ratchet.errors import DataError


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A threshold, and what is promised of it."""

    threshold: float
    rate: float
    """The rate of false positives that was asked for."""
    kept: bool
    """Whether the rows are enough to promise it."""
    promised: float
    """The rate that is promised: with probability ``level``, no more than this share of further benign texts is flagged."""
    level: float
    flagged: int
    """Of the rows, at this threshold."""
    rows: int
    """Different texts."""

    @property
    def line(self) -> str:
        """What came out, in one sentence."""
        told = f"threshold {self.threshold:.4f}: {self.flagged} of {self.rows:,} benign texts flagged"
        if self.kept:
            return f"{told}; at most {self.promised:.2%} of further ones, with {self.level:.0%} probability"
        need = rows_needed(self.rate, self.level)
        return (
            f"{told}; only {self.promised:.2%} can be promised with {self.level:.0%} probability, not {self.rate:.2%}: "
            f"that takes {need:,} texts or more"
        )


def rows_needed(rate: float, level: float) -> int:
    """The fewest rows that allow the promise, with none of them flagged.

    >>> rows_needed(0.01, 0.95)
    299
    """
    return math.ceil(math.log1p(-level) / math.log1p(-rate))


def calibrate(scores: Sequence[float], *, rate: float = 0.01, level: float = 0.95) -> Calibration:
    """The lowest threshold that keeps the rate, from the scores of benign texts.

    With the (k + 1)-th highest of n scores as the bound, the share of further scores above it has at most the distribution
    Beta(k + 1, n - k) (Wilks 1941, "Determination of sample sizes for setting tolerance limits"); k is the largest for which
    that share is at most ``rate`` with probability ``level``. It holds for texts that come from where
    these came from, and for no others.

    Args:
        scores: one for each benign text; none may be repeated for the same text.
        rate: share of benign texts that may be flagged.
        level: with what probability, over the choice of the rows.

    Raises:
        DataError: no scores, or a rate or level that is not between 0 and 1.

    >>> calibrate([0.1, 0.2, 0.9], rate=0.5, level=0.5).flagged
    1
    """
    if not 0 < rate < 1 or not 0 < level < 1:
        raise DataError(f"The rate and the level must be between 0 and 1 but got {rate:g} and {level:g}.")
    if not len(scores):
        raise DataError("The benign texts must be one or more but got none.")
    from scipy.stats import beta

    ranked = np.sort(np.asarray(scores, dtype=np.float64))[::-1]
    n = len(ranked)
    over = int(np.searchsorted(-beta.cdf(rate, np.arange(1, n + 1), n - np.arange(n)), -level, side="right"))
    k = max(over - 1, 0)
    return Calibration(
        threshold=float(np.nextafter(ranked[k], np.inf)),
        rate=rate,
        kept=over > 0,
        promised=float(beta.ppf(level, k + 1, n - k)),
        level=level,
        flagged=int((ranked > ranked[k]).sum()),
        rows=n,
    )
