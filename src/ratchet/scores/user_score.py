"""A score of the user's own: a function that is named as ``module:function``."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from typing import Any

import numpy as np

from ratchet.errors import RecipeError
from ratchet.metrics.own_function import divided, own_function
from ratchet.scores.rows import Floats, Texts

UserScore = Callable[[Texts, Texts], Floats]


def user_score(name: str) -> UserScore:
    """The function as a score of rows.

    It is called once with all answers and all references (two lists of n texts, ``None`` where there is none) and returns
    n finite numbers, higher is better; of a name that ends with ``:min`` less is better, and they are negated. The module is
    imported as ``import`` would, so it must be installed or on ``PYTHONPATH``. What it prints goes to standard error:
    standard output is the verdict's.

    Args:
        name: such as ``my_package.my_scores:politeness``.

    Raises:
        RecipeError: it is no such name, cannot be imported, or is no function; when called: it failed, or its result is
            not one finite number a row.
    """
    own, goal = divided(name)
    function, sign = own_function(own), -1.0 if goal == "min" else 1.0

    def score(answers: Texts, references: Texts) -> Floats:
        return sign * _called(function, answers, references, name=own)

    return score


def _called(function: Callable[..., Any], answers: Texts, references: Texts, *, name: str) -> Floats:
    try:
        with redirect_stdout(sys.stderr):
            found = function([*answers], [*references])
    except (Exception, SystemExit) as problem:
        raise RecipeError(
            f"The score {name!r} must give a number a row but failed: {type(problem).__name__}: {problem}.",
            next_step="Call it on a few rows in Python, and mend it.",
        ) from problem
    values = _values(found)
    if values is None or len(values) != len(answers):
        got = type(found).__name__ if values is None else f"{len(values):,} numbers"
        raise RecipeError(
            f"The score {name!r} must return one number for each of {len(answers):,} rows but returned {got}.",
            next_step="Return a list of floats, in the order of the answers.",
        )
    wrong = [row for row, value in enumerate(values) if not math.isfinite(value)]
    if wrong:
        raise RecipeError(
            f"The score {name!r} must return finite numbers but {len(wrong):,} are not, that of row {wrong[0] + 1:,} first.",
            next_step="Return 0 for an answer that cannot be scored.",
        )
    return np.array(values, dtype=np.float64)


def _values(found: Any) -> Sequence[float] | None:
    """What was returned as numbers; ``None`` where it is something else."""
    try:
        array = np.asarray(found, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    numbers: list[float] = array.tolist() if array.ndim == 1 else []
    return numbers if array.ndim == 1 else None
