"""The two ends of a pass over a file: which format and encoding it has, how it is opened, and where the result goes."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from ratchet.errors import DataError
from ratchet.forms import ENCODINGS, FORMATS, HEAD_BYTES, encoding_called, plain_name
from ratchet.serve.formats import Format
from ratchet.workspace.finished import regular_file
from ratchet.workspace.workspace import named_stream

STDIO = Path("-")
IN_BLOCKS: dict[str, Format] = {"csv": "csv", "tsv": "tsv", "jsonl": "jsonl", "parquet": "parquet"}
"""Formats that are read block by block; any other is read whole, as ``check`` and ``run`` do, and the result is CSV."""
_SCAN = 1024 * 1024
_SAMPLE = 8 * 1024 * 1024


def format_of(source: Path, *, text: str, encoding: str) -> Format | None:
    """The format that a file's suffix (before ``.gz``) names; ``None``: it is a table that is read whole.

    Standard input and ``.txt`` are tables if their first line has the text column or is fastText's, else plain
    lines.
    """
    if source != STDIO:
        before = Path(source.as_posix().partition("#")[0])
        if source.is_dir() or before.is_dir():
            return None
        suffix = _unpacked(source if source.exists() else before).suffix.lower()
        if suffix not in FORMATS:
            raise DataError(
                f"{source} must end in one of {', '.join(FORMATS)} but ends in {source.suffix!r}.",
                next_step="Name its format with --format (csv, tsv, jsonl, parquet or text).",
            )
        if FORMATS[suffix]:
            return IN_BLOCKS.get(FORMATS[suffix])
    found = _told(
        _head(source), text=text, encoding=encoding, name=str(source) if source != STDIO else "standard input"
    )
    return "text" if found == "text" else IN_BLOCKS.get(found)


def _head(source: Path) -> bytes:
    """The first lines of a file, unpacked, or what standard input begins with; it can still be read from its start."""
    from ratchet.tables.sources import stdin_head

    if source == STDIO:
        return stdin_head()
    with reading(source, kind="text") as reader:
        return reader.read(HEAD_BYTES)


def _told(head: bytes, *, text: str, encoding: str, name: str) -> str:
    """What the first bytes are: a table that has the text column, or plain lines."""
    from ratchet.bounds import json_value
    from ratchet.tables.delimited import Layout, layout
    from ratchet.tables.sources import sniffed
    from ratchet.text.encodings import to_utf8, whole_lines

    lines, is_whole = whole_lines(head, encoding=encoding)
    try:
        data, _ = to_utf8(lines, encoding=encoding, name=name)
    except DataError:
        if is_whole:
            raise
        return "text"  # a first line of 64 KiB is no header
    kind = sniffed(data)
    delimiter, data, _ = layout(data, kind=kind) if kind in ("csv", "tsv") else Layout("", data)
    first = next(iter(data.decode("utf-8", "replace").lstrip("\r\n").splitlines()), "")
    if delimiter:
        try:
            names = next(csv.reader([first], delimiter=delimiter), [])
        except csv.Error:
            names = []
        return kind if text in map(plain_name, names) else "text"
    if kind == "jsonl":
        try:
            return "jsonl" if isinstance(json_value(first), dict) else "text"
        except ValueError:
            pass
    return kind if kind == "fasttext" or f'"{text}"'.encode() in data else "text"


def headless_format(source: Path) -> Format:
    """The format of a CSV or TSV file without a header."""
    from ratchet.tables.delimited import headless_kind

    suffix = "" if source == STDIO else _unpacked(source).suffix.lower()
    return "tsv" if headless_kind(_head(source), kind=FORMATS.get(suffix, "")) == "tsv" else "csv"


def table_as_csv(source: Path, *, encoding: str) -> tuple[BinaryIO, tuple[str, ...]]:
    """Such a table as CSV in UTF-8, with empty cells where it has none; and notes about what of it was not read.

    Raises:
        DataError: as `ratchet.tables.read.read_table`.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import csv as arrow_csv

    from ratchet.tables.read import read_table

    raw = read_table(source, encoding=encoding)
    sink = io.BytesIO()
    # All cells in quotes: the row of a table of one column whose cell is empty would be a blank line, which is no row.
    cells = [pc.fill_null(column, "") for column in raw.table.columns]
    table = pa.table(cells, names=raw.table.column_names)
    arrow_csv.write_csv(table, sink, arrow_csv.WriteOptions(quoting_style="all_valid"))
    sink.seek(0)
    return sink, raw.notes


def _is_packed(path: Path) -> bool:
    return path.suffix.lower() == ".gz"


def _unpacked(path: Path) -> Path:
    return path.with_suffix("") if _is_packed(path) else path


