"""The answers of a review: a queue of doubted labels, with what a person decided about each."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np

from ratchet.errors import DataError
from ratchet.near.copies import exact_groups, normalise
from ratchet.tables.dataset import Dataset
from ratchet.tables.queues import unguarded
from ratchet.tables.read import read_table
from ratchet.text.columns import Rows

_KEEP, _DROP = "keep", "drop"
_COLUMNS = ("file", "row", "text", "label", "decision")


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """Positions of the rows that were decided about, ascending, and the label of each; an empty one takes the row out."""

    rows: Rows
    labels: tuple[str, ...]

    @property
    def dropped(self) -> Rows:
        """Positions of the rows to take out."""
        return self.rows[[not label for label in self.labels]]


def read_answers(path: Path, dataset: Dataset, *, labels: Mapping[str, str]) -> Answers:
    """Read a filled-in queue; a decision holds for every copy of the row's text with the row's label.

    Args:
        path: what ``ratchet check --queue`` wrote, as CSV or saved as XLSX, with ``keep`` (or nothing), ``drop`` or a
            label in the column ``decision``.
        dataset: the rows as they were read, of which the queue is.
        labels: new names of labels.

    Raises:
        DataError: the file has other columns, a row is not there, its text or label is another by now, a decision is no
            label of the table, or two decisions contradict each other.
    """
    queue = read_table(path, name=path.name).table
    missing = [name for name in _COLUMNS if name not in queue.column_names]
    if missing:
        raise DataError(
            f"prepare.review must be a queue of doubted labels but {path.name} has no column {missing[0]!r}.",
            next_step="Write one with: ratchet check --queue FILE",
        )
    lines = list(zip(*(queue.column(name).to_pylist() for name in _COLUMNS), strict=True))
    known = {labels.get(label, label) for label in set(dataset.labels) - {""}}
    found = dataset.find(
        np.array([_file(line[0] or "", dataset.files) for line in lines], np.int64),
        np.array([_number(line[1]) for line in lines], np.int64),
    )
    decided: list[tuple[int, str]] = []
    for number, (at, cells) in enumerate(zip(found.tolist(), lines, strict=True), 1):
        decision = (cells[-1] or "").strip()
        decision = decision if decision in known or decision in labels else unguarded(decision)
        if decision.casefold() in ("", _KEEP) and decision not in known:
            continue
        line = f"Row {number} of {path.name}"
        _require_same(cells, dataset, at, line=line)
        decided.append((at, _decision(decision, known=known, labels=labels, line=line)))
    return _with_copies(decided, dataset)


def _require_same(cells: Sequence[str | None], dataset: Dataset, at: int, *, line: str) -> None:
    """Refuse a line of a queue whose row is not there, or has another text or label by now."""
    file, row, text, label, _ = cells
    if at < 0:
        raise DataError(
            f"{line} must be about a row of the table but there is no row {row} of {file}.", next_step=_AGAIN
        )
    for what, cell, now in (("text", text, dataset.texts[at]), ("label", label, dataset.labels[at])):
        if not _same(cell or "", now):
            raise DataError(
                f"{line} must be about {dataset.place(at)} but that has another {what} by now.", next_step=_AGAIN
            )


_AGAIN = "The table changed: write the queue again with ratchet check --queue FILE."


def _decision(decision: str, *, known: set[str], labels: Mapping[str, str], line: str) -> str:
    """The label that was decided for; empty: the row goes."""
    word = decision.casefold()
    if word in (_KEEP, _DROP) and decision in known:
        raise DataError(
            f"{line} must have a clear decision but {decision!r} is also a label.",
            next_step="Give that label another name with prepare.labels.",
        )
    label = labels.get(decision, decision)
    if word == _DROP:
        return ""
    if label not in known:
        near = difflib.get_close_matches(label, [*known, _KEEP, _DROP], n=1)
        raise DataError(
            f"{line} must have keep, drop or a label of the table as its decision but has {decision!r}.",
            next_step=f"Did you mean {near[0]!r}?" if near else "",
        )
    return label


def _with_copies(decided: Sequence[tuple[int, str]], dataset: Dataset) -> Answers:
    if not decided:
        return Answers(rows=np.zeros(0, np.int64), labels=())
    label = exact_groups(dataset.labels, form=str)
    pair = exact_groups(dataset.texts) * (int(label.max()) + 1) + label
    of_pair: dict[int, tuple[int, str]] = {}
    for at, decision in decided:
        other, theirs = of_pair.setdefault(int(pair[at]), (at, decision))
        if theirs != decision:
            raise DataError(
                f"Copies must have one decision but {dataset.place(other)} and {dataset.place(at)} have two.",
                next_step="Decide the same for both.",
            )
    rows = np.flatnonzero(np.isin(pair, list(of_pair))).astype(np.int64)
    return Answers(rows=rows, labels=tuple(of_pair[key][1] for key in pair[rows].tolist()))


def _file(name: str, files: tuple[str, ...]) -> int:
    """The number of a file: by its whole name, else by its last part where only one file has that; -1: none."""
    for written in (name, unguarded(name)):
        if written in files:
            return files.index(written)
    alike = [i for i, file in enumerate(files) if PurePath(file).name == PurePath(name).name]
    return alike[0] if len(alike) == 1 else -1


def _number(cell: str | None) -> int:
    try:
        number = int(float(cell or ""))  # a spreadsheet may write 7.0
    except (ValueError, OverflowError):
        return -1
    return number if 0 < number < 1 << 62 else -1


def _same(cell: str, now: str) -> bool:
    """Whether a cell of the queue is this one; the queue has an apostrophe before what a spreadsheet would compute."""
    return normalise(now) in (normalise(cell), normalise(unguarded(cell)))
