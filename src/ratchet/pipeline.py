"""The road: from a table to a served, proven model; it reads top to bottom like the list of stages."""

from __future__ import annotations

import secrets
from contextlib import suppress
from datetime import UTC, datetime

from ratchet.errors import RatchetError, RecipeError, WorkspaceError
from ratchet.forms import is_broken
from ratchet.gate.ledger import Ledger
from ratchet.models.quiet import switch_off_telemetry
from ratchet.monitoring.track import require_tracker
from ratchet.recipe.sections import Recipe
from ratchet.screen import Screen
from ratchet.stages.challenge import (
    baseline,
    challenge,
    challengers,
    compress,
    incumbent,
    require_trainable,
    waves,
)
from ratchet.stages.check import check
from ratchet.stages.export import export
from ratchet.stages.finish import finish
from ratchet.stages.job import Job, Json
from ratchet.stages.judge import with_judge
from ratchet.stages.names import Stage, last_stage
from ratchet.stages.prepare import prepare
from ratchet.stages.read import Source, read, settled, start
from ratchet.stages.sealed_test import open_test
from ratchet.stages.trade import trade
from ratchet.stages.try_metrics import try_metrics
from ratchet.stages.unlabelled import with_unlabelled
from ratchet.workspace.environment import code_version
from ratchet.workspace.workspace import Workspace


def run(recipe: Recipe, *, screen: Screen | None = None, wait: bool = False, until: str | None = None) -> Json:
    """Go the whole road and return the summary, which is also in ``runs/<id>/summary.json``.

    Args:
        recipe: what to do.
        screen: where to print progress; None prints nothing.
        wait: wait for another run in the workspace, instead of refusing.
        until: where to stop (`stages.names.UNTIL`); go the whole road when absent.

    Raises:
        RatchetError: a user's mistake, in one sentence.
    """
    switch_off_telemetry()
    last = None if until is None else last_stage(until)
    screen = screen or Screen()
    _require_readable(recipe)
    require_tracker(recipe.track)
    workspace = Workspace(recipe.workspace)
    job = Job(
        recipe=recipe,
        workspace=workspace,
        ledger=Ledger(workspace.ledger),
        run=f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}",
        screen=screen,
        code=code_version(),
    )
    source = read(job)
    with job.held(wait=wait):
        job = settled(job, source)
        start(job, source)
        try:
            return road(job, source, last=last)
        except RatchetError as error:
            with suppress(WorkspaceError):  # the workspace itself may be what failed
                job.ledger.note("run-failed", {"run": job.run, "reason": str(error)})
            raise


def _require_readable(recipe: Recipe) -> None:
    """Refuse paths that cannot be recorded as text."""
    for path in (recipe.workspace, *recipe.data.files, *recipe.data.test_files, *recipe.data.unlabelled):
        if is_broken(path):
            raise RecipeError(
                f"The path {path} must be text in UTF-8 but has other bytes.",
                next_step="Rename the folder or file: what a run records must be readable everywhere.",
            )


def road(job: Job, source: Source, *, last: Stage | None = None) -> Json:
    """The stages, in order, up to the last one."""
    health = check(job, source)
    if last == Stage.CHECK:
        return finish(job, health=health)
    rows = with_unlabelled(job, source.unlabelled, prepare(job, source))
    if last == Stage.PREPARE:
        return finish(job, health=health, rows=rows)
    rows = with_judge(job, rows)
    try_metrics(job, rows)
    plan = challengers(job, rows)
    require_trainable(job, rows, plan)
    beside, first, second = waves(plan, rows)
    later = len(first) + len(second)
    baseline(job, rows, beside, later=later)
    incumbent(job, rows, later=later)
    challenge(job, rows, first, later=len(second))
    challenge(job, rows, second)
    trade(job, rows, later=len(job.recipe.compress.methods))
    compress(job, rows)
    if last == Stage.COMPRESS:
        return finish(job, health=health, rows=rows)
    bundle = export(job, rows)
    test = open_test(job, rows, bundle)
    return finish(job, health=health, rows=rows, bundle=bundle, test=test)
