"""A text a row."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest

from ratchet.errors import RatchetError
from ratchet.tables.conversations import Turn
from ratchet.tables.dataset import Dataset
from ratchet.tasks.generation import ANSWER, PROMPT, SCORES, Generation, divided, text_score

TASK = Generation()


def test_conversations_become_prompts_and_answers(table: Callable[..., Dataset]) -> None:
    chats = [
        json.dumps([{"role": "user", "content": f"q{n}"}, {"role": "assistant", "content": f"a{n}"}]) for n in range(6)
    ]
    rows = TASK.read(table({"messages": chats}, text="messages", label=None))
    assert (rows.roles.text, rows.roles.label) == (PROMPT, ANSWER)
    assert rows.texts[:2] == ["q0", "q1"]
    assert rows.labels[:2] == ["a0", "a1"]
    TASK.require_trainable(rows)


def test_the_answer_is_the_last_turn_of_the_assistant() -> None:
    user, reply = Turn(role="user", text="q"), Turn(role="assistant", text="a")
    assert divided([user, reply]) == ("q", "a")
    assert divided([user]) == divided([]) == (None, None)
    assert divided([reply]) == (None, "a"), "nothing was asked"
    assert divided([user, Turn(role="assistant", text="  ")]) == (None, None)
    longer, answer = divided([user, reply, user, Turn(role="assistant", text="b")])
    assert [turn["role"] for turn in json.loads(longer or "")] == ["user", "assistant", "user"]
    assert answer == "b"


def test_the_first_champion_says_what_is_said_most() -> None:
    model = TASK.first_champion(TASK.targets(["Yes!", "no", " yes", "No idea", "yes"]))
    assert model.predict(["x"])[0, 0] == "Yes!"


def test_a_row_without_an_answer_scores_nothing() -> None:
    targets = TASK.targets(["a b", "a b"])
    columns = TASK.columns(targets, np.array([["a b"], [None]], object), metrics=("exact_match", "token_f1", "cost"))
    assert {name: column.tolist() for name, column in columns.outcomes.items()} == {
        "exact_match": [1, 0],
        "token_f1": [1, 0],
    }
    assert len(set(columns.targets["reference"].tolist())) == 1


def test_another_text_is_a_disagreement() -> None:
    found = TASK.parity(np.array([["a"], [None]], object), np.array([["a"], ["b"]], object))
    assert (found.disagreements, found.max_difference) == (1, 0.0)


def test_no_answer_is_a_missing_cell() -> None:
    answers = np.array([["a\tb"], [None]], object)
    cells = TASK.cells(answers, names=("answer",), facts={}, each_label=False)
    assert cells == [{"prediction": "a\tb"}, {"prediction": None}]


def test_halves_of_a_pair_that_belong_together_are_one_character() -> None:
    answers = np.array([["\ud83d\ude00\ud83d x"]], object)
    assert TASK.predictions(answers, names=("answer",), facts={}) == [{"text": "😀\ufffd x"}]


def test_scores_by_name() -> None:
    assert [text_score(name) for name in SCORES] == [*SCORES.values()]
    with pytest.raises(RatchetError, match=r"The metric must be one of exact_match, .* but got 'rouge'"):
        text_score("rouge")
