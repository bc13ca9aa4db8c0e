"""``ratchet curve``: what more labels would bring, by a learning curve of the champion's procedure."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from ratchet.contenders.kind import Training
from ratchet.contenders.registry import change_of, changes, kind_of, tasks_of
from ratchet.contenders.rows import Ints, PartedRows
from ratchet.errors import DataError, ExtraMissing, RecipeError
from ratchet.labels.curve import (
    DRAWS,
    FRACTIONS,
    Draw,
    Procedure,
    answers_at,
    block_scores,
    blocks,
    draw,
    floor,
    usable,
)
from ratchet.labels.extrapolate import Curve, Floats, extrapolate
from ratchet.labels.forecast import Forecast, Measured
from ratchet.metrics.metrics import MEASURED, named
from ratchet.metrics.own_function import known_as
from ratchet.plugins import chosen
from ratchet.recipe.sections import Recipe, Section
from ratchet.screen import Advance, Screen
from ratchet.stages.entrants import content, training_of
from ratchet.stages.job import Job
from ratchet.stages.rows import baseline_of, job_of, prepared, standing
from ratchet.workspace.finished import finished, key_of, load_json, save_json

TASKS = ("classification", "multilabel", "regression")
SLOW = 60.0
"""Seconds that the champion's training may have taken; beyond, the curve is that of the baseline."""
SHARES = (0.25, 1.0, 3.0)
"""What is asked where nobody says how many more rows: so many times those that there are, rounded."""
POINT = "point.json"
LOT = 2.0
"""Margins of the gate that are a lot: two points of a share."""


def learning_curve(
    recipe: Recipe,
    *,
    more: Sequence[int] = (),
    draws: int = DRAWS,
    augment: str = "",
    source: str = "",
    screen: Screen | None = None,
    wait: bool = False,
) -> Forecast:
    """Score the champion's procedure on shares of the rows, and extrapolate; the sealed test part is never scored.

    Every point is a finished folder of the workspace, so a curve that was interrupted goes on, and the ledger is not touched.

    Args:
        recipe: whose rows and champion.
        more: numbers of further rows to ask about.
        draws: how often samples are drawn, 3 at least.
        augment: the kind of a row change whose curve is drawn beside the plain one; a champion made by one has it anyway.
        source: what people call the rows.
        screen: where to print progress.
        wait: wait for another run in the workspace, instead of refusing.

    Raises:
        RatchetError: too few rows, a task that has no curve, or what a run would refuse.
    """
    if draws < 3:
        raise RecipeError(f"The draws must be 3 at least, to tell chance from gain, but got {draws}.")
    begun, job = time.perf_counter(), job_of(recipe, screen=screen)
    with job.held(wait=wait):
        job, rows = prepared(job)
        rows = _judged(rows)
        plans, notes = procedures(job, rows, augment=augment)
        drawn = [draw(rows, number, seed=job.recipe.seed) for number in range(draws)]
        fractions = usable(rows, [one for folds in drawn for one in folds])
        if len(fractions) < 3:
            raise DataError(
                f"A learning curve must have three sizes of 20 rows and two classes at least but {len(rows.parts.dev):,} rows "
                f"give {len(fractions)}.",
                next_step="Label more rows first.",
            )
        measured = [_measure(job, rows, one, drawn, fractions) for one in plans]
        least = np.array(floor(rows, drawn[0], blocks(rows, seed=job.recipe.seed)[0]))
    now = len(rows.parts.dev)
    asked = tuple(more) or tuple(rounded(share * now) for share in SHARES)
    left_out = [
        f"{fraction:.0%} of the rows are too few to train on" for fraction in FRACTIONS if fraction not in fractions
    ]
    return Forecast(
        name=job.recipe.name or "run",
        metric=rows.judged_by[0],
        now=now,
        draws=draws,
        fractions=fractions,
        measured=tuple(
            _told(rows, job, plan.name, curve, asked, least) for plan, curve in zip(plans, measured, strict=True)
        ),
        notes=(*notes, *left_out),
        source=source or job.recipe.name or "the table",
        seconds=time.perf_counter() - begun,
    )


def _judged(rows: PartedRows) -> PartedRows:
    """Rows that are judged by what can be computed from answers alone.

    Raises:
        RecipeError: the task has no curve.
    """
    if rows.task.name not in TASKS:
        raise RecipeError(
            f"A learning curve is for {', '.join(TASKS)} but this is {rows.task.name}.",
            next_step="Its models take minutes for each point.",
        )
    known = [name for name in rows.judged_by if name not in MEASURED]
    return replace(rows, metrics=tuple(known[:1]) or rows.task.metrics[:1])


def procedures(job: Job, rows: PartedRows, *, augment: str) -> tuple[list[Procedure], list[str]]:
    """The champion's procedure, or the baseline's with the reason; and the same with augmented rows where that is asked."""
    of, notes, reason = standing(job, rows), [], "no run has a champion that learns yet"
    if of is not None:
        kind, spec = kind_of(of)
        reason = "" if kind.trained else f"the champion {of.name!r} is not trained here"
        if not reason and (not kind.cheap or float(of.card["seconds"]) > SLOW):
            reason = f"the champion {of.name!r} takes minutes for each point"
    if of is None or reason:
        of = None
        kind, spec, name = baseline_of(job, rows)
        notes.append(f"This is the curve of the baseline {name!r}, not of the champion: {reason}.")
    else:
        name = str(of.facts.get("from", of.name))
        notes.append(f"This is the curve of {name!r}, with the settings that it has on all rows.")
    plans = [Procedure(name=name, kind=kind, spec=spec, champion=of)]
    made = change_of(of.facts["made_by"])[1] if of is not None and "made_by" in of.facts else None
    if augment:
        if rows.task.name not in tasks_of(augment):
            raise RecipeError(f"The row change {augment} must be for {rows.task.name} but is not.")
        made = chosen(augment, changes(), noun="A row change").spec.model_validate({"kind": augment})
    if made is not None:
        _require_change(job, rows, made, weighted=kind.learner(spec).weighted)
        plans.append(replace(plans[0], name=f"{name} + {_kind(made)}", made_by=made))
    return plans, notes


