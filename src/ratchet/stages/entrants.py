"""Who stands, who may enter, and how an entrant is trained once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ratchet.contenders.base import Contender
from ratchet.contenders.kind import Training
from ratchet.contenders.rows import PartedRows
from ratchet.gate.error_budget import Family
from ratchet.metrics.own_function import known_as
from ratchet.monitoring.watching import Watching
from ratchet.recipe.sections import Recipe
from ratchet.recipe.track import TrackConfig
from ratchet.stages.job import Job, train_once
from ratchet.tasks.registry import EARLIEST
from ratchet.workspace.finished import key_of

if TYPE_CHECKING:
    from ratchet.screen import Bar


def content(job: Job, rows: PartedRows) -> str:
    """What names the rows and their folds, in whatever order the table has them, and all else that decides an answer."""
    roles = rows.dataset.roles
    named = [roles.text, roles.texts, roles.label, roles.id, roles.features]
    return key_of(rows.parts.hash, job.code, rows.task.name, named, rows.language, rows.judged_as)


def family_of(rows: PartedRows) -> str:
    """All challengers ever judged on these rows and folds: for one task, with the same features, by the same judge."""
    task = "" if rows.task.name == EARLIEST else rows.task.name
    apart = [one for one in (task, rows.kinds, rows.judged_as) if one]
    return f"gate-{rows.parts.hash[:16]}" + (f"-{key_of(apart)[:8]}" if apart else "")


def entered(job: Job, name: str, key: str, train: Callable[..., None], *, folds: tuple[int, ...] = ()) -> Entrant:
    """An entrant, whose verdict is by the metrics of this recipe; an edited function of the user's is another metric."""
    return Entrant(
        name=name, key=key, judged=key_of(key, tuple(map(known_as, job.recipe.gate.metrics))), train=train, folds=folds
    )


@dataclass(frozen=True, kw_only=True)
class Entrant:
    """A challenger that is to be judged: its name, what names it for good, and how it is made."""

    name: str
    key: str
    train: Callable[..., None]
    """Fills a folder; for one whose folds can be bought it takes the folds and the number of seeds as well."""
    judged: str
    """What names its verdict: the same model is judged once by the same metrics."""
    folds: tuple[int, ...] = ()
    """The folds that are trained before anybody looks; empty: all at once, and none can be bought."""


def training_of(job: Job, rows: PartedRows, *, name: str, kind: str, key: str, advance: Bar) -> Training:
    """What a contender of this run is trained with."""
    return Training(
        rows=rows,
        name=name,
        kind=kind,
        key=key,
        seed=job.recipe.seed,
        threads=job.recipe.threads,
        store=job.workspace.models,
        advance=advance,
        watching=watching_of(job, name=name, kind=kind, bar=advance),
    )


def watching_of(job: Job, *, name: str, kind: str, bar: Bar) -> Watching:
    """How the training of a contender of this run is watched."""
    recipe = job.recipe
    return Watching(
        config=recipe.watch,
        alerts=recipe.alerts,
        track=tracker_of(recipe),
        price=recipe.gate.hour if recipe.watch.price is None else recipe.watch.price,
        name=name,
        about={"run": job.run, "recipe": recipe.name, "contender": name, "kind": kind},
        say=lambda line: job.screen.say("train", line),
        aside=bar.aside,
    )


def tracker_of(recipe: Recipe) -> TrackConfig:
    """The tracking server with its experiment, which has the name of the recipe where it has none."""
    return recipe.track.model_copy(update={"experiment": recipe.track.experiment or recipe.name or "run"})


def champion(job: Job, rows: PartedRows) -> Contender:
    """Who stands now, as the ledger says."""
    standing = job.ledger.champion(family_of(rows))
    assert standing is not None, "the baseline comes first"
    return Contender.load(job.workspace.models / standing.contender.key)


def anchor(job: Job, rows: PartedRows) -> Contender:
    """The last champion that was proven better: improvements challenge it, and the margin of copies starts there."""
    found = job.ledger.anchor(family_of(rows))
    assert found is not None, "the baseline comes first"
    return Contender.load(job.workspace.models / found.key)


def train_first(job: Job, entrant: Entrant, skipped: list[bool]) -> Contender:
    """The challenger as it is before anybody looks; where folds can be bought, with those that a killed run bought."""
    if not entrant.folds:
        return _told(job, entrant, Contender.load(train_once(job, entrant.key, entrant.train, skipped)))
    return train_folds(job, entrant, entrant.folds, skipped)


def train_folds(job: Job, entrant: Entrant, folds: Sequence[int], skipped: list[bool], *, seeds: int = 1) -> Contender:
    """The challenger with the models of these folds and seeds; those that are there are not trained again."""
    train = partial(entrant.train, folds=folds, seeds=seeds)
    key = key_of_folds(entrant.key, folds, seeds=seeds)
    return _told(job, entrant, Contender.load(train_once(job, key, train, skipped)))


def _told(job: Job, entrant: Entrant, found: Contender) -> Contender:
    """The contender, once it is said which of its folds are not there."""
    for fold, reason in found.card["facts"].get("missing_folds", {}).items():
        job.screen.say("challenge", f"{entrant.name}: fold {fold} could not be trained and is left out. {reason}")
    return found


def key_of_folds(key: str, folds: Sequence[int], *, seeds: int = 1) -> str:
    """What names a contender with the models of these folds and seeds alone."""
    return key_of(key, list(folds), *([seeds] if seeds > 1 else []))


def paid_by(job: Job, rows: PartedRows) -> Family:
    """The account of the improvements on these rows."""
    return job.ledger.family(family_of(rows), alpha=job.recipe.gate.alpha)
