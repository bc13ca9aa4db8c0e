"""The quarantine: every row that was taken out and every cell that was changed, with the reason and the way back."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa

from ratchet.errors import DataError
from ratchet.prepare.changes import SCHEMA, undone
from ratchet.tables.dataset import Dataset
from ratchet.text.columns import Rows
from ratchet.workspace.workspace import write_atomic

_PREFIX = "ratchet."
_OWN = ("file", "row", "reason", "kept_file", "kept_row")


@dataclass(frozen=True, kw_only=True)
class Removed:
    """Why one row was taken out: a stable reason id, and the row that stands for it, if any.

    ``row`` and ``kept_row`` are 1-based data rows of their files; ``kept_file`` is empty and ``kept_row`` 0 when no row
    stands for it.
    """

    file: str
    row: int
    reason: str
    kept_file: str = ""
    kept_row: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Quarantine:
    """What preparing took away: rows in full, each with its record; columns of the others; and what cells held before.

    ``changes`` has the columns of :data:`ratchet.prepare.changes.SCHEMA`; the rows are as they were after these changes.
    """

    rows: Dataset
    records: tuple[Removed, ...]
    dropped: Dataset | None = None
    changes: pa.Table = field(default_factory=SCHEMA.empty_table)

    def __len__(self) -> int:
        return len(self.records)

    @cached_property
    def counts(self) -> dict[str, int]:
        """Number of rows for each reason, most frequent first."""
        return dict(Counter(record.reason for record in self.records).most_common())

    def plus(self, later: Quarantine) -> Quarantine:
        """This quarantine and the rows that a later step took out of the same files."""
        rows = later.rows if self.dropped is None else _with_columns(later.rows, self.dropped)
        if rows.files[: len(self.rows.files)] != self.rows.files:
            raise AssertionError("both quarantines must be of the same files")
        table = pa.concat_tables([self.rows.table, rows.table.select(self.rows.table.column_names)])
        return replace(
            self,
            rows=replace(
                self.rows,
                table=table,
                file_index=np.concatenate([self.rows.file_index, rows.file_index]),
                origin=np.concatenate([self.rows.origin, rows.origin]),
            ),
            records=self.records + later.records,
        )


def removed(
    dataset: Dataset, rows: Rows, *, reasons: list[str], kept: Rows, keeper: Dataset | None = None
) -> Quarantine:
    """The quarantine of these rows of ``dataset``; ``kept[i]`` is the row of ``keeper`` that stands for row i, or -1."""
    keeper = keeper or dataset
    records = []
    for row, reason, stand_in in zip(rows.tolist(), reasons, kept.tolist(), strict=True):
        has = stand_in >= 0
        records.append(
            Removed(
                file=dataset.files[dataset.file_index[row]],
                row=int(dataset.origin[row]),
                reason=reason,
                kept_file=keeper.files[keeper.file_index[stand_in]] if has else "",
                kept_row=int(keeper.origin[stand_in]) if has else 0,
            )
        )
    return Quarantine(rows=dataset.take(rows), records=tuple(records))


def restore(dataset: Dataset, quarantine: Quarantine) -> Dataset:
    """The dataset as it was before it was prepared, row for row in the order of the files and cell for cell."""
    kept = dataset if quarantine.dropped is None else _with_columns(dataset, quarantine.dropped)
    names = quarantine.rows.table.column_names
    file_index = np.concatenate([kept.file_index, quarantine.rows.file_index])
    origin = np.concatenate([kept.origin, quarantine.rows.origin])
    whole = replace(
        quarantine.rows,
        table=pa.concat_tables([kept.table.select(names), quarantine.rows.table]),
        file_index=file_index,
        origin=origin,
    )
    return undone(whole.take(np.lexsort((origin, file_index))), quarantine.changes)


def write_quarantine(path: Path, quarantine: Quarantine) -> None:
    """Write the rows with their reasons as UTF-8 CSV; dropped columns and changed cells go to files beside it.

    The columns ``ratchet.file``, ``ratchet.row``, ``ratchet.reason``, ``ratchet.kept_file`` and ``ratchet.kept_row`` come
    first. A missing cell is empty, an empty one is ``""``. The file is replaced in one step.
    """
    if quarantine.dropped is not None:
        write_atomic(columns_path(path), _csv(_keys(quarantine.dropped), quarantine.dropped.table))
    if len(quarantine.changes):
        write_atomic(changes_path(path), _csv({}, quarantine.changes))
    records = quarantine.records
    keys = {name: pa.array([str(getattr(record, name)) for record in records], pa.string()) for name in _OWN}
    write_atomic(path, _csv(keys, quarantine.rows.table))


def read_quarantine(path: Path, *, like: Dataset) -> Quarantine:
    """Read what :func:`write_quarantine` wrote; files and roles are those of ``like``, the prepared dataset."""
    keys, rows = _read(path, like=like)
    columns = [keys[name] for name in _OWN]
    records = tuple(
        Removed(file=file, row=int(row), reason=reason, kept_file=kept_file or "", kept_row=int(kept_row or 0))
        for file, row, reason, kept_file, kept_row in zip(*columns, strict=True)
    )
    dropped, changes = columns_path(path), changes_path(path)
    return Quarantine(
        rows=rows,
        records=records,
        dropped=_read(dropped, like=like)[1] if dropped.exists() else None,
        changes=_changes(changes) if changes.exists() else SCHEMA.empty_table(),
    )


def columns_path(path: Path) -> Path:
    """Where the dropped columns of a quarantine file are."""
    return path.with_name(f"{path.stem}.columns{path.suffix}")


def changes_path(path: Path) -> Path:
    """Where the changed cells of a quarantine file are: file, row, reason, column, what was there, and what is now."""
    return path.with_name(f"{path.stem}.changes{path.suffix}")


def _keys(dataset: Dataset) -> dict[str, pa.Array]:
    files = pa.array([dataset.files[i] for i in dataset.file_index.tolist()], pa.string())
    return {"file": files, "row": pa.array(map(str, dataset.origin.tolist()), pa.string())}


def _csv(keys: dict[str, pa.Array], table: pa.Table) -> bytes:
    from pyarrow import csv

    named = {_PREFIX + name: column for name, column in keys.items()}
    whole = pa.table(named | dict(zip(table.column_names, table.columns, strict=True)))
    sink = pa.BufferOutputStream()
    csv.write_csv(whole, sink)
    return bytes(sink.getvalue())


def _read(path: Path, *, like: Dataset) -> tuple[dict[str, list[str]], Dataset]:
    table = _cells(path)
    head = table.column_names
    own = [name for name in head if name.startswith(_PREFIX)]
    keys = {name.removeprefix(_PREFIX): table.column(name).to_pylist() for name in own}
    number = {file: i for i, file in enumerate(like.files)}
    unknown = {"file", "row"} - set(keys) or {file for file in keys["file"] if file not in number}
    if unknown:
        raise DataError(
            f"{path} must be the quarantine of {', '.join(like.files)} but does not fit: {sorted(unknown)[0]!r}.",
            next_step="Use the quarantine that was written with these rows.",
        )
    return keys, replace(
        like,
        table=table.drop_columns(own),
        file_index=np.array([number[file] for file in keys["file"]], np.int64),
        origin=np.array(keys["row"], np.int64),
    )


def _cells(path: Path) -> pa.Table:
    from pyarrow import csv

    try:
        head = csv.open_csv(path).schema.names
        options = csv.ConvertOptions(
            column_types=dict.fromkeys(head, pa.string()), strings_can_be_null=True, quoted_strings_can_be_null=False
        )
        return csv.read_csv(path, parse_options=csv.ParseOptions(newlines_in_values=True), convert_options=options)
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(
            f"{path} must be a quarantine file but cannot be read: {str(error).splitlines()[0]}",
            next_step="Prepare the data again.",
        ) from None


def _changes(path: Path) -> pa.Table:
    try:
        return _cells(path).cast(SCHEMA)
    except (ValueError, pa.ArrowInvalid):
        raise DataError(
            f"{path} must have the columns {', '.join(SCHEMA.names)} with a number as its row but has not.",
            next_step="Prepare the data again.",
        ) from None


def _with_columns(dataset: Dataset, dropped: Dataset) -> Dataset:
    """The dataset with its dropped columns put back, found by file and row; null where a row had none."""
    found = dropped.find(dataset.file_index, dataset.origin)
    columns = dropped.table.take(pa.array(found, mask=found < 0))
    named = dict(zip(dataset.table.column_names, dataset.table.columns, strict=True))
    return replace(dataset, table=pa.table(named | dict(zip(columns.column_names, columns.columns, strict=True))))
