from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratchet.tasks.replies import (
    DENIED,
    NO_LABEL,
    NO_NUMBER,
    NO_TEXT,
    SEVERAL_LABELS,
    SEVERAL_NUMBERS,
    UNKNOWN_LABEL,
    Parsed,
    label,
    label_set,
    number,
    plain_text,
    unparsable,
)

SPAM = ("spam", "ham")
MOOD = ("正面", "负面")


@pytest.mark.parametrize(
    ("text", "labels", "value"),
    [
        ("spam", SPAM, "spam"),
        (" Spam. ", SPAM, "spam"),
        ("ＳＰＡＭ", SPAM, "spam"),
        ('"spam"', SPAM, "spam"),
        ("**spam**", SPAM, "spam"),
        ("Label: spam.", SPAM, "spam"),
        ("The label is spam", SPAM, "spam"),
        ("My final answer is: Spam!", SPAM, "spam"),
        ("I think that this is spam, clearly spam.", SPAM, "spam"),
        ("Label: spam\nReason: it asks for money", SPAM, "spam"),
        ('{"label": "spam"}', SPAM, "spam"),
        ('{"label": "SPAM.", "reason": "no ham"}', SPAM, "spam"),
        ('{"verdict": "spam"}', SPAM, "spam"),
        ('["spam"]', SPAM, "spam"),
        ('```json\n{"label": "spam"}\n```', SPAM, "spam"),
        ("```\nspam\n```", SPAM, "spam"),
        ('Here it is: {"label": "spam"} as you asked', SPAM, "spam"),
        ("<think>ham? no, spam</think>\nspam", SPAM, "spam"),
        ("正面", MOOD, "正面"),
        ("标签：正面。", MOOD, "正面"),
        ("情感类别：“正面”", MOOD, "正面"),
        ("分类结果为：负面", MOOD, "负面"),
        ("《负面》", MOOD, "负面"),
        ("这条评论是负面的。", MOOD, "负面"),
        ('{"标签"：1}', ("1", "2"), "1"),
        ('{"标签": "正面"}', MOOD, "正面"),
        ("1.", ("1", "2"), "1"),
        ('{"label": 1}', ("1", "2"), "1"),
        ('{"label": true}', ("true", "false"), "true"),
        ("１", ("1", "2"), "1"),
        ("Label: 2", ("1", "2"), "2"),
        ("not spam", ("spam", "not spam"), "not spam"),
        ("It is not spam.", ("spam", "not spam"), "not spam"),
        ("不好", ("好", "不好"), "不好"),
        ("非常好", ("好", "坏"), "好"),
        ("answer", ("answer", "question"), "answer"),
        ("Answer: question", ("answer", "question"), "question"),
        ("Spam", ("Spam", "spam "), "Spam"),
        ("C++", ("C", "C++", "C#"), "C++"),
        ("card_lost", ("card_lost", "top_up"), "card_lost"),
        ("none", ("none", "some"), "none"),
    ],
)
def test_a_label(text: str, labels: tuple[str, ...], value: str) -> None:
    assert label(text, labels) == Parsed(value=value)


@pytest.mark.parametrize(
    ("text", "labels", "reason"),
    [
        ("spam or ham", SPAM, SEVERAL_LABELS),
        ("Label: spam. It is not ham.", SPAM, SEVERAL_LABELS),
        ("正面和负面都有", MOOD, SEVERAL_LABELS),
        ('{"label": ["spam", "ham"]}', SPAM, SEVERAL_LABELS),
        ('{"label": "spam", "label": "ham"}', SPAM, SEVERAL_LABELS),
        ("It is not spam", SPAM, DENIED),
        ("This isn't a spam message", SPAM, DENIED),
        ("不是正面", MOOD, DENIED),
        ("", SPAM, NO_LABEL),
        ("I cannot tell.", SPAM, NO_LABEL),
        ("spammy hamlet", SPAM, NO_LABEL),
        ("<think>it is spam, is it", SPAM, NO_LABEL),
        ("1.5", ("1", "5"), NO_LABEL),
        ("[]", SPAM, NO_LABEL),
        ('{"label": "eggs"}', SPAM, UNKNOWN_LABEL),
        ('{"label": "spam or ham"}', SPAM, UNKNOWN_LABEL),
        ('{"label": null}', SPAM, UNKNOWN_LABEL),
        ('{"label": {"is": "spam"}}', SPAM, UNKNOWN_LABEL),
        ("SPAM", ("Spam", "spam "), SEVERAL_LABELS),
        ("x", (), NO_LABEL),
        ("spam" + " x" * 20_000, SPAM, NO_LABEL),
    ],
)
def test_no_label(text: str, labels: tuple[str, ...], reason: str) -> None:
    assert label(text, labels) == Parsed(reason=reason)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("快", ("快",)),
        ("便宜、快", ("快", "便宜")),
        ("标签：快，便宜；新", ("快", "便宜", "新")),
        ("- 快\n- 便宜", ("快", "便宜")),
        ("1. 快\n2. 便宜\n", ("快", "便宜")),
        ('["新", "快", "新"]', ("快", "新")),
        ('```json\n{"labels": ["新"]}\n```', ("新",)),
        ("[]", ()),
        ("None.", ()),
        ("无", ()),
    ],
)
def test_a_list_of_labels(text: str, value: tuple[str, ...]) -> None:
    assert label_set(text, ("快", "便宜", "新")) == Parsed(value=value)