def target_of(source: Path, target: Path | None, *, kind: Format, whole: bool) -> Path:
    """Where the result goes; see `predict_file`."""
    written: Format = "tsv" if kind == "text" else kind
    if target is None and source == STDIO:
        return STDIO
    if target is None:
        name = _unpacked(source)
        if whole:
            before, _, part = source.name.partition("#") if not source.exists() else (source.name, "", "")
            return source.with_name(".".join(filter(None, (Path(before).stem, part, "predictions.csv"))))
        suffix = ".tsv" if kind == "text" else name.suffix
        return source.with_name(f"{name.stem}.predictions{suffix}{source.suffix if _is_packed(source) else ''}")
    if target == STDIO:
        return target
    named = FORMATS.get(_unpacked(target).suffix.lower(), "")
    if named and IN_BLOCKS.get(named) != written:
        raise DataError(
            f"The result of {source} must be {written} but {target} ends in {target.suffix!r}.",
            next_step="Give it the suffix of its format.",
        )
    if target.is_dir():
        raise DataError(f"The result must be a file but {target} is a folder.", next_step="Name a file in it.")
    if source != STDIO and target.exists() and source.exists() and target.samefile(source):
        raise DataError(f"The result must not replace its source {source}.", next_step="Name another file.")
    return target


def _standard_output() -> TextIO:
    """Standard output, which a caller may have closed."""
    if sys.stdout is None:
        raise DataError("Standard output must be open but is closed.", next_step="Name a file instead of -.")
    return sys.stdout


def _standard_input(*, kind: Format) -> Iterator[BinaryIO]:
    """Standard input; a TSV one, whose quotes must be counted first, in a file without a name."""
    from ratchet.tables.sources import stdin_stream

    if kind != "tsv":
        yield stdin_stream()
        return
    with tempfile.TemporaryFile() as kept:
        shutil.copyfileobj(stdin_stream(), kept)
        kept.seek(0)
        yield kept


@contextmanager
def reading(source: Path, *, kind: Format) -> Iterator[BinaryIO]:
    """The bytes of a file (unpacked), or of standard input."""
    if source == STDIO:
        if kind == "parquet":
            raise DataError("Parquet must be read from a file but got standard input.", next_step="Save it first.")
        yield from _standard_input(kind=kind)
        return
    regular_file(source)
    try:
        raw = source.open("rb")
    except OSError as error:
        raise DataError(f"{source} cannot be read: {error.strerror}.", next_step="Check the path.") from error
    with raw:
        if not _is_packed(source):
            yield raw
            return
        try:
            with gzip.GzipFile(fileobj=raw) as reader:
                yield cast(BinaryIO, reader)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise DataError(f"{source} must be a whole gzip file but is not.", next_step="Copy it again.") from error


@contextmanager
def writing_to(target: Path) -> Iterator[BinaryIO]:
    """A stream that becomes ``target`` when the block ends well."""
    if target == STDIO:
        yield _standard_output().buffer
        _standard_output().buffer.flush()
        return
    with _named(target), named_stream(target) as raw:
        if _is_packed(target):
            with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as writer:
                yield cast(BinaryIO, writer)
        else:
            yield raw


@contextmanager
def _named(target: Path) -> Iterator[None]:
    """Errors of the disk inside say that this file cannot be written; those of a source are told where it is read."""
    try:
        yield
    except OSError as error:
        problem = error.strerror or error
        raise DataError(f"{target} cannot be written: {problem}.", next_step="Name another file.") from error


def encoding_of(source: Path, *, wanted: str, kind: Format) -> str:
    """Python's name of the source's encoding; a byte-order mark counts, and is kept in the result."""
    named = encoding_called(wanted)
    asked = ENCODINGS[named] if named else None
    if asked is None and wanted != "auto":
        raise DataError(
            f"The encoding must be one of auto, {', '.join(ENCODINGS)} but got {wanted!r}.",
            next_step="Convert the file to UTF-8.",
        )
    if kind == "parquet":
        return "utf-8"
    if source == STDIO:
        return "utf-8-sig" if asked in (None, "utf-8") else asked
    with reading(source, kind=kind) as reader:
        start = reader.read(HEAD_BYTES)
    if asked == "utf-16":
        from ratchet.text.encodings import byte_order

        return byte_order(start)
    if asked in (None, "utf-8") and start.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    return asked or _detected(source, kind=kind)


def written_encoding(encoding: str, *, source: Path) -> str:
    """Encoding of the result: that of the source if it can hold every label, which only a Unicode one can."""
    return encoding if encoding.startswith(("utf", "gb18030")) and source != STDIO else "utf-8"


def _detected(source: Path, *, kind: Format) -> str:
    """UTF-8 if the whole file is, else what its beginning is; a contradiction later on is found while reading."""
    from ratchet.text.encodings import to_utf8  # its package needs Arrow, which a server of texts does not

    decoder = codecs.getincrementaldecoder("utf-8")()
    with reading(source, kind=kind) as reader:
        start = reader.read(_SAMPLE)
        block = start
        try:
            while block:
                decoder.decode(block)
                block = reader.read(_SCAN)
            decoder.decode(b"", final=True)
            return "utf-8"
        except UnicodeDecodeError:
            pass
    if len(start) == _SAMPLE:
        start = start[: start.rfind(b"\n") + 1] or start
    try:
        return to_utf8(start, encoding="auto", name=str(source))[1]
    except DataError as error:
        raise DataError(
            error.problem, next_step="Save the file as UTF-8, or name its encoding with --encoding."
        ) from error
