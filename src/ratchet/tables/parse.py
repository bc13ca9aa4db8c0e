"""The bytes of one CSV, JSON, JSONL or Parquet file as a table of strings."""

from __future__ import annotations

import io
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import pyarrow as pa

from ratchet.bounds import CELL_BYTES, json_value, require_columns
from ratchet.errors import DataError
from ratchet.forms import FASTTEXT, WHOLE, is_broken, legible, plain_name
from ratchet.spill import LARGE, has_room, spilled
from ratchet.tables import csv_faults
from ratchet.tables.arrow import bounded, values_in, with_names
from ratchet.tables.delimited import header_of, layout

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

_BLOCK = 1 << 24
_NESTED_ROWS = 256
_UNREADABLE = (pa.ArrowException, ValueError, OverflowError, LookupError)
_READ_AHEAD = 1 << 20
_JSON_ROWS = 50_000
_PARQUET_ROWS, _PEEK, _BATCH_BYTES = 1 << 17, 64, 1 << 28
_FASTTEXT = re.compile(rf"\s*(?:{FASTTEXT}\S*(?:\s+|$))+")
_DIGITS = sys.int_info.default_max_str_digits


class Delimited(NamedTuple):
    """A CSV or TSV file: its table, the titles above its header, and how many lines are above its first row."""

    table: pa.Table
    titles: tuple[str, ...]
    above: int


def from_csv(data: bytes, *, kind: str, columns: Sequence[str] = (), name: str) -> Delimited:
    """CSV (comma, semicolon, tab or bar, whichever the first rows agree on) or, if ``kind`` is ``tsv``, TSV; bytes in UTF-8.

    A TSV file whose quotes are not in order is read without quoting, which is how most such files are written. The line
    ``sep=;`` that spreadsheets write names the delimiter and is no row. A file without a header has the ``columns`` that are
    named, and numbers for further ones.
    """
    found = layout(data, kind=kind, columns=columns)
    delimiter, data, titles = found
    regular = csv_faults.quotes_are_in_order([data], delimiter=delimiter)
    quoted = regular or kind == "csv"
    cells, above = csv_faults.header(data, delimiter=delimiter, quoted=quoted, name=name)
    require_columns(len(cells), name=name)
    names = _column_names(header_of(columns, cells=len(cells), name=name) if columns else cells, name=name)
    refuse = partial(
        csv_faults.refuse_faults, data, delimiter=delimiter, columns=len(cells), headless=bool(columns), name=name
    )
    if quoted and not regular:
        refuse(quoted=True)
    try:
        table = _fast_csv(
            data, delimiter=delimiter, quoted=quoted, cells=names if columns else cells, headless=bool(columns)
        )
        return Delimited(table.rename_columns(names), titles, found.blank if columns else above)
    except pa.ArrowInvalid as problem:
        refuse(quoted=quoted)
        raise DataError(
            f"{name} must be a CSV file but is not: {str(problem).splitlines()[0]}", next_step="Export it again."
        ) from None


def from_fasttext(data: bytes) -> pa.Table:
    """Lines as fastText reads them, ``__label__good __label__long text``: the columns ``label`` and ``text``.

    Several labels become a JSON list; a line without one has a missing label, a blank line is no row.
    """
    labels: list[str | None] = []
    texts = []
    for line in data.decode().split("\n"):
        if not line.strip():
            continue
        found = _FASTTEXT.match(line)
        names = [word.removeprefix(FASTTEXT) for word in found[0].split()] if found else []
        labels.append(_compact(names) if len(names) > 1 else names[0] if names else None)
        texts.append(line[found.end() if found else 0 :].strip())
    return pa.table({"label": pa.array(labels, pa.string()), "text": pa.array(texts, pa.string())})


def from_jsonl(data: bytes, *, name: str) -> pa.Table:
    """One JSON object per line; an absent key is null, a blank line is not a row."""
    rows: list[dict[str, str | None]] = []
    tables: list[pa.Table] = []
    names: dict[str, None] = {}
    for number, line in enumerate(io.BytesIO(data), 1):
        if not line.isspace():
            rows.append(row := json_row(line, number=number, name=name))
            names.update(dict.fromkeys(row))
            require_columns(len(names), name=name)
        if len(rows) == _JSON_ROWS:
            tables.append(_json_table(rows, name=name, before=_JSON_ROWS * len(tables)))
            rows = []
    tables.append(_json_table(rows, name=name, before=_JSON_ROWS * len(tables)))
    return pa.concat_tables(tables, promote_options="default")


