"""Answers that must be JSON: are they, and how many fields of the reference do they have?"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ratchet.bounds import json_value
from ratchet.errors import DataError
from ratchet.scores.rows import Floats, Texts, paired

_FENCE = re.compile(r"\s*```[A-Za-z0-9]*\s*\n(.*?)\n?\s*```\s*", re.DOTALL)
_NO_JSON = object()


def json_valid(answers: Texts) -> Floats:
    """1 where the answer is one JSON value, also in one fence of three backticks, else 0.

    Args:
        answers: n texts; ``None`` scores 0.

    Returns:
        Shape (n,). NaN and Infinity are no JSON, nor are two values, nor one among other words.

    >>> json_valid(['{"a": 1}', "so: {}", "NaN", None]).tolist()
    [1.0, 0.0, 0.0, 0.0]
    """
    return np.array([float(_value(answer) is not _NO_JSON) for answer in answers], dtype=np.float64)


def json_fields(answers: Texts, references: Texts) -> Floats:
    """The share of the reference's fields that the answer has with an equal value, from 0 to 1.

    Fields of objects within objects count one by one, a list is one field. Numbers are equal by value, texts but for white
    space at their ends, true and 1 are not. Further fields of the answer do not count. An empty reference scores 1 for any
    object.

    Args:
        answers: n texts; ``None`` and what is no JSON object score 0.
        references: n texts, each a JSON object.

    Returns:
        Shape (n,).

    Raises:
        DataError: a row has no reference, or one that is no JSON object.

    >>> json_fields(['{"a": 1.0, "b": {"c": "x"}}'], ['{"a": 1, "b": {"c": "y"}}']).tolist()
    [0.5]
    """
    return np.array(
        [_share(answer, reference, row=row) for row, (answer, reference) in enumerate(paired(answers, references), 1)],
        dtype=np.float64,
    )


def _value(text: str | None) -> Any:
    if text is None:
        return _NO_JSON
    fenced = _FENCE.fullmatch(text)
    try:
        return json_value(fenced[1] if fenced else text, parse_constant=_refuse)
    except ValueError:
        return _NO_JSON


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _share(answer: str | None, reference: str, *, row: int) -> float:
    right = _value(reference)
    if not isinstance(right, dict):
        raise DataError(
            f"The reference of row {row:,} must be a JSON object but is {reference[:60]!r}.",
            next_step="Compare texts that are no objects by exact match.",
        )
    said = _value(answer)
    if not isinstance(said, dict):
        return 0.0
    wanted, found = _fields(right), _fields(said)
    return (
        sum(path in found and _equal(found[path], value) for path, value in wanted.items()) / len(wanted)
        if wanted
        else 1.0
    )


def _fields(value: dict[str, Any]) -> dict[tuple[str, ...], Any]:
    """Every value that is no object, or an empty one, by the keys that lead to it."""
    fields: dict[tuple[str, ...], Any] = {}
    left: list[tuple[tuple[str, ...], Any]] = [((), value)]
    while left:
        path, one = left.pop()
        if isinstance(one, dict) and (one or not path):
            left.extend(((*path, key), inner) for key, inner in one.items())
        else:
            fields[path] = one
    return fields


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return one.strip() == other.strip()
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    return bool(isinstance(one, bool) == isinstance(other, bool) and one == other)
