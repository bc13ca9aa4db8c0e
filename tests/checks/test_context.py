from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ratchet.checks import Context
from ratchet.checks.context import Distinct, Samples, counted, percent, shown
from ratchet.recipe.sections import Recipe


def test_a_finding_names_rows_of_each_file(table: Any) -> None:
    data = table({"text": list("abcdef")}, files=("a.csv", "b.csv"), per_file=3)
    context = Context(dataset=data, recipe=Recipe(), seed=0)
    finding = context.finding(
        "a.b",
        severity="note",
        message="M.",
        why="W.",
        positions=[5, 1, 3],
        samples=Samples(at=[3], notes={3: "here"}),
    )
    assert {file: rows.tolist() for file, rows in finding.row_numbers.items()} == {"a.csv": [2], "b.csv": [1, 3]}
    assert (finding.rows, finding.share) == (3, 0.5)
    assert [str(example) for example in finding.examples] == ["row 1: d (here)"]
    plain = finding.to_dict(listed=1)
    assert plain["row_numbers"] == {"a.csv": [2], "b.csv": [1]}
    assert plain["examples"] == [{"file": "b.csv", "row": 1, "column": "text", "text": "d", "note": "here"}]


def test_rows_are_named_by_the_file_after_filtering(table: Any) -> None:
    data = table({"text": list("abcdef")}).take([4, 1])
    context = Context(dataset=data, recipe=Recipe(), seed=0)
    finding = context.finding("a.b", severity="note", message="M.", why="W.", positions=[0])
    assert finding.examples[0].row == 5


@pytest.mark.parametrize(
    ("cell", "seen"),
    [
        (None, ""),
        ("a\nb\tc", "a⏎b\\tc"),
        ("\x1b[31mred", "\\u001b[31mred"),
        ("a\u202eb", "a\\u202eb"),
        ("全　角", "全　角"),
        ("x" * 200, "x" * 79 + "…"),
        ("tel 13812345678", "tel 138****5678"),
        ("a" * 78 + " 13812345678", "a" * 78 + " …"),
    ],
)
def test_cells_are_shown_on_one_safe_line(cell: str | None, seen: str) -> None:
    assert shown(cell) == seen


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0.0 %"), (0.0001, "under 0.1 %"), (0.5, "50.0 %"), (0.99999, "over 99.9 %"), (1, "100.0 %")],
)
def test_shares_never_claim_none_or_all_wrongly(share: float, text: str) -> None:
    assert percent(share) == text


def test_numbers_have_their_noun() -> None:
    assert [counted(1, "row"), counted(2000, "row"), counted(2, "class", plural="classes")] == [
        "1 row",
        "2,000 rows",
        "2 classes",
    ]


def test_distinct_values_of_a_column(table: Any) -> None:
    cells = Distinct(column=table({"text": ["b", None, "a", "b"]}).table.column("text"))
    assert cells.values == ("b", "a")
    assert cells.member.tolist() == [0, -1, 1, 0]
    assert cells.counts.tolist() == [2, 1]
    assert cells.rows(np.array([True, False])).tolist() == [0, 3]
    assert cells.matching("^a$").tolist() == [False, True]
    nothing = Distinct(column=table({"text": []}).table.column("text"))
    assert (nothing.values, nothing.member.tolist()) == ((), [])


def test_distinct_values_over_several_chunks() -> None:
    column = pa.chunked_array(
        [pa.array([None, "a"]), pa.array([], pa.string()), pa.array(["b", "a", None]), pa.array(["c"])]
    )
    cells = Distinct(column=column)
    assert cells.values == ("a", "b", "c")
    assert cells.member.tolist() == [-1, 0, 1, 0, -1, 2]
