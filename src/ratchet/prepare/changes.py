"""Changed cells: what stood in them, what stands there now, and why; undone cell by cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ratchet.tables.dataset import Dataset
from ratchet.text.columns import Rows, taken

SCHEMA = pa.schema(
    [
        ("file", pa.string()),
        ("row", pa.int64()),
        ("reason", pa.string()),
        ("column", pa.string()),
        ("was", pa.string()),
        ("now", pa.string()),
    ]
)
"""One row a changed cell; ``row`` is its 1-based data row in ``file``, and ``was`` is null where it was missing."""
BETWEEN = ", "


def with_cells(
    dataset: Dataset, column: str, rows: Rows, *, now: pa.Array, reasons: pa.Array
) -> tuple[Dataset, pa.Table]:
    """The dataset with other cells in these rows of a column, and the record of the changes.

    Args:
        dataset: any rows.
        column: name of the column.
        rows: ascending positions in ``dataset``.
        now: the new cells, one for each of ``rows``.
        reasons: reason ids, one for each of ``rows``; several are joined by ``BETWEEN``.
    """
    cells = dataset.table.column(column)
    files = pa.array(dataset.files, pa.string()).take(pa.array(dataset.file_index[rows]))
    record = pa.table(
        {
            "file": files,
            "row": pa.array(dataset.origin[rows]),
            "reason": reasons,
            "column": pa.array([column], pa.string()).take(pa.array(np.zeros(len(rows), np.int64))),
            "was": cells.take(pa.array(rows)).cast(pa.string()),
            "now": now,
        },
        schema=SCHEMA,
    )
    return _put(dataset, column, rows, now), record


def undone(dataset: Dataset, changes: pa.Table) -> Dataset:
    """The dataset with every changed cell as it was; changes of rows that it does not have are left out."""
    number = {file: i for i, file in enumerate(dataset.files)}
    for column in changes.column("column").unique().to_pylist():
        own = changes.filter(pc.equal(changes.column("column"), column))
        file = np.array([number.get(name, -1) for name in own.column("file").to_pylist()], np.int64)
        rows = dataset.find(file, own.column("row").to_numpy())
        known = np.flatnonzero(rows >= 0)
        dataset = _put(dataset, column, rows[known], own.column("was").take(pa.array(known)))
    return dataset


def reasons(changes: pa.Table) -> dict[str, int]:
    """Number of changed cells for each reason, most frequent first; a cell may have several."""
    counts: Counter[str] = Counter()
    for entry in changes.column("reason").value_counts().to_pylist():
        for reason in entry["values"].split(BETWEEN):
            counts[reason] += entry["counts"]
    return dict(counts.most_common())


def united(tables: Sequence[pa.Table]) -> pa.Table:
    """All changes, one table after the other."""
    return pa.concat_tables([SCHEMA.empty_table(), *tables])


def _put(dataset: Dataset, column: str, rows: Rows, now: pa.Array | pa.ChunkedArray) -> Dataset:
    cells = dataset.table.column(column)
    index = np.arange(len(dataset))
    index[rows] = len(dataset) + np.arange(len(rows))
    fresh = now if isinstance(now, pa.ChunkedArray) else pa.chunked_array([now])
    pool = pa.chunked_array([*cells.chunks, *fresh.cast(cells.type).chunks], cells.type)
    at = dataset.table.column_names.index(column)
    return replace(dataset, table=dataset.table.set_column(at, column, taken(pool, index)))
