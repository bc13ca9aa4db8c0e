"""What every check may look at: the table, the recipe, and what several checks need, computed once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ratchet.checks.finding import Example, Finding, Severity
from ratchet.forms import legible
from ratchet.near.copies import clusters, normalise, wording
from ratchet.near.fingerprints import in_order, prints, same_cells, same_texts, shared
from ratchet.near.scan import scan
from ratchet.recipe.sections import Recipe
from ratchet.spill import shelved
from ratchet.tables.conversations import Chat, recognised, words
from ratchet.tables.dataset import Dataset
from ratchet.tables.workers import LOCAL, Engine, Work, engine_of
from ratchet.text.characters import Characters
from ratchet.text.columns import Rows, coded, picked
from ratchet.text.personal import brief
from ratchet.workspace.lazy import computed_once, once

T = TypeVar("T")
Mask = npt.NDArray[np.bool_]
EXAMPLES = 3
SHOWN = 80
_FEW = 10_000  # texts
_MANY, _PART = 2_000_000, 250_000  # rows


@dataclass(frozen=True, kw_only=True, eq=False)
class Distinct:
    """The different values of a column as they are written: row ``i`` has ``values[member[i]]``, -1 where missing.

    ``array`` holds them for Arrow; ``values`` are Python strings. Both are made when first asked for.
    """

    column: pa.ChunkedArray
    engine: Engine = LOCAL

    @once
    def _coded(self) -> tuple[pa.Array, Rows]:
        if len(self.column) < _MANY:
            return coded(self.column)
        first, member = same_cells(
            self.column, self.engine.map(prints, self.column)
        )  # no table of all different values
        return picked(self.column, first), shelved(member)

    @property
    def array(self) -> pa.Array:
        """The values, numbered by first appearance."""
        return self._coded[0]

    @property
    def member(self) -> Rows:
        """For each row, the index of its value; -1 where it is missing."""
        return self._coded[1]

    @once
    def values(self) -> tuple[str, ...]:
        """The values as strings."""
        return tuple(self.array.to_pylist())

    def picked(self, which: Rows) -> pa.Array:
        """The values of these numbers."""
        return picked(self.array, which)

    def some(self, which: Rows | Sequence[int]) -> list[str]:
        """The values of these numbers as strings."""
        found: list[str] = self.picked(np.asarray(which, np.int64)).to_pylist()
        return found

    def __len__(self) -> int:
        return len(self.array)

    @once
    def counts(self) -> Rows:
        """Rows with each value."""
        return np.bincount(self.member[self.member >= 0], minlength=len(self))

    def each(self, work: Work) -> npt.NDArray[Any]:
        """The result of ``work`` for each value; it looks at one at a time."""
        return self.engine.map(work, self.array)

    def matching(self, pattern: str, *, among: Mask | None = None) -> Mask:
        """Which values, or which ``among`` them, have a match of this pattern of RE2 in them."""
        if among is None or among.all():
            return self.each(partial(_matching, pattern))
        found = np.zeros(len(self), bool)
        some = np.flatnonzero(among)
        for start in range(0, len(some), _PART):
            part = some[start : start + _PART]
            found[part] = self.engine.map(partial(_matching, pattern), self.picked(part))
        return found

    def rows(self, which: Mask) -> Rows:
        """Positions of the rows whose value is one of these."""
        return np.flatnonzero(np.append(which, False)[self.member]).astype(np.int64)

    def shares(self, which: Mask) -> float:
        """Rows whose value is one of these, as a share of the filled ones."""
        return float(self.counts[which].sum()) / max(int(self.counts.sum()), 1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Texts(Distinct):
    """The different texts of a column; most are, so they are looked at where they stand, and not copied."""

    @once
    def _scanned(self) -> tuple[Rows, Rows, npt.NDArray[Any]]:
        found = self.engine.map(scan, self.column)
        first, member = same_cells(self.column, found["print"])
        return shelved(first), shelved(member), shelved(found[first])

    @once
    def array(self) -> pa.Array:
        """As :attr:`Distinct.array`."""
        return picked(self.column, self._scanned[0])

    @property
    def member(self) -> Rows:
        """As :attr:`Distinct.member`."""
        return self._scanned[1]

    def __iter__(self) -> Iterator[str]:
        """The values as strings, a few at a time in memory."""
        for start in range(0, len(self), _FEW):
            yield from self.some(np.arange(start, min(start + _FEW, len(self))))

    def __len__(self) -> int:
        return len(self._scanned[0])

    def picked(self, which: Rows) -> pa.Array:
        """As :meth:`Distinct.picked`."""
        return picked(self.column, self._scanned[0][which])

    def each(self, work: Work) -> npt.NDArray[Any]:
        """As :meth:`Distinct.each`."""
        first = self._scanned[0]
        if 2 * len(first) < len(self.column):
            return self.engine.map(work, self.array)
        return self.engine.map(work, self.column)[first]

    @once
    def _shared(self) -> Rows:
        rows = shared(self._scanned[2]["print"])
        second = np.zeros(len(rows), np.uint64)
        for start in range(0, len(rows), _PART):
            second[start : start + _PART] = self.engine.map(in_order, self.picked(rows[start : start + _PART]))
        return rows[shared(second)]

    def groups(self, form: Callable[[str], str]) -> Rows:
        """A number for each different text, equal for those of one form; see :func:`ratchet.near.fingerprints.same_texts`."""
        return shelved(same_texts(self.picked, self._scanned[2]["print"], self._shared, form=form))

    @property
    def characters(self) -> Characters:
        """What the characters of each different text are like."""
        return Characters(look=self._scanned[2]["look"])


@dataclass(frozen=True, kw_only=True)
class Samples:
    """The rows that a finding shows: their positions, a note for some of them, and how a cell is shown.

    Personal data is masked whatever ``show`` does.
    """

    at: Sequence[int] | None = None
    notes: Mapping[int, str] = field(default_factory=dict)
    show: Callable[[str], str] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Context:
    """A table under check; what is computed from it is kept, and never changed."""

    dataset: Dataset
    recipe: Recipe
    seed: int
    test: Dataset | None = None
    scored: bool = True
    """Whether models may be fitted."""

    @once
    def engine(self) -> Engine:
        """Where work on long columns is done."""
        return engine_of(self.recipe.engine)

    @once
    def _columns(self) -> dict[str, Distinct]:
        table = self.dataset.table
        return {name: Distinct(column=table.column(name), engine=self.engine) for name in table.column_names}

    def cells(self, name: str) -> Distinct:
        """The different cells of a column."""
        return self.texts if name == self.dataset.roles.text else self._columns[name]

    @once
    def texts(self) -> Texts:
        """The different texts; of conversations the words of their turns, without the JSON around them."""
        text = self.dataset.roles.text
        column = self.dataset.table.column(text)
        if self.chat is not None and text == self.chat.column:
            column = words(self.dataset, self.chat)
        return Texts(column=column, engine=self.engine)

    @once
    def chat(self) -> Chat | None:
        """Where the table holds conversations, if it does."""
        return recognised(self.dataset) if len(self.dataset) else None

    @once
    def labels(self) -> Distinct:
        """The different labels; every row is -1 where the table has no labels."""
        if self.dataset.roles.label is None:
            return Distinct(column=pa.chunked_array([pa.nulls(len(self.dataset), pa.string())]))
        return self.cells(self.dataset.roles.label)

    @once
    def text_groups(self) -> Rows:
        """For each different text, the number of its group of copies (equal after normalisation)."""
        return self.texts.groups(normalise)

    @once
    def groups(self) -> Rows:
        """For each row, the number of its group of copies; -1 where the text is missing."""
        return _spread(self.text_groups, self.texts.member)

    @once
    def wordings(self) -> Rows:
        """For each row, the number of its wording, equal where texts differ in punctuation only; -1 without a text."""
        return _spread(self.texts.groups(wording), self.texts.member)

    @once
    def group_labels(self) -> tuple[Rows, Rows]:
        """Each group of copies with each label that one of its rows has: (groups, labels), ascending."""
        return self.labelled(self.groups)

    def labelled(self, numbers: Rows) -> tuple[Rows, Rows]:
        """Each of the groups that rows are in (-1: none) with each label that one of its rows has, ascending."""
        known, width = (numbers >= 0) & (self.labels.member >= 0), max(len(self.labels), 1)
        keys, _ = tallied(numbers[known] * width + self.labels.member[known])
        return keys // width, keys % width

    @once
    def text_clusters(self) -> Rows:
        """For each different text, the number of its cluster of copies and near-duplicates."""
        check = self.recipe.check
        return clusters(self.texts, ngram=check.near_ngram, threshold=check.near_threshold)

    @once
    def clusters(self) -> Rows:
        """For each row, the number of its cluster of copies and near-duplicates; -1 where the text is missing."""
        return _spread(self.text_clusters, self.texts.member)

    @once
    def conflicting_groups(self) -> Rows:
        """Groups of copies that carry two labels or more."""
        return several(self.group_labels[0])

    def kept(self, compute: Callable[[Context], T]) -> T:
        """What ``compute`` makes of this table, computed once; other threads that ask meanwhile wait for it."""
        return computed_once(self.__dict__, f"{compute.__module__}.{compute.__qualname__}", lambda: compute(self))

    def finding(
        self,
        id: str,
        *,
        severity: Severity,
        message: str,
        why: str,
        positions: Rows | Sequence[int] | int = (),
        column: str | None = None,
        fix: str = "",
        samples: Samples | None = None,
    ) -> Finding:
        """A finding about the rows at these positions (0-based in the dataset), as a share of all rows.

        Args:
            id: as of :class:`Finding`; so are ``severity``, ``message``, ``why`` and ``fix``.
            positions: the rows that it is about; or how many they are, where it names none.
            column: the column whose cells are shown; the text when absent.
            samples: which rows are shown, and how; the first three of ``positions`` when absent.
        """
        index = np.sort(np.asarray(() if isinstance(positions, int) else positions, dtype=np.int64))
        count = positions if isinstance(positions, int) else len(index)
        samples = samples or Samples()
        at = index[:EXAMPLES] if samples.at is None else samples.at[:EXAMPLES]
        return Finding(
            id=id,
            severity=severity,
            message=message,
            why=why,
            rows=count,
            share=count / len(self.dataset) if len(self.dataset) else 0.0,
            column=column or "",
            fix=fix,
            examples=tuple(self._example(int(row), column or self.dataset.roles.text, samples) for row in at),
            row_numbers=self.row_numbers(index),
        )

    def _example(self, position: int, column: str, samples: Samples) -> Example:
        data = self.dataset
        return Example(
            file=data.files[data.file_index[position]],
            row=int(data.origin[position]),
            column=column,
            text=shown(data.table.column(column)[position].as_py(), show=samples.show),
            note=samples.notes.get(position, ""),
        )

    def row_numbers(self, positions: Rows) -> dict[str, Rows]:
        """The 1-based data rows at these positions, by file."""
        owner = self.dataset.file_index[positions]
        found = {}
        for number in np.flatnonzero(np.bincount(owner)).tolist():
            found[self.dataset.files[number]] = np.sort(self.dataset.origin[positions[owner == number]])
        return found


def shown(cell: str | None, *, show: Callable[[str], str] | None = None) -> str:
    """A cell for people: one line, shortened, personal data masked, what a terminal would obey written as an escape."""
    if cell is None:
        return ""
    if show is None:
        return brief(cell, most=SHOWN)
    text = show(cell[: 5 * SHOWN])
    return legible(text if len(text) <= SHOWN else text[: SHOWN - 1] + "…")


def tallied(keys: Rows) -> tuple[Rows, Rows]:
    """The different keys, ascending, and how often each is there: a sort, which beats a hash on long arrays."""
    keys = np.sort(keys)
    begins = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1]))) if len(keys) else np.zeros(0, np.int64)
    return keys[begins], np.diff(np.append(begins, len(keys)))


def several(numbers: Rows) -> Rows:
    """The numbers that come more than once."""
    found, times = tallied(numbers)
    return found[times > 1]


def _matching(pattern: str, cells: pa.Array) -> Mask:  # a missing cell has none
    return np.asarray(pc.match_substring_regex(cells, pattern).to_numpy(zero_copy_only=False), bool)


def _spread(numbers: Rows, member: Rows) -> Rows:
    """The number of each row's value; -1 where it is missing."""
    return shelved(np.append(numbers, -1)[member])


def percent(share: float) -> str:
    """A share for people: 0.7634 is "76.3 %"; what is not 0 never reads as 0, nor what is not all as 100."""
    if 0 < share < 0.0005:
        return "under 0.1 %"
    if 0.9995 <= share < 1:
        return "over 99.9 %"
    return f"{100 * share:.1f} %"


def counted(number: int, noun: str, *, plural: str = "") -> str:
    """A number with its noun: "1 row", "2,345 rows"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
