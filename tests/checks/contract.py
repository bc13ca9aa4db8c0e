"""The contract of a check, for those of this package and for any other: call :func:`judge` on each of a few tables.

``tests/checks/test_contract.py`` does so for every built-in check, ``tests/test_new_check.py`` for one that is written by
CONTRIBUTING's steps.
"""

from __future__ import annotations

import json
from typing import Any

from ratchet.checks import Check, Context, Finding
from ratchet.checks.finding import ID, SEVERITIES
from ratchet.recipe.recipe import parse_recipe
from ratchet.recipe.sections import Recipe
from ratchet.tables.dataset import Dataset

UGLY: dict[str, dict[str, list[str | None]]] = {
    "no rows": {"text": []},
    "empty column": {"text": [None, None, None]},
    "no label": {"text": ["a", None], "label": [None, None]},
    "missing text": {"text": [None, "b"], "label": ["x", "y"]},
    "all copies": {"text": ["same"] * 70, "label": ["x", "y"] * 35},
    "one class": {"text": ["same"] * 70, "label": ["x"] * 70},
    "odd": {"text": ["\u200b", "!", "\u0092", "\x00"], "label": ["x", "y", "x", "y"]},
    "no labels": {"text": ["a b", "c d"], "other": [None, None]},
    "json": {"text": ['["a"]', '{"b": 1}'] * 30, "label": ["[1, 2]", '{"c": 3}'] * 30},
    "ids": {"text": [f"text {i}" for i in range(60)], "label": [f"label {i}" for i in range(60)]},
}
"""Columns of tables that hold nothing usual, by what is odd about them."""


def judge(check: Check, dataset: Dataset, **extra: Any) -> list[Finding]:
    """Run a check twice over a table: its findings keep the contract, and are the same both times."""
    first, second = (list(check.run(Context(dataset=dataset, recipe=Recipe(), seed=5, **extra))) for _ in range(2))
    keeps_the_contract(check, dataset, first)
    assert [finding.to_dict() for finding in first] == [finding.to_dict() for finding in second]
    return first


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
