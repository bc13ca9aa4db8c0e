"""The prepared rows of a recipe or of a table outside of a run, and who stands on them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ratchet.checkup.target import open_target
from ratchet.contenders.base import Contender
from ratchet.contenders.kind import Kind
from ratchet.contenders.registry import kinds
from ratchet.contenders.rows import PartedRows
from ratchet.errors import RecipeError
from ratchet.gate.ledger import Ledger
from ratchet.models.quiet import switch_off_telemetry
from ratchet.plugins import chosen
from ratchet.recipe.recipe import RECIPES, load_recipe
from ratchet.recipe.sections import Recipe, Section
from ratchet.screen import Screen
from ratchet.stages.challenge import baseline_name
from ratchet.stages.entrants import family_of
from ratchet.stages.job import Job
from ratchet.stages.prepare import prepare
from ratchet.stages.read import read, settled
from ratchet.stages.unlabelled import with_unlabelled
from ratchet.workspace.environment import code_version
from ratchet.workspace.workspace import Workspace


def recipe_of(target: Path, *, overrides: tuple[str, ...] = ()) -> Recipe:
    """The recipe in a file, or for a table the default one with this table in it, its columns guessed.

    Raises:
        RatchetError: a file cannot be read, or a column is not there.
    """
    if target.suffix.lower() in RECIPES:
        return load_recipe(target, overrides=overrides)
    return open_target(target, overrides=overrides).recipe


def job_of(recipe: Recipe, *, screen: Screen | None = None) -> Job:
    """A job that is no run: it records nothing in the ledger, and has no folder."""
    switch_off_telemetry()
    workspace = Workspace(recipe.workspace)
    return Job(
        recipe=recipe,
        workspace=workspace,
        ledger=Ledger(workspace.ledger),
        run="",
        screen=screen or Screen(),
        code=code_version(),
    )


def prepared(job: Job, *, quiet: bool = False) -> tuple[Job, PartedRows]:
    """The rows, prepared as a run would, with those to be labelled; those of an earlier run are used. The workspace must be
    held.

    Args:
        job: of `job_of`.
        quiet: say what was read, but not what was prepared and where that is.

    Raises:
        RatchetError: as a run.
    """
    source = read(job)
    job = settled(job, source)
    said = replace(job, screen=Screen()) if quiet else job
    return job, with_unlabelled(said, source.unlabelled, prepare(said, source))


def baseline_of(job: Job, rows: PartedRows) -> tuple[Kind[Any], Section, str]:
    """The kind of the recipe's baseline, its settings and its name.

    Raises:
        RecipeError: it cannot answer the task.
    """
    spec = job.recipe.baseline
    kind = chosen(spec.kind, kinds(), noun="The kind of a contender")
    if rows.task.name not in kind.tasks:
        raise RecipeError(
            f"The baseline must be able to answer {rows.task.name} but its kind is {kind.name}.",
            next_step="Set baseline in the recipe.",
        )
    return kind, spec, baseline_name(job.recipe)


def standing(job: Job, rows: PartedRows) -> Contender | None:
    """The model that the champion is or was made from, if a run was here and it learns; a smaller form has its settings."""
    found = job.ledger.champion(family_of(rows)) if job.ledger.path.is_file() else None
    if found is None:
        return None
    of = Contender.load(job.workspace.models / found.contender.key)
    while "of_key" in of.facts:
        of = Contender.load(job.workspace.models / str(of.facts["of_key"]))
    return of if of.learns else None
