from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ratchet.errors import RecipeError
from ratchet.scores.user_score import user_score

CODE = """
value = 3
def length(answers, references):
    return [len(answer or "") for answer in answers]
def short(answers, references):
    return [1.0]
def words(answers, references):
    return ["x" for _ in answers]
def nothing(answers, references):
    return None
def infinite(answers, references):
    return [0.0, float("inf")]
def leaves(answers, references):
    raise SystemExit(0)
def loud(answers, references):
    print("loud")
    answers[0] = references[0]
    return [1.0, 0.0]
def broken(answers, references):
    raise KeyError("k")
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    def write(code: str) -> str:
        name = f"own_scores_{len(list(tmp_path.iterdir()))}_{abs(hash(str(tmp_path)))}"
        (tmp_path / f"{name}.py").write_text(code)
        return name

    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return write


def test_a_function_scores_rows(module: Callable[[str], str]) -> None:
    score = user_score(f"{module(CODE)}:length")
    assert score(["abc", None], ["x", "y"]).tolist() == [3, 0]


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("short", "one number for each of 2 rows but returned 1 numbers"),
        ("words", "for each of 2 rows but returned list"),
        ("nothing", "but returned NoneType"),
        ("infinite", "1 are not, that of row 2 first"),
        ("leaves", "but failed: SystemExit: 0"),
        ("broken", "but failed: KeyError: 'k'"),
    ],
)
def test_what_is_returned_is_checked(module: Callable[[str], str], function: str, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        user_score(f"{module(CODE)}:{function}")(["a", "b"], ["a", "b"])


def test_what_it_prints_is_not_the_verdict_and_it_changes_no_answer(
    module: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    answers = ["a", "b"]
    assert user_score(f"{module('print(1)' + CODE)}:loud")(answers, ["x", "y"]).tolist() == [1, 0]
    assert answers == ["a", "b"]
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.split() == ["1", "loud"]


@pytest.mark.parametrize("code", ["raise SystemExit(0)", "1 / 0", "raise KeyError"])
def test_a_module_that_fails_when_it_is_imported_is_said(module: Callable[[str], str], code: str) -> None:
    with pytest.raises(RecipeError, match="must be importable but got: "):
        user_score(f"{module(code)}:f")


def test_what_cannot_be_imported_is_said(module: Callable[[str], str]) -> None:
    for name in ("length", "a b:c", ":x", "os:", "../x:y", "os:path.join"):
        with pytest.raises(RecipeError, match="must be named as module:function"):
            user_score(name)
    with pytest.raises(RecipeError, match="must be importable but got: No module named 'not_there_at_all'"):
        user_score("not_there_at_all:x")
    name = module(CODE)
    with pytest.raises(RecipeError, match=r"must be a function of .* but that has the functions"):
        user_score(f"{name}:other")
    with pytest.raises(RecipeError, match="must be a function but is int"):
        user_score(f"{name}:value")
    with pytest.raises(RecipeError, match="must be importable"):
        user_score(f"{module('def f(:')}:f")
