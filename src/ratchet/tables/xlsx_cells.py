"""What the cells of a sheet hold: texts, numbers, dates, and where the table begins."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Literal

import pyarrow as pa

from ratchet.bounds import SHEET_CELLS, SHEET_COLUMNS, require_columns
from ratchet.errors import DataError

_BLOCK = 1 << 13
"""Rows that are kept as Python's texts before they become Arrow's."""
Date = Literal["", "date", "datetime", "time", "elapsed"]
_TIMES = {*range(18, 22), *range(32, 36), 45, 47, 55, 56}
_DATES = {*range(14, 18), *range(27, 32), 36, *range(50, 55), 57, 58}
_LITERAL = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!(?:h+|m+|s+)\])[^\]]*\]', re.IGNORECASE)
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
_REFERENCE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_LAST_DAY = 2_958_465  # 9999-12-31


class Damaged(Exception):
    """A part of a workbook does not hold what it must; the text says what is wrong."""


class Texts:
    """The shared strings: each is its runs one behind the other, without the readings of East Asian words."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._parts: list[str] = []
        self._in_text = False
        self._readings = 0

    def start(self, tag: str, _attributes: dict[str, str], /) -> None:
        """A text, one of its runs, or a reading begins."""
        if tag == "si":
            self._parts = []
        elif tag == "rPh":
            self._readings += 1
        elif tag == "t":
            self._in_text = not self._readings

    def end(self, tag: str, /) -> None:
        """It ends."""
        if tag == "si":
            self.found.append(unescaped("".join(self._parts)))
        elif tag == "rPh":
            self._readings -= 1
        elif tag == "t":
            self._in_text = False

    def data(self, text: str, /) -> None:
        """Characters of a run are kept."""
        if self._in_text:
            self._parts.append(text)


class DateStyles:
    """By number of a cell's style, whether its numbers are dates."""

    def __init__(self) -> None:
        self.kinds: list[Date] = []
        self._codes: dict[int, str] = {}
        self._in_cells = False

    def start(self, tag: str, attributes: dict[str, str], /) -> None:
        """A number format, or the style of a cell."""
        if tag == "numFmt":
            self._codes[whole(attributes.get("numFmtId", "0"))] = attributes.get("formatCode", "")
        elif tag == "cellXfs":
            self._in_cells = True
        elif tag == "xf" and self._in_cells:
            number = whole(attributes.get("numFmtId", "0"))
            code = self._codes.get(number)
            self.kinds.append(_built_in(number) if code is None else date_kind(code))

    def end(self, tag: str, /) -> None:
        """The styles of cells end."""
        if tag == "cellXfs":
            self._in_cells = False

    def data(self, _text: str, /) -> None:
        """Styles have no text."""


