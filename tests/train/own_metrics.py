"""Metrics of the user's for the tests of trainings, as users write them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

CALLS: list[int] = []


def share_right(right: Any, given: Any) -> float:
    return float((right == given).mean())


def wrong(right: Any, given: Any) -> float:
    return float((right != given).sum())


def of_long(right: Any, given: Any, *, rows: Any) -> float:
    return float((right == given)[rows["size"] == "long"].mean())


def _later(value: Any) -> Any:
    """Right at first, and from the second epoch on something else."""
    CALLS.append(1)
    return 0.5 if len(CALLS) < 3 else value


def nan_later(right: Any, given: Any) -> Any:
    return _later(math.nan)


def text_later(right: Any, given: Any) -> Any:
    return _later("much")


def raises_later(right: Any, given: Any) -> Any:
    return _later(0) or 1 / 0


def raises(right: Any, given: Any) -> float:
    raise KeyError("price")


def letters(answers: Sequence[str | None], references: Sequence[str]) -> list[float]:
    """The share of the letters of each reference that the answer begins with."""
    CALLS.append(len(answers))
    found = []
    for answer, reference in zip(answers, references, strict=True):
        pairs = zip(answer or "", reference, strict=False)
        found.append(sum(a == b for a, b in pairs) / max(len(reference), 1))
    return found
