"""Which task right answers and answers look like, and which one has the metrics that are asked for."""

from __future__ import annotations

import pytest

from ratchet.errors import DataError, RatchetError
from ratchet.tasks.registry import guess_by_answers, task_of, with_metrics

NUMBERS = [f"{n}.5" for n in range(60)]
NAMES = [f"city {n}" for n in range(40)]


@pytest.mark.parametrize(
    ("references", "answers", "task"),
    [
        (["pos", "neg"] * 30, [["pos"] * 60], "classification"),
        (["0", "1"] * 30, [["0.0"] * 60], "classification"),
        (NAMES * 3, [NAMES * 3, ["somewhere"] * 120], "classification"),
        (NAMES * 3, [["It is somewhere."] * 120], "generation"),
        (NAMES, [NAMES], "generation"),
        (NUMBERS, [NUMBERS, []], "regression"),
        (NUMBERS, [[f"So the result is {n}." for n in NUMBERS]], "generation"),
        (['["a", "b"]', '["a"]'] * 9, [["a"] * 18], "multilabel"),
        ([], [["anything"]], "generation"),
    ],
)
def test_the_guess(references: list[str], answers: list[list[str]], task: str) -> None:
    assert guess_by_answers(references, answers).name == task


def test_metrics_choose_the_task_that_has_them() -> None:
    classes = task_of("classification")
    assert with_metrics(classes, ["macro_f1"]) is classes
    assert with_metrics(task_of("multilabel"), ["macro_f1"]).name == "multilabel"
    assert with_metrics(classes, ["token_f1", "bleu"]).name == "generation"
    assert (
        with_metrics(classes, ["mine:score"]).name == "generation"
    )  # a function of texts, unless --task says otherwise
    with pytest.raises(RatchetError, match=r"must be of one task .* but got accuracy, rmse\. Compare by one at a time"):
        with_metrics(classes, ["accuracy", "rmse"])


def test_right_answers_in_one_spelling() -> None:
    assert task_of("classification").spelled([" pos "]) == ["pos"]
    assert task_of("multilabel").spelled(["b;a", "a;c", "c;b", "a"])[0] == '["a", "b"]'
    assert task_of("generation").spelled([" as it is "]) == [" as it is "]
    with pytest.raises(DataError, match="must be numbers but 1 of 2 are not: 'many' first"):
        task_of("regression").spelled(["1", "many"])
