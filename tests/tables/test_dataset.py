"""A dataset knows its cells and where they came from; equal rows have equal digests."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from ratchet.tables.dataset import Dataset, Roles, concat, row_digests


def dataset(name: str, **columns: list[str | None]) -> Dataset:
    count = len(next(iter(columns.values())))
    return Dataset(
        table=pa.table({key: pa.array(cells, pa.string()) for key, cells in columns.items()}),
        roles=Roles(text="text", label="label"),
        files=(name,),
        file_index=np.zeros(count, np.int64),
        origin=np.arange(1, count + 1),
    )


def test_concat_keeps_the_shared_columns_and_the_places() -> None:
    first = dataset("a.csv", text=["a"], label=["x"], note=["n"])
    second = dataset("b.csv", label=["y", None], text=["b", None])
    both = concat(first, second)
    assert both.table.to_pydict() == {"text": ["a", "b", None], "label": ["x", "y", None]}
    assert [both.place(i) for i in range(3)] == ["row 1 of a.csv", "row 1 of b.csv", "row 2 of b.csv"]
    assert (both.texts, both.labels) == (["a", "b", ""], ["x", "y", ""])


def test_rows_are_found_by_where_they_came_from() -> None:
    both = concat(dataset("a.csv", text=["a", "b"]), dataset("b.csv", text=["c"])).take([2, 0, 1])
    found = both.find(np.array([0, 1, 1, -1, 0, 0]), np.array([2, 1, 2, 1, 99, -1]))
    assert found.tolist() == [2, 0, -1, -1, -1, -1]
    assert both.take([]).find(np.array([0]), np.array([1])).tolist() == [-1]


def test_row_digests_tell_cells_columns_and_nulls_apart() -> None:
    rows = row_digests(dataset("a.csv", text=["ab", "a", "ab", "ab"], label=["c", "bc", None, "c"]))
    assert rows[0] == rows[3]
    assert len(set(rows)) == 3
    assert row_digests(dataset("z.csv", label=["c"], text=["ab"]))[0] == rows[0]
    assert row_digests(dataset("a.csv", text=["ab"], class_=["c"]))[0] != rows[0]
