"""What rows are compared by: labels, lengths, scripts, and the kinds and values of their other cells."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ratchet.bounds import json_value
from ratchet.near.ngrams import blocks
from ratchet.tables.dataset import Dataset
from ratchet.text.characters import SCRIPT_NAMES, look_at
from ratchet.text.columns import Rows, coded
from ratchet.text.date_forms import date_forms, is_date_column

Kind = Literal["label", "length", "script", "value", "kind"]
SCRIPTS = (*SCRIPT_NAMES.values(), "other script", "no letters")
_OTHER, _NO_LETTERS = len(SCRIPTS) - 2, len(SCRIPTS) - 1
KINDS = ("missing", "number", "date", "true/false", "list or object", "text")
_MOST_CATEGORIES, _MOST_STEPS = 256, 128
_MOST_VALUES = 50
_NUMERIC = 0.9
_TRUTH = frozenset(("true", "false", "yes", "no", "是", "否", "t", "f", "y", "n"))


@dataclass(frozen=True, kw_only=True, eq=False)
class Trait:
    """One thing by which rows are compared.

    Attributes:
        kind: what it is.
        column: the column it is of.
        cells: for each row the number of its cell, -1 where it has none.
        names: what each cell is called; empty where ``values`` are numbers.
        values: for each row its number, NaN where it has none; ``None`` where cells have no order.
    """

    kind: Kind
    column: str
    cells: Rows
    names: tuple[str, ...]
    values: npt.NDArray[np.float64] | None = None

    @property
    def width(self) -> int:
        """Number of cells."""
        return len(self.names) if self.values is None else int(self.cells.max(initial=-1)) + 1


def traits(rows: Dataset) -> list[Trait]:
    """Everything by which these rows can be compared, but for their vocabulary.

    Left out is what all rows share, and what tells nothing of a distribution: groups, times, ids, and running numbers.
    """
    roles = rows.roles
    known = {roles.text, roles.label, roles.group, roles.time, roles.id}
    found = [_length(rows), _script(rows)]
    for name in rows.table.column_names:
        cells = _Cells.of(rows, name)
        found.append(Trait(kind="kind", column=name, cells=cells.kind_of_row, names=KINDS))
        if name == roles.label:
            found.append(_categories("label", cells))
        elif name not in known and (trait := _value(cells, rows=len(rows))) is not None:
            found.append(trait)
    return [trait for trait in found if len(np.unique(trait.cells[trait.cells >= 0])) > 1]


def cell_kinds(rows: Dataset, name: str) -> Rows:
    """How many cells of a column are of each of ``KINDS``."""
    return np.bincount(_Cells.of(rows, name).kind_of_row, minlength=len(KINDS))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Cells:
    """The different cells of a column: row ``i`` has ``values[member[i]]`` (-1 where missing), of kind ``kind_of_row[i]``."""

    name: str
    values: list[str]
    member: Rows
    kind_of_row: Rows

    @classmethod
    def of(cls, rows: Dataset, name: str) -> _Cells:
        array, member = coded(rows.table.column(name))
        values = array.to_pylist()
        if name == rows.roles.text:  # what is there is text, also "2024-01-01" or "5"
            kinds = np.full(len(values), KINDS.index("text"))
        else:
            kinds = _kinds(name, array, np.bincount(member[member >= 0], minlength=len(values)))
        return cls(name=name, values=values, member=member, kind_of_row=np.append(kinds, 0)[member])


def _kinds(name: str, array: pa.Array, counts: Rows) -> Rows:
    """The kind of each value; 20240131 is a date in a column of dates, and a number elsewhere."""
    dated = date_forms(array) >= 0
    kinds = np.fromiter(map(_kind, array.to_pylist()), np.int64, len(array))
    if not is_date_column(name, float(counts[dated].sum()) / max(int(counts.sum()), 1)):
        dated &= kinds != KINDS.index("number")
    kinds[dated] = KINDS.index("date")
    return kinds


def _value(cells: _Cells, *, rows: int) -> Trait | None:
    """The values of a column, in order where they are numbers; ``None`` where they tell nothing of a distribution."""
    filled = np.bincount(cells.kind_of_row, minlength=len(KINDS))
    if filled[1] and filled[1] >= _NUMERIC * filled[1:].sum():
        numbers = np.array([_number(value) for value in cells.values])
        if _names_rows(numbers, rows=int(filled[1:].sum())):
            return None
        return _ordered("value", cells.name, np.append(numbers, np.nan)[cells.member])
    return _categories("value", cells) if len(cells.values) <= min(_MOST_VALUES, rows // 2) else None


def _names_rows(numbers: npt.NDArray[np.float64], *, rows: int) -> bool:
    """Whether these different numbers of a column look like names of rows: whole, and no two rows share one."""
    return len(numbers) == rows and bool((numbers == np.floor(numbers)).all())


def _length(rows: Dataset) -> Trait:
    lengths = np.fromiter(map(len, rows.texts), float, len(rows))
    return _ordered("length", rows.roles.text, np.where(lengths > 0, lengths, np.nan))


def _ordered(kind: Kind, column: str, values: npt.NDArray[np.float64]) -> Trait:
    """Numbers in at most 128 cells of about equally many rows; equal numbers share a cell."""
    there = np.isfinite(values)
    edges = np.unique(values[there])
    if len(edges) > _MOST_STEPS:
        shares = np.linspace(0, 1, _MOST_STEPS + 1)[:-1]
        edges = np.unique(np.quantile(values[there], shares, method="inverted_cdf"))
    cells = np.full(len(values), -1, np.int64)
    cells[there] = np.searchsorted(edges, values[there], side="right") - 1
    return Trait(kind=kind, column=column, cells=cells, names=(), values=np.where(there, values, np.nan))


def _categories(kind: Kind, cells: _Cells) -> Trait:
    """A cell for each of the most frequent values, and one for all others together."""
    values, member = cells.values, cells.member
    counts = np.bincount(member[member >= 0], minlength=len(values))
    order = sorted(range(len(values)), key=lambda place: (-counts[place], values[place]))
    kept = order[: _MOST_CATEGORIES - 1]
    cell = np.full(len(values) + 1, len(kept), np.int64)
    cell[kept] = np.arange(len(kept))
    cell[-1] = -1
    names = tuple(values[place] for place in kept)
    return Trait(
        kind=kind,
        column=cells.name,
        cells=cell[member],
        names=names if len(kept) == len(values) else (*names, "others"),
    )


def _script(rows: Dataset) -> Trait:
    """The script of most of each text's letters, as the checks tell it; see :mod:`ratchet.text.characters`."""
    cells = np.full(len(rows), -1, np.int64)
    for start, end in blocks(rows.texts):
        texts = rows.texts[start:end]
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        points = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)
        script = look_at(points, lengths)["script"].astype(np.int64)
        for place in np.flatnonzero((script < 0) & (lengths > 0)).tolist():
            script[place] = _OTHER if any(map(str.isalpha, texts[place])) else _NO_LETTERS
        cells[start:end] = np.where(lengths > 0, script, -1)
    return Trait(kind="script", column=rows.roles.text, cells=cells, names=SCRIPTS)


def _kind(value: str) -> int:
    """What kind of value a filled cell holds, dates aside, as a place in ``KINDS``."""
    if np.isfinite(_number(value)):
        return 1
    if len(value) < 40 and value.casefold() in _TRUTH:
        return 3
    if value[:1] in ("[", "{") and value[-1:] in ("]", "}") and _is_json(value):
        return 4
    return 5


def _is_json(value: str) -> bool:
    try:
        json_value(value)
    except ValueError:
        return False
    return True


def _number(value: str) -> float:
    """The number that a cell holds, full-width digits and thousands separators understood; NaN if it is none."""
    if len(value) > 40 or "_" in value:
        return np.nan
    plain = value if value.isascii() else unicodedata.normalize("NFKC", value)
    try:
        return float(plain.replace(",", "").removesuffix("%"))
    except ValueError:
        return np.nan
