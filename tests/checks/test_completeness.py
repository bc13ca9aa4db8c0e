"""Missing cells by column, and cells that only look filled."""

from __future__ import annotations

from typing import Any

import pytest

from ratchet.checks import Context
from ratchet.checks.completeness import check, missing_map
from ratchet.recipe.recipe import parse_recipe
from ratchet.recipe.sections import CheckConfig, PrepareConfig, Recipe
from ratchet.tables.read import with_nulls

TEXTS = ["good", "bad", "fine", "poor", "fair", "nice", "sad", "mad", "glad", "odd"]
LABELS = ["x", "y"] * 5


def test_the_thirty_percent_rule(table: Any, found: Any) -> None:
    columns = {"text": TEXTS, "label": LABELS, "note": [None] * 3 + ["a"] * 6 + ["b"]}
    finding = found(check, table(columns))["completeness.missing"]
    assert (finding.severity, finding.rows, finding.share, finding.column) == ("warning", 3, 0.3, "note")
    assert parse_recipe(finding.fix, folder=".").prepare.drop_columns == ("note",)
    assert [example.row for example in finding.examples] == [1, 2, 3]
    less = found(check, table({**columns, "note": [None] * 2 + ["a"] * 7 + ["b"]}))["completeness.missing"]
    assert (less.severity, less.fix) == ("note", "")
    strict = Recipe(check=CheckConfig(missing_share=0.1))
    assert found(check, table({**columns, "note": [None] + ["a"] * 8 + ["b"]}), recipe=strict)[
        "completeness.missing"
    ].fix


def test_columns_already_dropped_stay_so(table: Any, found: Any) -> None:
    recipe = Recipe(prepare=PrepareConfig(drop_columns=("old",)))
    data = table({"text": TEXTS, "note": [None] * 9 + ["a"], "old": [None] * 9 + ["b"]})
    findings = list(check(Context(dataset=data, recipe=recipe, seed=0)))
    patches = {f.column: parse_recipe(f.fix, folder=".").prepare.drop_columns for f in findings}
    assert patches == {"note": ("old", "note"), "old": ("old",)}


@pytest.mark.parametrize(("missing", "severity"), [(1, "warning"), (5, "error")])
def test_text_and_label_are_never_dropped(table: Any, found: Any, missing: int, severity: str) -> None:
    data = table({"text": [None] * missing + TEXTS[missing:], "label": [None] * missing + LABELS[missing:]})
    findings = found(check, data)
    assert findings["completeness.text"].severity == findings["completeness.label"].severity == severity
    assert not findings["completeness.text"].fix + findings["completeness.label"].fix
    assert findings["completeness.text"].rows == missing


def test_columns_with_a_role_are_not_suggested_for_dropping(table: Any, found: Any) -> None:
    data = table({"text": TEXTS, "who": [None] * 9 + ["a"]}, group="who")
    assert found(check, data)["completeness.missing"].fix == ""


def test_a_column_that_never_changes(table: Any, found: Any) -> None:
    finding = found(check, table({"text": TEXTS, "kind": ["a"] * 10}))["completeness.constant"]
    assert finding.severity == "note"
    assert parse_recipe(finding.fix, folder=".").prepare.drop_columns == ("kind",)


def test_placeholders(table: Any, found: Any) -> None:
    data = table({"text": TEXTS, "label": LABELS, "note": ["-", "N/A", "暂无", "-", *"abcdef"]})
    finding = found(check, data)["completeness.tokens"]
    assert finding.rows == 4
    assert "'-' (2)" in finding.message
    missing = parse_recipe(finding.fix, folder=".").data.missing
    assert {"-", "N/A", "暂无", "", "无"} <= set(missing)


def test_a_label_called_none_is_a_class(table: Any, found: Any) -> None:
    two = table({"text": TEXTS, "label": ["none", "some"] * 5})
    assert "completeness.tokens" not in found(check, two)
    three = table({"text": TEXTS, "label": ["none", *"abcabcabc"]})
    finding = found(check, three)["completeness.tokens"]
    assert (finding.severity, finding.fix) == ("warning", "")


def test_a_placeholder_that_is_a_label_elsewhere_stays(table: Any, found: Any) -> None:
    data = table({"text": TEXTS, "label": ["-", "+"] * 5, "note": ["-", "n/a", *"abcdefgh"]})
    config = parse_recipe(found(check, data)["completeness.tokens"].fix, folder=".").data
    assert {"n/a", "-"} <= set(config.missing)
    mended = with_nulls(data.table, missing=config.missing, label="label", no_label=config.no_label)
    assert mended.column("label").to_pylist() == ["-", "+"] * 5
    assert mended.column("note").null_count == 2


def test_the_map_of_missing_cells(table: Any) -> None:
    data = table({"text": ["a"] * 120, "note": [None] * 60 + ["b"] * 60})
    found = missing_map(Context(dataset=data, recipe=Recipe(), seed=0))
    assert found == {"note": [1.0] * 30 + [0.0] * 30}
