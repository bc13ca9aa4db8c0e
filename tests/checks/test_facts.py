from __future__ import annotations

import json

import numpy as np
import pytest

from ratchet.checks import Facts, Lengths, run_checks
from ratchet.tables.dataset import Dataset


@pytest.mark.parametrize(
    "lengths", [[0], [5] * 100, list(range(1000)), [1, 2, 3] * 100 + [5_000_000], [3], [0, 1], list(range(25))]
)
def test_lengths_count_every_text_once(lengths: list[int]) -> None:
    drawn = Lengths.of(np.array(lengths))
    assert drawn is not None
    assert sum(drawn.counts) + drawn.above == len(lengths)
    assert len(drawn.edges) == len(drawn.counts) + 1
    assert list(drawn.edges) == sorted(set(drawn.edges))
    for low, high, count in zip(drawn.edges, drawn.edges[1:], drawn.counts, strict=False):
        assert count == sum(low <= length < high for length in lengths)


def test_no_text_has_no_lengths() -> None:
    assert Lengths.of(np.zeros(0, np.int64)) is None


def test_one_giant_text_does_not_flatten_the_histogram() -> None:
    drawn = Lengths.of(np.array([10, 20, 30] * 100 + [5_000_000]))
    assert drawn is not None
    assert drawn.edges[-1] < 40
    assert (drawn.above, drawn.longest) == (1, 5_000_000)


def test_facts_survive_json(chinese: Dataset) -> None:
    facts = run_checks(chinese).facts
    assert facts.naive is not None
    assert facts.diversity is not None
    assert Facts.from_dict(json.loads(json.dumps(facts.to_dict()))) == facts


def test_the_facts(chinese: Dataset) -> None:
    facts = run_checks(chinese).facts
    assert (facts.rows, facts.unique_rows, facts.distinct_texts, facts.conflicting_texts) == (240, 120, 120, 3)
    assert [(c.name, c.rows, c.texts) for c in facts.classes] == [("neg", 123, 63), ("pos", 117, 60)]
    assert facts.language == "zh"
    assert facts.lengths is not None
    assert sum(facts.lengths.counts) + facts.lengths.above == 240
    assert facts.naive is not None
    assert facts.naive.naive is not None
    assert facts.diversity is not None
    assert facts.diversity.unit == "pair"
    json.dumps(facts.to_dict(), allow_nan=False)
