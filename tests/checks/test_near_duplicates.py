from __future__ import annotations

import random
from typing import Any

from ratchet.checks.near_duplicates import check as near

HAN = [chr(0x4E00 + 11 * i) for i in range(500)]


def sentences(count: int, *, seed: int = 0, length: int = 30) -> list[str]:
    rng = random.Random(seed)
    return ["".join(rng.choices(HAN, k=length)) for _ in range(count)]


def test_near_duplicates_leave_copies_out(table: Any, found: Any) -> None:
    texts = sentences(60)
    edited = texts[0][:12] + "改" + texts[0][13:]
    finding = found(near, table({"text": [*texts, edited, texts[1], edited]}))["duplicates.near"]
    assert finding.row_numbers["a.csv"].tolist() == [61]
    assert finding.severity == "warning"
    assert "like row 1: " in finding.examples[0].note
    assert not found(near, table({"text": [*texts, texts[1]]}))


def test_a_giant_cluster_says_what_it_does_to_the_split(table: Any, found: Any) -> None:
    base = sentences(1, length=60)[0]
    edited = [base[:i] + "改" + base[i + 1 :] for i in range(20)]
    finding = found(near, table({"text": [*edited, *sentences(60, seed=5)]}))["duplicates.giant"]
    assert finding.rows == 20
    assert "stays in one part" in finding.message


def test_a_cluster_that_leaves_nothing_to_divide_is_an_error(table: Any, found: Any) -> None:
    base = sentences(1, length=60)[0]
    finding = found(near, table({"text": [base[:i] + "改" + base[i + 1 :] for i in range(20)]}))["duplicates.giant"]
    assert finding.severity == "error"
    assert "1 cluster cannot fill 6 parts: prepare will refuse" in finding.message


def test_a_table_of_one_template_is_told(table: Any, found: Any) -> None:
    base = sentences(1, length=60)[0]
    finding = found(near, table({"text": [base[:i] + "改" + base[i + 1 :] for i in range(30)]}))["duplicates.giant"]
    assert finding.severity == "warning"
    assert "made from a template, and prepare divides them by a finer measure" in finding.message