def from_json(data: bytes, *, name: str) -> pa.Table:
    """A JSON document: a list of objects, an object that holds such a list, or a table as pandas writes it.

    Args:
        data: bytes in UTF-8; one object per line is taken too.
        name: what messages call the file.

    Raises:
        DataError: it is no JSON, or no table.
    """
    try:
        found = _digits_kept(data)
    except json.JSONDecodeError as problem:
        if problem.msg == "Extra data" and data.lstrip().startswith(b"{"):
            return from_jsonl(data, name=name)
        raise DataError(
            f"{name} must be a JSON document but is not: {problem}.", next_step="Check that the export finished."
        ) from None
    except ValueError as problem:
        raise DataError(
            f"{name} must be a JSON document but is not: {problem}.", next_step="Write a list of objects."
        ) from None
    rows = _json_rows(found, name=name)
    if rows is None:
        raise DataError(
            f"{name} must be a list of JSON objects but is {_json_kind(found)}.",
            next_step='Write the rows as [{"text": ..., "label": ...}, ...].',
        )
    odd = next((number for number, row in enumerate(rows, 1) if not isinstance(row, dict)), None)
    if odd is not None:
        raise DataError(f"Row {odd:,} of {name} must be a JSON object but is {_json_kind(rows[odd - 1])}.")
    nested = any(_is_nested(value) for row in rows for value in row.values())
    plain = (_json_rows(_numbers_read(data), name=name) or []) if nested else rows
    cells = [_as_cells(row, plain=same) for row, same in zip(rows, plain, strict=True)]
    return _json_table(cells, name=name, before=0)


def _json_rows(found: Any, *, name: str) -> list[Any] | None:
    """The rows of a document: a list; the one list of objects in an object; or what pandas writes."""
    if isinstance(found, list):
        return found
    if not isinstance(found, dict) or not found:
        return None
    columns, data = found.get("columns"), found.get("data")
    if isinstance(columns, list) and isinstance(data, list) and all(isinstance(row, list) for row in data):
        return _split_rows([str(column) for column in columns], data, name=name)
    lists = [value for value in found.values() if isinstance(value, list) and value and isinstance(value[0], dict)]
    if len(lists) == 1:
        return lists[0]
    values = list(found.values())
    if all(isinstance(value, dict) and value.keys() == values[0].keys() for value in values):
        if all(key.isdigit() for key in values[0]):
            return [{name: cells[key] for name, cells in found.items()} for key in values[0]]  # orient="columns"
        return values if all(key.isdigit() for key in found) else None  # orient="index"
    if all(isinstance(value, list) and len(value) == len(values[0]) for value in values):
        return [dict(zip(found, row, strict=True)) for row in zip(*values, strict=True)]
    return None


def _split_rows(columns: list[str], rows: list[list[Any]], *, name: str) -> list[dict[str, Any]]:
    """Rows of ``{"columns": [...], "data": [[...], ...]}``.

    Raises:
        DataError: a name is there twice, or a row has more or fewer cells than there are names.
    """
    require_columns(len(columns), name=name)
    twice = next((column for column, count in Counter(columns).items() if count > 1), None)
    if twice is not None:
        raise DataError(
            f"The columns of {name} must have different names but {twice!r} is there twice.", next_step="Rename one."
        )
    odd = next((number for number, row in enumerate(rows, 1) if len(row) != len(columns)), None)
    if odd is not None:
        raise DataError(
            f"Row {odd:,} of {name} must have {len(columns):,} cells like 'columns' but has {len(rows[odd - 1]):,}.",
            next_step="Mend that row.",
        )
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _json_kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text or number", bool: "true or false", type(None): "null"}
    return names.get(type(value), type(value).__name__)


