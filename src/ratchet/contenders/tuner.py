"""What is tuned on some rows: the space, the folds inside of the rows, and the score of some settings on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from ratchet.contenders.folded import own_source
from ratchet.contenders.kind import Kind, Look, Training
from ratchet.contenders.material import plain
from ratchet.contenders.nested import inner_parts
from ratchet.contenders.rows import Ints, PartedRows
from ratchet.contenders.sources import source_files
from ratchet.contenders.tune_spaces import usual_space
from ratchet.errors import RecipeError
from ratchet.metrics.metrics import MEASURED, find_metric, named
from ratchet.metrics.own_function import known_as
from ratchet.recipe.sections import Section
from ratchet.recipe.space import Range, changed, is_whole, shown, value_at
from ratchet.recipe.tune import TuneSpec
from ratchet.tuning.study import SHARES, Plan, Reached, Score, Studied, study
from ratchet.tuning.study_storage import Place
from ratchet.workspace.environment import code_version
from ratchet.workspace.finished import key_of

STUDIES = "studies"
"""The journals of all studies, beside the contenders."""
_WORDS = {"pruned": "pruned", "failed": "failed", "left": "left out for want of time"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Tuner:
    """What is tuned, and on which rows."""

    learner: Kind[Any]
    base: Section
    """The settings before any trial."""
    space: Mapping[str, Range]
    spec: TuneSpec
    metric: str
    parts: tuple[PartedRows, ...]
    """One for each inner fold."""
    key: str

    @classmethod
    def of(cls, learner: Kind[Any], spec: TuneSpec, training: Training, seen: Ints) -> Tuner:
        """What is tuned on the rows ``seen`` alone."""
        rows, base = training.rows, spec.of
        space = dict(spec.space) or usual_space(base, rows)
        metric = tuned_by(spec.metric, rows)
        study_of = [
            rows.key,
            seen.tolist(),
            learner.name,
            tuned_by_name(learner, base, space),
            {key: one.model_dump(mode="json") for key, one in space.items()},
            known_as(metric),
            [spec.folds, spec.pruner, spec.minutes, training.seed, training.threads if learner.threaded else 0],
            code_version(),
        ]
        judged = replace(rows, metrics=(metric,), origin=rows)
        parts = inner_parts(judged, seen, count=spec.folds, seed=training.seed)
        key = f"ratchet-{key_of('study', *study_of)}"
        return cls(learner=learner, base=base, space=space, spec=spec, metric=metric, parts=parts, key=key)

    def studied(self, training: Training, *, about: str) -> Studied:
        """The study of these rows, run as far as it is not."""
        spec, section = self.spec, type(self.base)
        metric, total = named(self.metric)[0], spec.trials
        plan = Plan(
            key=self.key,
            space=self.space,
            whole=frozenset(key for key, one in self.space.items() if not one.choices and is_whole(section, key)),
            first={key: value_at(self.base, key) for key in self.space},
            trials=total,
            minutes=spec.minutes,
            steps=len(self.parts),
            shares=SHARES if self._looks else 1,
            pruner=spec.pruner,
            seed=training.seed,
            place=Place(
                journal=training.store / STUDIES / f"{self.key}.log", address=spec.storage, password=spec.password
            ),
        )

        ended = [0]

        def told(done: int, best: float | None) -> None:
            ended[0] = done
            said = "none has a score yet" if best is None else f"best {self.metric} {metric.shown(best)}"
            training.advance(done, total, f"{about}: {done:,} of {total:,} trials, {said}")

        def at(number: int, step: int) -> Training:
            words = f"trial {number + 1:,} of {total:,}"
            where = f"{about}: {words}, part {step + 1} of {len(self.parts)}"
            training.advance(ended[0], total, where)

            def advance(done: int, steps: int, text: str) -> None:
                del done, steps
                training.advance(ended[0], total, f"{where}: {text}")

            return replace(training, advance=advance, watching=training.watching.named(f"{about}, {words}"))

        return study(plan, self._score(at), told=told)

    @property
    def _looks(self) -> bool:
        """Whether a trial is looked at after each epoch of its first fold."""
        return self.learner.epochs and self.spec.pruner == "median"

    def _score(self, at: Callable[[int, int], Training]) -> Score:
        def score(values: Mapping[str, Any], number: int, step: int, reached: Reached) -> float:
            try:
                spec = changed(self.base, values)
            except ValidationError as error:
                first = error.errors()[0]
                raise RecipeError(f"{'.'.join(map(str, first['loc']))} {first['msg']}") from None
            rows, key = self.parts[step], f"{self.key}.trial-{number}.{step}"
            inner = replace(
                at(number, step),
                rows=rows,
                key=key,
                change=plain,
                folds=(),
                seeds=1,
                facts={},
                look=Look(metric=self.metric, reached=reached) if self._looks and step == 0 else None,
            )
            places = rows.parts.valid
            evidence = rows.evidence(places, self.learner.tried(spec, inner), metric=self.metric, name=key)
            return find_metric(self.metric, evidence).value(evidence)

        return score


def tuned_by(metric: str | None, rows: PartedRows) -> str:
    """What settings are chosen by: the metric that is named, else the first of the gate that is of the answers alone."""
    return metric or next((one for one in rows.judged_by if _may_tune(one)), rows.task.metrics[0])


def tuned_by_name(learner: Kind[Any], base: Section, space: Mapping[str, Range]) -> list[object]:
    """What names the settings before any trial, and what the choices of the space stand for beside their own text."""
    return [learner.named_by(base), [_behind(key, choice) for key, one in space.items() for choice in one.choices]]


def _behind(key: str, choice: object) -> list[str]:
    """What an own function, a file or a folder among the choices is known by, since it may change under the same name."""
    if isinstance(choice, dict):
        return [one for name, value in choice.items() for one in _behind(name, value)]
    if isinstance(choice, list | tuple):
        return [one for value in choice for one in _behind(key, value)]
    if not isinstance(choice, str):
        return []
    if key.rpartition(".")[2] == "keep":
        return own_source(choice)
    try:
        return source_files(choice)
    except (OSError, ValueError):  # a long text is no path
        return []


def _may_tune(metric: str) -> bool:
    """Whether a metric is of the answers alone: no judge is asked about every trial, no price and no likelihood measured."""
    return metric not in (*MEASURED, "judge", "perplexity", "nll_per_token")


def record_of(tuner: Tuner, found: Studied) -> dict[str, Any]:
    """A study as its contender keeps it."""
    return {
        "metric": tuner.metric,
        "of": tuner.learner.name,
        "space": {key: one.told for key, one in tuner.space.items()},
        "log": [key for key, one in tuner.space.items() if one.log],
        "studies": [found.to_dict()],
    }


def facts_of(record: Mapping[str, Any]) -> dict[str, object]:
    """For the card: how many trials there were, what they chose, and both in words."""
    studies = record["studies"]
    states = [trial["state"] for one in studies for trial in one["trials"]]
    return {
        "trials": max(sum(trial["state"] != "left" for trial in one["trials"]) for one in studies),
        "trial_states": {state: states.count(state) for state in dict.fromkeys(states)},
        "chosen": [one["trials"][one["best"]]["values"] for one in studies],
        "space": record["space"],
        "said": _said(record),
    }


def _said(record: Mapping[str, Any]) -> list[str]:
    """The space, how many trials ended how, and what was chosen how often, for people."""
    metric, studies = named(record["metric"])[0], record["studies"]
    space = "; ".join(f"{key} {told}" for key, told in record["space"].items())
    states = [trial["state"] for one in studies for trial in one["trials"]]
    odd = ", ".join(f"{states.count(state)} {word}" for state, word in _WORDS.items() if state in states)
    where = f"each of {len(studies)} studies" if len(studies) > 1 else "one study"
    lines = [f"tuned by {record['metric']} in {space}"]
    lines.append(
        f"{max(len(one['trials']) for one in studies):,} trials in {where}, all inside the training rows; {odd}".rstrip(
            "; "
        )
    )
    taken = sum(one.get("taken", 0) for one in studies)
    if taken:
        lines.append(f"{taken:,} trials of this process were taken over and ended by another worker, which counts")
    bests = [one["trials"][one["best"]] for one in studies]
    chosen = [", ".join(f"{key} {shown(value)}" for key, value in best["values"].items()) for best in bests]
    for said in dict.fromkeys(chosen):
        scores = [best["score"] for best, own in zip(bests, chosen, strict=True) if own == said]
        span = " to ".join(dict.fromkeys(metric.shown(end) for end in (min(scores), max(scores))))
        lines.append(f"best in {len(scores)} of {len(studies)}, {span}: {said}")
    return lines
