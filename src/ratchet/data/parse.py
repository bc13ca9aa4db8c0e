"""The bytes of one CSV, JSONL or Parquet file as a table of strings."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa

from ratchet.data import strict
from ratchet.data.arrow import with_names
from ratchet.errors import DataError

_BLOCK = 1 << 24
_READ_AHEAD = 1 << 20
_JSON_ROWS = 50_000
_PARQUET_ROWS = 1 << 17


def from_csv(data: bytes, *, kind: str, name: str) -> pa.Table:
    """CSV (comma; semicolon, tab or bar when the header has no comma) or, if ``kind`` is ``tsv``, TSV; bytes in UTF-8.

    A TSV file whose quotes are not in order is read without quoting, which is how most such files are written.
    """
    delimiter = "\t" if kind == "tsv" else _delimiter(data)
    regular = strict.quotes_are_regular(data, delimiter=delimiter)
    quoted = regular or kind == "csv"
    cells = strict.header(data, delimiter=delimiter, quoted=quoted, name=name)
    names = _column_names(cells, name=name)
    if quoted and not regular:
        strict.refuse_faults(data, delimiter=delimiter, quoted=True, columns=len(cells), name=name)
    try:
        return _fast_csv(data, delimiter=delimiter, quoted=quoted, cells=cells).rename_columns(names)
    except pa.ArrowInvalid as problem:
        strict.refuse_faults(data, delimiter=delimiter, quoted=quoted, columns=len(cells), name=name)
        raise DataError(
            f"{name} must be a CSV file but is not: {str(problem).splitlines()[0]}", next_step="Export it again."
        ) from None


def with_header(data: bytes, *, kind: str, columns: Sequence[str], name: str) -> tuple[str, bytes]:
    """The bytes of a CSV or TSV file without a header, with one: the names given, and none for further columns.

    Args:
        data: bytes in UTF-8.
        kind: ``csv``, ``tsv``, or empty: TSV if there is a tab in the first row.
        columns: names of the first columns.
        name: what messages call the file.

    Raises:
        DataError: there are more names than cells in the first row.
    """
    kind = kind or ("tsv" if b"\t" in data.lstrip().split(b"\n", 1)[0] else "csv")
    delimiter = "\t" if kind == "tsv" else _delimiter(data)
    quoted = kind == "csv" or strict.quotes_are_regular(data, delimiter=delimiter)
    cells = len(strict.header(data, delimiter=delimiter, quoted=quoted, name=name))
    if len(columns) > cells:
        raise DataError(
            f"The first row of {name} must have a cell for each of the {len(columns)} names but has {cells}.",
            next_step="Name as many columns as there are, or fewer.",
        )
    sink = io.StringIO()
    csv.writer(sink, delimiter=delimiter, lineterminator="\n").writerow([*columns, *[""] * (cells - len(columns))])
    return kind, sink.getvalue().encode() + data


def from_jsonl(data: bytes, *, name: str) -> pa.Table:
    """One JSON object a line; an absent key is null, a blank line no row."""
    rows: list[dict[str, str | None]] = []
    tables: list[pa.Table] = []
    for number, line in enumerate(io.BytesIO(data), 1):
        if not line.isspace():
            rows.append(_json_row(line, number=number, name=name))
        if len(rows) == _JSON_ROWS:
            tables.append(_json_table(rows, name=name, before=_JSON_ROWS * len(tables)))
            rows = []
    tables.append(_json_table(rows, name=name, before=_JSON_ROWS * len(tables)))
    return pa.concat_tables(tables, promote_options="default")


def from_parquet(file: bytes | Path, *, name: str) -> pa.Table:
    """A Parquet file as :func:`as_strings`; class numbers that the library ``datasets`` stored become their names."""
    from pyarrow.parquet import ParquetFile

    try:
        source = file if isinstance(file, Path) else pa.BufferReader(file)
        with ParquetFile(source, pre_buffer=False, buffer_size=_READ_AHEAD) as opened:
            # Read whole, the cells would for a moment be held twice.
            table = pa.Table.from_batches(opened.iter_batches(batch_size=_PARQUET_ROWS), opened.schema_arrow)
    except (pa.ArrowInvalid, OSError) as problem:
        raise DataError(
            f"{name} must be a Parquet file but is not: {str(problem).splitlines()[0]}", next_step="Export it again."
        ) from None
    return as_strings(with_names(table, name=name), name=name)


def as_strings(table: pa.Table, *, name: str) -> pa.Table:
    """A typed table as strings: numbers, dates and booleans in their usual form, nested values as compact JSON.

    Raises:
        DataError: two columns have one name, or a column holds what is no text, such as pictures.
    """
    names = _column_names(table.column_names, name=name)
    pairs = zip(names, table.columns, strict=True)
    return pa.table(
        {column_name: _as_text(column, column_name=column_name, name=name) for column_name, column in pairs}
    )


def _fast_csv(data: bytes, *, delimiter: str, quoted: bool, cells: list[str]) -> pa.Table:
    from pyarrow import csv as fast

    def read(block: int) -> pa.Table:
        return fast.read_csv(
            pa.BufferReader(data),
            read_options=fast.ReadOptions(block_size=block),
            parse_options=fast.ParseOptions(
                delimiter=delimiter, quote_char='"' if quoted else False, newlines_in_values=quoted
            ),
            convert_options=fast.ConvertOptions(
                column_types=dict.fromkeys(cells, pa.string()), strings_can_be_null=False
            ),
        )

    try:
        return read(_BLOCK)
    except pa.ArrowInvalid as problem:
        if "block" not in str(problem):
            raise
        return read(min(len(data), (1 << 31) - 1))  # one row is longer than a block


def _delimiter(data: bytes) -> str:
    first = data.lstrip().split(b"\n", 1)[0]
    return next((mark for mark in (",", ";", "\t", "|") if mark.encode() in first), ",")


def _column_names(cells: list[str], *, name: str) -> list[str]:
    """The names without outer white space; a column without a name gets its number."""
    names = [cell.strip() or f"column_{number}" for number, cell in enumerate(cells, 1)]
    twice = [column for column, count in Counter(names).items() if count > 1]
    if twice:
        places = " and ".join(str(i) for i, column in enumerate(names, 1) if column == twice[0])
        raise DataError(
            f"Column names of {name} must differ but {twice[0]!r} names columns {places}.",
            next_step="Rename or remove one of them.",
        )
    return names


def _json_row(line: bytes, *, number: int, name: str) -> dict[str, str | None]:
    try:
        # Numbers keep their digits: 1.10 stays "1.10", an ID of 20 digits is not rounded.
        row = json.loads(line, parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=_no_key_twice)
    except (ValueError, RecursionError) as problem:
        why = "it is nested too deeply" if isinstance(problem, RecursionError) else problem
        raise DataError(
            f"Line {number} of {name} must be one JSON object but is not: {why}.",
            next_step="Write one object a line, without commas between the lines.",
        ) from None
    if not isinstance(row, dict):
        raise DataError(
            f"Line {number} of {name} must be a JSON object but is {type(row).__name__}.",
            next_step='Write rows as {"text": ..., "label": ...}.',
        )
    plain: dict[str, Any] | None = None
    for key, value in row.items():
        if isinstance(value, bool):
            row[key] = "true" if value else "false"
        elif isinstance(value, dict | list):
            plain = plain or json.loads(line)
            row[key] = _compact(plain[key])
    return row


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) != len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ValueError(f"the key {twice!r} occurs twice")
    return row


def _json_table(rows: list[dict[str, str | None]], *, name: str, before: int) -> pa.Table:
    names = list(dict.fromkeys(key for row in rows for key in row))
    columns = {}
    for column in names:
        cells = [row.get(column) for row in rows]
        try:
            columns[column] = pa.array(cells, pa.string())
        except UnicodeEncodeError:
            _refuse_half_characters(cells, column=column, before=before, name=name)
    return pa.table(columns)


def _refuse_half_characters(cells: list[str | None], *, column: str, before: int, name: str) -> NoReturn:
    row = next(i for i, cell in enumerate(cells, before + 1) if cell and any("\ud800" <= c <= "\udfff" for c in cell))
    raise DataError(
        f"Row {row} of {name} must be text but {column!r} holds half a surrogate pair.",
        next_step=r"Write characters beyond U+FFFF as two \u escapes or as they are.",
    )


def _as_text(column: pa.ChunkedArray, *, column_name: str, name: str) -> pa.ChunkedArray:
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_nested(kind):
        cells = [None if cell is None else _compact(cell) for cell in column.to_pylist()]
        return pa.chunked_array([pa.array(cells, pa.string())])
    try:
        text = pc.cast(column, pa.string())
        # Arrow writes every digit that the unit of a time has: 01:02:03.000000000.
        return pc.replace_substring_regex(text, r"\.0+(Z?)$", r"\1") if pa.types.is_temporal(kind) else text
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise DataError(
            f"Column {column_name!r} of {name} must be text, numbers or dates but is {kind}.",
            next_step="Convert the column or leave it out of the file.",
        ) from None


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
