from __future__ import annotations

import pyarrow as pa
import pytest

from ratchet.tables.queues import MADE_BY, RANK, guarded, unguarded, unqueued


def test_a_queue_reads_as_rows_of_the_table() -> None:
    queue = pa.table({"text": ["'=1+1", "'twas", None], RANK: ["1", "2", "3"], "ratchet.answer": ["a", "b", "c"]})
    found = unqueued(queue)
    assert found.column_names == ["text"]
    assert found.column("text").to_pylist() == ["=1+1", "'twas", None]


def test_new_rows_read_as_rows_of_the_table() -> None:
    made = pa.table({"model": ["x", None], MADE_BY: ["eda", "eda"], "ratchet.model": ["", ""]})
    assert unqueued(made).to_pydict() == {"model": ["x", None]}


@pytest.mark.parametrize("cell", ["=1+1", "'=1+1", "''=1+1", "'", "''", "'twas", "", "-5", "'-5", "\t=", "a=1"])
def test_what_is_guarded_comes_back(cell: str) -> None:
    assert unguarded(guarded(cell)) == cell
    assert not guarded(cell).startswith(("=", "+", "-", "@", "\t", "\r"))


def test_any_other_table_is_left_alone() -> None:
    table = pa.table({"text": ["'=1+1"], "ratchet.answer": ["a"]})
    assert unqueued(table) is table
