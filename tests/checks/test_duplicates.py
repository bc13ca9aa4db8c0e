"""Copies, near-copies and giant clusters."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from ratchet.checks.duplicates import check, further, leaked_share
from ratchet.checks.test_rows import check as parts
from ratchet.recipe.recipe import parse_recipe

HAN = [chr(0x4E00 + 11 * i) for i in range(500)]


def sentences(count: int, *, seed: int = 0, length: int = 30) -> list[str]:
    rng = random.Random(seed)
    return ["".join(rng.choices(HAN, k=length)) for _ in range(count)]


def test_copies(table: Any, found: Any) -> None:
    texts = sentences(90)
    finding = found(check, table({"text": [*texts, *texts[:9], texts[0], None]}))["duplicates.exact"]
    assert (finding.severity, finding.rows, finding.share) == ("error", 10, 0.1)
    assert finding.row_numbers["a.csv"].tolist() == list(range(91, 101))
    assert finding.examples[0].note == "3 copies"
    assert parse_recipe(finding.fix, folder=".").prepare.duplicates == "drop"
    few = found(check, table({"text": [*texts, texts[0]]}))["duplicates.exact"]
    assert few.severity == "warning"
    assert not found(check, table({"text": texts}))


def test_texts_of_the_same_wording(table: Any, found: Any) -> None:
    finding = found(check, table({"text": ["Top up?", "top-up", "TOP UP?", "other"]}))
    assert finding["duplicates.wording"].row_numbers["a.csv"].tolist() == [2]
    assert "2 of 4 rows" in finding["duplicates.wording"].message


def test_the_leak_of_a_random_split() -> None:
    groups = np.repeat(np.arange(5_000), 2)
    assert leaked_share(groups, seed=1) == pytest.approx(0.8, abs=0.03)
    assert leaked_share(np.arange(100), seed=1) == 0
    assert leaked_share(np.full(3, -1), seed=1) == 0
    assert further(np.array([3, -1, 3, -1, 4, 3])).tolist() == [2, 5]


def test_rows_that_the_test_files_share(table: Any, found: Any) -> None:
    texts = sentences(40)
    train = table({"text": texts, "label": ["x", "y"] * 20})
    edited = texts[3][:12] + "改" + texts[3][13:]
    test = table({"text": [texts[0] + "！", edited, *sentences(5, seed=9)], "label": ["x"] * 7}, files=("test.csv",))
    finding = found(parts, train, test=test)["parts.leak"]
    assert (finding.severity, finding.rows, finding.share) == ("error", 2, pytest.approx(2 / 7))
    assert list(finding.row_numbers) == ["test.csv"]
    assert "1 with the same wording, 1 near-duplicate." in finding.message
    assert [example.row for example in finding.examples] == [1, 2]
    assert "row 1 of a.csv" in finding.examples[0].note
    assert not found(parts, train)
    assert not found(parts, train, test=table({"text": sentences(5, seed=9), "label": ["x"] * 5}))


def test_test_rows_that_are_older_than_training_rows(table: Any, found: Any) -> None:
    train = table({"text": ["a b c", "d e f"], "day": ["2024-03-01", "2024年3月5日"]}, time="day")
    test = table(
        {"text": ["g h", "i j", "k l", "m n"], "day": ["2024-03-04", "2024/03/05", "2024-03-06", None]}, time="day"
    )
    finding = found(parts, train, test=test)["parts.time"]
    assert finding.row_numbers["a.csv"].tolist() == [1, 2]
    assert "the last training row (2024年3月5日)" in finding.message
    assert not found(parts, train, test=test.take([2, 3]))
