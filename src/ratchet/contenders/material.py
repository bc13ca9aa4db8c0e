"""What a model is trained on: rows of the table, how much each counts, and rows that were made from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ratchet.contenders.base import Ints, PartedRows


@dataclass(frozen=True, kw_only=True, eq=False)
class Material:
    """Training rows as positions in the prepared rows (one may come several times), and extra texts with their labels."""

    rows: Ints
    weights: npt.NDArray[np.float64] | None = None
    """(len(rows),); ``None``: all 1."""
    texts: Sequence[str] = ()
    labels: Sequence[str] = ()


class Source(Protocol):
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
