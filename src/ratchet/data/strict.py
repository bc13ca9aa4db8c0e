"""The slow, strict reading of a CSV file: it finds the row that the fast reader choked on or would mend silently."""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from ratchet.errors import DataError

if TYPE_CHECKING:
    import _csv

_QUOTE, _NEWLINE, _RETURN = 34, 10, 13
_field_limit = threading.Lock()


def quotes_are_regular(data: bytes, *, delimiter: str) -> bool:
    """True when every quote surely opens a cell, closes one, or is doubled within one.

    Elsewhere the fast reader joins rows or drops quotes without a word, so then :func:`refuse_faults` has to look.
    """
    codes = np.frombuffer(data, np.uint8)
    places = np.flatnonzero(codes == _QUOTE)
    if len(places) % 2:
        return False
    opening, closing = places[::2], places[1::2]
    edges = np.zeros(256, bool)
    edges[[ord(delimiter), _NEWLINE, _RETURN, _QUOTE]] = True
    before = codes[opening[opening > 0] - 1]
    after = codes[closing[closing + 1 < len(codes)] + 1]
    return bool(edges[before].all() and edges[after].all())


def header(data: bytes, *, delimiter: str, quoted: bool, name: str) -> list[str]:
    """The cells of the first row that is not blank."""
    try:
        with _unlimited_cells():
            return next(row for row in _rows(data, delimiter=delimiter, quoted=quoted) if row)
    except csv.Error:
        raise DataError(
            f"The header of {name} must have its quotes in pairs but has a lone quote.",
            next_step="Close the quote, or leave quotes out of the column names.",
        ) from None


def refuse_faults(data: bytes, *, delimiter: str, quoted: bool, columns: int, name: str) -> None:
    """Name the first row with a lone quote or a wrong number of cells; return if there is none.

    Raises:
        DataError: there is such a row.
    """
    with _unlimited_cells():
        reader = _rows(data, delimiter=delimiter, quoted=quoted)
        row, line = 0, 1
        try:
            for cells in reader:
                if cells and len(cells) != columns:
                    raise DataError(
                        f"Row {row} of {name} (line {line}) must have {columns} cells like the header but has {len(cells)}.",
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
