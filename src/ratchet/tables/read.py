"""Reading: whatever a source holds becomes one table of strings."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from ratchet.bounds import CELL_BYTES, unpacks_too_far
from ratchet.errors import DataError, no_such_column
from ratchet.forms import FORMATS
from ratchet.recipe.sections import DataConfig
from ratchet.spill import shelved
from ratchet.tables.arrow import from_arrow, read_saved, with_names
from ratchet.tables.dataset import Dataset, Roles
from ratchet.tables.delimited import headless_kind, layout_notes
from ratchet.tables.features import kinds_of
from ratchet.tables.folders import read_texts
from ratchet.tables.parse import (
    as_strings,
    from_csv,
    from_fasttext,
    from_json,
    from_jsonl,
    from_parquet,
)
from ratchet.tables.queues import MADE_BY, OWN, RANK, unqueued
from ratchet.tables.sources import Source, locate, members, sniffed, stdin_bytes
from ratchet.tables.workers import THREADS
from ratchet.text.columns import holds_nul, may_be
from ratchet.text.encodings import to_utf8
from ratchet.text.joined import joined_columns

NULLS = frozenset(("", "null", "NULL", "NaN", "nan"))
"""What programs write for nothing: a label of this name is none. People call classes "none", "NA" or 无."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RawTable:
    """One table as it is: every cell a string, nothing judged missing but what its format itself calls null.

    ``parts`` are the files that it was put together from, each with its number of rows; ``notes`` say what of its source
    was not read.
    """

    name: str
    table: pa.Table
    format: str
    encoding: str
    parts: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()
    lines: Mapping[str, int | None] = field(default_factory=dict)
    """By file, how many lines are above its first row; ``None`` where it has no lines."""


_JSON = ("json", "jsonl")
_LINES_ABOVE = {"jsonl": 0, "fasttext": 0}


def read_table(
    path: Path, *, encoding: str = "auto", name: str | None = None, columns: Sequence[str] = (), format: str = ""
) -> RawTable:
    """Read one table; what is at the path says what it is, for a file its extension (before ``.gz``).

    Numbers keep the digits they have in the file (Parquet's floats get their shortest form), lists and objects become
    compact JSON, true and false are written so. Blank lines of a CSV file are no rows.

    Args:
        path: a CSV, TSV (``.tsv``, ``.tab``), JSON, JSONL (``.jsonl``, ``.ndjson``), Parquet, XLSX or Arrow file, a ``.txt``
            that holds a table or fastText's lines, or one of these with ``.gz`` behind; a
            folder of such files, with one folder per label, or with a data set of Hugging Face; ``hf://owner/name``; or ``-``.
            Behind a ``#`` stands the sheet of a workbook, or the split of a data set.
        encoding: ``auto``, ``utf-8``, ``gb18030``, ``utf-16``, ``big5``, ``windows-1252`` or ``latin-1``; binary formats have
            their own.
        name: what messages call it.
        columns: names of the first columns of a CSV or TSV file that has no header; any other extension is allowed then.
        format: ``csv``, ``tsv``, ``json``, ``jsonl``, ``parquet``, ``xlsx`` or ``arrow``, whatever a file is called;
            standard input tells by its first bytes where this is empty.

    Raises:
        DataError: the source is missing, empty, damaged, in another or in mixed encodings, or one of its rows is broken.
    """
    if format not in ("", *FORMATS.values()):
        raise DataError(
            f"The format must be one of {', '.join(filter(None, dict.fromkeys(FORMATS.values())))} but got {format!r}.",
            next_step="Leave it out to go by the extension, or by the first bytes of standard input.",
        )
    source = locate(path, name=name or path.name)
    try:
        return _read(source, encoding=encoding, columns=columns, format=format)
    except MemoryError:
        raise DataError(
            f"{source.name} needs more memory than there is.",
            next_step="Read a part of it, or write it as Parquet with only the columns that are wanted.",
        ) from None


def _read(source: Source, *, encoding: str, columns: Sequence[str], format: str) -> RawTable:
    if source.kind in ("file", "stdin"):
        return _read_file(source, encoding=encoding, columns=columns, format=format)
    if columns:
        raise _has_its_own(source.name)
    if source.kind == "tables":
        return _read_files(source, encoding=encoding, format=format)
    if source.kind == "texts":
        table = read_texts(source.path, source.files, encoding=encoding, name=source.name)
    else:
        table = as_strings(read_saved(source.path, source.files, name=source.name), name=source.name)
    return _sound(RawTable(name=source.name, table=table, format=source.kind, encoding="utf-8", notes=source.notes))


