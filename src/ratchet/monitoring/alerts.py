"""Alerts: what is said, sent or stopped when a number of a training leaves its bounds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ratchet.errors import RatchetError
from ratchet.monitoring.webhook import Webhooks
from ratchet.recipe.watch import AlertSpec
from ratchet.workspace.finished import load_json, save_json

STOPPED = "stopped.json"
MOST = 5
"""Times that one rule is said or sent; further ones are counted, and the count is said at the end."""


class Stopped(RatchetError):
    """A training was ended by an alert of the recipe; its checkpoint is kept."""


@dataclass(frozen=True, kw_only=True)
class Stop:
    """An alert whose action is to end the training."""

    step: int
    metric: str
    must: str
    value: float

    def error(self) -> Stopped:
        """What to raise once the checkpoint is written."""
        return Stopped(
            f"{self.metric} must be {self.must} by an alert of the recipe but got {self.value:g} at step {self.step + 1}.",
            next_step="The checkpoint is kept. Change the settings; or the alert, and it goes on from there.",
        )


def remember(stop: Stop, rules: Sequence[AlertSpec], *, folder: Path) -> None:
    """Note in the folder of a training that an alert ended it."""
    error = stop.error()
    save_json(folder / STOPPED, {"rules": _stopping(rules), "problem": error.problem, "next_step": error.next_step})


def require_not_stopped(rules: Sequence[AlertSpec], *, folder: Path) -> None:
    """Refuse to go on with a training that an alert ended, as long as the recipe has the same ones.

    Raises:
        Stopped: as when it was ended.
    """
    path = folder / STOPPED
    if not path.is_file():
        return
    before = load_json(path, keys={"rules": list, "problem": str, "next_step": str})
    if before["rules"] == _stopping(rules):
        raise Stopped(before["problem"], next_step=before["next_step"])
    path.unlink(missing_ok=True)


def _stopping(rules: Sequence[AlertSpec]) -> list[dict[str, object]]:
    return [rule.model_dump(mode="json", exclude={"url"}) for rule in rules if rule.action == "stop"]


class Alerts:
    """The rules of a recipe over the numbers of one training.

    A rule fires once its metric has been beyond a bound for so many readings in a row, and again only after it was within.

    Args:
        rules: of the recipe.
        name: of what is trained, for the messages.
        say: takes a line for people.
        hooks: sends webhooks; ``None``: one is made where a rule needs it.
    """

    def __init__(
        self, rules: Sequence[AlertSpec], *, name: str, say: Callable[[str], None], hooks: Webhooks | None = None
    ) -> None:
        self._rules, self._name, self._say = tuple(rules), name, say
        self._rows, self._times = [0] * len(self._rules), [0] * len(self._rules)
        self._seen: set[str] = set()
        self._any = False
        self.fired: dict[str, float] = {}
        """What the last `check` found beyond its bound, by metric."""
        self._hooks = hooks
        if hooks is None and any(rule.action == "webhook" for rule in self._rules):
            self._hooks = Webhooks(say=say)

    def check(self, step: int, values: Mapping[str, float]) -> Stop | None:
        """Judge the numbers of a step; the first rule that ends the training, if one does."""
        found: Stop | None = None
        self.fired, self._any = {}, self._any or "train/loss" in values
        for place, rule in enumerate(self._rules):
            if rule.metric not in values:
                continue
            self._seen.add(rule.metric)
            value = values[rule.metric]
            self._rows[place] = self._rows[place] + 1 if beyond(rule, value) else 0
            if self._rows[place] == rule.times:
                self.fired[rule.metric] = value
                self._times[place] += 1
                if self._times[place] <= MOST:
                    self._tell(rule, step, value)
                if rule.action == "stop" and found is None:
                    found = Stop(step=step, metric=rule.metric, must=bounds(rule), value=value)
        return found

    def close(self) -> None:
        """Say which rules never saw their metric, and give webhooks that are under way a moment."""
        unseen = (rule.metric for rule in self._rules if rule.metric not in self._seen)
        for metric in dict.fromkeys(unseen if self._seen or self._any else ()):
            self._say(f"no number of this training is called {metric}, so its alert saw nothing")
        for rule, times in zip(self._rules, self._times, strict=True):
            if times > MOST:
                self._say(f"alert: {rule.metric} left its bounds {times} times in all")
        if self._hooks is not None:
            self._hooks.close()

    def _tell(self, rule: AlertSpec, step: int, value: float) -> None:
        often = f", {rule.times} times in a row" if rule.times > 1 else ""
        line = f"alert: {rule.metric} is {value:g}{often} (must be {bounds(rule)}), step {step + 1}"
        self._say(line)
        if rule.action == "webhook":
            assert self._hooks is not None
            message = {
                "text": f"{self._name}: {line}".removeprefix(": "),
                "training": self._name,
                "metric": rule.metric,
                "value": value if math.isfinite(value) else str(value),
                "above": rule.above,
                "below": rule.below,
                "step": step + 1,
            }
            self._hooks.send(rule.url, message)


def beyond(rule: AlertSpec, value: float) -> bool:
    """Whether a value is beyond a bound of the rule; one that is not finite is beyond every bound."""
    if not math.isfinite(value):
        return True
    return (rule.above is not None and value > rule.above) or (rule.below is not None and value < rule.below)


def bounds(rule: AlertSpec) -> str:
    """What the metric must be."""
    parts = [f"at least {rule.below:g}"] if rule.below is not None else []
    return " and ".join([*parts, *([f"at most {rule.above:g}"] if rule.above is not None else [])])
