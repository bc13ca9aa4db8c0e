"""The recipes that make their own tables: they run without torch, and features win by a verdict."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ratchet.checkup.checkup import check_up
from ratchet.checkup.target import open_target
from ratchet.compare.question import Question
from ratchet.pipeline import run
from ratchet.recipe.recipe import load_recipe
from ratchet.runs import compare_named

RECIPES = Path(__file__).parents[2] / "recipes"


def made(name: str, folder: Path) -> list[str]:
    """Write the recipe's table into a folder; the overrides that lead there."""
    table = folder / f"{name}.csv"
    subprocess.run([sys.executable, str(RECIPES / name / "make_table.py"), str(table)], check=True, capture_output=True)
    return [f"data.files=[{table}]", f"workspace={folder / 'work'}", "threads=1"]


@pytest.mark.parametrize(("name", "metric", "text"), [("pairs", "accuracy", "first + second"), ("risk", "auc", "note")])
def test_features_beat_the_text_alone(tmp_path: Path, name: str, metric: str, text: str) -> None:
    recipe = load_recipe(RECIPES / name / "ratchet.yaml", overrides=made(name, tmp_path))
    summary = run(recipe)
    assert summary["champion"] == "with-features"
    asked = Question(metrics=(metric,))
    compared = compare_named("with-features", "tfidf-lr", workspace=tmp_path / "work", question=asked)
    assert compared.verdict.outcome == "better"
    assert recipe.data.text_name == text


def test_the_trap_is_found(tmp_path: Path) -> None:
    overrides = made("risk", tmp_path)
    path = RECIPES / "risk" / "ratchet.yaml"
    for more, ids in (([], set()), (["data.features.decision_code=category"], {"leaks.feature"})):
        found = check_up(open_target(path, overrides=[*overrides, *more]), cost="pairs")
        assert {finding.id for finding in found.findings if finding.severity == "error"} == ids
