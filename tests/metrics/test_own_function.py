"""A function of the user's own that its module has not."""

from __future__ import annotations

from pathlib import Path

import pytest

from ratchet.errors import RecipeError
from ratchet.metrics.own_function import own_function

MODULE = """
from math import floor

LIMIT = 3

def _inner(right, given): ...
def politeness(right, given): ...
def cost(right, given): ...
def costs_of_all(right, given): ...
"""


def missing(module: str, name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, source: str = MODULE) -> RecipeError:
    (folder / f"{module}.py").write_text(source)
    monkeypatch.syspath_prepend(str(folder))
    with pytest.raises(RecipeError) as caught:
        own_function(f"{module}:{name}", noun="metric")
    return caught.value


def test_the_functions_that_are_there_are_named_the_nearest_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = missing("my_scores_a", "costs", tmp_path, monkeypatch)
    place = tmp_path / "my_scores_a.py"
    assert error.problem == (
        f"The metric 'my_scores_a:costs' must be a function of my_scores_a ({place}) but that has the functions "
        "cost, costs_of_all, politeness."
    )
    assert error.next_step == "Did you mean my_scores_a:cost?"
    assert "PYTHONPATH" not in str(error)


def test_no_name_near_is_no_guess(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = missing("my_scores_b", "xyz", tmp_path, monkeypatch)
    assert error.problem.endswith("has the functions politeness, cost, costs_of_all.")
    assert error.next_step == "Name a function that is there, or write xyz."


def test_many_functions_are_counted_and_none_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = "\n".join(f"def number_{place}(): ..." for place in range(11))
    assert missing("my_scores_c", "xyz", tmp_path, monkeypatch, many).problem.endswith("number_7 and 3 more.")
    assert missing("my_scores_d", "xyz", tmp_path, monkeypatch, "a = 1").problem.endswith("has no function of its own.")


def test_a_module_that_fails_is_told_as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = missing("my_scores_e", "cost", tmp_path, monkeypatch, "import not_there_at_all_either")
    assert "No module named 'not_there_at_all_either'" in error.problem
    assert "PYTHONPATH" in error.next_step