def _require_change(job: Job, rows: PartedRows, spec: Section, *, weighted: bool) -> None:
    """Refuse a row change as a run would, and say what a run says before rows are made.

    Raises:
        RatchetError: it cannot be carried out.
    """
    name = _kind(spec)
    change = changes()[name]
    if (missing := change.missing()) is not None:
        raise ExtraMissing(missing, extra=change.extra, why=f"The row change {name!r}")
    if change.weights(spec) and not weighted:
        raise RecipeError(f"The row change {name} weighs rows, which the champion's kind does not take.")
    change.require(spec, rows)
    if remark := change.remark(spec):
        job.screen.say("curve", f"{name}: {remark}")
    if (to := change.sends_to(spec)) is not None:
        job.screen.say("curve", f"{name}: texts of training rows are sent to {to}")


def _kind(spec: Section) -> str:
    return str(getattr(spec, "kind", ""))


def _measure(
    job: Job, rows: PartedRows, plan: Procedure, drawn: Sequence[tuple[Draw, ...]], fractions: Sequence[float]
) -> Curve:
    """The scores of one procedure, each a finished folder."""
    store = job.workspace.root / "curves"
    named_by = key_of("curve", content(job, rows), known_as(rows.judged_by[0]), _settings(rows, plan), job.recipe.seed)
    block, owner = blocks(rows, seed=job.recipe.seed)
    scores = np.empty((len(drawn), len(owner), len(fractions)))
    with job.screen.bar(plan.name) as advance:
        training = training_of(job, rows, name=plan.name, kind=plan.kind.name, key=f"curve-{named_by}", advance=advance)
        steps = [(number, place) for number in range(len(drawn)) for place in range(len(fractions))]
        for done, (number, place) in enumerate(steps):
            fraction = fractions[place]
            folder = store / f"{named_by}-draw-{number}-{round(100 * fraction)}"
            quiet = _quiet(advance, done, len(steps), f"draw {number + 1}, {fraction:.0%}")
            point = partial(_point, rows=rows, draws=drawn[number], fraction=fraction, plan=plan, block=block)
            finished(folder, partial(point, training=replace(training, advance=quiet)))
            scores[number, :, place] = load_json(folder / POINT, keys={"blocks": list})["blocks"]
    every = [one for folds in drawn for one in folds]
    sizes = np.array([np.mean([len(one.first(fraction)) for one in every]) for fraction in fractions])
    return Curve(sizes=np.round(sizes).astype(np.int64), scores=scores, fold=owner)


def _settings(rows: PartedRows, plan: Procedure) -> list[object]:
    """What makes it another procedure, with the files that it reads beside the rows."""
    settings: list[object] = [plan.kind.name, plan.kind.named_by(plan.spec)]
    if plan.made_by is not None:
        change = changes()[_kind(plan.made_by)]
        settings += [change.named_by(plan.made_by), change.depends_on(plan.made_by, rows)]
        settings += [plan.champion.folder.name] if plan.champion is not None else []
    return settings


def _quiet(advance: Advance, place: int, total: int, words: str) -> Advance:
    """The bar of the whole curve, whatever a single training says of itself."""
    advance(place, total, words)

    def step(done: int, all_: int, _: str) -> None:
        del done, all_
        advance(place, total, words)

    return step


def _point(
    folder: Path,
    *,
    rows: PartedRows,
    draws: Sequence[Draw],
    fraction: float,
    plan: Procedure,
    block: Ints,
    training: Training,
) -> None:
    answers = np.concatenate([answers_at(rows, one, fraction, plan, training) for one in draws])
    places = np.concatenate([one.out for one in draws])
    scores = block_scores(rows, places, answers, block)
    if not all(map(math.isfinite, scores)):
        raise DataError(
            f"{rows.judged_by[0]} must be a number on {len(places):,} held-out rows but is not.",
            next_step="Choose another first metric: --set gate.metrics=[accuracy].",
        )
    save_json(folder / POINT, {"score": float(np.mean(scores)), "blocks": scores, "held_out": len(places)})


def _told(rows: PartedRows, job: Job, name: str, curve: Curve, asked: Sequence[int], least: Floats) -> Measured:
    metric, gate = named(rows.judged_by[0])[0], job.recipe.gate
    found = extrapolate(
        curve,
        now=len(rows.parts.dev),
        floor=least,
        ceiling=1.0 if metric.bounded and metric.sign > 0 else 0.0 if metric.sign < 0 else math.inf,
        a_lot=LOT * gate.margin * rows.margin_of(metric.name),
        seed=job.recipe.seed,
    )
    return Measured(name=name, curve=curve, extrapolation=found, gains=tuple(found.gain(rows) for rows in asked))


def rounded(value: float) -> int:
    """A number with one digit that is not 0, rounded down, since a question must not go beyond what was meant; 1 at least."""
    whole = max(1, int(value))
    unit = 10 ** (len(str(whole)) - 1)
    return int(whole // unit * unit)
