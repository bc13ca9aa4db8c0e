"""Arrow files, as the library ``datasets`` saves them, and the names that its features give to class numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from ratchet.bounds import json_value, unpacks_too_far
from ratchet.errors import DataError

_END = b"\xff\xff\xff\xff\0\0\0\0"
_MAGIC = b"ARROW1"
_CELL = 4  # bytes that a value takes at least once it is text, even where it takes none in its file


def from_arrow(data: bytes | pa.Buffer, *, name: str) -> pa.Table:
    """The table in the bytes of an Arrow stream or an Arrow file.

    Raises:
        DataError: they are neither, or were cut off: a stream may end only with its end mark.
    """
    buffer = pa.py_buffer(data) if isinstance(data, bytes) else data
    is_file = buffer[:6].to_pybytes() == _MAGIC
    try:
        if not is_file and buffer[-8:].to_pybytes() != _END:
            raise DataError(f"{name} must be a whole Arrow file but is cut off.", next_step="Copy it again.")
        reader = pa.ipc.open_file(buffer) if is_file else pa.ipc.open_stream(buffer)
        batches = map(reader.get_batch, range(reader.num_record_batches)) if is_file else reader
        table = whole(batches, reader.schema, packed=len(buffer), name=name)
        table.validate(full=True)
        table.schema.to_string()  # names and types must be readable too
    except (pa.ArrowException, OSError, EOFError, UnicodeDecodeError) as problem:
        raise DataError(
            f"{name} must be a whole Arrow file but is damaged: {str(problem).splitlines()[0]}",
            next_step="Copy it again, or save it again.",
        ) from None
    return table


def whole(batches: Iterable[pa.RecordBatch], schema: pa.Schema, *, packed: int, name: str) -> pa.Table:
    """The batches as one table; arguments and errors as of :func:`bounded`."""
    return pa.Table.from_batches(bounded(batches, packed=packed, name=name), schema)


def bounded(batches: Iterable[pa.RecordBatch], *, packed: int, name: str) -> Iterator[pa.RecordBatch]:
    """The batches as they are read.

    Args:
        batches: of one file.
        packed: bytes of the file.
        name: what messages call it.

    Raises:
        DataError: they become far more than the file has.
    """
    total = 0
    for batch in batches:
        total += max(batch.nbytes, _CELL * sum(map(values_in, batch.columns)))
        if unpacks_too_far(total, packed):
            raise DataError(
                f"{name} must unpack to a table but {packed:,} bytes become more than {total:,}.",
                next_step="Write the table again without compression if you trust it.",
            )
        yield batch


def values_in(array: pa.Array) -> int:
    """The values of an array, those inside of lists and objects counted one by one."""
    kind = array.type
    if pa.types.is_struct(kind):
        return len(array) + sum(values_in(array.field(place)) for place in range(int(kind.num_fields)))
    if pa.types.is_fixed_size_list(kind):
        return len(array) * (1 + int(kind.list_size))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_map(kind):
        return len(array) + values_in(array.flatten())
    return len(array)


def read_saved(folder: Path, files: Sequence[Path], *, name: str) -> pa.Table:
    """The rows of a data set that ``datasets.save_to_disk`` wrote, class numbers as names.

    Raises:
        DataError: a file is missing, damaged or cut off.
    """
    tables = []
    for file in files:
        try:
            data = pa.memory_map(str(file)).read_buffer() if file.stat().st_size else b""
        except OSError as problem:
            raise DataError(
                f"{file.name} of {name} cannot be read: {problem.strerror or problem}.", next_step="Check the file."
            ) from None
        tables.append(from_arrow(data, name=f"{file.name} of {name}"))
    if any(not table.schema.equals(tables[0].schema) for table in tables):
        raise DataError(f"The files of {name} must have the same columns but differ.", next_step="Save it again.")
    info = folder / "dataset_info.json"
    try:
        features = json_value(info.read_bytes()).get("features") if info.is_file() else None
    except (ValueError, AttributeError) as problem:
        raise DataError(
            f"dataset_info.json of {name} must be JSON but is not: {problem}.", next_step="Copy the folder again."
        ) from None
    return with_names(pa.concat_tables(tables), features, name=name)


def with_names(table: pa.Table, features: Mapping[str, Any] | None = None, *, name: str, before: int = 0) -> pa.Table:
    """The table with the names of its classes where the library ``datasets`` stored their numbers; -1 is missing.

    Args:
        table: any table; without such features it is given back as it is.
        features: as in ``dataset_info.json``; those in the metadata of the table when absent.
        name: what messages call it.
        before: rows of it that are above these.

    Raises:
        DataError: a number has no name.
    """
    features = features if isinstance(features, Mapping) else _of_metadata(table) or {}
    for column, feature in features.items():
        names = feature.get("names") if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" else None
        if not names or column not in table.column_names:
            continue
        numbers = table.column(column)
        if pa.types.is_integer(numbers.type):
            place = table.column_names.index(column)
            table = table.set_column(place, column, _named(numbers, names, column=column, name=name, before=before))
    return table


def _of_metadata(table: pa.Table) -> dict[str, Any] | None:
    try:
        found = json_value((table.schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError):
        return None
    return found if isinstance(found, dict) else None


def _named(numbers: pa.ChunkedArray, names: Sequence[Any], *, column: str, name: str, before: int) -> pa.ChunkedArray:
    import pyarrow.compute as pc

    highest = pc.max(numbers).as_py()
    if highest is not None and highest >= len(names):
        row = pc.index(pc.greater_equal(numbers, len(names)), True).as_py()
        raise DataError(
            f"Row {before + row + 1} of {name} must have one of {len(names)} classes in {column!r} but has number "
            f"{numbers[row].as_py()}.",
            next_step="The list of names does not belong to these rows; save the data set again.",
        )
    known = pc.if_else(pc.less(numbers, 0), pa.scalar(None, numbers.type), numbers)
    return pc.take(pa.array([str(label) for label in names], pa.string()), known)