@pytest.mark.parametrize(
    ("text", "reason"), [("快, 慢", UNKNOWN_LABEL), ("", NO_LABEL), ('{"labels": [1]}', UNKNOWN_LABEL)]
)
def test_no_list_of_labels(text: str, reason: str) -> None:
    assert label_set(text, ("快", "便宜", "新")) == Parsed(reason=reason)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4", 4),
        ("-3.5", -3.5),
        ("+.5", 0.5),
        ("4.", 4),
        ("Score: 4.5 points", 4.5),
        ("评分：４.５。", 4.5),
        ("我给4分", 4),
        ("四分", 4),
        ("1,234.5", 1234.5),
        ("1.2万", 12000),
        ("85%", 0.85),
        ("百分之85", 0.85),
        ("1e3", 1000),
        ('{"score": 4}', 4),
        ('{"评分": "４"}', 4),
        ("[4]", 4),
        ("<think>3 or 5?</think>4", 4),
    ],
)
def test_a_number(text: str, value: float) -> None:
    found = number(text)
    assert found.reason == ""
    assert found.value == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("4/5", SEVERAL_NUMBERS),
        ("3-4", SEVERAL_NUMBERS),
        ("1,5", SEVERAL_NUMBERS),
        ("4 [see 1]", SEVERAL_NUMBERS),
        ("none", NO_NUMBER),
        ("", NO_NUMBER),
        ("v2", NO_NUMBER),
        ("NaN", NO_NUMBER),
        ("1e999", NO_NUMBER),
        ('{"score": NaN}', NO_NUMBER),
        ('{"score": 1e999}', NO_NUMBER),
        ('{"score": true}', NO_NUMBER),
        ('{"score": null}', NO_NUMBER),
        ('{"score": ' + "9" * 400 + "}", NO_NUMBER),
    ],
)
def test_no_number(text: str, reason: str) -> None:
    assert number(text) == Parsed(reason=reason)


def test_plain_text() -> None:
    assert plain_text("<think>hm\n</think>\n\n```py\nx\n``` \n").value == "```py\nx\n```"
    assert plain_text(" a <think>b</think>").value == "a <think>b</think>"
    assert plain_text("<think>endless").reason == NO_TEXT
    assert plain_text(" ").reason == NO_TEXT


def test_unparsable_replies_are_counted() -> None:
    found = [label(text, SPAM) for text in ("spam", "eggs", "spam ham", "", "ham")]
    assert unparsable(found) == {NO_LABEL: 2, SEVERAL_LABELS: 1}


@given(st.text(max_size=60), st.lists(st.text(max_size=8), max_size=4))
def test_no_reply_breaks_it(text: str, labels: list[str]) -> None:
    assert label(text, labels).value in (None, *labels)
    assert label_set(text, labels).reason is not None
    assert number(text).reason is not None
    assert plain_text(text).reason is not None


@given(st.lists(st.sampled_from(("alpha", "beta", "不", "gamma ray")), min_size=1, unique=True), st.data())
def test_each_label_is_read_from_itself(labels: list[str], data: st.DataObject) -> None:
    one = data.draw(st.sampled_from(labels))
    for text in (one, f"Label: {one}", f'{{"label": "{one}"}}', f"“{one}”。", one.upper()):
        assert label(text, labels).value == one


@pytest.mark.parametrize(
    "text", ["{" * 19_000, "label " * 3_000, "1," * 9_000, "```" * 6_000, "<think>" * 2_000, "不" * 19_000]
)
def test_long_nonsense_takes_no_time(text: str) -> None:
    begun = time.perf_counter()
    label(text, SPAM)
    label_set(text, SPAM)
    number(text)
    assert time.perf_counter() - begun < 2
