"""Reading tables: CSV, TSV, JSONL and Parquet in several encodings become one table of strings."""

from __future__ import annotations

import difflib
import gzip
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from ratchet.config import DataConfig
from ratchet.data.encoding import to_utf8
from ratchet.data.parse import from_csv, from_jsonl, from_parquet, with_header
from ratchet.data.table import Dataset, Roles
from ratchet.errors import DataError

CELL_BYTES = 1_000_000
FORMATS = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}


@dataclass(frozen=True, kw_only=True, eq=False)
class RawTable:
    """One file as it is: every cell a string, nothing judged missing but JSON's and Parquet's own nulls."""

    name: str
    table: pa.Table
    format: str
    encoding: str


def read_table(path: Path, *, encoding: str = "auto", name: str | None = None, columns: Sequence[str] = ()) -> RawTable:
    """Read one file; its extension (before ``.gz``) says what it is.

    Numbers keep the digits they have in the file (Parquet's floats get their shortest form), lists and objects become
    compact JSON, true and false are written so. Blank lines of a CSV file are no rows.

    Args:
        path: a CSV, TSV, JSONL (``.jsonl``, ``.ndjson``) or Parquet file, or one of these with ``.gz`` behind.
        encoding: ``auto``, ``utf-8``, ``gb18030``, ``utf-16`` or ``latin-1``; Parquet has its own.
        name: what messages call the file.
        columns: names of the first columns of a CSV or TSV file that has no header; any other extension is allowed then.

    Raises:
        DataError: the file is missing, empty, damaged, in another or in mixed encodings, or one of its rows is broken.
    """
    name = name or path.name
    kind, data = _opened(path, name=name, headless=bool(columns))
    used = "utf-8"
    if kind == "parquet":
        table = from_parquet(data, name=name)
    else:
        data, used = to_utf8(data, encoding=encoding, name=name)
        if not data.strip():
            raise DataError(
                f"{name} must have a header and rows but is empty.", next_step="Check the path and the file."
            )
        if columns:
            kind, data = with_header(data, kind=kind, columns=columns, name=name)
        table = from_jsonl(data, name=name) if kind == "jsonl" else from_csv(data, kind=kind, name=name)
    if table.num_rows == 0:
        raise DataError(f"{name} must have rows but has only a header.", next_step="Check that the export finished.")
    _require_sound_cells(table, name=name)
    return RawTable(name=name, table=table, format=kind, encoding=used)


def read_dataset(files: Sequence[Path], *, config: DataConfig, base: Path) -> Dataset:
    """Read the files, in this order, as one dataset with the roles of the recipe.

    A cell of white space or one of ``config.missing`` becomes null. Rows without text or label are kept here: prepare
    moves them to the quarantine.

    Args:
        files: paths, relative to ``base``.
        config: columns, encoding and what counts as missing.
        base: folder of the recipe.

    Raises:
        DataError: as :func:`read_table`; or a column of the recipe is not there, two roles share one, the files differ
            in columns, or one file is given twice.
    """
    if not files:
        raise DataError(
            "data.files must name at least one file but is empty.", next_step="Set data.files in the recipe."
        )
    _require_different_files(files, base=base)
    _require_different_roles(config)
    raws = [read_table(base / file, encoding=config.encoding, name=str(file)) for file in files]
    names = raws[0].table.column_names
    for raw in raws:
        _require_columns(raw, config=config)
        if set(raw.table.column_names) != set(names):
            odd = sorted(set(raw.table.column_names) ^ set(names))
            raise DataError(
                f"Files of one table must have the same columns but {raw.name} and {raws[0].name} differ in "
                f"{', '.join(map(repr, odd[:5]))}{' ...' if len(odd) > 5 else ''}.",
                next_step="Give the files the same header, or run them one by one.",
            )
    table = pa.concat_tables([raw.table.select(names) for raw in raws])
    counts = [raw.table.num_rows for raw in raws]
    del raws
    return Dataset(
        table=with_nulls(table, missing=config.missing),
        roles=Roles(text=config.text, label=config.label, group=config.group, time=config.time, id=config.id),
        files=tuple(str(file) for file in files),
        file_index=np.repeat(np.arange(len(counts)), counts),
        origin=np.concatenate([np.arange(1, count + 1) for count in counts]),
    )


def require_apart(train: Sequence[Path], test: Sequence[Path], *, base: Path) -> None:
    """Refuse a file that is both a training and a test file."""
    _require_different_files([*train, *test], base=base)


