"""Which task a table is for, by the look of its answers."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

import pytest

from ratchet.errors import RatchetError
from ratchet.tables.dataset import Dataset
from ratchet.tasks.registry import TASKS, guess_task, task_of

DICE = random.Random(1)
LOOKS: dict[str, tuple[list[str], str]] = {
    "labels": (["good", "bad"] * 40, "classification"),
    "stars": ([str(n % 5 + 1) for n in range(80)], "classification"),
    "one class": (["good"] * 80, "classification"),
    "json lists": ([json.dumps(["a", "b"][: n % 3]) for n in range(80)], "multilabel"),
    "marks": (["a;b", "b", "a", "b;c", "c", "a;c"] * 14, "multilabel"),
    "prices": ([f"{DICE.uniform(1, 99):.2f}" for _ in range(80)], "regression"),
    "shares": ([f"{n % 60 / 2}%" for n in range(80)], "regression"),
    "ids of classes": ([str(n % 30) for n in range(90)], "classification"),
    "answers": ([f"We have sent your parcel number {n} on its way to you today." for n in range(80)], "generation"),
    "one word among prices": (["many", *(f"{n}.5" for n in range(80))], "classification"),
}


@pytest.mark.parametrize("case", LOOKS)
def test_answers_tell_their_task(table: Callable[..., Dataset], case: str) -> None:
    cells, task = LOOKS[case]
    rows = table({"text": [f"text {n}" for n in range(len(cells))], "label": cells})
    assert guess_task(rows).name == task


def test_conversations_are_for_generation(table: Callable[..., Dataset]) -> None:
    chats = [json.dumps([{"role": "user", "content": "q"}, {"role": "assistant", "content": str(n)}]) for n in range(9)]
    assert guess_task(table({"messages": chats}, text="messages", label=None)).name == "generation"


def test_an_empty_column_is_left_to_the_one_that_refuses_it(table: Callable[..., Dataset]) -> None:
    assert guess_task(table({"text": ["a"], "label": [None]})).name == "classification"


def test_tasks_by_name() -> None:
    assert [task_of(task.name) for task in TASKS] == [*TASKS]
    with pytest.raises(
        RatchetError, match="must be one of classification, multilabel, regression, generation but got 'x'"
    ):
        task_of("x")
