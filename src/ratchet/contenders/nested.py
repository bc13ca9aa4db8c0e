"""Folds inside of the rows that a model may see: what its settings are chosen on, so that what judges it stays unseen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ratchet.contenders.rows import Ints, PartedRows
from ratchet.errors import DataError
from ratchet.prepare.split_by_time import times
from ratchet.prepare.stratify import folds


def inner_parts(rows: PartedRows, seen: Ints, *, count: int, seed: int, drawn: bool = False) -> tuple[PartedRows, ...]:
    """The rows ``seen`` as so many pairs of training rows and rows to be predicted; all others are in no part.

    Rows that belong together stay in one fold. At random every label has its share of every fold (in time order each fold
    is predicted from the rows before it, so that the first of the ``count + 1`` stretches of time is never predicted; with
    ``drawn`` at random all the same: for questions about the rows ``seen`` themselves).

    Raises:
        DataError: the rows cannot be divided.
    """
    base = rows.apart(seen, np.zeros(0, np.int64))
    unit = rows.parts.unit[seen] if rows.parts.unit is not None else np.arange(len(seen))
    by_time = rows.parts.order == "time" and not drawn
    pairs = _by_time(rows, seen, unit, count) if by_time else _drawn(rows, seen, unit, count, seed)
    if not pairs:
        raise DataError(
            f"The {len(seen):,} rows that trials may see must form at least two folds but belong together.",
            next_step="Add rows, or take the challenger out.",
        )
    return tuple(base.apart(train, valid) for train, valid in pairs)


def _drawn(rows: PartedRows, seen: Ints, unit: Ints, count: int, seed: int) -> Sequence[tuple[Ints, Ints]]:
    names = rows.names(seen)
    strata = rows.task.strata(names)
    label = np.unique(np.array(names if strata is None else strata, dtype=object).astype(str), return_inverse=True)[1]
    fold = folds(unit, label.astype(np.int64), count=count, seed=seed)
    found = [(seen[fold != one], seen[fold == one]) for one in range(int(fold.max(initial=0)) + 1)]
    return found if len(found) > 1 else ()


def _by_time(rows: PartedRows, seen: Ints, unit: Ints, count: int) -> Sequence[tuple[Ints, Ints]]:
    """Each stretch of time after the first, predicted from the rows before it; what belongs together is on one side."""
    (seconds,) = times(rows.dataset.take(seen))
    ordered = np.sort(seconds)
    cuts = np.unique(ordered[[round(len(ordered) * part / (count + 1)) for part in range(1, count + 1)]])
    stretch = np.searchsorted(cuts, seconds, side="right")
    found = []
    for one in range(1, len(cuts) + 1):
        late = stretch == one
        early = (stretch < one) & ~np.isin(unit, unit[late])
        if early.any() and late.any():
            found.append((seen[early], seen[late]))
    return found
