"""Cells against the rule of their column, given or guessed."""

from __future__ import annotations

from typing import Any

import pytest

from ratchet.checks.consistency import check
from ratchet.recipe.sections import CheckConfig, ColumnRule, Recipe

PHONES = [f"138{i:08d}" for i in range(40)]


def with_rule(**rule: Any) -> Recipe:
    return Recipe(check=CheckConfig(columns={"cell": ColumnRule(**rule)}))


def cells(*values: str | None) -> dict[str, list[str | None]]:
    return {"text": [f"text {i}" for i in range(len(values))], "cell": list(values)}


def test_a_kind_is_guessed_from_nine_tenths(table: Any, found: Any) -> None:
    finding = found(check, table(cells(*PHONES, "1381234567", "none", None)))["consistency.phone"]
    assert (finding.severity, finding.rows, finding.share) == ("warning", 2, pytest.approx(2 / 42))
    assert finding.row_numbers["a.csv"].tolist() == [41, 42]
    assert finding.examples[0].text == "138*****67"
    assert finding.fix == ""
    assert not found(check, table(cells(*PHONES)))
    many = ["x"] * 10
    assert "consistency.phone" not in found(check, table(cells(*PHONES, *many)))


def test_a_name_that_says_phone_needs_half_only(table: Any, found: Any) -> None:
    data = table({"text": ["t"] * 60, "手机号": PHONES + ["x"] * 20})
    assert found(check, data)["consistency.phone"].rows == 20


def test_text_label_id_and_group_are_not_guessed(table: Any, found: Any) -> None:
    values = [*PHONES, "x"]
    data = table({"text": values, "label": values, "id": values, "who": values}, id="id", group="who")
    assert not found(check, data)


@pytest.mark.parametrize(
    ("rule", "good", "bad", "id"),
    [
        ({"kind": "phone"}, "13812345678", "123", "phone"),
        ({"kind": "phone_plain"}, "02112345678", "123", "phone_plain"),
        ({"kind": "id_card"}, "11010519491231002X", "110105194912310021", "id_card"),
        ({"kind": "email"}, "a@b.cn", "a@b", "email"),
        ({"pattern": "[A-Z]{2}-[0-9]+"}, "AB-12", "AB-", "pattern"),
        ({"values": ("yes", "no")}, "yes", "maybe", "category"),
        ({"kind": "category", "values": ("是", "否")}, "是", "无所谓", "category"),
        ({"low": 0, "high": 20_000}, "1.5万", "2.5万", "range"),
        ({"low": 0}, "３", "-1", "range"),
        ({"high": 10}, "3", "three", "range"),
        ({"kind": "number"}, "1,234", "1,23", "number"),
        ({"kind": "date"}, "2024-02-29", "2023-02-29", "date"),
    ],
)
def test_a_given_rule(table: Any, found: Any, rule: dict[str, Any], good: str, bad: str, id: str) -> None:
    finding = found(check, table(cells(good, bad, None)), recipe=with_rule(**rule))[f"consistency.{id}"]
    assert (finding.severity, finding.rows, finding.share) == ("error", 1, 0.5)
    assert finding.row_numbers["a.csv"].tolist() == [2]
    assert not found(check, table(cells(good, None)), recipe=with_rule(**rule))


def test_a_rule_may_require_and_may_forbid_guessing(table: Any, found: Any) -> None:
    data = table(cells(*PHONES, "x", None))
    assert found(check, data, recipe=with_rule(required=True))["consistency.required"].rows == 1
    assert not found(check, data, recipe=with_rule(kind="any"))


def test_dates_in_five_forms(table: Any, found: Any) -> None:
    forms = ["2024-01-31", "2024/01/31", "2024年1月31日", "31/01/2024", "20240131"]
    finding = found(check, table(cells(*(forms * 4))))["consistency.date_forms"]
    assert finding.severity == "note"
    assert all(form in finding.message for form in forms)
    both = found(check, table(cells(*(["31/01/2024", "01/31/2024"] * 6))))["consistency.date_forms"]
    assert both.severity == "warning"
    assert "two meanings" in both.message


def test_units_and_full_width_digits(table: Any, found: Any) -> None:
    findings = found(check, table(cells(*["12000"] * 20, "1.2万", "３００")))
    assert findings["consistency.units"].rows == 1
    assert findings["consistency.fullwidth"].rows == 1
    assert "consistency.number" not in findings


def test_numbers_mixed_with_text(table: Any, found: Any) -> None:
    finding = found(check, table(cells(*["5", "7"] * 10, *["abc"] * 10)))["consistency.types"]
    assert finding.rows == 10
    assert not found(check, table(cells(*["abc", "def"] * 10)))


def test_categories_that_are_one(table: Any, found: Any) -> None:
    finding = found(check, table(cells(*["North"] * 20, *["south"] * 20, "north ", "Ｎorth")))["consistency.variants"]
    assert finding.rows == 2
    assert "'north ' for 'North'" in finding.message
