"""A metric in the recipe: its name, or its name with the goal."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

GOALS = ("max", "min")
"""More is better, or less."""
KEPT = ("last", "loss", "margin")
"""What ``keep`` takes beside metrics: the last epoch, the loss, and the mean difference of the rewards of two answers."""
_KEPT_GOALS = {"last": "left out", "loss": "min", "margin": "max"}
NOT_OF_ANSWERS = ("cost", "latency", "judge", "nll_per_token")
"""Metrics that are not computed from answers."""


def _with_goal(value: object) -> object:
    """``{metric: "my_scores:cost", goal: min}`` as the name that means the same: ``my_scores:cost:min``."""
    if not isinstance(value, Mapping):
        return value
    wrong = sorted({*map(str, value)} - {"metric", "goal"})
    if wrong or not isinstance(value.get("metric"), str):
        found = f"got {', '.join(wrong)}" if wrong else "is missing"
        raise ValueError(f"metric must be the name of one, with goal alone beside it, but {found}.")
    name, goal = value["metric"], value.get("goal", "max")
    if goal not in GOALS:
        raise ValueError(f"goal must be max (more is better) or min (less is better) but got {goal!r}.")
    if ":" in name:
        return f"{name}:min" if goal == "min" else name
    if "goal" in value and goal != (own := _goal_of(name)):
        raise ValueError(f"goal must be {own} for {name}, which is its own, but got {goal!r}.")
    return name


def _goal_of(name: str) -> str:
    """The goal of what is built in; the metrics lie above the recipe."""
    if name in _KEPT_GOALS:
        return _KEPT_GOALS[name]
    sign: int = import_module("ratchet.metrics.metrics").named(name)[0].sign
    return "max" if sign > 0 else "min"


def _known(name: str, *, further: tuple[str, ...] = ()) -> str:
    """Refuse a name that is no metric of any task, none of the user's own, and not one of ``further``."""
    known: tuple[str, ...] = import_module("ratchet.tasks.registry").metrics()  # it lies above the recipe
    known = tuple(dict.fromkeys((*further, *known)))
    if name in known or ":" in name:
        return name
    expected = ", ".join(f"'{metric}'" for metric in known)
    raise PydanticCustomError("literal_error", "Input should be a metric", {"expected": expected})


def _keeps(name: str) -> str:
    """Refuse what cannot choose an epoch, since no function of the answers gives it."""
    if name in NOT_OF_ANSWERS:
        raise ValueError(f"keep must be last, loss or a metric of the answers alone but got {name!r}.")
    return _known(name, further=KEPT)


_ENTRY = {
    "type": "object",
    "additionalProperties": False,
    "required": ["metric"],
    "properties": {"metric": {"type": "string"}, "goal": {"enum": [*GOALS], "default": "max"}},
}
MetricName = Annotated[
    str,
    BeforeValidator(_with_goal),
    AfterValidator(_known),
    WithJsonSchema({"anyOf": [{"type": "string"}, _ENTRY]}),
]
"""The name of a metric; an entry with a goal becomes one."""
KeepName = Annotated[
    str,
    BeforeValidator(_with_goal),
    AfterValidator(_keeps),
    WithJsonSchema({"anyOf": [{"type": "string"}, _ENTRY]}),
]
"""What chooses the epoch; likewise."""
