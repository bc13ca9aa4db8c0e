"""Read a table block by block and write it again with further columns: CSV, TSV, JSONL, Parquet and plain lines."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, Literal, TextIO, TypeVar

from ratchet.bounds import LINE_CHARACTERS, require_columns
from ratchet.errors import DataError
from ratchet.forms import HEAD_BYTES, plain_name
from ratchet.serve.rows import Cells, Fields
from ratchet.tasks.task import Cell, CellType

if TYPE_CHECKING:
    from pyarrow import Array, RecordBatch
    from pyarrow.parquet import ParquetFile

    from ratchet.tables.delimited import Layout

Row = TypeVar("Row")
Format = Literal["csv", "tsv", "jsonl", "parquet", "text"]
Annotate = Callable[[list[Cells]], list[dict[str, Cell]]]
"""From the rows of a block, as `Fields` names their cells, to the new cells of each, by column name."""

BLOCK_ROWS = 1024
BLOCK_CHARACTERS = 4_000_000


@dataclass(frozen=True, kw_only=True)
class Pass:
    """One pass over a table: where its bytes come from and go to, and what is added to each row."""

    source: BinaryIO
    target: BinaryIO
    name: str
    """The source's name, for messages."""
    encoding: str
    written: str
    """Encoding of the target."""
    fields: Fields
    """The columns that the model is told of."""
    header: tuple[str, ...] = ()
    """Names of the first columns of a CSV or TSV file that has no header."""
    columns: Mapping[str, CellType]
    """The new columns, and what is in them."""
    annotate: Annotate

    def refuse_taken(self, names: Sequence[str]) -> None:
        """Refuse a table that has a column with the name of a new one."""
        for name in self.columns:
            if name in names:
                raise DataError(
                    f"{self.name} must not have a column {name!r} but has one.",
                    next_step="Rename or remove that column; predictions are written under this name.",
                )

    def places(self, names: Sequence[str], *, exactly: bool = False) -> list[int]:
        """Positions of the model's columns among the names; white space around them is none of them, unless ``exactly``."""
        plain = list(names) if exactly else list(map(plain_name, names))
        for name in self.fields.names:
            if plain.count(name) > 1:
                raise DataError(f"{self.name} must have one column {name!r} but has several.")
        if not set(self.fields.names) <= set(plain):
            raise self.fields.missing(plain, table=self.name)
        return [plain.index(name) for name in self.fields.names]


@contextmanager
def _opened(work: Pass, *, newline: str | None) -> Iterator[tuple[TextIO, TextIO]]:
    """Text views of the source and the target, which stay open."""
    reader = io.TextIOWrapper(work.source, encoding=work.encoding, newline=newline)
    writer = io.TextIOWrapper(work.target, encoding=work.written, newline="")
    try:
        yield reader, writer
        writer.flush()
    except UnicodeDecodeError as error:
        raise DataError(
            f"{work.name} must be in the encoding {work.encoding} but has the bytes "
            f"{error.object[error.start : error.start + 4].hex(' ')}.",
            next_step="Name its encoding with --encoding.",
        ) from error
    except UnicodeError as error:
        raise DataError(
            f"{work.name} must be in the encoding {work.encoding} but is not: {error}.",
            next_step="Name its encoding with --encoding.",
        ) from error
    finally:
        reader.detach()
        writer.detach()


def delimited(work: Pass, *, delimiter: str) -> None:
    """CSV or TSV with a header; the cells are copied as they are, quoted only where needed.

    Which mark separates them, and what above the header is none of it, is told as ``check`` and ``run`` tell it. TSV whose
    quotes are not in pairs, as most of it is written, has no quoting.
    """
    from ratchet.tables.delimited import NO_MARK, header_of

    kind = "tsv" if delimiter == "\t" else "csv"
    quoted = kind == "csv" or _quotes_are_in_order(work)
    with _cell_limit(), _opened(work, newline="") as (reader, writer):
        rest = _lines(reader, name=work.name)
        head = _first(rest)
        found = _laid_out(head, work, kind=kind)
        style = _dialect(found.delimiter, quoted=quoted)
        parsed = csv.reader(itertools.chain(head[found.blank :], rest), style)
        rows: Iterator[list[str]] = parsed
        try:
            header = next((row for row in rows if row), None)
            if not header:
                raise DataError(f"{work.name} must have a header line but is empty.")
            if work.header:
                names = header_of(work.header, cells=len(header), name=work.name)
                rows, header = itertools.chain([header], rows), names
            places = work.places(header)
            work.refuse_taken(header)
            styled = _dialect(",", quoted=True) if found.delimiter == NO_MARK else style
            out = _Table(writer, styled, name=work.name)
            out.write([[*header, *work.columns]])
            for block in _blocks(
                _same_width(rows, width=len(header), name=work.name),
                size=lambda row: sum(len(row[place]) for place in places),
            ):
                added = work.annotate([tuple(row[place] for place in places) for row in block])
                out.write([*row, *_cells(cells, work.columns)] for row, cells in zip(block, added, strict=True))
        except csv.Error as error:
            raise DataError(
                f"{work.name} must have its quotes in pairs but near line {parsed.line_num} has not: {error}.",
                next_step="Close the quote, double it, or put the whole cell in quotes.",
            ) from error


