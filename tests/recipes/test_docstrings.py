"""The recipes whose tables are made from the docstrings of installed packages: several labels a row, and a number a row."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ratchet.pipeline import run
from ratchet.recipe.recipe import load_recipe

FOLDER = Path(__file__).parents[2] / "recipes" / "docstrings"
LINEAR = "{kind: linear, name: wide, features: [{unit: word, low: 1, high: 2}, {unit: char, low: 2, high: 5, sublinear: true}]}"


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docstrings")
    subprocess.run([sys.executable, str(FOLDER / "make_tables.py"), str(folder)], check=True, capture_output=True)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "task", "least"), [("kinds", "multilabel", ("micro_f1", 0.15)), ("words", "regression", ("mae", 40.0))]
)
def test_the_wide_model_beats_the_first_champion(
    tables: Path, tmp_path: Path, name: str, task: str, least: tuple[str, float]
) -> None:
    overrides = [f"data.files=[{tables / f'{name}.csv'}]", f"workspace={tmp_path}", f"challengers=[{LINEAR}]"]
    summary = run(load_recipe(FOLDER / f"{name}.yaml", overrides=overrides))
    verdict = next(verdict for verdict in summary["verdicts"] if verdict["name"] == "wide")
    assert (verdict["metric"], verdict["against"]) == (least[0], "majority")
    assert verdict["outcome"] == "better"
    assert verdict["estimate"] > least[1]
    assert summary["scores"]["test"]["metric"] == least[0]
    assert summary["bundle"]
    assert load_recipe(FOLDER / f"{name}.yaml").task == task
