"""Own metrics for the tests, as users write them: good ones, and every way to be wrong."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np

CALLS: list[int] = []


def share_right(right: Any, given: Any) -> float:
    CALLS.append(len(right))
    return float((right == given).mean())


def cost(right: Any, given: Any) -> Any:
    return np.float32((20 * ((right == "1") & (given == "0")) + ((right == "0") & (given == "1"))).mean())


def sure(right: Any, given: Any, probability: Any) -> float:
    return float(np.where(right == "1", probability["1"], probability["0"]).mean())


def of_german(right: Any, given: Any, *, rows: Any) -> float:
    german = rows["country"] == "de"
    return float((right == given)[german].mean())


def error(right: Any, given: Any) -> float:
    return float(np.abs(right - given).mean())


def found(right: Any, given: Any) -> float:
    return sum(len(a & b) for a, b in zip(right, given, strict=True)) / sum(map(len, right))


def needs_both(right: Any, given: Any) -> float:
    return 1 / (len({*right}) - 1)


def raises(right: Any, given: Any) -> float:
    raise KeyError("what")


def leaves(right: Any, given: Any) -> float:
    raise SystemExit(3)


def nan(right: Any, given: Any) -> float:
    return math.nan


def text(right: Any, given: Any) -> str:
    return "0.5"


def array(right: Any, given: Any) -> Any:
    return np.ones(3)


def nothing(right: Any, given: Any) -> None:
    return None


def truth(right: Any, given: Any) -> bool:
    return True


def three(right: Any, given: Any, weights: Any) -> float:
    return 1.0


def dice(right: Any, given: Any) -> float:
    return random.random()


number = 3
