"""Queues: tables that Ratchet writes for people to fill in, and how their cells come back as they were."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

import pyarrow as pa

OWN = "ratchet."
"""What begins the names of the columns that Ratchet writes beside those of the table."""
RANK = f"{OWN}rank"
"""The column by which a queue of rows to label is known."""
MADE_BY = f"{OWN}augmenter"
"""The column by which a table of new rows is known."""
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
"""What a spreadsheet would run, or a cell that is already like what is written in its place."""


def guarded(cell: str) -> str:
    """The cell with an apostrophe before what a spreadsheet would run as a formula; `unguarded` takes it off."""
    return "'" + cell if _FORMULA.match(cell) else cell


def as_csv(header: Sequence[str], rows: Iterable[Iterable[object]], *, delimiter: str = ",") -> bytes:
    """A table for people, UTF-8 with a byte-order mark so that spreadsheets show Chinese; its texts are `guarded`."""
    sink = io.StringIO(newline="")
    table = csv.writer(sink, delimiter=delimiter)
    table.writerow(header)
    table.writerows([guarded(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return sink.getvalue().encode("utf-8-sig", "surrogatepass")


def unguarded(cell: str) -> str:
    """The cell without the apostrophe of `guarded`."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def unqueued(table: pa.Table, *, spreadsheet: bool = True) -> pa.Table:
    """A queue of rows to label, or a table of new rows, as the rows of a table: without the columns that Ratchet wrote, each
    cell as it was.

    Any other table comes back as it is.

    Args:
        table: cells as strings.
        spreadsheet: it comes from a file that a spreadsheet opens, so that its cells are `guarded`.
    """
    if RANK not in table.column_names and MADE_BY not in table.column_names:
        return table
    kept = [name for name in table.column_names if not name.startswith(OWN)]
    if not spreadsheet:
        return table.select(kept)
    cells = {
        name: [None if cell is None else unguarded(cell) for cell in table.column(name).to_pylist()] for name in kept
    }
    return pa.table({name: pa.chunked_array([pa.array(values, pa.string())]) for name, values in cells.items()})
