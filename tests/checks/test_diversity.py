"""Terms, what is known of a label's language, and labels that texts give away."""

from __future__ import annotations

import random
from typing import Any

import pytest

from ratchet.checks import Context
from ratchet.checks.diversity import check, coverage, measure
from ratchet.checks.terms import LabelledTerms
from ratchet.recipe.sections import Recipe
from ratchet.tables.dataset import Dataset

HAN = [chr(0x4E00 + 11 * i) for i in range(400)]


def context(dataset: Dataset) -> Context:
    return Context(dataset=dataset, recipe=Recipe(), seed=1)


def test_coverage_is_good_and_turings(table: Any) -> None:
    data = table({"text": ["a b c d", "a b x y"], "label": ["l", "l"]})
    assert coverage(LabelledTerms.of(context(data))).tolist() == [0.5]  # 4 of 8 occurrences are of words seen once


def test_the_measures(table: Any) -> None:
    data = table({"text": ["a b a b", "c d", "a b c"], "label": ["x", "y", "y"]})
    found = measure(context(data))
    assert found is not None
    assert (found.texts, found.terms, found.vocabulary, found.once) == (3, 9, 4, 0.25)
    assert found.distinct_1 == pytest.approx(4 / 9)
    assert found.distinct_2 == pytest.approx(4 / 6)  # ab ba ab, cd, ab bc
    assert found.zipf[0] == (1, 2)
    assert found.tail == 4
    assert found.growth[-1] == (3, 4)
    assert {label.name: label.top for label in found.labels}["x"][0] in ("a", "b")
    assert measure(context(table({"text": [None]}))) is None


def test_a_table_of_one_word(table: Any) -> None:
    found = measure(context(table({"text": ["a", "a", None], "label": ["x", "x", "y"]})))
    assert [label.top for label in found.labels] == [(), ()]


def test_a_thin_label(table: Any, found: Any) -> None:
    rng = random.Random(0)
    texts = ["".join(rng.choices(HAN[:30], k=40)) for _ in range(60)]
    texts += ["".join(HAN[100 + 40 * i : 140 + 40 * i]) for i in range(4)]
    data = table({"text": texts, "label": ["rich"] * 60 + ["thin"] * 4})
    finding = found(check, data)["diversity.tail"]
    assert "1 label is thin" in finding.message
    assert "'thin' 100.0 % (4 texts)" in finding.message
    assert finding.row_numbers["a.csv"].tolist() == [61, 62, 63, 64]


def test_a_label_that_repeats_itself(table: Any, found: Any) -> None:
    rng = random.Random(0)
    texts, labels = [], []
    for label in "abc":
        texts += ["".join(rng.choices(HAN, k=40)) for _ in range(40)]
        labels += [label] * 40
    texts += ["".join(HAN[:30]) + "".join(rng.choices(HAN, k=6)) for _ in range(40)]
    labels += ["template"] * 40
    finding = found(check, table({"text": texts, "label": labels}))["diversity.repetitive"]
    assert "'template'" in finding.message
    assert finding.rows == 40
