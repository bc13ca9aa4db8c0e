"""Where a training stands, out of the numbers that it wrote: the same from its monitor and from its file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ratchet.metrics.own_function import LEAST

POINTS = 480
"""Points of a curve that are kept; beyond, two and two become their mean."""
LESS = ("loss", "perplexity", "error", "mae", "rmse", LEAST)
"""Endings of the names of metrics of which less is better, where nobody says it."""
ALERT = "alert/"
"""Before the name of a metric that left its bounds."""
EPOCH, STEPS, LEFT, SECONDS, COST, ENDED = (
    "train/epoch",
    "watch/steps",
    "watch/left",
    "watch/seconds",
    "watch/cost",
    "watch/ended",
)


@dataclass(frozen=True, kw_only=True)
class Best:
    """The best value of a metric so far."""

    value: float
    step: int


class Curve:
    """A curve of any length in few points.

    >>> curve = Curve()
    >>> for value in range(2000):
    ...     curve.add(value)
    >>> len(curve.points) <= POINTS and curve.points == sorted(curve.points)
    True
    """

    def __init__(self) -> None:
        self.points: list[float] = []
        self._each, self._sum, self._count = 1, 0.0, 0

    def add(self, value: float) -> None:
        """Take a further value; one that is not finite has no place in a curve."""
        if not math.isfinite(value):
            return
        self._sum, self._count = self._sum + value, self._count + 1
        if self._count < self._each:
            return
        self.points.append(self._sum / self._count)
        self._sum, self._count = 0.0, 0
        if len(self.points) > POINTS:
            pairs = zip(self.points[0::2], self.points[1::2], strict=False)
            self.points, self._each = [(one + other) / 2 for one, other in pairs], self._each * 2


@dataclass(kw_only=True)
class Standing:
    """Where a training stands.

    Args:
        name: of what is trained.
        goals: of each metric of the valid part, 1 where more is better and -1 where less is; others go by their names.
    """

    name: str = ""
    goals: Mapping[str, int] = field(default_factory=dict)
    step: int = -1
    latest: dict[str, float] = field(default_factory=dict)
    """The last value of each number."""
    best: dict[str, Best] = field(default_factory=dict)
    """Of each metric of the valid part."""
    loss: Curve = field(default_factory=Curve)
    notes: list[str] = field(default_factory=list)
    """Lines that were said: alerts, and what could not be sent."""

    def take(self, step: int, values: Mapping[str, float]) -> None:
        """What was written at a step."""
        self.step = max(self.step, step)
        if "train/loss" in values:  # it goes on
            self.latest.pop(ENDED, None)
        self.latest.update(values)
        if "train/loss" in values:
            self.loss.add(values["train/loss"])
        for name, value in values.items():
            if name.startswith(ALERT):
                self.notes.append(f"alert: {name.removeprefix(ALERT)} was {value:g} at step {step + 1:,}")
            if name.startswith("valid/") and math.isfinite(value):
                known, sign = self.best.get(name), self._sign(name)
                if known is None or sign * value > sign * known.value:
                    self.best[name] = Best(value=value, step=step)

    def _sign(self, name: str) -> int:
        short = name.removeprefix("valid/")
        return self.goals.get(name, self.goals.get(short, -1 if short.endswith(LESS) else 1))

    @property
    def steps(self) -> int:
        """Of the whole training; 0 where nobody said it."""
        return int(self.latest.get(STEPS, 0))

    @property
    def ended(self) -> bool:
        """Whether it came to its end."""
        return bool(self.latest.get(ENDED, 0))

    @property
    def metrics(self) -> Sequence[str]:
        """The metrics of the valid part, the loss last."""
        return sorted(self.best, key=lambda name: (name.endswith("loss"), name))