class _Table:
    """Writes rows; without quoting there are cells that cannot be written."""

    def __init__(self, target: TextIO, style: type[csv.Dialect], *, name: str) -> None:
        self._writer, self._name = csv.writer(_Rows(target), style), name

    def write(self, rows: Iterable[Sequence[str]]) -> None:
        try:
            self._writer.writerows(rows)
        except csv.Error as error:
            raise DataError(
                f"A prediction must be without tabs and line breaks, since {self._name} has no quoting, but one has some.",
                next_step="Save the table as CSV, or as JSON lines.",
            ) from error


def _first(lines: Iterator[str]) -> list[str]:
    """The first lines, as many as tell the layout of a file."""
    head: list[str] = []
    held = 0
    for line in lines:
        head.append(line)
        held += len(line)
        if held >= HEAD_BYTES:
            break
    return head


@contextmanager
def _cell_limit() -> Iterator[None]:
    before = csv.field_size_limit(LINE_CHARACTERS)
    try:
        yield
    finally:
        csv.field_size_limit(before)


class _Rows:
    """Ends rows with a newline; told to do so itself, csv.writer would no longer quote a lone carriage return."""

    def __init__(self, target: TextIO) -> None:
        self._target = target

    def write(self, row: str) -> None:
        self._target.write(row.removesuffix("\r\n") + "\n")


def _dialect(delimiter: str, *, quoted: bool) -> type[csv.Dialect]:
    mark = delimiter

    class Style(csv.Dialect):
        delimiter = mark
        quotechar = '"' if quoted else None
        quoting = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
        lineterminator = "\r\n"
        doublequote = True
        strict = True

    return Style


def _laid_out(head: list[str], work: Pass, *, kind: str) -> Layout:
    from ratchet.tables.delimited import layout

    return layout("".join(head).encode("utf-8", "replace"), kind=kind, columns=work.header)


def _quotes_are_in_order(work: Pass) -> bool:
    """Whether a TSV file is read with quoting, told as ``check`` and ``run`` tell it; the source is at its start afterwards."""
    from ratchet.tables.csv_faults import quotes_are_in_order

    reader = io.TextIOWrapper(work.source, encoding=work.encoding, newline="")
    try:
        found = _laid_out(_first(_lines(reader, name=work.name)), work, kind="tsv")
        rest = (block.encode("utf-8", "replace") for block in iter(partial(reader.read, HEAD_BYTES), ""))
        return quotes_are_in_order(itertools.chain([found.data], rest), delimiter=found.delimiter)
    except UnicodeError:
        return True  # said better when the rows are read
    finally:
        reader.detach()
        work.source.seek(0)


def _same_width(rows: Iterator[list[str]], *, width: int, name: str) -> Iterator[list[str]]:
    number = 0
    for row in rows:
        if not row:
            continue  # an empty line is no row, as everywhere in CSV
        number += 1
        if len(row) != width:
            raise DataError(
                f"Row {number} of {name} must have {width} cells like the header but has {len(row)}.",
                next_step="Put cells that hold the separator or a line break in quotes.",
            )
        yield row


def _cells(cells: Mapping[str, Cell], columns: Iterable[str]) -> list[str]:
    return [_written(cells.get(name)) for name in columns]


def _written(cell: Cell) -> str:
    """A cell as plain text has it: empty where there is none, true and false as in JSON."""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return "" if cell is None else str(cell)


def lines(work: Pass) -> None:
    """One text per line; the result is TSV with the columns text, prediction and so on."""
    with _opened(work, newline=None) as (reader, writer):
        out = csv.writer(_Rows(writer), delimiter="\t")
        out.writerow(["text", *work.columns])
        texts = (line.removesuffix("\n") for line in _lines(reader, name=work.name))
        for block in _blocks(texts, size=len):
            added = work.annotate([(text,) for text in block])
            out.writerows([text, *_cells(cells, work.columns)] for text, cells in zip(block, added, strict=True))