def _opened(path: Path, *, name: str, headless: bool) -> tuple[str, bytes]:
    """The format of the file (empty: to be told by its first row) and its bytes, unpacked."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = suffixes[-1:] == [".gz"]
    if packed:
        suffixes.pop()
    kind = FORMATS.get(suffixes[-1] if suffixes else "", "" if headless else None)
    if path.is_dir():
        raise DataError(f"{name} must be a file but is a folder.", next_step="Name the files in it.")
    if not path.exists():
        raise _missing(path, name=name)
    if kind is None:
        raise DataError(
            f"{name} must end in {', '.join(FORMATS)} (or one of these and .gz).",
            next_step="Rename the file by what it contains, or convert it.",
        )
    if headless and kind not in ("csv", "tsv", ""):
        raise DataError(
            f"Column names must be given for CSV and TSV files only but {name} has its own.",
            next_step="Leave them out.",
        )
    try:
        data = path.read_bytes()
        return kind, gzip.decompress(data) if packed else data
    except OSError as error:
        raise DataError(f"{name} can not be read: {error.strerror or error}.", next_step="Check the file.") from None
    except (EOFError, zlib.error):
        raise DataError(f"{name} must be a whole gzip file but is cut off.", next_step="Copy it again.") from None


def _missing(path: Path, *, name: str) -> DataError:
    near = []
    if path.parent.is_dir():
        near = difflib.get_close_matches(path.name, [other.name for other in path.parent.iterdir()], n=1)
    hint = f"Did you mean {near[0]!r}?" if near else "Check the path; paths are relative to the recipe."
    return DataError(f"{name} does not exist.", next_step=hint)


def _require_different_files(files: Sequence[Path], *, base: Path) -> None:
    seen: dict[str, Path] = {}
    for file in files:
        place = os.path.realpath(base / file)
        if place in seen:
            raise DataError(
                f"{file} is given twice (as {seen[place]}), so each of its rows would count twice."
                if seen[place] != file
                else f"{file} is given twice, so each of its rows would count twice.",
                next_step="Name every file once in data.files and data.test_files.",
            )
        seen[place] = file


def _require_different_roles(config: DataConfig) -> None:
    text, label, group = config.text, config.label, config.group
    for role, column in (("text", text), ("group", group)):
        if column == label:
            raise DataError(
                f"data.{role} and data.label must be two columns but both are {label!r}.",
                next_step=f"Set data.{role} to the column that holds the {role}.",
            )


def _require_columns(raw: RawTable, *, config: DataConfig) -> None:
    names = raw.table.column_names
    for role in ("text", "label", "group", "time", "id"):
        column = getattr(config, role)
        if column is None or column in names:
            continue
        folded = {name.casefold(): name for name in names}
        near = difflib.get_close_matches(column.casefold(), folded, n=1, cutoff=0.5)
        have = ", ".join(map(repr, names[:8])) + (" ..." if len(names) > 8 else "")
        raise DataError(
            f"{raw.name} must have the column {column!r} (data.{role}) but has {have}.",
            next_step=f"Did you mean {folded[near[0]]!r}?" if near else f"Set data.{role} to one of them.",
        )


def _require_sound_cells(table: pa.Table, *, name: str) -> None:
    """Refuse NUL bytes and giant cells, naming the first row that has one."""
    import pyarrow.compute as pc

    for column in table.column_names:
        cells = table.column(column)
        if pc.any(nul := pc.match_substring(cells, "\0")).as_py() or "\0" in column:
            where = f"Row {pc.index(nul, True).as_py() + 1}" if "\0" not in column else "The header"
            raise DataError(f"{where} of {name} must be text but holds a NUL byte.", next_step="Export the file again.")
        lengths = pc.binary_length(cells)
        if (pc.max(lengths).as_py() or 0) > CELL_BYTES:
            row = pc.index(pc.greater(lengths, CELL_BYTES), True).as_py()
            raise DataError(
                f"Row {row + 1} of {name} must have at most {CELL_BYTES:,} bytes a cell but "
                f"{column!r} has {lengths[row].as_py():,}.",
                next_step="Cut the cell or leave the row out; a quote that is never closed also looks like this.",
            )


def with_nulls(table: pa.Table, *, missing: Sequence[str]) -> pa.Table:
    """Cells of white space or one of these values become null."""
    import pyarrow.compute as pc

    values = pa.array(sorted({"", *(value.strip() for value in missing)}), pa.string())
    columns = [
        pc.if_else(pc.is_in(pc.utf8_trim_whitespace(column), value_set=values), pa.scalar(None, pa.string()), column)
        for column in table.columns
    ]
    return pa.table(dict(zip(table.column_names, columns, strict=True)))
