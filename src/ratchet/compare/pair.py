"""Two files of answers on the same rows: read, matched, and their answers by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ratchet.answers.answer_file import AnswerFile, Floats, Ints
from ratchet.answers.match import Rows, Side, match
from ratchet.answers.read import read_answers
from ratchet.answers.table import Columns, read_rows
from ratchet.compare.content import with_content
from ratchet.compare.question import Question
from ratchet.errors import DataError


@dataclass(frozen=True, kw_only=True, eq=False)
class Given:
    """What one file answered, by row.

    Attributes:
        file: the file.
        name: what it is called in messages.
        row: shape (k,), the row of each answer, ascending; a row without an answer is there once.
        place: shape (k,), its place in the file; -1 where there is no answer.
    """

    file: AnswerFile
    name: str
    row: Ints
    place: Ints

    def texts(self) -> list[str | None]:
        """The answers, k of them."""
        return [self.file.answers[place] if place >= 0 else None for place in self.place.tolist()]

    def numbers(self, values: Floats) -> Floats:
        """Of one number an answer of the file those of these answers, shape (k,); NaN where there is no answer."""
        return np.where(self.place < 0, np.nan, values[self.place])

    def on(self, kept: Ints) -> Given:
        """The answers to some of the rows, which are numbered anew."""
        where = np.flatnonzero(np.isin(self.row, kept))
        row = np.searchsorted(kept, self.row[where])
        return Given(file=self.file, name=self.name, row=row, place=self.place[where])


@dataclass(frozen=True, kw_only=True, eq=False)
class Pair:
    """Two files on the same m rows.

    Attributes:
        sides: the challenger's answers and the champion's.
        references: the right answer of each row, where one is known.
        several: whether a row has several answers.
        notes: what a person should know.
        matching: counts of each file.
    """

    sides: tuple[Given, Given]
    references: tuple[str | None, ...]
    several: bool
    notes: tuple[str, ...]
    matching: Mapping[str, dict[str, Any]]

    def __len__(self) -> int:
        return len(self.references)

    def on(self, kept: Ints) -> Pair:
        """Some of the rows."""
        return Pair(
            sides=(self.sides[0].on(kept), self.sides[1].on(kept)),
            references=tuple(self.references[row] for row in kept.tolist()),
            several=self.several,
            notes=self.notes,
            matching=self.matching,
        )


def paired(challenger: str, champion: str, question: Question) -> Pair:
    """Read two files and match their rows.

    Args:
        challenger: path of a file or a folder, with the part of it behind a ``#``; ``champion`` likewise.
        question: names of columns and parts, the table of rows, and the share that may be missing.

    Raises:
        DataError: a file cannot be read, or they are not about the same rows.
    """
    columns = Columns(answer=question.answer, id=question.id, reference=question.label)
    parts = question.parts if len(question.parts) == 2 else (question.parts or ("",)) * 2
    if len(parts) != 2:
        raise DataError(f"There must be a part for each of two files but got {len(parts)}.", next_step="Name two.")
    asked = (challenger, champion)
    files = [read_answers(Path(name), part=part, columns=columns) for name, part in zip(asked, parts, strict=True)]
    rows = read_rows(question.rows, columns=columns) if question.rows is not None else None
    first, second = (files[0], files[1]) if rows is not None else with_content(files[0], files[1])
    by = "id" if question.id else _way(files, rows)
    matched = match(first, second, rows=rows, by=by, most_missing=question.most_missing)
    sides = (matched.first, matched.second)
    names = _names(files, [*parts], asked)
    given = [_given(file, name, side, len(matched.rows)) for file, name, side in zip(files, names, sides, strict=True)]
    return Pair(
        sides=(given[0], given[1]),
        references=matched.references,
        several=any(len(side.row) > len(matched.rows) for side in given),
        notes=(*dict.fromkeys(note for file in files for note in file.notes), *matched.notes, *_order(sides, rows)),
        matching={
            what: _counts(file, name, side)
            for what, file, name, side in zip(("challenger", "champion"), files, names, sides, strict=True)
        },
    )


def _way(files: Sequence[AnswerFile], rows: Rows | None) -> str:
    """How rows are matched: by content where several tools, each of which numbers rows itself, were asked the same texts."""
    origins = {file.format for file in files} | ({"table"} if rows is not None else set())
    asked = [side.inputs for side in files] + ([] if rows is None else [rows.inputs])
    texts = [{text.strip() for text in inputs if text} for inputs in asked]
    alike = all(2 * len(texts[0] & other) > len(texts[0]) for other in texts[1:])
    return "content" if len(origins) > 1 and texts[0] and alike else "auto"


def _names(files: Sequence[AnswerFile], parts: Sequence[str], asked: Sequence[str]) -> list[str]:
    """The names of the files, with as much of their parts and paths as tells them apart."""
    short = [file.path.name for file in files]
    named = [
        f"{name}#{part}" if part else Path(whole).name for name, part, whole in zip(short, parts, asked, strict=True)
    ]
    for names in (short, named):
        if names[0] != names[1]:
            return names
    return [*asked]


def _given(file: AnswerFile, name: str, side: Side, rows: int) -> Given:
    missing = np.setdiff1d(np.arange(rows), side.cluster)
    row = np.concatenate([side.cluster, missing])
    place = np.concatenate([side.answers, np.full(len(missing), -1)])
    order = np.argsort(row, kind="stable")
    return Given(file=file, name=name, row=row[order], place=place[order])


def _order(sides: Sequence[Side], rows: Rows | None) -> list[str]:
    """Whether the rows had to be put in another order to be matched."""
    moved = any(side.by != "place" and (np.diff(side.answers[_firsts(side)]) < 0).any() for side in sides)
    return [f"The rows stand in another order; they are matched by {sides[0].by}."] if moved and rows is None else []


def _firsts(side: Side) -> Ints:
    """Places in the side of the first answer to each row."""
    found: Ints = np.unique(side.cluster, return_index=True)[1]
    return found


def _counts(file: AnswerFile, name: str, side: Side) -> dict[str, Any]:
    return {
        "name": name,
        "path": str(file.path),
        "format": file.format,
        "model": file.model,
        "answers": len(file),
        "used": len(side.answers),
        "missing": side.missing,
        "repeated": side.repeated,
        "foreign": side.foreign,
        "matched_by": side.by,
    }
