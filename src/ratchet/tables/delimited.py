"""How the rows of a CSV or TSV file are laid out: the mark between cells, titles above the header, and whether it has one."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from functools import reduce
from itertools import islice
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from ratchet.errors import DataError
from ratchet.forms import HEAD_BYTES
from ratchet.tables.roles import is_usual
from ratchet.text.personal import brief

_MARKS = (",", ";", "\t", "|")
_RARE = ("\x01", "^", "~")
_RARE_ROWS = 5
NO_MARK = "\x1f"
"""What separates the cells of a file that has one column, whatever marks are in its texts."""
_SAMPLE_ROWS = 50
_MOST_TITLES = 3
_SHOWN = 40
_SEP = re.compile(rb"\s*\"?sep=(?P<mark>\\t|[,;|^~\t])\"?[ \t]*(?=\r?\n)", re.IGNORECASE)
_SENTENCE = re.compile(r"[。！；](?!$)|[a-z]{2}[.!;] |[。！]$|^\S+(?: \S+){3,}[.!]$")


class Layout(NamedTuple):
    """How a file is laid out, as its first 64 KiB tell.

    ``data`` are its bytes in which what stands above the header is blank lines, so that lines keep their numbers;
    ``titles`` is what stood there.
    """

    delimiter: str
    data: bytes
    titles: tuple[str, ...] = ()

    @property
    def blank(self) -> int:
        """Blank lines at the top, of which some were titles."""
        return self.data[: len(self.data) - len(self.data.lstrip(b"\r\n"))].count(b"\n")


def layout(data: bytes, *, kind: str, columns: Sequence[str] = ()) -> Layout:
    """How a CSV (``kind`` is ``csv``) or TSV file (``tsv``) is laid out; the line ``sep=;`` of spreadsheets is obeyed.

    Where ``columns`` names its columns a file has no header, and nothing above one; the lines of a file of one column that no
    mark cuts alike are not cut.
    """
    stated, data = _stated_delimiter(data)
    delimiter = stated or ("\t" if kind == "tsv" else _delimiter(data, columns=columns))
    return Layout(delimiter, data) if columns else _without_titles(data, delimiter=delimiter)


def headless_kind(data: bytes, *, kind: str) -> str:
    """``csv`` or ``tsv``: what a file without a header is where its extension says nothing (``kind`` is empty)."""
    return kind if kind in ("csv", "tsv") else "tsv" if b"\t" in data.lstrip().split(b"\n", 1)[0] else "csv"


def header_of(columns: Sequence[str], *, cells: int, name: str) -> list[str]:
    """The header of a file without one: the names given, and numbers for further columns.

    Raises:
        DataError: there are more names than cells in the first row.
    """
    if len(columns) > cells:
        raise DataError(
            f"The first row of {name} must have a cell for each of the {len(columns)} names but has {cells}.",
            next_step="Name as many columns as there are, or fewer.",
        )
    return [*columns, *(f"column_{place}" for place in range(len(columns) + 1, cells + 1))]


def layout_notes(table: pa.Table, *, titles: Sequence[str], name: str) -> tuple[str, ...]:
    """What is odd about how a table was read: titles left out, a header that may be a row, cells that were not cut."""
    notes = []
    if titles:
        above = "line above the header is" if len(titles) == 1 else f"{len(titles)} lines above the header are"
        notes.append(f"{name}: the {above} left out as a title: {', '.join(map(_shown, titles))}.")
    return (*notes, *_uncut(table, name=name), *_header_notes(table, name=name))


def _shown(cell: str) -> str:
    return repr(brief(cell, most=_SHOWN))


def _header_notes(table: pa.Table, *, name: str) -> tuple[str, ...]:
    """The names of the columns look like cells of a row, or a row repeats them."""
    import pyarrow.compute as pc

    hits = {}
    for column in table.column_names:
        hits[column] = np.flatnonzero(pc.fill_null(pc.equal(table.column(column), column), False).to_numpy())
    if len(hits) > 1 and all(map(len, hits.values())):
        repeated = reduce(np.intersect1d, hits.values())
        if len(repeated):
            return (
                f"{name} repeats its header as row {int(repeated[0]) + 1:,}; {len(repeated):,} such rows are read as rows.",
            )
    asked = f"If the file has no header, name its {len(hits)} columns: --columns text,label"
    for column, rows in hits.items():
        if len(rows) > 1:
            return (
                f"The first row of {name} is taken for the header, but {_shown(column)} is also a value of that column "
                f"({len(rows):,} rows). {asked}",
            )
    if len(hits) == 1 and not is_usual(only := table.column_names[0]):
        return (
            f"{name} has one column, and its first row, {_shown(only)}, is taken for the name of it. "
            "If the file has no header, name the column: --columns text",
        )
    if sentence := next(filter(_SENTENCE.search, hits), None):
        return (f"The first row of {name} is taken for the header, but {_shown(sentence)} reads like a text. {asked}",)
    return ()


def _uncut(table: pa.Table, *, name: str) -> tuple[str, ...]:
    """A table of one column whose every row has the same number of a mark that is none of ours."""
    if table.num_columns > 1:
        return ()
    cells = [table.column_names[0], *(cell or "" for cell in table.column(0)[: _SAMPLE_ROWS - 1].to_pylist())]
    for mark in ("，", "；", "、", *_RARE, "::", "||"):
        counts = {cell.count(mark) for cell in cells}
        if len(counts) == 1 and counts != {0} and len(cells) >= _RARE_ROWS:
            return (
                f"{name} is read as one column, but each of its first {len(cells):,} lines has as many {mark!r}. "
                "If they are between cells, write commas or tabs there.",
            )
    return ()


def _stated_delimiter(data: bytes) -> tuple[str, bytes]:
    """What the line ``sep=;`` at the top says, and the bytes with that line blank, so that lines keep their numbers."""
    found = _SEP.match(data)
    if found is None:
        return "", data
    return found["mark"].decode().replace("\\t", "\t"), data[found.end() :]


def _delimiter(data: bytes, *, columns: Sequence[str]) -> str:
    """The mark that cuts the first rows into equally many cells; where none does, the first that the header has.

    A file without a header has no titles; one of a single column may have no mark (:data:`NO_MARK`): where some row has none.
    """
    sample = data.lstrip(b" \r\n")[:HEAD_BYTES]
    lines = sample if len(sample) < HEAD_BYTES else sample[: sample.rfind(b"\n") + 1] or sample
    text = lines.decode("utf-8", "ignore")
    first = text.split("\n", 1)[0]
    agreed = [(titles, mark) for mark in (*_MARKS, *_RARE) if (titles := _titles_above(text, mark)) is not None]
    if columns:
        agreed = [(titles, mark) for titles, mark in agreed if not titles]
    if agreed:
        return min(agreed, key=lambda pair: pair[0])[1]
    if len(columns) == 1 and any(
        not any(mark in line for mark in _MARKS) for line in text.splitlines()[:_SAMPLE_ROWS] if line.strip()
    ):
        return NO_MARK
    return next((mark for mark in _MARKS if mark in first), ",")


def _titles_above(text: str, mark: str) -> int | None:
    """How many lines of one cell are above rows that this mark cuts alike; ``None``: it is not between the cells."""
    try:
        rows = list(islice(filter(None, csv.reader(io.StringIO(text, newline=""), delimiter=mark)), _SAMPLE_ROWS))
    except csv.Error:
        return None
    titles = next((place for place, row in enumerate(rows) if len(row) > 1), len(rows))
    alike = len({len(row) for row in rows[titles:]}) == 1
    enough = len(rows) >= (_RARE_ROWS if mark in _RARE else titles + 2 if titles else 1)
    return titles if alike and enough and titles <= _MOST_TITLES else None


def _without_titles(data: bytes, *, delimiter: str) -> Layout:
    """The bytes with the titles above the header blank: up to three rows of one filled cell, above rows of several."""
    plain = Layout(delimiter, data)
    reader = csv.reader(io.StringIO(data[:HEAD_BYTES].decode("utf-8", "ignore"), newline=""), delimiter=delimiter)
    rows, until = [], []
    try:
        for row in islice(reader, _SAMPLE_ROWS):
            rows.append(row)
            until.append(reader.line_num)
    except csv.Error:
        return plain
    filled = [sum(bool(cell.strip()) for cell in row) for row in rows]
    header = next((place for place, count in enumerate(filled) if count > 1), 0)
    above, wide = [row for row in rows[:header] if any(row)], len(rows[header]) if rows else 0
    titles = tuple(cell for row in above for cell in row if cell.strip())
    below = [count for count in filled[header:-1] if count]
    if not titles or len(titles) > _MOST_TITLES or len(below) < 2 or min(below) < 2:
        return plain
    # A title is one cell, or a spreadsheet's row that is as wide as the others. A first cell without a name, above rows of
    # two cells, is the index that pandas writes.
    if any(len(row) not in (1, wide) or (not row[0].strip() and wide < 3) for row in above):
        return plain
    if any(is_usual(title, exactly=True) for title in titles) and not any(map(is_usual, rows[header])):
        return plain  # the one column that has a name
    behind = [cell for row in rows[header:] for cell in row[1:] if cell.strip()]
    if all(len(row) == 1 for row in above) and 2 * sum(cell[0] == " " for cell in behind) >= len(behind):
        return plain  # texts with commas in them
    lines = data[:HEAD_BYTES].splitlines(keepends=True)[: until[header - 1]]
    return Layout(delimiter, b"\n" * len(lines) + data[sum(map(len, lines)) :], titles)
