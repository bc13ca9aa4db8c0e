"""Texts in other columns."""

from __future__ import annotations

import random
from typing import Any

import pytest

from ratchet.checks import columns

WORDS = ["alpha", "beta", "gamma", "delta", "order", "parcel", "refund", "price", "screen", "broken", "late", "happy"]


def sentences(count: int, words: int, *, seed: int) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=words)) for _ in range(count)]


def test_a_title_beside_a_body_and_a_body_beside_a_title_are_told(table: Any, found: Any) -> None:
    cells = {"title": sentences(50, 5, seed=1), "body": sentences(50, 20, seed=2), "label": ["a", "b"] * 25}
    for text, other in (("title", "body"), ("body", "title")):
        finding = found(columns.check, table(cells, text=text))["columns.text"]
        assert finding.column == other
        assert f"'{other}' holds texts too" in finding.message
        assert f"'{text}' has" in finding.message


def test_chinese_pairs(table: Any, found: Any) -> None:
    rng = random.Random(3)
    ask, answer = (["".join(rng.choices("今天天气很好我们去公园散步吧", k=n)) for _ in range(40)] for n in (9, 12))
    assert (
        found(columns.check, table({"text": answer, "ask": ask, "label": ["a", "b"] * 20}))["columns.text"].column
        == "ask"
    )


@pytest.mark.parametrize(
    "other",
    [
        [str(i) for i in range(50)],
        [f"2024-01-{1 + i % 28:02d} 12:00:00" for i in range(50)],
        [f"https://example.org/a/b/{i}" for i in range(50)],
        ["New York City", "San Jose Norte"] * 25,
        [f"user{i}@example.org" for i in range(50)],
        [None] * 50,
    ],
    ids=["numbers", "dates", "links", "categories", "addresses", "nothing"],
)
def test_what_is_no_text_is_not_told(table: Any, found: Any, other: list[str | None]) -> None:
    cells = {"text": sentences(50, 8, seed=4), "other": other, "label": ["a", "b"] * 25}
    assert not found(columns.check, table(cells))
