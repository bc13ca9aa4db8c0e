"""Findings: what they hold, and recipe patches that become one."""

from __future__ import annotations

from ratchet.checks import merged
from ratchet.checks.finding import Example, Finding, patch
from ratchet.recipe.recipe import parse_recipe


def test_patches_are_united() -> None:
    first = patch({"prepare": {"drop_columns": ["a"], "conflicts": "drop"}})
    second = patch(
        {"prepare": {"drop_columns": ["a", "b"], "conflicts": "majority"}, "gate": {"metrics": ["macro_f1"]}}
    )
    recipe = parse_recipe(merged([first, "", second]), folder=".")
    assert recipe.prepare.drop_columns == ("a", "b")
    assert recipe.prepare.conflicts == "majority"
    assert recipe.gate.metrics == ("macro_f1",)
    assert merged([]) == ""


def test_messages_print_nothing_personal_and_nothing_a_terminal_obeys() -> None:
    example = Example(file="t.csv", row=1, column="text", text="x", note="meant: \x1b[31m 13812340000\n")
    found = Finding(
        id="text.html",
        severity="note",
        message="'Lan.Chen@example.com' \x1b]0;title\x07 for 138 1234 0000\u202e",
        why="so",
        rows=1,
        examples=(example,),
    )
    assert found.message == r"'L***@example.com' \u001b]0;title\u0007 for 138 **** 0000\u202e"
    assert example.note == r"meant: \u001b[31m 138****0000⏎"
