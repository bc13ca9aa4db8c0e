"""Conversations: what is taken for one, and each fault in its own row."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ratchet.checks import Finding, chat, completeness, duplicates, run_checks
from ratchet.recipe.sections import CheckConfig, Recipe
from ratchet.tables.conversations import turns

U, A, S = "user", "assistant", "system"


def messages(*pairs: tuple[str, Any]) -> str:
    return json.dumps([{"role": role, "content": content} for role, content in pairs], ensure_ascii=False)


GOOD = [messages((U, f"What is {i} plus {i}?"), (A, f"It is {2 * i}.")) for i in range(20)]


@pytest.mark.parametrize(
    "columns",
    [
        {"text": ["a", "b"], "label": ["x", "y"]},
        {"text": ['["a"]', "[1, 2]"]},
        {"text": ['[{"a": 1}]', "[]"]},
        {"text": ["[broken", "[{"]},
        {"text": [None, None]},
        {"question": ["a"], "label": ["b"]},
        {"text": [GOOD[0], *["plain"] * 9]},
    ],
)
def test_other_tables_have_no_findings(columns: dict[str, list[str | None]], table: Any, found: Any) -> None:
    assert found(chat.check, table(columns, text=next(iter(columns)))) == {}


def test_an_answer_column_that_is_the_label_makes_no_conversation(table: Any, found: Any) -> None:
    assert found(chat.check, table({"question": ["a"], "answer": ["b"]}, text="question", label="answer")) == {}


def test_a_good_table_is_only_told_what_it_was_taken_for(table: Any, found: Any) -> None:
    findings = found(chat.check, table({"messages": GOOD}, text="messages"))
    assert set(findings) == {"chat.recognised"}
    note = findings["chat.recognised"]
    assert note.severity == "note"
    assert note.message == (
        "The table is taken for conversations in 'messages', lists of {role, content}: 20 rows, 40 turns, the longest about "
        "11 tokens."
    )


ORDERS = [
    ([(S, "Be kind."), (U, "Hi"), (A, "Hello"), (U, "Bye"), (A, "Bye")], ""),
    ([("developer", "Be kind."), (U, "Hi"), (A, "Hello")], ""),
    ([(U, "Sum?"), (A, "I call."), ("tool", "3"), ("tool", "4"), (A, "7")], ""),
    ([], "no turns"),
    ([(S, "Only this.")], "the last turn is system"),
    ([(A, "Hello")], "turn 1 is assistant and the first"),
    ([(U, "Hi"), (U, "Hi?"), (A, "Yes")], "turn 2 is user after user"),
    ([(U, "Hi"), (A, "Hello"), (S, "Late"), (A, "Yes")], "turn 3 is system after assistant"),
    ([(U, "Hi"), (A, "Hello"), (U, "Are you there?")], "the last turn is user"),
    ([(U, "Hi"), ("narrator", "It rained."), (A, "Yes")], "turn 2 has the unknown role 'narrator'"),
    ([(U, "Hi"), ("", "?")], "turn 2 has no role"),
]


@pytest.mark.parametrize(("pairs", "fault"), ORDERS)
def test_the_order_of_roles(pairs: list[tuple[str, str]], fault: str) -> None:
    found = turns(messages(*pairs))
    assert found is not None
    assert chat.order_fault(found) == fault


@pytest.mark.parametrize("cell", ["", None, "text", "{}", "[1]", "[" * 100_000])
def test_what_is_no_list_of_messages(cell: str | None) -> None:
    assert turns(cell) is None


def test_parts_calls_and_nothing() -> None:
    cell = json.dumps(
        [
            {"role": "user", "content": [{"type": "text", "text": "See"}, {"type": "image_url", "image_url": "x"}]},
            {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
        ]
    )
    found = turns(cell)
    assert found is not None
    assert [(turn.text, turn.calls) for turn in found] == [("See\n[image_url]", False), ("", True)]


def faulty(table: Any, found: Any, *cells: str | None, recipe: Recipe | None = None) -> dict[str, Finding]:
    findings: dict[str, Finding] = found(chat.check, table({"m": [*GOOD, *cells]}, text="m"), recipe=recipe)
    return {id: finding for id, finding in findings.items() if id != "chat.recognised"}


COPY = "The quick brown fox jumps over the lazy dog."


@pytest.mark.parametrize(
    ("cell", "id", "severity", "note"),
    [
        (messages((U, "Hi")), "chat.roles", "error", "the last turn is user"),
        ("[oops", "chat.roles", "error", "no list of messages"),
        (messages((U, " \n"), (A, "Hello")), "chat.empty_turn", "warning", "turn 1 (user) is empty"),
        (messages((U, "Hi"), (A, "")), "chat.empty_turn", "error", "turn 2 (assistant) is empty"),
        (messages((U, "Hi"), (A, None)), "chat.empty_turn", "error", "turn 2 (assistant) is empty"),
        (messages((U, "字" * 90), (A, "one two")), "chat.too_long", "warning", "about 93 tokens"),
        (messages((U, "Hi <|im_start|>system"), (A, "No")), "chat.template_tokens", "error", "<|im_start|> in a turn"),
        (messages((U, "Hi"), (A, "No</s>")), "chat.template_tokens", "error", "</s> in a turn of the assistant"),
        (messages((U, "[INST] Hi"), (A, "No")), "chat.template_tokens", "error", "[INST] in a turn of the user"),
        (messages((U, "<<SYS>> Hi"), (A, "No")), "chat.template_tokens", "error", "<<SYS>> in a turn of the user"),
        (messages((U, "<｜end▁of▁sentence｜>"), (A, "No")), "chat.template_tokens", "error", "<｜end▁of▁sentence｜> in a turn"),
        (messages((U, "what  is 3 PLUS 3?"), (A, "Nine.")), "chat.duplicate_prompt", "warning", "2 rows have this prompt"),
        (messages((U, f"Repeat: {COPY} Now."), (A, COPY)), "chat.answer_in_prompt", "warning", "the answer, 44 characters"),
        (messages((U, "Do it"), (A, "I'm sorry, but I can't do that.")), "chat.refusal", "note", "answer begins: I'm sorry"),
        (messages((U, "做吧"), (A, "抱歉，我无法回答这个问题。")), "chat.refusal", "note", "the answer begins: 抱歉"),
        (messages((U, "做吧"), (A, "作为一个人工智能，我没有感情。")), "chat.refusal", "note", "the answer begins: 作为"),
    ],
)  # fmt: skip
def test_each_fault_is_one_finding_with_its_row(
    cell: str, id: str, severity: str, note: str, table: Any, found: Any
) -> None:
    recipe = Recipe(check=CheckConfig(context_tokens=80))
    findings = faulty(table, found, cell, recipe=recipe)
    assert set(findings) == {id}
    finding = findings[id]
    assert finding.severity == severity
    assert finding.row_numbers["a.csv"].tolist() == ([4, 21] if id == "chat.duplicate_prompt" else [21])
    assert note in finding.examples[0].note


@pytest.mark.parametrize(
    "cell",
    [
        messages((U, "a < b | c and x[INST"), (A, "Ok <b>bold</b> |>")),
        messages((U, "Say yes or no: yes?"), (A, "yes")),
        messages((U, "I'm sorry, I can't come."), (A, "Sorry to hear that.")),
        messages((U, "What is 3 plus 3?"), (A, "it is 6.")),
        messages((U, "Where?"), (A, "Sorry for the delay: here.")),
    ],
)
def test_what_looks_like_a_fault_and_is_none(cell: str, table: Any, found: Any) -> None:
    assert faulty(table, found, cell) == {}


def test_broken_rows_do_not_hide_the_conversations(table: Any, found: Any) -> None:
    cells = ["hello", "[]", "[1, 2]", '[{"content": "no role"}]', *GOOD[:5]]
    finding = found(chat.check, table({"m": cells}, text="m"))["chat.roles"]
    assert finding.row_numbers["a.csv"].tolist() == [1, 2, 3, 4]


def test_a_single_fault_among_many_rows_is_a_warning(table: Any, found: Any) -> None:
    cells = [*GOOD * 10, messages((U, "Hi"))]
    finding = found(chat.check, table({"m": cells}, text="m"))["chat.roles"]
    assert finding.severity == "warning"
    assert "1 row (0.5 %) has roles out of order (the last turn is user: 1)" in finding.message


@pytest.mark.parametrize(("text", "expected"), [("", 0), ("你好 hello world", 5), ("こんにちは", 5), ("a b c", 4)])
def test_the_estimate_of_tokens(text: str, expected: int) -> None:
    assert chat.tokens(text) == expected


def test_the_whole_check_of_conversations_without_a_label(table: Any) -> None:
    health = run_checks(table({"messages": [*GOOD, "[oops", messages((U, "Hi"))]}, text="messages"))
    ids = {finding.id for finding in health.findings}
    assert {"chat.recognised", "chat.roles"} <= ids
    assert "check.failed" not in ids


def test_an_instruction_with_another_input_is_another_prompt(table: Any, found: Any) -> None:
    asked = {"instruction": ["翻译"] * 4, "input": ["你好", "再见", None, None], "output": ["hello", "bye", "a", "b"]}
    copies = found(duplicates.check, table(asked, text="instruction"))["duplicates.exact"]
    assert copies.row_numbers["a.csv"].tolist() == [4]
    assert copies.fix == ""
    nothing = table({"prompt": [None, "a"], "input": [None, None], "answer": ["x", "y"]}, text="prompt")
    assert found(duplicates.check, nothing) == {}


def test_columns_of_a_conversation_are_not_to_be_left_out(table: Any, found: Any) -> None:
    asked = {
        "system": ["你是助手"] * 4,
        "prompt": list("abcd"),
        "input": ["x", None, None, None],
        "answer": list("efgh"),
    }
    findings = found(completeness.check, table(asked, text="prompt"))
    assert [(id, finding.severity, finding.fix) for id, finding in findings.items()] == [
        ("completeness.missing", "note", "")
    ]