def _read_file(source: Source, *, encoding: str, columns: Sequence[str], format: str) -> RawTable:
    name, notes, above = source.name, tuple[str, ...](), 0
    kind, data = _opened(source, headless=bool(columns), format=format)
    used = "utf-8"
    if kind == "parquet":
        table = from_parquet(data or source.path, name=name)
    elif kind == "arrow":
        table = as_strings(with_names(from_arrow(data, name=name), name=name), name=name)
    elif kind == "xlsx":
        from ratchet.tables.xlsx import from_xlsx

        table, notes = from_xlsx(data, sheet=source.part, name=name)
        name = f"{name}#{source.part}" if source.part else name
    else:
        data, used = to_utf8(data, encoding=encoding, name=name)
        if not data.strip():
            raise DataError(
                f"{name} must have a header and rows but is empty.", next_step="Check the path and the file."
            )
        kind = headless_kind(data, kind=kind) if columns else kind or sniffed(data)
        if kind == "fasttext":
            table = from_fasttext(data)
        elif kind in ("jsonl", "json"):
            table = (from_jsonl if kind == "jsonl" else from_json)(data, name=name)
        else:
            table, titles, above = from_csv(data, kind=kind, columns=columns, name=name)
            notes = () if columns else layout_notes(table, titles=titles, name=name)
    lines = {name: above if kind in ("csv", "tsv") else _LINES_ABOVE.get(kind)}
    return _sound(RawTable(name=name, table=table, format=kind, encoding=used, notes=notes, lines=lines))


def _read_files(source: Source, *, encoding: str, format: str) -> RawTable:
    """Several files as one table; each must have the columns of the first."""
    raws = []
    for file in source.files:
        name = f"{source.name}/{file.relative_to(source.path).as_posix()}"
        one = Source(kind="file", name=name, path=file, files=(file,))
        raws.append(_read_file(one, encoding=encoding, columns=(), format=format))
    names = _same_columns(raws)
    return RawTable(
        name=source.name,
        table=pa.concat_tables([raw.table.select(names) for raw in raws]),
        format=raws[0].format if len(raws) == 1 else "tables",
        encoding=raws[0].encoding,
        parts=tuple((raw.name, raw.table.num_rows) for raw in raws),
        notes=(*source.notes, *(note for raw in raws for note in raw.notes)),
        lines=dict(pair for raw in raws for pair in raw.lines.items()),
    )


def _sound(raw: RawTable) -> RawTable:
    if raw.table.num_rows == 0:
        raise DataError(
            f"{raw.name} must have rows but has only a header.", next_step="Check that the export finished."
        )
    _require_sound_cells(raw.table, name=raw.name)
    return raw


def _same_columns(raws: Sequence[RawTable]) -> list[str]:
    names: list[str] = raws[0].table.column_names
    for raw in raws:
        if set(raw.table.column_names) != set(names):
            odd = sorted(set(raw.table.column_names) ^ set(names))
            raise DataError(
                f"Files of one table must have the same columns but {raw.name} and {raws[0].name} differ in "
                f"{', '.join(map(repr, odd[:5]))}{' ...' if len(odd) > 5 else ''}.",
                next_step="Give the files the same header, or run them one by one.",
            )
    return names


def dataset_of(raws: Sequence[RawTable], *, roles: Roles) -> Dataset:
    """The rows of tables of the same columns, one behind the other, each with the file that it came from."""
    names = _same_columns(raws)
    parts = [part for raw in raws for part in raw.parts or ((raw.name, raw.table.num_rows),)]
    counts = [rows for _, rows in parts]
    return Dataset(
        table=pa.concat_tables([raw.table.select(names) for raw in raws]),
        roles=roles,
        files=tuple(file for file, _ in parts),
        file_index=shelved(np.repeat(np.arange(len(counts)), counts)),
        origin=shelved(np.concatenate([np.arange(1, count + 1) for count in counts])),
    )


