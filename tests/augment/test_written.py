from __future__ import annotations

import json

import pytest

from ratchet.augment.wording import asking
from ratchet.augment.written import Question, complete, read
from ratchet.recipe.augment import GenerateSpec
from ratchet.text.joined import joined

SHOWN = ["the room was dirty", "the staff were rude"]


def question(*shown: str, count: int = 2, label: str = "complaint", language: str = "en", columns: int = 1) -> Question:
    texts = shown or SHOWN
    _, around = asking(
        texts,
        label,
        spec=GenerateSpec(),
        language=language,  # type: ignore[arg-type]
        count=count,
        again=0,
        columns=columns,
    )
    return Question(around=around, shown=texts, label=label, count=count, columns=columns)


def told(answer: str, asked: Question, *, cut: bool = False) -> list[str]:
    """The texts, and in their place the reasons of what is none."""
    lines = read(answer, asked, cut=cut)
    assert all((line.text is None) == bool(line.reason) for line in lines)
    return [line.reason if line.text is None else f"= {line.text}" for line in lines]


GOOD = ["= the bed was hard", "= nobody answered"]


@pytest.mark.parametrize(
    "answer",
    [
        "1. the bed was hard\n2. nobody answered",
        "1) the bed was hard\n\n2) nobody answered\n",
        "(1) the bed was hard\n(2) nobody answered",
        "1、the bed was hard\n2、nobody answered",
        "- the bed was hard\n- nobody answered",
        "• the bed was hard\n• nobody answered",
        '1. "the bed was hard"\n2. “nobody answered”',
        "**1.** the bed was hard\n**2.** nobody answered",
        "1. **the bed was hard**\n2. **nobody answered**",
        "```\n1. the bed was hard\n2. nobody answered\n```",
        '```json\n["the bed was hard", "nobody answered"]\n```',
        '{"texts": ["the bed was hard", "nobody answered"]}',
        '{"text": "the bed was hard"}\n{"text": "nobody answered"}',
        '"the bed was hard"\n"nobody answered"',
        "the bed was hard\nnobody answered",
    ],
)
def test_numbers_bullets_quotes_and_fences_are_taken_off(answer: str) -> None:
    assert told(answer, question()) == GOOD


@pytest.mark.parametrize(
    ("answer", "reasons"),
    [
        ("Sure! Here are two texts:\n1. the bed was hard\n2. nobody answered", ["chatter", *GOOD]),
        ("1. the bed was hard\n2. nobody answered\n3. a third one", [*GOOD, "surplus"]),
        ("1. the bed was hard", [GOOD[0], "missing"]),
        ("", ["missing", "missing"]),
        ("I'm sorry, but I can't help with that request.", ["refusal", "missing"]),
        ("As an AI language model, I cannot write complaints.", ["refusal", "missing"]),
        ("1. the bed was hard\n2. As an AI, I have no bed", [GOOD[0], "refusal"]),
        ("1. The room was dirty.\n2. nobody answered", ["copy_of_an_example", GOOD[1]]),
        ("1. the room was dirty, and the bed\n2. nobody answered", ["copy_of_an_example", GOOD[1]]),
        ("1. I am a helpful AI named X\n2. I am an artist", ["refusal", "= I am an artist"]),
        ("I am an AI.\n1. the bed was hard\n2. nobody answered", ["chatter", *GOOD]),
        ("1. Original sentence:\n2. the bed was hard\n3. nobody answered", ["chatter", *GOOD]),
        ("1. complaint: the bed was hard\n2. nobody answered", ["label_prefix", GOOD[1]]),
        ("1. Text: the bed was hard\n2. nobody answered. Label: complaint", ["label_prefix", "label_prefix"]),
        ("1. complaint\n2. nobody answered", ["echo_of_the_prompt", GOOD[1]]),
        ('1. Write 2 new texts of the same kind\n2. Texts of the kind "complaint"', ["echo_of_the_prompt"] * 2),
        ("1. the bed was hard\n2. 4.5 stars, no more", [GOOD[0], "= 4.5 stars, no more"]),
        ("1. \n2. nobody answered", ["missing", GOOD[1]]),
        ('[1, "nobody answered"]', ["not_as_asked", GOOD[1]]),
    ],
)
def test_what_is_no_new_text_is_named(answer: str, reasons: list[str]) -> None:
    assert told(answer, question()) == reasons


@pytest.mark.parametrize(
    ("answer", "reasons"),
    [
        ("1. 床太硬了\n2. 没有人接电话", ["= 床太硬了", "= 没有人接电话"]),
        ("好的，以下是两条：\n1. 床太硬了\n2. 没有人接电话", ["chatter", "= 床太硬了", "= 没有人接电话"]),
        ("1. “床太硬了”\n2. 「没有人接电话」", ["= 床太硬了", "= 没有人接电话"]),
        ("作为一个AI，我不能写投诉。", ["refusal", "missing"]),
        ("抱歉，我无法满足这个要求。", ["refusal", "missing"]),
        ("1. 投诉：床太硬了\n2. 标签：投诉", ["label_prefix", "label_prefix"]),
        ("1. 房间很脏。\n2. 请再写2条同类的新文本", ["copy_of_an_example", "echo_of_the_prompt"]),
    ],
)
def test_chinese(answer: str, reasons: list[str]) -> None:
    assert told(answer, question("房间很脏", "前台态度差", label="投诉", language="zh")) == reasons


def test_the_text_that_was_cut_is_dropped() -> None:
    assert told("1. the bed was hard\n2. nobody answ", question(), cut=True) == [GOOD[0], "cut"]


def test_what_the_rows_are_like_is_no_fault() -> None:
    asked = question("I'm sorry, I can't find my card", "Text: where is my card", count=1)
    for answer in ("I'm sorry, I can't see my card", "1. Text: it is late"):
        assert told(answer, asked)[0].startswith("= ")


def test_several_columns_come_as_lists() -> None:
    asked = question(joined(["a title", "a body"]), columns=2, count=1)
    assert told('["new title", "new\\nbody"]', asked) == ["= " + joined(["new title", "new\nbody"])]
    assert told('1. ["new title", "new body"]', asked) == ["= " + joined(["new title", "new body"])]
    assert told('["one alone"]', asked) == told("new title, new body", asked) == ["not_as_asked"]


def test_several_lines_come_as_json() -> None:
    asked = question("two\nlines", count=1)
    assert told(json.dumps("other\nlines"), asked) == ["= other\nlines"]


@pytest.mark.parametrize(
    ("answer", "count"), [("1. a\n2. b\n3. c", 2), ("a\nb\n", 2), ("Sure:\n1. a\n", 1), ("1. a", 0), ("", 0)]
)
def test_complete_texts(answer: str, count: int) -> None:
    assert complete(answer) == count
