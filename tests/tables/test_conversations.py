from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from ratchet.checks import Context, chat, completeness
from ratchet.recipe.sections import Recipe
from ratchet.tables.conversations import Chat, recognised, rows

U, A, S = "user", "assistant", "system"


def messages(*pairs: tuple[str, Any]) -> str:
    return json.dumps([{"role": role, "content": content} for role, content in pairs], ensure_ascii=False)


def shared(*pairs: tuple[str, str]) -> str:
    return json.dumps([{"from": role, "value": value} for role, value in pairs], ensure_ascii=False)


GOOD = [messages((U, f"What is {i} plus {i}?"), (A, f"It is {2 * i}.")) for i in range(20)]


@pytest.mark.parametrize(
    ("columns", "form", "cells"),
    [
        ({"messages": GOOD}, "messages", ("messages",)),
        ({"id": ["1"] * 20, "talk": GOOD}, "messages", ("talk",)),
        ({"conversations": [shared(("human", "Hi"), ("gpt", "Hello"))]}, "conversations", ("conversations",)),
        ({"Prompt": ["a"], "response": ["b"]}, "pairs", ("Prompt", "response")),
        ({"instruction": ["a"], "input": ["x"], "output": ["b"]}, "pairs", ("instruction", "input", "output")),
        ({"问题": ["a"], "回答": ["b"]}, "pairs", ("问题", "回答")),
    ],
)
def test_tables_of_conversations(columns: dict[str, list[str]], form: str, cells: tuple[str, ...], table: Any) -> None:
    found = recognised(table(columns, text=next(iter(columns))))
    assert found is not None
    assert (found.form, found.columns) == (form, cells)


def test_prompts_and_answers_are_turns(table: Any, found: Any) -> None:
    columns = {"instruction": ["Sum", "Add", None], "input": ["1 2", None, None], "output": ["3", "", "x"]}
    dataset = table(columns, text="instruction")
    chat_columns = Chat(form="pairs", columns=("instruction", "input", "output"))
    assert recognised(dataset) == chat_columns
    texts = [[turn.text for turn in row or ()] for row in rows(dataset, chat_columns)]
    assert texts == [["Sum\n1 2", "3"], ["Add", ""], ["", "x"]]
    assert found(chat.check, dataset)["chat.empty_turn"].rows == 2


def test_conversations_are_compared_by_their_words(table: Any) -> None:
    said = [("你好", "您好"), ("天气", "晴天"), ("再见", "慢走"), ("谢谢", "不客气")]
    cells = [messages((U, ask), (A, answer)) for ask, answer in said]
    context = Context(dataset=table({"messages": [*cells, "[]", None]}, text="messages"), recipe=Recipe(), seed=1)
    assert context.texts.values[0] == "你好\n您好"
    assert len(np.unique(context.clusters[:4])) == 4  # the JSON around the words made them near-duplicates
    assert context.groups[4:].tolist() == [-1, -1]


@pytest.mark.parametrize(
    "chosen",
    [
        json.dumps({"from": "gpt", "value": "Yes."}),
        json.dumps({"role": "assistant", "content": "Yes."}),
        shared(("gpt", "Yes.")),
        shared(("human", "Hi"), ("gpt", "Yes.")),
        "Yes.",
    ],
)
def test_the_answer_of_a_preference_table_is_in_a_column_of_its_own(table: Any, chosen: str) -> None:
    columns = {"conversations": [shared(("human", "Hi"))] * 5, "chosen": [chosen] * 5, "rejected": ["No."] * 5}
    columns |= {"system": ["Be kind."] * 5, "tools": ["[]"] * 5}
    data = table(columns, text="conversations")
    found = recognised(data)
    assert found is not None
    assert (found.answer, found.beside, found.system) == ("chosen", ("rejected", "tools"), "system")
    said = next(iter(rows(data, found)))
    assert said is not None
    assert [(turn.role, turn.text) for turn in said] == [(S, "Be kind."), (U, "Hi"), (A, "Yes.")]
    context = Context(dataset=data, recipe=Recipe(), seed=0)
    assert "chat.roles" not in {finding.id for finding in chat.check(context)}
    assert not [finding for finding in completeness.check(context) if finding.id == "completeness.constant"]


def test_prompt_chosen_rejected_are_pairs(table: Any) -> None:
    found = recognised(table({"prompt": ["a"], "chosen": ["b"], "rejected": ["c"]}, text="prompt"))
    assert found is not None
    assert (found.form, found.columns, found.beside) == ("pairs", ("prompt", "chosen"), ("rejected",))
