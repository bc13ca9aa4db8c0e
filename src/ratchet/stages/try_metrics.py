"""The recipe's metrics, tried before anything is trained: what own ones say of right answers, and how slow they are."""

from __future__ import annotations

import time

import numpy as np

from ratchet.contenders.rows import PartedRows
from ratchet.errors import RecipeError
from ratchet.metrics.evidence import Evidence
from ratchet.metrics.metrics import find_metric
from ratchet.metrics.own_function import divided, is_own, known_as
from ratchet.metrics.own_metric import CALLS
from ratchet.models.model import Answers
from ratchet.stages.job import Job

SLOW = 10.0
"""Seconds of a verdict from which a function is said to be slow."""
NOTE = "own-metric"
"""The kind of the ledger's records of the functions that judged."""


def try_metrics(job: Job, rows: PartedRows) -> None:
    """Call each own metric of the recipe for right answers, and for those of the first champion.

    A function that was edited since it judged is another metric: it is said, and all contenders are judged by it anew.

    Raises:
        RecipeError: it cannot be called, gives two values for the same rows, or calls right answers worse than those of a
            model that learns nothing; or a metric cannot decide alone.
    """
    if "perplexity" in job.recipe.gate.metrics:
        raise RecipeError(
            "gate.metrics must be of what every contender has but got perplexity: the first champion has no likelihood.",
            next_step="Judge by rouge_l or another score, and claim it: gate.claims: [{metric: perplexity, margin: 0.01}].",
        )
    for name in filter(is_own, rows.judged_by):
        _note(job, name)
        if rows.task.name != "generation":
            _try(job, rows, name)


def _note(job: Job, name: str) -> None:
    """Record the function as it is now; one that was another before is told."""
    known = known_as(name)
    before = {r.body["known_as"] for r in job.ledger.records() if r.kind == NOTE and r.body["metric"] == name}
    job.ledger.note(NOTE, {"metric": name, "known_as": known}, key=f"{NOTE}:{known}")
    if before and known not in before:
        job.screen.say("gate", f"{name} was edited since it judged: all contenders are judged by it anew")


def _try(job: Job, rows: PartedRows, name: str) -> None:
    places = rows.parts.compared
    right = rows.targets.take(places)
    first = rows.task.first_champion(rows.targets.take(rows.parts.train)).predict(rows.inputs(places))
    cells = [rows.task.written(cell, names=rows.labels).value for cell in rows.names(places)]
    perfect = _evidence(rows, rows.task.answers(cells, right))
    metric = find_metric(name, perfect)
    begun = time.perf_counter()
    best = metric.value(perfect)
    seconds = time.perf_counter() - begun
    again, plain = metric.value(perfect), metric.value(_evidence(rows, first))
    own, goal = divided(name)
    if again != best:
        raise RecipeError(
            f"The metric {own!r} must give one number for the same rows but gave {best:.6g} and {again:.6g}.",
            next_step="Take what is random out of it, or give it a seed.",
        )
    if best < plain:
        other = "min" if goal == "max" else "max"
        raise RecipeError(
            f"The metric {own!r} must be best for right answers but gives them {metric.shown(best)}, and "
            f"{metric.shown(plain)} to a model that learns nothing, where {'more' if goal == 'max' else 'less'} is better.",
            next_step=f'Set its goal: gate.metrics: [{{metric: "{own}", goal: {other}}}].',
        )
    slow = (
        f"; a verdict calls it up to {CALLS:,} times, about {CALLS * seconds:,.0f} s" if CALLS * seconds > SLOW else ""
    )
    job.screen.say(
        "gate", f"{own}: {metric.shown(best)} for right answers, {metric.shown(plain)} for the first champion's{slow}"
    )


def _evidence(rows: PartedRows, answers: Answers) -> Evidence:
    """Answers to the rows of the verdicts."""
    places = rows.parts.compared
    columns = rows.task.columns(rows.targets.take(places), answers, metrics=())
    return Evidence(
        name="",
        rows=np.asarray(places),
        targets=columns.targets,
        outcomes=columns.outcomes,
        labels=rows.labels,
        features=rows.beside(places),
    )
