"""Every check keeps the contract, whatever the table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.checks.contract import UGLY, judge

from ratchet.checks import CHECKS, Check
from ratchet.tables.dataset import Dataset

EVERY = pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
Add = Callable[[Dataset, dict[str, list[str | None]]], Dataset]


@EVERY
def test_a_chinese_table(check: Check, chinese: Dataset) -> None:
    judge(check, chinese)


@EVERY
def test_an_english_table_in_two_files(check: Check, english: Dataset) -> None:
    judge(check, english)


@EVERY
@pytest.mark.parametrize("kind", UGLY)
def test_tables_that_hold_nothing_usual(check: Check, kind: str, table: Any) -> None:
    judge(check, table(UGLY[kind]))


@EVERY
def test_an_empty_column_and_two_hundred_others(check: Check, english: Dataset, with_columns: Add) -> None:
    rows = len(english)
    more: dict[str, list[str | None]] = {"empty": [None] * rows}
    more |= {f"c{i}": [f"{(i * row) % 97}" if row % 9 else None for row in range(rows)] for i in range(200)}
    judge(check, with_columns(english, more))


@EVERY
def test_rows_of_the_test_files(check: Check, english: Dataset) -> None:
    judge(check, english, test=english.take(range(30)))
