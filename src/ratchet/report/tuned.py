"""What a report shows of a tuned contender: its studies, from the file that the contender keeps of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from statistics import fmean
from typing import Any, Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from ratchet.contenders.base import Contender
from ratchet.contenders.tune import TUNING
from ratchet.recipe.space import shown
from ratchet.workspace.finished import load_json

STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Trial:
    """One trial; its values are numbers, or texts of what else they are."""

    number: int
    score: float | None
    state: Literal["complete", "pruned", "failed", "left"]
    values: dict[str, float | str]
    reason: str = ""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Study:
    """The trials on the training rows of one fold."""

    name: str
    best: int
    trials: tuple[Trial, ...]

    @property
    def chosen(self) -> Trial:
        """The best trial."""
        return self.trials[self.best]

    @property
    def told(self) -> str:
        """How many trials ended how."""
        states = [trial.state for trial in self.trials]
        counts = {state: states.count(state) for state in dict.fromkeys(states)}
        return ", ".join(f"{count} {'left out' if state == 'left' else state}" for state, count in counts.items())


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Tuned:
    """A tuned contender."""

    name: str
    of: str
    """The kind that was tuned."""
    metric: str
    space: dict[str, str]
    log: tuple[str, ...] = ()
    """Keys that are drawn on a logarithmic axis."""
    studies: tuple[Study, ...] = ()
    importance: dict[str, float] = field(default_factory=dict)
    """Mean over the studies, the largest first."""

    @property
    def reasons(self) -> dict[str, int]:
        """Why trials failed, and how many."""
        found: dict[str, int] = {}
        for study in self.studies:
            for trial in study.trials:
                if trial.state == "failed":
                    found[trial.reason] = found.get(trial.reason, 0) + 1
        return found


def tuned_of(contender: Contender) -> Tuned | None:
    """The studies of a contender; ``None`` where it is none that was tuned, or a form of one."""
    if contender.card["kind"] != "tune" or not (contender.folder / TUNING).is_file():
        return None
    record: Mapping[str, Any] = load_json(
        contender.folder / TUNING, keys={"studies": list, "space": dict, "metric": str}
    )
    studies = record["studies"]
    shares = [one["importance"] for one in studies if one["importance"]]
    means = {key: fmean(one.get(key, 0.0) for one in shares) for key in record["space"]} if shares else {}
    folds = record.get("folds", [0])
    return Tuned(
        name=contender.name,
        of=record["of"],
        metric=record["metric"],
        space=record["space"],
        log=tuple(record["log"]),
        studies=tuple(
            Study(
                name=f"without fold {fold}" if len(folds) > 1 else "train part",
                best=one["best"],
                trials=tuple(_trial(trial) for trial in one["trials"]),
            )
            for fold, one in zip(folds, studies, strict=True)
        ),
        importance=dict(sorted(means.items(), key=lambda item: -item[1])),
    )


def _trial(plain: Mapping[str, Any]) -> Trial:
    values = {key: _plain(value) for key, value in plain["values"].items()}
    return Trial(
        number=plain["number"], score=plain["score"], state=plain["state"], values=values, reason=plain["reason"]
    )


def _plain(value: Any) -> float | str:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else shown(value)
