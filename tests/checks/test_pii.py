"""Personal data in texts and columns; no example shows it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ratchet.checks.pii import check
from ratchet.recipe.recipe import parse_recipe
from ratchet.text.personal import luhn

SECRETS = {
    "phone": "13812345678",
    "email": "jane.doe@example.com",
    "id_card": "11010519491231002X",
    "card": "4111 1111 1111 1111",
    "address": "广东省深圳市南山区科技园路12号",
}


@pytest.mark.parametrize("kind", sorted(SECRETS))
def test_every_kind_is_found_and_masked(table: Any, found: Any, kind: str) -> None:
    data = table({"text": ["nothing here", f"write to {SECRETS[kind]} please", None], "label": ["x", "y", "x"]})
    findings = found(check, data)
    assert set(findings) == {f"pii.{kind}"}
    finding = findings[f"pii.{kind}"]
    assert finding.row_numbers["a.csv"].tolist() == [2]
    assert SECRETS[kind] not in json.dumps(finding.to_dict(), ensure_ascii=False)
    assert "*" in finding.examples[0].text
    assert "*" in finding.examples[0].note
    assert parse_recipe(finding.fix, folder=".").prepare.text == ("mask",)


def test_a_column_of_personal_data_is_to_be_dropped(table: Any, found: Any) -> None:
    data = table({"text": ["a"] * 4, "tel": ["13812345678", "13912345678", "13712345678", None]})
    finding = found(check, data)["pii.phone"]
    assert (finding.column, finding.rows, finding.share) == ("tel", 3, 1.0)
    assert parse_recipe(finding.fix, folder=".").prepare.drop_columns == ("tel",)


def test_a_column_of_order_numbers_is_no_column_of_cards(table: Any, found: Any) -> None:
    orders = [f"4{i:015d}" for i in range(0, 4_000, 7)]
    assert any(map(luhn, orders))
    assert not found(check, table({"text": orders}))
    cards = [order for order in orders if luhn(order)]
    assert found(check, table({"text": cards}))["pii.card"].rows == len(cards)
