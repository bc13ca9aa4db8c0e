from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ratchet.checks import CHECKS, Check, Context, Finding, run_checks
from ratchet.checks.finding import ID, SEVERITIES
from ratchet.recipe.recipe import parse_recipe
from ratchet.recipe.sections import Recipe
from ratchet.tables.dataset import Dataset

EVERY = pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)


Add = Callable[[Dataset, dict[str, list[str | None]]], Dataset]


def run(check: Check, dataset: Dataset, **extra: Any) -> list[Finding]:
    return list(check.run(Context(dataset=dataset, recipe=Recipe(), seed=5, **extra)))


def keeps_the_contract(check: Check, dataset: Dataset, findings: list[Finding]) -> None:
    for finding in findings:
        assert ID.fullmatch(finding.id)
        assert finding.id in check.gives
        assert finding.severity in SEVERITIES
        assert finding.message.endswith((".", "?"))
        assert finding.why.endswith(".")
        assert "  " not in finding.message
        assert finding.share is None or 0 <= finding.share <= 1
        assert len(finding.examples) <= 3
        limits = {file: dataset.origin[dataset.file_index == i].max() for i, file in enumerate(dataset.files)}
        for example in finding.examples:
            assert 1 <= example.row <= limits[example.file]
            assert example.column in dataset.table.column_names
            assert len(example.text) <= 480
        for file, rows in finding.row_numbers.items():
            assert (rows[:-1] < rows[1:]).all()
            assert 1 <= rows[0] <= rows[-1] <= limits[file]
        if finding.row_numbers:
            assert sum(map(len, finding.row_numbers.values())) == finding.rows
        if finding.fix:
            parse_recipe(finding.fix, folder=".")
        json.dumps(finding.to_dict(), allow_nan=False)


@EVERY
def test_an_empty_column_and_two_hundred_others(check: Check, english: Dataset, with_columns: Add) -> None:
    rows = len(english)
    more: dict[str, list[str | None]] = {"empty": [None] * rows}
    more |= {f"c{i}": [f"{(i * row) % 97}" if row % 9 else None for row in range(rows)] for i in range(200)}
    wide = with_columns(english, more)
    keeps_the_contract(check, wide, run(check, wide))


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
