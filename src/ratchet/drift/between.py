"""What two tables share that they should not: copies, near-copies, groups, and training rows from after the test began."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc

from ratchet.checks.context import shown
from ratchet.errors import DataError
from ratchet.prepare.leaks import Leaks, leaks
from ratchet.tables.dataset import Dataset
from ratchet.text.columns import Rows
from ratchet.text.dates import together

KINDS = ("exact", "near", "group", "time")
UNREADABLE = 0.5
"""A column with more cells than this share that are no times is no time column."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A row of the test table and the row of the training table that gives it away.

    Rows are 1-based data rows. ``similarity`` is 1 for equal wordings and groups, and ``None`` for times. ``train`` and
    ``test`` show the texts, the group or the times, shortened and with personal data masked; the labels are empty where a
    table has none.
    """

    kind: str
    train_row: int
    test_row: int
    similarity: float | None
    train: str
    test: str
    train_label: str = ""
    test_label: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Between:
    """What two tables share.

    Attributes:
        counts: by kind, the test rows that leak (``exact``, ``near``, ``group``), and the training rows that are later
            than the earliest test row (``time``).
        pairs: one for each of those rows.
        group: the group column; ``None`` where groups were not looked at; so is ``time``.
        relabelled: leaking test rows (by their text) whose match carries another label.
        skipped: pairs of very frequent boilerplate texts that were not compared.
        notes: what could not be looked at.
    """

    train: str
    test: str
    train_rows: int
    test_rows: int
    leaking_rows: int
    counts: Mapping[str, int]
    pairs: tuple[Pair, ...]
    group: str | None = None
    time: str | None = None
    relabelled: int = 0
    skipped: int = 0
    notes: tuple[str, ...] = ()

    @property
    def any(self) -> bool:
        """Whether anything leaks."""
        return any(self.counts.values())

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, the counts on top."""
        return {
            **self.counts,
            "train": {"file": self.train, "rows": self.train_rows},
            "test": {"file": self.test, "rows": self.test_rows, "leaking_rows": self.leaking_rows},
            "group_column": self.group,
            "time_column": self.time,
            "relabelled": self.relabelled,
            "skipped": self.skipped,
            "notes": list(self.notes),
            "pairs": [asdict(pair) for pair in self.pairs],
        }


def between(train: Dataset, test: Dataset, *, ngram: int, threshold: float, timed: bool = False) -> Between:
    """Look for rows of the test table that the training table gives away.

    Args:
        train: one table, with its roles.
        test: another; a role that it lacks is not looked at.
        ngram: characters of an n-gram.
        threshold: Jaccard similarity from which two texts are near-duplicates.
        timed: also look at the order in time; both tables must have the time column of ``train``.

    Raises:
        DataError: the time column holds no times, or one table does not have it.
    """
    found = leaks(train, test, ngram=ngram, threshold=threshold)
    late, notes = _late(train, test) if timed else ([], [])
    pairs = [*_pairs(found, train, test), *late]
    return Between(
        train=train.files[0],
        test=test.files[0],
        train_rows=len(train),
        test_rows=len(test),
        leaking_rows=int(found.right_rows.sum()),
        counts={**found.counts, "time": len(late)},
        pairs=tuple(pairs),
        group=train.roles.group if test.roles.group else None,
        time=train.roles.time if timed else None,
        relabelled=sum(
            pair.kind != "group" and "" not in labels and labels[0] != labels[1]
            for pair in pairs
            for labels in [(pair.train_label, pair.test_label)]
        ),
        skipped=found.skipped,
        notes=tuple(notes),
    )


def _pairs(found: Leaks, train: Dataset, test: Dataset) -> Iterator[Pair]:
    groups = train.roles.group
    for kind, shared in (("exact", found.exact), ("near", found.near), ("group", found.group)):
        rows = np.flatnonzero(shared.right >= 0)
        column = groups if kind == "group" and groups is not None else None
        cells = (train.texts, test.texts) if column is None else (train.column(column), test.column(column))
        for row in rows.tolist():
            match = int(shared.right[row])
            yield Pair(
                kind=kind,
                train_row=int(train.origin[match]),
                test_row=int(test.origin[row]),
                similarity=round(float(shared.right_similarity[row]), 4),
                train=shown(cells[0][match]),
                test=shown(cells[1][row]),
                train_label=train.labels[match],
                test_label=test.labels[row],
            )


def _late(train: Dataset, test: Dataset) -> tuple[list[Pair], list[str]]:
    """Training rows later than the earliest test row, the latest first."""
    name = train.roles.time
    if name is None or name not in test.table.column_names:
        raise DataError(
            f"Both tables must have the time column but {(train if name is None else test).files[0]} has not {name!r}.",
            next_step="Leave --time out, or name a column that both have.",
        )
    cells, tested = train.table.column(name), test.table.column(name)
    here, there = (one.seconds for one in together(cells, tested))
    notes = []
    for table, seconds, column in ((train, here, cells), (test, there, tested)):
        lost = np.isnan(seconds)
        unreadable = np.flatnonzero(lost & pc.is_valid(column).to_numpy())
        if len(unreadable) > UNREADABLE * len(table):
            row = int(unreadable[0])
            raise DataError(
                f"The time column {name!r} must hold dates or times but {table.place(row)} has "
                f"{shown(column[row].as_py())!r}.",
                next_step="Name another column with --time.",
            )
        if lost.any():
            notes.append(f"{lost.sum():,} of {len(table):,} rows of {table.files[0]} have no time that can be read.")
    if np.isnan(there).all():
        return [], notes
    first = int(np.nanargmin(there))
    late: Rows = np.flatnonzero(here > there[first])
    earliest = shown(tested[first].as_py())
    return [
        Pair(
            kind="time",
            train_row=int(train.origin[row]),
            test_row=int(test.origin[first]),
            similarity=None,
            train=shown(cells[row].as_py()),
            test=earliest,
        )
        for row in late[np.argsort(-here[late], kind="stable")].tolist()
    ], notes
