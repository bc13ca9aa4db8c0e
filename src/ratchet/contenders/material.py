"""What a model is trained on: rows of the table, how much each counts, and rows that were made from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ratchet.contenders.rows import Ints, PartedRows
from ratchet.errors import DataError
from ratchet.models.inputs import Inputs

Counts = Mapping[str, "float | list[object] | Counts"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Material:
    """Training rows as positions in the prepared rows (one may come several times), and extra texts with their labels."""

    rows: Ints
    weights: npt.NDArray[np.float64] | None = None
    """(len(rows),); ``None``: all 1."""
    texts: Sequence[str] = ()
    labels: Sequence[str] = ()
    made_from: Sequence[int] = ()
    """The prepared row that each extra text was made from: it has the features of that row."""
    features: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    """The features of the extra texts, where they were made from no row."""
    counts: Counts = field(default_factory=dict)
    """How many rows were made, left out and rejected, for the contender's card; lists are records."""


class NothingMade(DataError):
    """A row change made nothing that may be trained on: there is no challenger."""


def made_inputs(material: Material, parted: PartedRows) -> Inputs:
    """The extra texts with the features of the rows that they were made from.

    Raises:
        DataError: there are features, and the row change does not say what it made the texts from.
    """
    if not parted.kinds or not len(material.texts):
        return Inputs(material.texts)
    if material.features:
        return Inputs(material.texts, {name: material.features[name] for name in parted.kinds})
    if len(material.made_from) != len(material.texts):
        raise DataError(
            f"A row change must name the row that each of its {len(material.texts):,} texts was made from (made_from), since "
            f"the rows have features, but named {len(material.made_from):,}.",
            next_step="Leave the change out, or data.features.",
        )
    return parted.inputs(np.asarray(material.made_from, np.int64)).with_texts(material.texts)


class RowChange(Protocol):
    """Makes the material out of the rows that a model may see."""

    def __call__(self, rows: Ints, *, held_out: Ints) -> Material:
        """Nothing of it may be a copy or near-copy of a held-out row."""
        ...


def plain(rows: Ints, *, held_out: Ints) -> Material:
    """The rows as they are."""
    del held_out
    return Material(rows=rows)


def held(parted: PartedRows, fold: int) -> tuple[Ints, Ints]:
    """The rows that a model of this fold may see, and those that it is to predict."""
    parts = parted.parts
    if parts.order == "time":
        return parts.train, parts.valid
    dev = parts.dev
    inside = parts.fold[dev] == fold
    return dev[~inside], dev[inside]


def fold_held_out(parted: PartedRows, held_out: Ints) -> int | None:
    """The fold of the judged parts that is held out as a whole; ``None``: there is none, as when all rows are trained on.

    Rows that only choose an epoch are held out too, and are a part of every fold.
    """
    whole = judged_parts(parted)
    for fold in judged_folds(whole):
        out = held(whole, fold)[1]
        if len(out) and np.isin(out, held_out).all():
            return fold
    return None


def judged_parts(parted: PartedRows) -> PartedRows:
    """The rows in the parts that contenders are judged on, of which these may be others (`PartedRows.apart`)."""
    while parted.origin is not None:
        parted = parted.origin
    return parted


def judged_folds(parted: PartedRows) -> tuple[int, ...]:
    """The folds that a contender is judged on: all of them, and in time order the valid part alone."""
    return (0,) if parted.parts.order == "time" else tuple(range(parted.parts.folds))


def summed(counts: Iterable[Counts]) -> dict[str, object]:
    """The counts of several folds added up, those inside of them too; their records one after the other."""
    total: dict[str, object] = {}
    for one in counts:
        for name, value in one.items():
            before = total.get(name)
            if isinstance(value, Mapping):
                total[name] = summed([before, value] if isinstance(before, Mapping) else [value])
            elif isinstance(value, list):
                total[name] = [*(before if isinstance(before, list) else ()), *value]
            else:
                total[name] = value + (before if isinstance(before, int | float) else 0)
    return total
