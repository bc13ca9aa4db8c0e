from __future__ import annotations

import json

from ratchet.checks import run_checks
from ratchet.tables.dataset import Dataset


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