class Cells:
    """The table of a sheet: its header, and below it the columns."""

    def __init__(self, *, texts: Sequence[str], dates: Sequence[Date], in_1904: bool) -> None:
        self.header: dict[int, str] | None = None
        self.header_row = 0
        self.uncomputed = ""
        self.rows = 0
        self._columns = _Columns()
        self.merged_header = ""
        self._merged_below, self._merged_first = 0, ""
        self._texts, self._dates, self._in_1904 = texts, dates, in_1904
        self._row: dict[int, str] = {}
        self._row_number = self._column = 0
        self._cell: dict[str, str] = {}
        self._letters: dict[str, int] = {}
        self._value: list[str] | None = None
        self._parts: list[str] = []
        self._reading = self._formula = False
        self._readings = 0

    def start(self, tag: str, attributes: dict[str, str], /) -> None:
        """A row, a cell, its value or its formula begins."""
        if tag == "c":
            self._cell, self._value, self._formula = attributes, None, False
            self._column = self._place(attributes.get("r", ""))
            if self._column > SHEET_COLUMNS:
                raise Damaged(f"row {self._row_number} has more than {SHEET_COLUMNS:,} cells")
        elif tag in ("v", "t"):
            if not self._readings:
                self._reading, self._parts = True, []
        elif tag == "f":
            self._formula = True
        elif tag == "row":
            self._row, self._column = {}, 0
            self._row_number = whole(attributes["r"]) if "r" in attributes else self._row_number + 1
        elif tag == "rPh":
            self._readings += 1
        elif tag == "mergeCell":
            self._merge(attributes.get("ref", ""))

    def end(self, tag: str, /) -> None:
        """It ends, and what it holds is known."""
        if tag in ("v", "t"):
            if self._reading:
                self._value = self._value or []
                self._value += self._parts
            self._reading = False
        elif tag == "c":
            value = self._text()
            if value is not None:
                self._row[self._column] = value
        elif tag == "row":
            self._finish_row()
        elif tag == "rPh":
            self._readings -= 1

    def data(self, text: str, /) -> None:
        """Characters of a value are kept."""
        if self._reading:
            self._parts.append(text)

    def table(self, *, name: str) -> pa.Table:
        """The columns that have a name or a cell, in order."""
        header = self.header or {}
        used = sorted({*(place for place, cell in header.items() if cell.strip()), *self._columns.places})
        require_columns(len(used), name=name)
        names = [header.get(place, "").strip() or f"column_{place}" for place in used]
        twice = [column for column, count in Counter(names).items() if count > 1]
        if twice:
            raise DataError(
                f"Column names of {name} must differ but {twice[0]!r} names "
                f"{' and '.join(letters(place) for place, column in zip(used, names, strict=True) if column == twice[0])}.",
                next_step="Rename or remove one of them.",
            )
        return pa.table(dict(zip(names, self._columns.take(used), strict=True)))

    def notes(self, where: str) -> tuple[str, ...]:
        """What is not as it looks."""
        if not self._merged_below:
            return ()
        return (
            f"In {where} {self._merged_below:,} merged cells (such as {self._merged_first}) have their value in the first "
            "cell only; the others are missing.",
        )

    def _place(self, reference: str) -> int:
        """The number of a cell's column, from 1; a cell without a reference follows the one before."""
        if not reference:
            return self._column + 1
        known = self._letters.get(name := reference.rstrip("0123456789"))
        if known is None:
            if not re.fullmatch("[A-Z]{1,3}", name):
                raise Damaged(f"it has a cell {reference!r}")
            known = 0
            for letter in name:
                known = 26 * known + ord(letter) - 64
            self._letters[name] = known
        return known

    def _finish_row(self) -> None:
        if not any(cell.strip() for cell in self._row.values()):
            return
        if self.header is None:
            self.header, self.header_row = self._row, self._row_number
            return
        self._columns.add(self._row)
        self.rows += 1

    def _merge(self, area: str) -> None:
        corners = [_REFERENCE.fullmatch(corner) for corner in area.replace("$", "").split(":")]
        if len(corners) == 2 and corners[0] and corners[1]:
            first, last = int(corners[0][2]), int(corners[1][2])
            if first > self.header_row:
                self._merged_first = self._merged_first or area
                self._merged_below += 1
            elif last >= self.header_row:
                self.merged_header = self.merged_header or area

    def _text(self) -> str | None:
        """What the cell that ends here holds; ``None`` where it is empty."""
        kind = self._cell.get("t", "n")
        value = None if self._value is None else "".join(self._value)
        if self._formula and not value and kind != "str":
            self.uncomputed = self.uncomputed or f"{letters(self._column)}{self._row_number}"
        if value is None:
            return None
        if kind in ("str", "inlineStr"):
            return unescaped(value)
        value = value.strip()
        if not value:
            return None
        if kind == "s":
            number = whole(value)
            if number >= len(self._texts):
                raise Damaged(f"it has no text number {value}")
            return self._texts[number]
        if kind == "b":
            return "true" if value == "1" else "false"
        if kind == "e":
            return None if value == "#N/A" else value
        return value if kind == "d" else self._number(value)

    def _number(self, value: str) -> str:
        style = self._cell.get("s")
        kind: Date = self._dates[whole(style)] if style and whole(style) < len(self._dates) else ""
        if not kind and value.isascii() and value.isdigit():
            return value
        try:
            number = float(value)
        except ValueError:
            raise Damaged(f"it has a number {value[:40]!r}") from None
        return as_date(number, kind=kind, in_1904=self._in_1904) or shortest(number)


