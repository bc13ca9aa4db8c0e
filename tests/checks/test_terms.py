"""The terms of a table and the labels that have them."""

from __future__ import annotations

import random
from typing import Any

import pytest

from ratchet.checks import Context
from ratchet.checks.diversity import measure
from ratchet.checks.terms import LabelledTerms
from ratchet.recipe.sections import Recipe
from ratchet.tables.dataset import Dataset

HAN = [chr(0x4E00 + 11 * i) for i in range(400)]


def context(dataset: Dataset) -> Context:
    return Context(dataset=dataset, recipe=Recipe(), seed=1)


def test_words_and_their_labels(table: Any) -> None:
    data = table({"text": ["red car", "Red bus", "red CAR", "blue car!", None], "label": ["a", "a", "b", "b", "b"]})
    terms = LabelledTerms.of(context(data))
    assert terms.unit == "word"
    assert terms.rows.tolist() == [0, 1, 3]  # "red CAR" is a copy
    by_name = dict(zip(terms.names, terms.frequency.tolist(), strict=True))
    assert by_name == {"red": 2, "car": 2, "bus": 1, "blue": 1}
    term, texts, occurrences = terms.of_label(0)
    assert {terms.names[t]: (int(n), int(o)) for t, n, o in zip(term, texts, occurrences, strict=True)} == {
        "red": (2, 2),
        "car": (1, 1),
        "bus": (1, 1),
    }


def test_chinese_terms_are_pairs_that_cross_no_punctuation(table: Any) -> None:
    terms = LabelledTerms.of(context(table({"text": ["很好，很好", "不错"], "label": ["a", "b"]})))
    assert terms.unit == "pair"
    assert dict(zip(terms.names, terms.frequency.tolist(), strict=True)) == {"很好": 1, "不错": 1}
    assert terms.of_label(0)[2].tolist() == [2]


def test_batches_change_nothing(table: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(0)
    data = table({"text": ["".join(rng.choices(HAN[:40], k=12)) for _ in range(50)], "label": ["a", "b"] * 25})
    whole = measure(context(data))
    monkeypatch.setattr("ratchet.text.terms._BATCH", 7)
    assert measure(context(data)) == whole


def test_a_sample_is_drawn_from_large_tables(table: Any) -> None:
    data = table({"text": [f"word{i} x" for i in range(100)], "label": ["a", "b"] * 50})
    assert len(LabelledTerms.of(context(data), most=30).rows) == 30
