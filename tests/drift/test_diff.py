from __future__ import annotations

import random

import pytest
from tests.drift.reviews import dataset, rows

from ratchet.drift.diff import Diff, diff
from ratchet.drift.shifts import Shift
from ratchet.errors import DataError
from ratchet.tables.dataset import Dataset, Roles


def alarms(found: Diff, between: str | None = None) -> set[str]:
    return {shift.trait for shift in found.alarms if between in (None, shift.between)}


def shift_of(found: Diff, trait: str, test: str) -> Shift:
    return next(shift for shift in found.shifts if (shift.trait, shift.test) == (trait, test))


def test_equal_tables_in_any_order_are_the_same() -> None:
    old = rows(60, seed=1)
    found = diff(dataset(old), dataset(old[::-1]))
    assert found.same
    assert found.shifts == ()
    assert (found.copies.exact.tolist(), found.cells, found.relabelled) == ([], {}, {})


def test_added_rows_are_compared_with_the_old_table() -> None:
    old = rows(1_000, seed=1)
    found = diff(dataset(old), dataset(old + rows(100, seed=2, positive=0.95)))
    assert (found.rows.related, len(found.rows.kept[0]), len(found.rows.added)) == (True, 1_000, 100)
    label = shift_of(found, "label", "chi-square")
    assert (label.between, label.alarm) == ("added", True)
    assert "->" in label.words
    whole = {share.name: share.new - share.old for share in found.classes}
    assert 0.02 < whole["正"] < 0.07  # it hardly shows in the tables as a whole


def test_removed_rows_are_compared_with_those_that_stayed() -> None:
    old = rows(1_000, seed=1)
    dice = random.Random(5)
    found = diff(dataset(old), dataset([row for row in old if row["label"] == "正" or dice.random() < 0.7]))
    assert alarms(found, "removed") == {"label"}
    assert {shift.between for shift in found.shifts} == {"removed"}


def test_columns_that_come_and_go() -> None:
    old = rows(60, seed=1)
    new = [
        {"text": row["text"], "label": row["label"], "stars": "x" if i < 30 else row["stars"], "new": "1"}
        for i, row in enumerate(old)
    ]
    found = diff(dataset(old), dataset(new))
    assert (found.schema.added, found.schema.removed) == (("new",), ("channel",))
    kinds = {share.name: (share.old, share.new) for share in found.schema.kinds["stars"]}
    assert kinds == {"number": (1.0, 0.5), "text": (0.0, 0.5)}
    assert len(found.rows.kept[0]) == 30


def test_the_text_column_must_be_in_both() -> None:
    other = dataset([{"text": "x", "label": "y"}])
    renamed = Dataset(
        table=other.table.rename_columns(["content", "label"]),
        roles=Roles(text="content", label="label"),
        files=("new.csv",),
        file_index=other.file_index,
        origin=other.origin,
    )
    with pytest.raises(DataError, match=r"new\.csv must have the text column 'text'"):
        diff(other, renamed)


@pytest.mark.parametrize("cells", [[None, None], ["", "x"], ["只有一行", None]])
def test_tables_of_next_to_nothing(cells: list[str | None]) -> None:
    a, b = (dataset([{"text": cell, "label": None}]) for cell in cells)
    found = diff(a, b, test=a)
    assert found.shifts == ()
    assert len(found.notes) <= 1