class _Columns:
    """The columns below the header, of which a block of rows at a time is kept as Python's texts."""

    def __init__(self) -> None:
        self.places: dict[int, list[pa.Array]] = {}
        self._rows: list[dict[int, str]] = []
        self._done = 0

    def add(self, row: dict[int, str]) -> None:
        """The cells of the next row, by the number of their column."""
        self._rows.append(row)
        for place in row.keys() - self.places.keys():
            self.places[place] = [pa.nulls(self._done, pa.string())]
        if len(self.places) * (self._done + len(self._rows)) > SHEET_CELLS:
            raise DataError(
                f"A sheet must have at most {SHEET_CELLS:,} cells but this one has {self._done + len(self._rows):,} rows of "
                f"{len(self.places):,} and more.",
                next_step="Save the table as CSV or Parquet.",
            )
        if len(self._rows) == _BLOCK:
            self._flush()

    def take(self, places: Sequence[int]) -> list[pa.ChunkedArray]:
        """The columns at these places; one that only the header has is empty."""
        self._flush()
        empty = [pa.nulls(self._done, pa.string())]
        return [pa.chunked_array(self.places.pop(place, empty), pa.string()) for place in places]

    def _flush(self) -> None:
        for place, chunks in self.places.items():
            chunks.append(pa.array([row.get(place) for row in self._rows], pa.string()))
        self._done += len(self._rows)
        self._rows = []


def whole(text: str) -> int:
    """A number of the file itself, such as that of a row."""
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Damaged(f"it has a number {text[:40]!r}")
    return int(text)


def letters(place: int) -> str:
    """The name of a column: 1 is A, 27 is AA."""
    name = ""
    while place:
        place, rest = divmod(place - 1, 26)
        name = chr(65 + rest) + name
    return name


def unescaped(text: str) -> str:
    """The text with characters that XML cannot hold, which workbooks write as ``_x000D_``."""
    if "_x" not in text:
        return text
    return _ESCAPE.sub(lambda match: _unescape(match[0], int(match[1], 16)), text)


def _unescape(written: str, point: int) -> str:
    return written if 0xD800 <= point <= 0xDFFF else chr(point)


def shortest(number: float) -> str:
    """The digits that people see: 0.1, not 0.10000000000000001; 13800138000, not 1.3800138E10."""
    return str(int(number)) if number.is_integer() and abs(number) < 1e16 else repr(number)


def date_kind(code: str) -> Date:
    """What a number format shows: ``yyyy"年"m"月"`` a date, ``0.00`` none."""
    plain = _LITERAL.sub("", code).split(";")[0].lower()
    if re.search(r"\[(h+|m+|s+)\]", plain):
        return "elapsed"
    if "general" in plain:
        return ""
    days, hours = any(letter in plain for letter in "yd"), any(letter in plain for letter in "hs")
    if days:
        return "datetime" if hours else "date"
    return "time" if hours else ("date" if "m" in plain else "")


def _built_in(number: int) -> Date:
    if number == 22:
        return "datetime"
    if number == 46:
        return "elapsed"
    return "time" if number in _TIMES else "date" if number in _DATES else ""


def as_date(number: float, *, kind: Date, in_1904: bool) -> str | None:
    """A number of days as a date in ISO form; ``None`` where it is none."""
    if not kind or not 0 <= number <= _LAST_DAY:
        return None
    days, thousandths = divmod(round(number * 86_400_000), 86_400_000)
    clock = _clock(thousandths + (days * 86_400_000 if kind == "elapsed" else 0))
    if kind == "elapsed" or (kind == "time" and not days):
        return clock
    # The year 1900 has a 29th of February there, which is day 60.
    first = date(1904, 1, 1) if in_1904 else date(1899, 12, 30) if days > 59 else date(1899, 12, 31)
    try:
        day = (first + timedelta(days=days)).isoformat()
    except OverflowError:
        return None
    return f"{day} {clock}" if thousandths or kind != "date" else day


def _clock(thousandths: int) -> str:
    seconds, rest = divmod(thousandths, 1000)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{text}.{rest:03}" if rest else text
