"""Parts: which rows are test, valid and train, and the names under which they are known."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ratchet.errors import DataError
from ratchet.tables.dataset import Dataset, row_digests
from ratchet.text.columns import Rows

TEST = -1
VALID = 0
_NAMED = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class Parts:
    """The part of each row: ``fold`` is -1 in test, 0 in valid, 1 and up in train; dev is everything but test.

    ``hash`` is a sha256 over the rows' contents and their parts, whatever their order. ``notes`` say, in sentences, what
    the data did to the parts. ``order``: drawn at random, or cut in the order of time. ``unit`` is equal for rows that belong
    together (copies, near-copies, one group): they are one piece of evidence, not several.
    """

    fold: Rows
    hash: str
    notes: tuple[str, ...] = ()
    order: Literal["random", "time"] = "random"
    unit: Rows | None = None

    @property
    def test(self) -> Rows:
        """Positions of the test rows."""
        return np.flatnonzero(self.fold == TEST)

    @property
    def valid(self) -> Rows:
        """Positions of the rows that models are compared on while the test part is sealed."""
        return np.flatnonzero(self.fold == VALID)

    @property
    def train(self) -> Rows:
        """Positions of the rows that models are trained on."""
        return np.flatnonzero(self.fold > VALID)

    @property
    def dev(self) -> Rows:
        """Positions of the train and valid rows."""
        return np.flatnonzero(self.fold >= VALID)

    @property
    def compared(self) -> Rows:
        """Positions of the rows that contenders are compared on.

        All of dev, each row predicted by a model of the other folds; in time order the valid part alone, since the other
        folds would tell such a model the future.
        """
        return self.dev if self.order == "random" else self.valid

    @property
    def folds(self) -> int:
        """Number of folds of dev."""
        return int(self.fold.max(initial=-1)) + 1

    @property
    def counts(self) -> dict[str, int]:
        """Rows of each part."""
        return {"train": len(self.train), "valid": len(self.valid), "test": len(self.test)}


def parts_of(
    dataset: Dataset,
    fold: Rows,
    *,
    notes: Sequence[str] = (),
    order: Literal["random", "time"] = "random",
    unit: Rows | None = None,
    labelled: bool = True,
) -> Parts:
    """The parts of a table, with a note on every part that lacks labels where it is ``labelled``."""
    every = (*notes, *(_label_notes(dataset, fold=fold) if labelled else ()))
    return Parts(fold=fold, hash=_hash(row_digests(dataset), fold), notes=every, order=order, unit=unit)


def seal(parts: Parts, dataset: Dataset) -> str:
    """sha256 of the contents of the test rows, whatever their order: the name under which their opening is recorded."""
    rows = sorted(row_digests(dataset.take(parts.test)))
    return hashlib.sha256(b"".join(rows)).hexdigest()


def require_complete(dataset: Dataset) -> None:
    """Refuse a row without text or label.

    Raises:
        DataError: it names the first.
    """
    for role, cells in (("text", dataset.texts), ("label", dataset.labels)):
        if not all(cells):
            raise DataError(
                f"Every row to be split must have a {role} but {dataset.place(cells.index(''))} has none.",
                next_step="Fill the cell or take the row out; for training rows prepare does that.",
            )


def _label_notes(dataset: Dataset, *, fold: Rows) -> list[str]:
    """Labels that a part lacks: nothing is measured about them there."""
    every = set(dataset.labels)
    notes = []
    for name, part in (("test", TEST), ("valid", VALID)):
        rows = np.flatnonzero(fold == part)
        lacking = sorted(every - {dataset.labels[row] for row in rows.tolist()})
        if lacking:
            shown = ", ".join(map(repr, lacking[:_NAMED])) + (" and others" if len(lacking) > _NAMED else "")
            notes.append(f"{len(lacking):,} of {len(every):,} labels have no row in the {name} part: {shown}.")
    return notes


def _hash(rows: list[bytes], fold: Rows) -> str:
    entries = sorted(row + int(part).to_bytes(2, "little", signed=True) for row, part in zip(rows, fold, strict=True))
    return hashlib.sha256(b"".join(entries)).hexdigest()
