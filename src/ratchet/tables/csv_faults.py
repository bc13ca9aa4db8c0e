"""The slow, strict reading of a CSV file: it finds the row that the fast reader choked on or would mend silently."""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from ratchet.errors import DataError

if TYPE_CHECKING:
    import _csv

_QUOTE, _NEWLINE, _RETURN = 34, 10, 13
_field_limit = threading.Lock()


def quotes_are_in_order(blocks: Iterable[bytes], *, delimiter: str) -> bool:
    """True when every quote surely opens a cell, closes one, or is doubled within one; the data come in blocks.

    Elsewhere the fast reader joins rows or drops quotes without a word, so then :func:`refuse_faults` has to look.
    """
    edges = np.zeros(256, bool)
    edges[[ord(delimiter), _NEWLINE, _RETURN, _QUOTE]] = True
    is_open = closed = False  # whether a cell is open, and whether the last byte closed one
    last = np.uint8(_NEWLINE)
    for codes in (np.frombuffer(block, np.uint8) for block in blocks if block):
        places = np.flatnonzero(codes == _QUOTE)
        opening, closing = places[int(is_open) :: 2], places[int(not is_open) :: 2]
        before = np.where(opening > 0, codes[opening - 1], last)
        after = codes[closing[closing + 1 < len(codes)] + 1]
        if (closed and not edges[codes[0]]) or not (edges[before].all() and edges[after].all()):
            return False
        closed = bool(len(closing)) and closing[-1] == len(codes) - 1
        is_open ^= bool(len(places) % 2)
        last = codes[-1]
    return not is_open


def header(data: bytes, *, delimiter: str, quoted: bool, name: str) -> tuple[list[str], int]:
    """The cells of the first row that is not blank, and the lines up to its end."""
    try:
        with _unlimited_cells():
            reader = _rows(data, delimiter=delimiter, quoted=quoted)
            return next(row for row in reader if row), reader.line_num
    except csv.Error:
        raise DataError(
            f"The header of {name} must have its quotes in pairs but has a lone quote.",
            next_step="Close the quote, or leave quotes out of the column names.",
        ) from None


def refuse_faults(
    data: bytes, *, delimiter: str, quoted: bool, columns: int, headless: bool = False, name: str
) -> None:
    """Name the first row with a lone quote or a wrong number of cells; return if there is none.

    Raises:
        DataError: there is such a row.
    """
    with _unlimited_cells():
        reader = _rows(data, delimiter=delimiter, quoted=quoted)
        first = "first row" if headless else "header"
        row, line = int(headless), 1
        try:
            for cells in reader:
                if cells and len(cells) != columns:
                    raise DataError(
                        f"Row {row} of {name} (line {line}) must have {columns} cells like the {first} but has {len(cells)}.",
                        next_step="Put cells that hold the separator or a line break in quotes.",
                    )
                row += bool(cells)
                line = reader.line_num + 1
        except csv.Error:
            raise DataError(
                f"Row {row} of {name} (line {line}) must have its quotes in pairs but has a lone quote.",
                next_step='Close the quote, double it ("") or put the whole cell in quotes.',
            ) from None


def _rows(data: bytes, *, delimiter: str, quoted: bool) -> _csv.Reader:
    lines = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline="")
    return csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE, strict=True)


@contextmanager
def _unlimited_cells() -> Iterator[None]:
    """Lift the csv module's limit on a cell for a while; the limit is global, so one thread at a time."""
    with _field_limit:
        before = csv.field_size_limit((1 << 31) - 1)
        try:
            yield
        finally:
            csv.field_size_limit(before)
