"""From the text of a reply to an answer: a label, several labels, a number or a text."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from ratchet.bounds import json_value
from ratchet.forms import SYLLABLES, characters
from ratchet.near.copies import normalise
from ratchet.prepare.labels import one_spelling

T = TypeVar("T")

NO_LABEL, SEVERAL_LABELS, DENIED = "no label named", "more than one label named", "a label named only to deny it"
UNKNOWN_LABEL, NO_NUMBER, SEVERAL_NUMBERS, NO_TEXT = "an unknown label", "no number", "more than one number", "no text"
_LONGEST = 20_000
"""Characters of a reply that is searched for labels or numbers; a longer one is no label."""
_SPACELESS = characters(SYLLABLES)
_THOUGHT = re.compile(r"\A\s*<(think|thinking|reasoning)>.*?</\1>", re.DOTALL | re.IGNORECASE)
_OPEN_THOUGHT = re.compile(r"\A\s*<(think|thinking|reasoning)>", re.IGNORECASE)
_FENCE = re.compile(r"```[^\S\n]*[\w+-]*[^\S\n]*\n?(.*?)```", re.DOTALL)
_NAMES = (
    *("label", "labels", "answer", "answers", "category", "categories", "class", "classes", "score", "rating"),
    *("number", "value", "result", "output", "标签", "类别", "分类", "答案", "结果", "情感"),
    *("评分", "分数", "得分", "数值", "回答"),
)
"""What models write before an answer, and as the key of one in JSON."""
_ANY_NAME = "|".join(sorted(_NAMES, key=len, reverse=True))
_PREFIX = re.compile(rf"(?:the |final |my |最终|我的)*(?:(?:{_ANY_NAME})[\"'*”]*)+\s*(?:is\b|[:=是为])[:]?\s*")
_AROUND = " \t\r\n\"'`*_“”‘’「」『』《》【】()[]<>.,;:!?。、,;:!?…"
_DENIES = re.compile(
    r"(?:\bnot|n't|n’t|\bno|\bnon|\bnever|\bneither|\bnor|不是|并非|并不|不|非|没有|无|未)(?:\W|\b(?:an?|the)\b)*\Z"
)
_ITEM = re.compile(r"\A(?:[-*•·]|\d{1,3}[.)、])\s*")
_BETWEEN = re.compile(r"[,、;\n|]|\s/\s")
_PERCENT = re.compile(r"百分之([\d.]+)")
_CHINESE = re.compile("([〇零一二三四五六七八九十])(?:分|星|级|个|颗星)?")
_NONE = ("none", "no label", "no labels", "empty", "无", "没有", "空")
_NUMBER = re.compile(
    r"(?<![a-z0-9_.])[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?:e[+-]?\d{1,3})?\s?(?:万亿|千万|百万|[%百千万亿])?(?![a-z]|\.?\d)"
)


@dataclass(frozen=True, kw_only=True)
class Parsed(Generic[T]):
    """An answer, or ``None`` and why the reply is unparsable."""

    value: T | None = None
    reason: str = ""


def unparsable(found: Iterable[Parsed[T]]) -> dict[str, int]:
    """How many replies are unparsable for each reason, most first."""
    return dict(Counter(parsed.reason for parsed in found if parsed.reason).most_common())


def label(text: str, labels: Sequence[str]) -> Parsed[str]:
    """The one label that the reply names: as it is, as JSON, or in a sentence; case, width and quotes do not matter.

    >>> label("Label: spam.", ["spam", "ham"]).value, label("标签：正面。", ["正面", "负面"]).value
    ('spam', '正面')
    >>> label("spam or ham", ["spam", "ham"]).reason
    'more than one label named'
    """
    plain = spoken(text)
    given = _json(plain)
    if given is not None:
        return _only(_labels_of(given.value, labels))
    whole = _whole(plain, labels)
    return Parsed(value=whole) if whole is not None else _named(plain, labels)


def label_set(text: str, labels: Sequence[str]) -> Parsed[tuple[str, ...]]:
    """The labels that the reply lists, each once, in the order of ``labels``; an empty list and "none" are no label at all.

    >>> label_set("- fast\\n- cheap", ["cheap", "fast", "new"]).value
    ('cheap', 'fast')
    """
    plain = spoken(text)
    given = _json(plain)
    if given is not None:
        return _labels_of(given.value, labels)
    if (alone := _whole(plain, labels)) is not None:
        return Parsed(value=(alone,))
    items = [
        _ITEM.sub("", item.strip()) for item in _BETWEEN.split(_unprefixed(normalise_lines(plain))) if item.strip()
    ]
    if len(items) == 1 and items[0].strip(_AROUND) in _NONE:
        return Parsed(value=())
    return _labels_of(items, labels) if items else Parsed(reason=NO_LABEL)


def number(text: str) -> Parsed[float]:
    """The one number that the reply holds; full-width digits, thousands separators, % and 万 are understood.

    >>> number("评分：４.5。").value, number("1.2万").value, number("4 out of 5").reason
    (4.5, 12000.0, 'more than one number')
    """
    plain = spoken(text)
    given = _json(plain)
    if given is not None:
        value = given.value[0] if isinstance(given.value, list) and len(given.value) == 1 else given.value
        if isinstance(value, str):
            return _number_in(value)
        right = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300
        return Parsed(value=float(value)) if isinstance(value, int | float) and right else Parsed(reason=NO_NUMBER)
    return _number_in(plain)


def plain_text(text: str) -> Parsed[str]:
    """The reply as it is, without what the model thought before it."""
    plain = without_thought(text).strip()
    return Parsed(value=plain) if plain else Parsed(reason=NO_TEXT)


def without_thought(text: str) -> str:
    """The reply without the thoughts that some models put before it; nothing where they never end."""
    rest = _THOUGHT.sub("", text)
    return "" if _OPEN_THOUGHT.match(rest) else rest


def spoken(text: str) -> str:
    """What the reply answers with: without thoughts, and of a reply with one code fence what stands in it."""
    plain = without_thought(text).strip()
    fenced = _FENCE.findall(plain)
    return str(fenced[0]).strip() if len(fenced) == 1 and fenced[0].strip() else plain


def normalise_lines(text: str) -> str:
    """The text as :func:`ratchet.near.copies.normalise` leaves each of its lines."""
    return "\n".join(map(normalise, text.splitlines()))


@dataclass(frozen=True, kw_only=True)
class _Json:
    value: object


def _json(text: str) -> _Json | None:
    """What a reply in JSON answers with, of an object the value of its only or its telling key; ``None``: it is no JSON."""
    listed = text.startswith("[") and text.endswith("]")
    inside = text if listed else text[text.find("{") : text.rfind("}") + 1]
    if not inside.strip() or len(text) > _LONGEST:
        return None
    try:
        value = json_value(inside, object_pairs_hook=_once)
    except ValueError:
        return None
    if isinstance(value, dict):
        telling = [key for key in value if one_spelling(str(key)) in _NAMES]
        keys = telling if len(telling) == 1 else list(value)
        return _Json(value=value[keys[0]]) if len(keys) == 1 else None
    return _Json(value=value)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


def _labels_of(given: object, labels: Sequence[str]) -> Parsed[tuple[str, ...]]:
    """Labels for a value, or each of a list of values, all of which must be labels."""
    values = given if isinstance(given, list) else [given]
    found = [None if isinstance(value, dict | list) else _whole(_written(value), labels) for value in values]
    if None in found:
        return Parsed(reason=UNKNOWN_LABEL)
    return Parsed(value=tuple(name for name in labels if name in found))


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _only(found: Parsed[tuple[str, ...]]) -> Parsed[str]:
    if found.value is None:
        return Parsed(reason=found.reason)
    if len(found.value) == 1:
        return Parsed(value=found.value[0])
    return Parsed(reason=SEVERAL_LABELS if found.value else NO_LABEL)


def _whole(text: str, labels: Sequence[str]) -> str | None:
    """The label that the whole text is, but for quotes, a full stop and a prefix such as "Label:"."""
    if text in labels:
        return text
    by_spelling = _by_spelling(labels)
    plain = normalise(text)
    forms = (
        plain,
        plain.strip(_AROUND),
        _unprefixed(plain).strip(_AROUND),
        _unprefixed(plain.strip(_AROUND)).strip(_AROUND),
    )
    for form in forms:
        same = by_spelling.get(one_spelling(form), [])
        if len(same) == 1:
            return same[0]
    return None


def _by_spelling(labels: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in labels:
        found.setdefault(one_spelling(name), []).append(name)
    return found


def _unprefixed(plain: str) -> str:
    found = _PREFIX.match(plain)
    return plain[found.end() :] if found else plain


def _named(text: str, labels: Sequence[str]) -> Parsed[str]:
    """The only label that a sentence names; a label within a longer one ("spam" in "not spam") is not named by it."""
    plain = normalise(text)
    if len(plain) > _LONGEST:
        return Parsed(reason=NO_LABEL)
    by_spelling = _by_spelling(labels)
    pattern = "|".join(_as_word(name) for name in sorted(by_spelling, key=lambda name: (-len(name), name)) if name)
    found = [*re.finditer(pattern, plain)] if pattern else []
    named = {name for match in found for name in by_spelling[match[0]]}
    if len(named) != 1:
        return Parsed(reason=SEVERAL_LABELS if named else NO_LABEL)
    if any(_DENIES.search(plain[max(0, match.start() - 24) : match.start()]) for match in found):
        return Parsed(reason=DENIED)
    return Parsed(value=named.pop())


def _as_word(name: str) -> str:
    """A pattern for the label as a word of its own; Chinese, Japanese and Korean have no spaces to tell."""
    dense = re.compile(f"[{_SPACELESS}]")
    left = r"(?<![^\W" + _SPACELESS + r"])(?<!\d[.,])" if name[0].isalnum() and not dense.match(name[0]) else ""
    right = r"(?![^\W" + _SPACELESS + r"]|[.,]\d)" if name[-1].isalnum() and not dense.match(name[-1]) else ""
    return left + re.escape(name) + right


def _number_in(text: str) -> Parsed[float]:
    import pyarrow as pa

    from ratchet.text.numbers import numbers

    plain = _PERCENT.sub(r"\1%", _unprefixed(normalise(text)[:_LONGEST]))
    if chinese := _CHINESE.fullmatch(plain.strip(_AROUND)):
        return Parsed(value=unicodedata.numeric(chinese[1]))
    found = [match[0].strip() for match in _NUMBER.finditer(plain) if any(c.isdigit() for c in match[0])]
    if len(found) != 1:
        return Parsed(reason=SEVERAL_NUMBERS if found else NO_NUMBER)
    values, _ = numbers(pa.array(found))
    return Parsed(value=float(values[0])) if abs(values[0]) < 1e300 else Parsed(reason=NO_NUMBER)
