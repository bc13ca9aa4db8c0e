"""What rows are compared by: labels, lengths, scripts, and the kinds and values of their other cells."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ratchet.bounds import json_value
from ratchet.forms import HAN, HANGUL, KANA
from ratchet.near.ngrams import blocks
from ratchet.tables.dataset import Dataset
from ratchet.text.columns import Rows, coded
from ratchet.text.dates import is_moment

Kind = Literal["label", "length", "script", "value", "kind"]
SCRIPTS = ("no letters", "Latin", "Chinese", "Japanese", "Korean", "Cyrillic", "Arabic", "other script")
KINDS = ("missing", "number", "date", "true/false", "list or object", "text")
_MOST_CATEGORIES, _MOST_STEPS = 256, 128
_MOST_VALUES = 50
_NUMERIC = 0.9
_TRUTH = frozenset(("true", "false", "yes", "no", "是", "否", "t", "f", "y", "n"))
_RANGES = (
    ("Latin", ((0x41, 0x5A), (0x61, 0x7A), (0xC0, 0x24F), (0x1E00, 0x1EFF), (0xFF21, 0xFF3A), (0xFF41, 0xFF5A))),
    ("Chinese", HAN),
    ("Japanese", (*KANA, (0xFF66, 0xFF9F))),
    ("Korean", ((0x1100, 0x11FF), (0x3131, 0x318E), *HANGUL)),
    ("Cyrillic", ((0x400, 0x52F),)),
    ("Arabic", ((0x620, 0x6FF), (0x750, 0x77F), (0xFB50, 0xFDFF), (0xFE70, 0xFEFC))),
    ("other script", ((0x370, 0x3FF), (0x530, 0x5FF), (0x780, 0x10FF), (0x1200, 0x1DFF))),
)


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
        column = rows.table.column(name)
        values, member = _distinct(column)
        kinds = _kinds(values, is_text=name == roles.text)
        of_row = np.append(kinds, 0)[member]
        found.append(Trait(kind="kind", column=name, cells=of_row, names=KINDS))
        if name == roles.label:
            found.append(_categories("label", name, values, member))
        elif name not in known:
            filled = np.bincount(of_row, minlength=len(KINDS))
            if filled[1] and filled[1] >= _NUMERIC * filled[1:].sum():
                numbers = np.array([_number(value) for value in values])
                if not _names_rows(numbers, rows=int(filled[1:].sum())):
                    found.append(_ordered("value", name, np.append(numbers, np.nan)[member]))
            elif len(values) <= min(_MOST_VALUES, len(rows) // 2):
                found.append(_categories("value", name, values, member))
    return [trait for trait in found if len(np.unique(trait.cells[trait.cells >= 0])) > 1]


def cell_kinds(rows: Dataset, name: str) -> Rows:
    """How many cells of a column are of each of ``KINDS``."""
    values, member = _distinct(rows.table.column(name))
    return np.bincount(np.append(_kinds(values, is_text=name == rows.roles.text), 0)[member], minlength=len(KINDS))


def _kinds(values: Sequence[str], *, is_text: bool) -> Rows:
    """The kind of each value; what is in the text column is text, also "2024-01-01" or "5"."""
    if is_text:
        return np.full(len(values), KINDS.index("text"))
    return np.fromiter(map(_kind, values), np.int64, len(values))


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


def _categories(kind: Kind, column: str, values: Sequence[str], member: Rows) -> Trait:
    """A cell for each of the most frequent values, and one for all others together."""
    counts = np.bincount(member[member >= 0], minlength=len(values))
    order = sorted(range(len(values)), key=lambda place: (-counts[place], values[place]))
    kept = order[: _MOST_CATEGORIES - 1]
    cell = np.full(len(values) + 1, len(kept), np.int64)
    cell[kept] = np.arange(len(kept))
    cell[-1] = -1
    names = tuple(values[place] for place in kept)
    return Trait(
        kind=kind, column=column, cells=cell[member], names=names if len(kept) == len(values) else (*names, "others")
    )


def _script(rows: Dataset) -> Trait:
    """The script of most of each text's letters; a Han character counts as three letters, and kana make it Japanese."""
    table, width = _scripts(), len(SCRIPTS)
    cells = np.zeros(len(rows), np.int64)
    for start, end in blocks(rows.texts):
        texts = rows.texts[start:end]
        owner = np.repeat(np.arange(len(texts)), np.fromiter(map(len, texts), np.int64, len(texts)))
        points = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)
        counts = np.bincount(owner * width + table[points], minlength=len(texts) * width).reshape(-1, width)
        counts[:, 0] = 0
        kana = 10 * counts[:, 3] > counts[:, 2] + counts[:, 3]
        counts[:, 3] = np.where(kana, counts[:, 2] + counts[:, 3], 0)
        counts[:, 2] = np.where(kana, 0, counts[:, 2])
        counts[:, 2:5] *= 3
        cells[start:end] = np.argmax(counts, axis=1)
    missing = np.array([not text for text in rows.texts], bool)
    return Trait(kind="script", column=rows.roles.text, cells=np.where(missing, -1, cells), names=SCRIPTS)


@cache
def _scripts() -> npt.NDArray[np.uint8]:
    """The number of each code point's script."""
    table = np.zeros(0x110000, np.uint8)
    for name, ranges in _RANGES:
        for low, high in ranges:
            table[low : high + 1] = SCRIPTS.index(name)
    return table


def _distinct(column: pa.ChunkedArray) -> tuple[list[str], Rows]:
    values, member = coded(column)
    return values.to_pylist(), member


def _kind(value: str) -> int:
    """What kind of value a filled cell holds, as a place in ``KINDS``."""
    if np.isfinite(_number(value)):
        return 1
    start = value[:1]
    if len(value) < 40:
        if start.isdigit() and is_moment(value):
            return 2
        if value.casefold() in _TRUTH:
            return 3
    if start in ("[", "{") and value[-1:] in ("]", "}") and _is_json(value):
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
