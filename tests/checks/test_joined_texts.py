"""Tables with several text columns: findings name the columns of the table as it came."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from ratchet.checkup.checkup import Checkup, check_up
from ratchet.checkup.fixes import write_fixes
from ratchet.checkup.target import open_target
from ratchet.recipe.recipe import parse_recipe

WORDS = ("room", "clean", "service", "kind", "breakfast", "good", "place", "near", "price", "fair", "bed", "soft")


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    dice = random.Random(1)
    lines = ["title,body,note,label"]
    for number in range(200):
        title = "" if number % 5 == 0 else f"{dice.choice(WORDS)} {number}"
        body = " ".join(dice.choices(WORDS, k=9)) + (" 13812345678" if number % 20 == 1 else "")
        lines.append(f"{title},{body},{' '.join(dice.choices(WORDS, k=6))},{dice.choice('ab')}")
    path = tmp_path / "t.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def look(path: Path, *overrides: str) -> Checkup:
    return check_up(open_target(path, overrides=overrides), cost="pairs")


def ids(found: Any) -> dict[tuple[str, str], Any]:
    return {(finding.id, finding.column): finding for finding in found.findings}


def test_a_table_and_its_recipe_say_the_same(rows: Path) -> None:
    recipe = rows.with_name("ratchet.yaml")
    recipe.write_text("data: {files: [t.csv], text: [title, body]}\n", encoding="utf-8")
    for found in (look(rows, "data.text=[title, body]"), check_up(open_target(recipe), cost="pairs")):
        by = ids(found)
        assert ("pii.phone", "body") in by
        assert not any(column == "title + body" for id, column in by if id.startswith("pii."))
        assert by["pii.phone", "body"].fix == "prepare:\n  text:\n  - mask\n"
        assert "leave it out" not in by["completeness.missing", "title"].message
        assert by["completeness.missing", "title"].fix == ""
        assert [column for id, column in by if id == "columns.text"] == ["note"]
        assert "'title' and 'body' have" in by["columns.text", "note"].message
        assert found.health.facts.columns == ("title", "body", "note", "label")


def test_the_recipe_of_the_fixes_keeps_both(rows: Path) -> None:
    target = open_target(rows, overrides=["data.text=[title, body]", "data.features=[note]"])
    written = write_fixes(target, [f for f in check_up(target, cost="pairs").findings if f.fix and "mask" not in f.fix])
    assert written is not None
    data = parse_recipe(written.path.read_text(encoding="utf-8"), folder=rows.parent).data
    assert (data.text, data.features) == (("title", "body"), {"note": "category"})


def test_a_second_table_is_read_alike(rows: Path, tmp_path: Path) -> None:
    test = tmp_path / "u.csv"
    test.write_text(rows.read_text(encoding="utf-8"), encoding="utf-8")
    target = open_target(rows, test=[test], overrides=["data.text=[title, body]"])
    assert target.test is not None
    assert target.test.texts == target.dataset.texts
    assert target.test.roles.texts == ("title", "body")
    assert target.recipe.data.text == ("title", "body")
