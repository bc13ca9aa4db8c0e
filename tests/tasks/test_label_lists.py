"""Cells that hold several labels, in any spelling, and cells that only look so."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratchet.tasks.label_lists import cut, listed, mark_of


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        ('["a", "b"]', ["a", "b"]),
        (" ['a', \"b\"] ", ["a", "b"]),
        ("[]", []),
        ("[1, 2.5]", ["1", "2.5"]),
        ("[a, b]", None),
        ("a, b", None),
        ('{"a": 1}', None),
        ("['a', b]", None),
        ("[" * 10_000, None),
        ("['", None),
        ("[好", None),
        ("['a'", None),
    ],
)
def test_lists(cell: str, names: list[str] | None) -> None:
    assert listed(cell) == names


@given(st.lists(st.text(max_size=5), max_size=4))
def test_any_json_list_is_read(names: list[str]) -> None:
    assert listed(json.dumps(names)) == names
    assert listed(json.dumps(names, ensure_ascii=False)) == names


@pytest.mark.parametrize(
    ("cells", "mark"),
    [
        (["a;b", "b;c", "a;c", "a"], ";"),
        (["好、坏", "坏、贵", "好、贵"], "、"),
        (["Toys, games", "Arts, crafts", "Home, garden"], ""),
        (["1,5", "2,5", "1,2"], ""),
        (["a;b", "b;c"], ""),
        (["a;", "b;", "c;"], ""),
        (["['a;b']", "['b;c']", "['a;c']"], ""),
        ([], ""),
    ],
)
def test_a_mark_cuts_names_that_stand_elsewhere_too(cells: list[str], mark: str) -> None:
    assert mark_of(cells) == mark


def test_a_cell_is_cut() -> None:
    assert cut(" a ; b", ";") == ["a", "b"]
    assert cut(" a ; b", "") == ["a ; b"]