def from_parquet(file: bytes | Path, *, name: str) -> pa.Table:
    """A Parquet file as :func:`as_strings`; class numbers that the library ``datasets`` stored become their names."""
    from pyarrow.parquet import ParquetFile

    try:
        source = file if isinstance(file, Path) else pa.BufferReader(file)
        packed = file.stat().st_size if isinstance(file, Path) else len(file)
        with ParquetFile(source, pre_buffer=False, buffer_size=_READ_AHEAD) as opened:
            require_columns(len(opened.schema_arrow), name=name)
            # Read whole, the cells would for a moment be held twice.
            a_row = _row_bytes(opened)
            rows = min(_PARQUET_ROWS, max(1, _BATCH_BYTES // a_row))
            batches = bounded(opened.iter_batches(batch_size=rows), packed=packed, name=name)
            if (size := a_row * opened.metadata.num_rows) >= LARGE and has_room(size):
                return spilled(_as_they_come(batches, name=name), name=name)
            table = pa.Table.from_batches(batches, opened.schema_arrow)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as problem:
        raise DataError(
            f"{name} must be a Parquet file but is not: {str(problem).splitlines()[0]}", next_step="Export it again."
        ) from None
    return as_strings(with_names(table, name=name), name=name)


def _as_they_come(batches: Iterator[pa.RecordBatch], *, name: str) -> Iterator[pa.Table]:
    before = 0
    for batch in batches:
        table = with_names(pa.Table.from_batches([batch]), name=name, before=before)
        yield as_strings(table, name=name, before=before)
        before += batch.num_rows


def _row_bytes(opened: ParquetFile) -> int:
    """Bytes of a row in memory: of the first ones, or as many as a row has in the file where that is more."""
    first = next(opened.iter_batches(batch_size=_PEEK), None)
    if first is None or not first.num_rows:
        return 1
    stored = sum(opened.metadata.row_group(group).total_byte_size for group in range(opened.num_row_groups))
    return 1 + max(int(first.nbytes) // len(first), int(stored) // max(int(opened.metadata.num_rows), 1))


def as_strings(table: pa.Table, *, name: str, before: int = 0) -> pa.Table:
    """A typed table as strings: numbers, dates and booleans in their usual form, nested values as compact JSON.

    Raises:
        DataError: two columns have one name, or a column holds what is no text, such as pictures.
    """
    require_columns(table.num_columns, name=name)
    names = _column_names(table.column_names, name=name)
    pairs = zip(names, table.columns, strict=True)
    return pa.table({column: _as_text(cells, column_name=column, name=name, before=before) for column, cells in pairs})


def _fast_csv(data: bytes, *, delimiter: str, quoted: bool, cells: list[str], headless: bool) -> pa.Table:
    from pyarrow import csv as fast

    def read(block: int) -> pa.Table:
        return fast.read_csv(
            pa.BufferReader(data),
            read_options=fast.ReadOptions(block_size=block, column_names=cells if headless else None),
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


def _column_names(cells: list[str], *, name: str) -> list[str]:
    """The names without outer white space; a column without a name gets its number."""
    names = [plain_name(cell) or f"column_{number}" for number, cell in enumerate(cells, 1)]
    twice = [column for column, count in Counter(names).items() if count > 1]
    if twice:
        places = " and ".join(str(i) for i, column in enumerate(names, 1) if column == twice[0])
        raise DataError(
            f"Column names of {name} must differ but {twice[0]!r} names columns {places}.",
            next_step="Rename or remove one of them.",
        )
    return names


def json_row(line: bytes | str, *, number: int, name: str) -> dict[str, str | None]:
    """The cells of one line of a JSONL file.

    Raises:
        DataError: it is no JSON object, or has a key twice.
    """
    try:
        row = _digits_kept(line)
        plain = _numbers_read(line) if isinstance(row, dict) and any(map(_is_nested, row.values())) else row
        cells = _as_cells(row, plain=plain) if isinstance(row, dict) else {}
    except ValueError as problem:
        raise DataError(
            f"Line {number} of {name} must be one JSON object but is not: {problem}.",
            next_step="Write one object per line, without commas between the lines.",
        ) from None
    if not isinstance(row, dict):
        raise DataError(
            f"Line {number} of {name} must be a JSON object but is {type(row).__name__}.",
            next_step='Write rows as {"text": ..., "label": ...}.',
        )
    return cells


def _digits_kept(data: bytes | str) -> Any:
    """A JSON value whose numbers are strings: 1.10 stays "1.10", an ID of 20 digits is not rounded."""
    return json_value(data, parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=_no_key_twice)


def _numbers_read(data: bytes | str) -> Any:
    """The same value with its numbers, but for those of more digits than Python reads, which stay strings."""
    return json_value(data, parse_int=lambda digits: int(digits) if len(digits) < _DIGITS else digits)


def _is_nested(value: Any) -> bool:
    return isinstance(value, dict | list)


def _as_cells(row: dict[str, Any], *, plain: dict[str, Any]) -> dict[str, str | None]:
    """A JSON object as cells: true and false written so, lists and objects as compact JSON.

    Args:
        row: with numbers as strings.
        plain: the same object with numbers as numbers, for what is nested.
    """
    for key, value in row.items():
        if isinstance(value, bool):
            row[key] = "true" if value else "false"
        elif _is_nested(value):
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
    require_columns(len(names), name=name)
    if odd := next((key for key in names if is_broken(key)), None):
        raise DataError(
            f"The keys of {name} must be text but {legible(odd)!r} holds half a surrogate pair.", next_step=WHOLE
        )
    columns = {}
    for column in names:
        cells = [row.get(column) for row in rows]
        try:
            columns[column] = pa.array(cells, pa.string())
        except UnicodeEncodeError:
            _refuse_half_characters(cells, column=column, before=before, name=name)
    return pa.table(columns)


def _refuse_half_characters(cells: list[str | None], *, column: str, before: int, name: str) -> NoReturn:
    row = next(i for i, cell in enumerate(cells, before + 1) if cell and is_broken(cell))
    raise DataError(
        f"Row {row} of {name} must be text but {column!r} holds half a surrogate pair.",
        next_step=WHOLE,
    )


def _as_text(column: pa.ChunkedArray, *, column_name: str, name: str, before: int) -> pa.ChunkedArray:
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_nested(kind):
        return _nested_as_text(column, column_name=column_name, name=name, before=before)
    try:
        column.validate(full=True)  # bytes that are no UTF-8 would only show where the cell is read
        text = pc.cast(column, pa.string())
        # Arrow writes every digit that the unit of a time has: 01:02:03.000000000.
        return pc.replace_substring_regex(text, r"\.0+(Z?)$", r"\1") if pa.types.is_temporal(kind) else text
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as problem:
        if "UTF8" in str(problem) or pa.types.is_string(kind):
            raise DataError(
                f"Column {column_name!r} of {name} must be text in UTF-8 but is damaged.",
                next_step="Write the file again.",
            ) from None
        raise DataError(
            f"Column {column_name!r} of {name} must be text, numbers or dates but is {kind}.",
            next_step="Convert the column or leave it out of the file.",
        ) from None


def _nested_as_text(column: pa.ChunkedArray, *, column_name: str, name: str, before: int) -> pa.ChunkedArray:
    """Lists and objects as compact JSON, a few rows at a time, so that one of them cannot fill the memory."""
    cells: list[str | None] = []
    for part in (slice_ for chunk in column.chunks for slice_ in _slices(chunk, _NESTED_ROWS)):
        try:
            cells += _json_cells(part)
        except _UNREADABLE:
            for row in _slices(part, 1):
                try:
                    cells += _json_cells(row)
                except _UNREADABLE as problem:
                    raise DataError(
                        f"Row {before + len(cells) + 1:,} of {name} must have a value that can be written as text in "
                        f"{column_name!r} ({column.type}) but has not: {str(problem).splitlines()[0][:200]}",
                        next_step="Mend the cell, or leave the column out of the file.",
                    ) from None
    return pa.chunked_array([pa.array(cells, pa.string())])


def _slices(array: pa.Array, rows: int) -> Iterator[pa.Array]:
    return (array.slice(start, rows) for start in range(0, len(array), rows))


def _json_cells(part: pa.Array) -> list[str | None]:
    if (count := values_in(part)) > CELL_BYTES:
        raise ValueError(f"it has {count:,} values.")
    return [None if cell is None else _compact(cell) for cell in part.to_pylist()]


def _compact(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
