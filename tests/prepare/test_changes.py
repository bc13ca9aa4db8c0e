from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from ratchet.prepare.changes import SCHEMA, reasons, undone, united, with_cells


def test_changed_cells_are_recorded_and_come_back(table: Any) -> None:
    before = table({"text": ["a", None, "c", "d"], "label": ["x", "y", "x", "y"]}, files=("a.csv", "b.csv"), per_file=2)
    after, record = with_cells(
        before,
        "text",
        np.array([1, 2]),
        now=pa.array(["B", "C"]),
        reasons=pa.array(["text.case", "text.case, text.html"]),
    )
    assert after.table.column("text").to_pylist() == ["a", "B", "C", "d"]
    assert record.schema == SCHEMA
    assert record.to_pylist() == [
        {"file": "a.csv", "row": 2, "reason": "text.case", "column": "text", "was": None, "now": "B"},
        {"file": "b.csv", "row": 1, "reason": "text.case, text.html", "column": "text", "was": "c", "now": "C"},
    ]
    assert undone(after, record).table.equals(before.table)


def test_changes_of_two_columns_are_undone_where_their_rows_are(table: Any) -> None:
    before = table({"text": list("abcd"), "label": list("xyxy")})
    once, first = with_cells(before, "text", np.array([0, 3]), now=pa.array(["A", "D"]), reasons=pa.array(["r", "r"]))
    twice, second = with_cells(once, "label", np.array([3]), now=pa.array([None], pa.string()), reasons=pa.array(["s"]))
    every = united([first, second])
    assert undone(twice, every).table.equals(before.table)
    some = twice.take([3, 1])  # the changed row 0 is not there
    assert undone(some, every).table.column("text").to_pylist() == ["d", "b"]
    assert undone(some, every).table.column("label").to_pylist() == ["y", "y"]


def test_reasons_are_counted_one_by_one(table: Any) -> None:
    data = table({"text": list("abc")})
    _, record = with_cells(
        data, "text", np.array([0, 1, 2]), now=pa.array(list("ABC")), reasons=pa.array(["p, q", "q", "q"])
    )
    assert reasons(record) == {"q": 3, "p": 1}
    assert reasons(united([])) == {}
