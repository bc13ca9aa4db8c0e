"""Terms, what is known of a label's language, and labels that texts give away."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from ratchet.checks import Context
from ratchet.checks.diversity import check, coverage, measure
from ratchet.checks.giveaway import check as giveaway
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


def test_a_label_that_its_texts_give_away(table: Any, found: Any) -> None:
    rng = random.Random(0)
    words = ["the", "room", "was", "very", "clean", "and", "breakfast", "nice", "but", "small", "noisy", "far"]
    texts = [" ".join(rng.sample(words, 5)) for _ in range(80)]
    named = [f"[spam] {text}" for text in texts[:40]]
    finding = found(giveaway, table({"text": named + texts[40:], "label": ["spam"] * 40 + ["ham"] * 40}))
    assert finding["leaks.label_in_text"].severity == "warning"
    assert "'spam' in 100.0 % of 'spam' and 0.0 % of the others" in finding["leaks.label_in_text"].message
    marked = [f"{text} zzz" for text in texts[:40]]
    finding = found(giveaway, table({"text": marked + texts[40:], "label": ["x"] * 40 + ["y"] * 40}))
    assert "'zzz' in 100.0 % of 'x'" in finding["leaks.label_in_text"].message
    assert not found(giveaway, table({"text": texts, "label": ["x"] * 40 + ["y"] * 40}))


def test_underscores_in_names_are_spaces(table: Any, found: Any) -> None:
    texts = [f"my lost card number {i}" for i in range(30)] + [f"please top up {i}" for i in range(30)]
    data = table({"text": texts, "label": ["lost_card"] * 30 + ["other"] * 30})
    finding = found(giveaway, data)["leaks.label_in_text"]
    assert "'lost card' in 100.0 % of 'lost_card'" in finding.message
    assert np.isclose(finding.share or 0, 1.0)
