"""The pictures of a tuned contender: the history of its trials, which keys matter, and the scores over each key."""

from __future__ import annotations

from functools import partial

from ratchet.charts import figures, tuning
from ratchet.charts.charts import Bar, bars
from ratchet.charts.tuning import Shot
from ratchet.report.pictures import Picture, both
from ratchet.report.tuned import Study, Trial, Tuned

SLICES = 12
"""Keys of which the slices are drawn, the most important first."""


def history(index: int, one: Tuned) -> Picture:
    """The best score so far over the trials."""
    studies = [[_shot(study, trial) for trial in study.trials] for study in one.studies]
    title = f"{one.name}: best {figures.metric(one.metric)} so far, inside the training rows"
    return both(
        f"tuned-{index}-history",
        lambda key, width: tuning.history(studies, metric=one.metric, title=title, key=key, width=width),
    )


def importance(index: int, one: Tuned) -> Picture | None:
    """How much each key matters."""
    if not one.importance:
        return None
    rows = [
        Bar(label=key, value=share, shown=figures.percent(share, digits=0)) for key, share in one.importance.items()
    ]
    title = f"{one.name}: share of the variance of the scores that goes with each key"
    return both(f"tuned-{index}-importance", lambda key, width: bars(rows, title=title, key=key, width=width))


def slices(index: int, one: Tuned) -> list[Picture]:
    """The scores over the values of each key, the most important first."""
    order = [*one.importance, *(key for key in one.space if key not in one.importance)][:SLICES]
    return [
        both(f"tuned-{index}-slice-{place}", partial(_slice, one, name), wide=tuning.HALF)
        for place, name in enumerate(order)
    ]


def _slice(one: Tuned, name: str, key: str, width: float) -> str:
    shots = [
        _shot(study, trial, value=trial.values[name])
        for study in one.studies
        for trial in study.trials
        if name in trial.values
    ]
    title = f"{one.name}: scores over {name}"
    return tuning.piece(shots, name=name, metric=one.metric, log=name in one.log, title=title, key=key, width=width)


def _shot(study: Study, trial: Trial, *, value: float | str | None = None) -> Shot:
    best = trial.number == study.best
    return Shot(number=trial.number, score=trial.score, state=trial.state, best=best, value=value)
