"""What a generator wrote, as texts: strictly read, and whatever is no new text is named for what it is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ratchet.bounds import json_value
from ratchet.near.copies import normalise, same_words
from ratchet.text.joined import joined

REFUSAL, ECHO, COPY, PREFIX, CUT = "refusal", "echo_of_the_prompt", "copy_of_an_example", "label_prefix", "cut"
CHATTER, FORM, SURPLUS, MISSING = "chatter", "not_as_asked", "surplus", "missing"

_NUMBER = re.compile(
    r"\s*(?:\*\*)?(?:[-*•·–—]\s+|[①-⑳]\s*|(?:\(\d{1,3}\)|（\d{1,3}）|\[\d{1,3}\])\s*|\d{1,3}\s*[.．)）、:：](?!\d)\s*)(?:\*\*\s*)?"
)
_FENCE = re.compile(r"^\s*```\w*\s*$", re.MULTILINE)
_QUOTES = {'"': '"', "“": "”", "「": "」", "'": "'", "‘": "’", "`": "`", "«": "»", "『": "』"}
_PREFIX = re.compile(
    r"^(?:label|category|class|text|example|answer|input|output|paraphrase|标签|类别|文本|例子|示例|答案|输出|改写)\s*\d*\s*[:：]"
    r"|(?:\blabel|\bcategory|标签|类别)\s*[:：]",
    re.IGNORECASE,
)
_INTRO = re.compile(r".*[:：]$|(?:sure|certainly|of course|okay|好的|当然|没问题)[,!.，！。].*", re.IGNORECASE)
_REFUSAL = re.compile(
    r"\W*(?:(?:as|i am|i['’]m) an? (?:helpful )?(?:ai|artificial|(?:large )?language model|assistant)\b"
    r"|(?:i['’]?m|i am|we are)?\s*(?:very |really |so )?(?:sorry|unfortunately|i apologi[sz]e)[^.]{0,40}"
    r"\b(?:i|we) (?:can(?:not|['’]?t| not)|am (?:unable|not able)|won['’]t|must decline)"
    r"|i (?:can(?:not|['’]?t| not)|am (?:unable|not able) to|won['’]t) "
    r"(?:assist|help(?: you)? with (?:that|this)|fulfil|comply|generate|(?:provide|write) (?:that|this|such|new|any))"
    r"|(?:很?抱歉|对不起|不好意思)[，,]?\s*(?:但是?)?\s*(?:我|作为)[^。]{0,16}(?:不能|无法|没法|不可以)"
    r"|(?:作为|我是)(?:一个|一名|一款)?\s*(?:ai|人工智能|语言模型|大模型|助手)"
    r"|我(?:不能|无法)(?:协助|提供|生成|满足|完成|帮))",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[\n。：:]|\. ")
_ECHO = 18
"""So many bytes of the prompt again are an echo: three words, or six Chinese characters."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One text that was written, or what it was instead."""

    raw: str
    text: str | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What was asked: what the prompt says around the texts that it shows, these texts, what their label is called there, and
    how many new ones were wanted."""

    around: str
    shown: Sequence[str]
    label: str
    count: int
    columns: int = 1


def read(answer: str, asked: Question, *, cut: bool = False) -> list[Line]:
    """The lines of an answer, at least ``asked.count``: those that did not come are `MISSING`.

    >>> asked = Question(around="Write 2 texts like these:", shown=["a room"], label="hotel", count=2)
    >>> [(line.text, line.reason) for line in read('1. "A quiet room"\\n2. a room', asked)]
    [('A quiet room', ''), (None, 'copy_of_an_example')]
    """
    answer = _FENCE.sub("", answer).strip()
    refuses = _may(_REFUSAL, asked.shown)
    listed = any(_NUMBER.match(line) for line in answer.splitlines())
    if refuses is not None and refuses.match(answer) and not listed:
        found = [Line(raw=answer, reason=REFUSAL)]
    else:
        found = [_judged(line, asked, refuses) for line in _lines(answer, asked)]
        if cut and found:
            found[-1] = Line(raw=found[-1].raw, reason=CUT)
    good = 0
    for place, line in enumerate(found):
        good += line.text is not None
        if line.text is not None and good > asked.count:
            found[place] = Line(raw=line.raw, reason=SURPLUS)
    short = asked.count - sum(line.reason not in (CHATTER, SURPLUS) for line in found)
    return [*found, *[Line(raw="", reason=MISSING)] * short]


def complete(answer: str) -> int:
    """How many texts of an answer that is still being written are at their end.

    >>> complete("Sure:\\n1. a room\\n2. a qui")
    1
    """
    lines = [line for line in answer.split("\n")[:-1] if line.strip()]
    return sum(bool(_NUMBER.match(line)) for line in lines) or len(lines)


def _may(pattern: re.Pattern[str], shown: Sequence[str]) -> re.Pattern[str] | None:
    """The pattern, unless the rows themselves are so."""
    return None if any(pattern.search(text) for text in shown) else pattern


def _lines(answer: str, asked: Question) -> Iterator[Line]:
    """Each text of an answer, without number, bullet and quotes; nothing is judged yet."""
    whole = _list(answer)
    if whole is not None and (asked.columns == 1 or any(isinstance(one, list | dict) for one in whole)):
        for one in whole:
            yield _of_json(one, asked, raw=str(one))
        return
    lines = [line.strip() for line in answer.splitlines() if line.strip()]
    numbered = any(_NUMBER.match(line) for line in lines)
    for place, line in enumerate(lines):
        begins = _NUMBER.match(line)
        if (numbered and not begins) or (not numbered and place == 0 < len(lines) - 1 and _INTRO.fullmatch(line)):
            yield Line(raw=line, reason=CHATTER)
            continue
        yield _of_line(line[begins.end() :] if begins else line, asked, raw=line)


def _of_line(text: str, asked: Question, *, raw: str) -> Line:
    """A line, which may hold its text as JSON."""
    text = text.strip().removesuffix("**").strip()
    if text[:1] in ('"', "[", "{"):
        try:
            return _of_json(json_value(text.rstrip(",").encode("utf-8", "surrogatepass")), asked, raw=raw)
        except ValueError:
            pass
    if asked.columns > 1:
        return Line(raw=raw, reason=FORM)
    if len(text) > 1 and _QUOTES.get(text[0]) == text[-1] and text[0] not in text[1:-1]:
        text = text[1:-1].strip()
    elif text.count('"') == 1:
        text = text.strip('"').strip()
    return Line(raw=raw, text=text)


def _of_json(value: object, asked: Question, *, raw: str) -> Line:
    if isinstance(value, dict):
        value = value.get("text", [*value.values()] if asked.columns > 1 else None)
    if asked.columns == 1 and isinstance(value, list) and len(value) == 1:
        value = value[0]
    if asked.columns == 1 and isinstance(value, str):
        return Line(raw=raw, text=value.strip())
    if asked.columns > 1 and isinstance(value, list) and len(value) == asked.columns:
        cells = [cell.strip() for cell in value if isinstance(cell, str)]
        if len(cells) == asked.columns:
            return Line(raw=raw, text=joined(cells))
    return Line(raw=raw, reason=FORM)


def _list(answer: str) -> list[object] | None:
    """The list that an answer is as a whole, by itself or under one key; ``None``: it is none."""
    if answer[:1] not in ("[", "{"):
        return None
    try:
        value = json_value(answer.encode("utf-8", "surrogatepass"))
    except ValueError:
        return None
    if isinstance(value, dict) and len(value) == 1:
        (value,) = value.values()
    return value if isinstance(value, list) else None


def _judged(line: Line, asked: Question, refuses: re.Pattern[str] | None) -> Line:
    """The line, without its text where that is no new one."""
    if line.text is None:
        return line
    plain = normalise(line.text)
    label = normalise(asked.label)
    prefix = _may(_PREFIX, asked.shown)
    if not plain:
        reason = MISSING
    elif _copies(line.text, asked):
        reason = COPY
    elif refuses is not None and refuses.match(line.text):
        reason = REFUSAL
    elif prefix is not None and (
        prefix.search(line.text) or plain.startswith((f"{label}:", f"{label} -", f"[{label}]"))
    ):
        reason = PREFIX
    elif line.text[-1] in ":：" and not any(text.rstrip()[-1:] in (":", "：") for text in asked.shown):
        reason = CHATTER
    elif plain == label or _echoes(line.text, asked):
        reason = ECHO
    else:
        return line
    return Line(raw=line.raw, reason=reason)


def _copies(text: str, asked: Question) -> bool:
    """Whether it is a text that was shown, or has one in it that is not short."""
    said, shown = same_words(text), {same_words(one) for one in asked.shown}
    return said in shown or any(_bytes(one) >= _ECHO and one in said for one in shown)


def _echoes(text: str, asked: Question) -> bool:
    """Whether it repeats what was said around the examples."""
    whole, plain = normalise(asked.around), normalise(text)
    if _bytes(plain) >= _ECHO and plain in whole:
        return True
    sentences = (normalise(one) for one in _SENTENCE.split(asked.around))
    return any(_bytes(one) >= _ECHO and one in plain for one in sentences)


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