def jsonl(work: Pass) -> None:
    """One JSON object per line; what was there is copied byte for byte, the new fields follow at the end."""
    with _opened(work, newline=None) as (reader, writer):
        for block in _blocks(_objects(reader, work), size=lambda pair: len(pair[0])):
            added = work.annotate([row for _, row in block])
            for (raw, _), cells in zip(block, added, strict=True):
                new = json.dumps({name: cells.get(name) for name in work.columns}, ensure_ascii=False)
                comma = "" if raw[1:-1].isspace() or len(raw) == 2 else ", "
                writer.write(f"{raw[:-1]}{comma}{new[1:]}\n")


def _objects(reader: TextIO, work: Pass) -> Iterator[tuple[str, Cells]]:
    """Each line with its cells, read as ``check`` and ``run`` read it: a number keeps its digits, an absent key is null."""
    from ratchet.tables.parse import json_row

    wanted, names = set(work.fields.names), dict[str, None]()
    for number, line in enumerate(_lines(reader, name=work.name), start=1):
        raw = line.strip()
        if not raw:
            continue
        row = json_row(raw, number=number, name=work.name)
        if not wanted <= names.keys():
            names.update(dict.fromkeys(row))
            require_columns(len(names), name=work.name)
        work.refuse_taken(list(row))
        yield raw, tuple(row.get(name) for name in work.fields.names)
    if names and not wanted <= names.keys():
        work.places(list(names), exactly=True)


def parquet(work: Pass) -> None:
    """Parquet; types and other columns stay."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(work.source)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _no_parquet(work, error) from error
    names = table.schema_arrow.names
    places = work.places(names)
    work.refuse_taken(names)
    schema = table.schema_arrow
    for name, kind in work.columns.items():
        schema = schema.append(pa.field(name, {str: pa.string(), bool: pa.bool_()}.get(kind, pa.float64())))
    with pq.ParquetWriter(work.target, schema) as out:
        for batch in _batches(table, work):
            cells = [_strings(batch.column(place), names[place], work) for place in places]
            added = work.annotate([*zip(*cells, strict=True)])
            new = [pa.array([c.get(name) for c in added], schema.field(name).type) for name in work.columns]
            out.write_batch(pa.record_batch([*batch.columns, *new], schema=schema))


def _strings(column: Array, name: str, work: Pass) -> list[str | None]:
    """A column as strings."""
    import pyarrow as pa

    try:
        column.validate(full=True)
        cells: list[str | None] = column.cast(pa.string()).to_pylist()
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
        kind = "damaged UTF-8" if pa.types.is_string(column.type) else column.type
        raise DataError(
            f"The column {name!r} of {work.name} must be text but is {kind}.",
            next_step="Write the file again, or convert the column.",
        ) from error
    return cells


def _batches(table: ParquetFile, work: Pass) -> Iterator[RecordBatch]:
    import pyarrow as pa

    from ratchet.tables.arrow import bounded

    packed = work.source.seek(0, io.SEEK_END)
    try:
        yield from bounded(table.iter_batches(batch_size=BLOCK_ROWS), packed=packed, name=work.name)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _no_parquet(work, error) from error


def _no_parquet(work: Pass, error: Exception) -> DataError:
    return DataError(
        f"{work.name} must be a whole Parquet file but is not: {str(error).splitlines()[0]}", next_step="Copy it again."
    )


def _lines(reader: TextIO, *, name: str) -> Iterator[str]:
    number = 0
    while line := _line(reader, name=name):
        number += 1
        if len(line) >= LINE_CHARACTERS:
            raise DataError(f"Line {number} of {name} must have fewer than {LINE_CHARACTERS} characters.")
        yield line


def _line(reader: TextIO, *, name: str) -> str:
    try:
        return reader.readline(LINE_CHARACTERS)
    except OSError as error:
        raise DataError(f"{name} cannot be read: {error.strerror or error}.", next_step="Check the file.") from error


def _blocks(rows: Iterator[Row], *, size: Callable[[Row], int]) -> Iterator[list[Row]]:
    """Rows in lists of at most BLOCK_ROWS and about BLOCK_CHARACTERS."""
    block: list[Row] = []
    held = 0
    for row in rows:
        block.append(row)
        held += size(row)
        if len(block) >= BLOCK_ROWS or held >= BLOCK_CHARACTERS:
            yield block
            block, held = [], 0
    if block:
        yield block