def read_dataset(
    files: Sequence[Path], *, config: DataConfig, base: Path, each: Callable[[RawTable], None] | None = None
) -> Dataset:
    """Read the files, in this order, as one dataset with the roles of the recipe.

    A cell of white space or one of ``config.missing`` becomes null; of a queue of rows to label, and of a table of new rows,
    the columns that Ratchet wrote are left out. Rows without text or label are kept here: prepare
    moves them to the quarantine.

    Args:
        files: paths, relative to ``base``.
        config: columns, encoding and what counts as missing.
        base: folder of the recipe.
        each: called with each table as it was read, such as for its notes.

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
    raws = [read_table(base / file, encoding=config.encoding, name=str(file), columns=config.header) for file in files]
    queues = tuple(number for number, raw in enumerate(raws) if RANK in raw.table.column_names)
    _require_no_parents_beside(raws)
    raws = [replace(raw, table=unqueued(raw.table, spreadsheet=raw.format not in _JSON)) for raw in raws]
    for raw in raws:
        _require_columns(raw, config=config)
        if each is not None:
            each(raw)
    roles = Roles(text=config.text_name, label=config.label or None, group=config.group, time=config.time, id=config.id)
    dataset = replace(dataset_of(raws, roles=roles), queues=queues if all(not raw.parts for raw in raws) else ())
    del raws
    table = with_nulls(dataset.table, missing=config.missing, label=roles.label, no_label=config.no_label)
    return with_inputs(replace(dataset, table=table), config=config)


def with_inputs(dataset: Dataset, *, config: DataConfig) -> Dataset:
    """The dataset with several columns of texts as one beside them, and with its features named."""
    roles = replace(dataset.roles, features=kinds_of(dataset.table, config.features))
    if len(config.texts) == 1:
        return replace(dataset, roles=roles)
    return replace(
        dataset,
        table=with_texts(dataset.table, config.texts, name=config.text_name),
        roles=replace(roles, text=config.text_name, texts=config.texts),
    )


def with_texts(table: pa.Table, columns: Sequence[str], *, name: str) -> pa.Table:
    """The table with the texts of some columns joined in a further one of this name.

    Raises:
        DataError: it has a column of this name.
    """
    if name in table.column_names:
        raise DataError(
            f"The columns of data.text are joined as {name!r} but the table has a column of this name.",
            next_step="Name that column alone as data.text, or rename it.",
        )
    return table.append_column(name, joined_columns([table.column(column) for column in columns]))


def require_apart(train: Sequence[Path], test: Sequence[Path], *, base: Path) -> None:
    """Refuse a file that is both a training and a test file."""
    _require_different_files([*train, *test], base=base)


def _opened(source: Source, *, headless: bool, format: str) -> tuple[str, bytes]:
    """The format of the file (empty: to be told by its first row) and its bytes, unpacked; none of a Parquet file on disk,
    which is read in parts.
    """
    path, name = source.path, source.name
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = suffixes[-1:] == [".gz"]
    if packed:
        suffixes.pop()
    data = stdin_bytes() if source.kind == "stdin" else b""
    if source.kind == "stdin":
        packed = data.startswith(b"\x1f\x8b")
        data = _unpacked(data, name=name) if packed else data
        kind: str | None = format or sniffed(data)
    else:
        kind = format or FORMATS.get(suffixes[-1] if suffixes else "", "" if headless else None)
    if kind is None:
        raise DataError(
            f"{name} must end in {', '.join(FORMATS)} (or one of these and .gz).",
            next_step="Rename the file by what it contains, or convert it.",
        )
    if headless and kind not in ("csv", "tsv", ""):
        raise _has_its_own(name)
    if source.part and kind != "xlsx":
        raise DataError(
            f"Only a workbook or a data set has parts to name behind a # but {name} is a {kind.upper() or 'text'} file.",
            next_step=f"Leave out #{source.part}.",
        )
    if source.kind == "stdin":
        return kind, data
    try:
        if kind == "parquet" and not packed and path.stat().st_size:
            path.open("rb").close()
            return kind, b""
        data = path.read_bytes()
        return kind, _unpacked(data, name=name) if packed else data
    except OSError as error:
        raise DataError(f"{name} cannot be read: {error.strerror or error}.", next_step="Check the file.") from None


def _unpacked(data: bytes, *, name: str) -> bytes:
    """The bytes in a gzip file; one that is made to fill the memory is refused."""
    blocks, total = [], 0
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            while block := file.read(1 << 24):
                blocks.append(block)
                total += len(block)
                if unpacks_too_far(total, len(data)):
                    raise DataError(
                        f"{name} must unpack to a table but {len(data):,} bytes become more than {total:,}.",
                        next_step="Unpack it yourself if you trust it, and name the unpacked file.",
                    )
    except (EOFError, zlib.error):
        raise DataError(f"{name} must be a whole gzip file but is cut off.", next_step="Copy it again.") from None
    return b"".join(blocks)


def _has_its_own(name: str) -> DataError:
    return DataError(
        f"Column names must be given for CSV and TSV files only but {name} has its own.", next_step="Leave them out."
    )


def _require_different_files(files: Sequence[Path], *, base: Path) -> None:
    seen: dict[str, Path] = {}
    for file, place in [(name, os.path.realpath(path)) for name in files for path in members(base / name)]:
        if place in seen:
            raise DataError(
                f"{file} is given twice (as {seen[place]}), so each of its rows would count twice."
                if seen[place] != file
                else f"{file} is given twice, so each of its rows would count twice.",
                next_step="Name every file once in data.files and data.test_files.",
            )
        seen[place] = file


def _require_different_roles(config: DataConfig) -> None:
    texts, label, group = config.texts, config.label, config.group
    several = len(texts) > 1
    for role, column in (*(("text", text) for text in texts), ("group", group)):
        if column == label:
            raise DataError(
                f"data.{role} and data.label must be two columns but both are {label!r}.",
                next_step=f"Set data.{role} to the column that holds the {role}.",
            )
        if role == "text" and several and column == group:
            raise DataError(
                f"data.text and data.group must be different columns but both have {column!r}.",
                next_step="Take it out of one of them.",
            )
    for column in config.features:
        role = "label" if column == label else "text" if column in texts else ""
        if role:
            raise DataError(
                f"data.features must name columns beside data.{role} but got {column!r}, which is data.{role}.",
                next_step=f"Take {column!r} out of data.features.",
            )
    if len(set(config.features)) < len(config.features):
        raise DataError(
            f"data.features must name each column once but got {', '.join(map(repr, config.features))}.",
            next_step="Name it once.",
        )


def _require_no_parents_beside(raws: Sequence[RawTable]) -> None:
    """Refuse new rows in one dataset with others: a fold would be judged by what was made of its own rows."""
    made = next((raw for raw in raws if MADE_BY in raw.table.column_names), None)
    if made is not None and len(raws) > 1:
        raise DataError(
            f"{made.name} must be read alone, as it holds rows that were made from others, but is one of {len(raws)} files.",
            next_step="Name the augmenter as a challenger: it makes rows for each fold anew.",
        )


def _require_columns(raw: RawTable, *, config: DataConfig) -> None:
    names = raw.table.column_names
    if own := next((name for name in names if name.startswith(OWN)), None):
        raise DataError(
            f"{raw.name} must not have the column {own!r}, a name that Ratchet writes itself.",
            next_step="Rename the columns that begin with ratchet., or leave them out.",
        )
    single = {role: (getattr(config, role) or "",) for role in ("label", "group", "time", "id")}
    require_named(raw, text=config.texts, **single, features=config.features)


def require_named(raw: RawTable, **roles: Iterable[str]) -> None:
    """Refuse a table that has not the columns of these keys of ``data``; an empty name stands for none.

    Raises:
        DataError: it names the first, and the nearest that there is.
    """
    names = raw.table.column_names
    for role, column in [(role, column) for role, columns in roles.items() for column in columns]:
        if not column or column in names:
            continue
        raise no_such_column(
            column, names, table=raw.name, role=f"data.{role}", otherwise=f"Set data.{role} to one of them."
        )


def _require_sound_cells(table: pa.Table, *, name: str) -> None:
    """Refuse NUL bytes and giant cells, naming the first row that has one."""
    import pyarrow.compute as pc

    for column in table.column_names:
        cells = table.column(column)
        if "\0" in column or any(map(holds_nul, cells.chunks)):
            row = pc.index(pc.match_substring(cells, "\0"), True).as_py() + 1
            where = "The header" if "\0" in column else f"Row {row}"
            raise DataError(f"{where} of {name} must be text but holds a NUL byte.", next_step="Export the file again.")
        lengths = pc.binary_length(cells)
        if (pc.max(lengths).as_py() or 0) > CELL_BYTES:
            row = pc.index(pc.greater(lengths, CELL_BYTES), True).as_py()
            raise DataError(
                f"Row {row + 1} of {name} must have at most {CELL_BYTES:,} bytes per cell but "
                f"{column!r} has {lengths[row].as_py():,}.",
                next_step="Cut the cell or leave the row out; a quote that is never closed also looks like this.",
            )


def with_nulls(
    table: pa.Table, *, missing: Sequence[str], label: str | None = None, no_label: Sequence[str] = ()
) -> pa.Table:
    """Cells of white space or one of these values become null; labels only by what programs write for nothing.

    People call a class "none", "NA" or 无: in the column ``label`` such words are names, unless
    ``no_label`` lists them.
    """
    import pyarrow.compute as pc

    words = {"", *(value.strip() for value in missing)}

    def nulled(chunk: pa.Array, gone: set[str]) -> pa.Array:
        maybe = pa.array(np.flatnonzero(may_be(chunk, gone)))
        values = pa.array(sorted(gone), chunk.type)
        found = pc.is_in(pc.utf8_trim_whitespace(chunk.take(maybe)), value_set=values)
        if not pc.any(found).as_py():
            return chunk
        mask = np.zeros(len(chunk), bool)
        mask[maybe.filter(found).to_numpy()] = True
        return pc.if_else(pa.array(mask), pa.scalar(None, chunk.type), chunk)

    def of(name: str) -> pa.ChunkedArray:
        column = table.column(name)
        gone = (words & NULLS) | {value.strip() for value in no_label} if name == label else words
        return pa.chunked_array([nulled(chunk, gone) for chunk in column.chunks], type=column.type)

    with ThreadPoolExecutor(THREADS) as pool:
        return pa.table(dict(zip(table.column_names, pool.map(of, table.column_names), strict=True)))
