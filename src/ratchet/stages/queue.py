"""``ratchet queue``: which rows of an unlabelled table to label next, by the champion of a recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ratchet.contenders.base import Contender
from ratchet.contenders.kind import Kind
from ratchet.contenders.registry import runs_here
from ratchet.contenders.rows import PartedRows
from ratchet.errors import DataError, RecipeError
from ratchet.labels.asked import Asked
from ratchet.labels.queue import queue
from ratchet.models.inputs import Inputs
from ratchet.models.model import Predictor
from ratchet.prepare.fixes import fix
from ratchet.recipe.sections import Recipe, Section
from ratchet.screen import Screen
from ratchet.stages.entrants import content, training_of
from ratchet.stages.job import Job
from ratchet.stages.rows import baseline_of, job_of, prepared, standing
from ratchet.tables.dataset import Dataset, Roles
from ratchet.tables.read import dataset_of, read_table, require_named, with_inputs, with_nulls
from ratchet.text.columns import Rows
from ratchet.workspace.finished import finished, key_of

COUNT = 100
LABELLED = "with a label already"


def rows_to_label(
    table: Path, recipe: Recipe, *, count: int = COUNT, screen: Screen | None = None, wait: bool = False
) -> Asked:
    """The rows of an unlabelled table that are worth a label most; nothing is written but what is kept in the workspace.

    Args:
        table: rows without labels; it has the text columns of the recipe, and its features.
        recipe: of the labelled rows, and of the champion.
        count: how many rows are wanted at most.
        screen: where to print progress.
        wait: wait for another run in the workspace, instead of refusing.

    Raises:
        RatchetError: a column is missing, the task has no probabilities, or what a run would refuse.
    """
    if count < 1:
        raise RecipeError(f"The count must be 1 at least but got {count}.")
    job = job_of(recipe, screen=screen)
    read = unlabelled(table, job)
    free = np.flatnonzero([not label for label in _labels(read, job)])
    if not len(free):
        raise DataError(
            f"{table.name} must have rows without a label but each has one.", next_step="Name another table."
        )
    with job.held(wait=wait):
        job, rows = prepared(job)
        if not rows.task.shares:
            raise RecipeError(
                f"A queue must be of a task whose answers are probabilities but {rows.task.name} has none.",
                next_step="Label rows at random; `ratchet curve` tells what they would bring.",
            )
        model, facts, name, notes = _answering(job, rows)
        fixed = fix(read, config=job.recipe.prepare).dataset
        inputs = Inputs(fixed.texts, {kind: fixed.column(kind) for kind in rows.kinds}).take(free)
        answers = model.predict(inputs)
    found = queue(
        inputs.texts,
        rows.task.served(answers, facts),
        labelled=rows.texts(rows.parts.train),
        held=rows.texts(np.concatenate([rows.parts.valid, rows.parts.test])),
        count=count,
        several=rows.targets.kind != "classes",
        **rows.near,
    )
    given = rows.task.cells(answers[found.rows], names=rows.labels, facts=facts, each_label=False)
    labelled = len(read) - len(free)
    left_out = {**found.left_out, **({LABELLED: labelled} if labelled else {})}
    return Asked(
        queue=replace(found, rows=free[found.rows], left_out=left_out),
        columns=(kept := _columns(rows.dataset)),
        label=job.recipe.data.label,
        cells=_cells(read, free[found.rows], kept, label=job.recipe.data.label),
        texts=tuple(read.texts[row] for row in free[found.rows].tolist()),
        answers=tuple(str(one["prediction"]) for one in given),
        rows=len(read),
        model=name,
        source=table.name,
        notes=notes,
    )


def _cells(read: Dataset, rows: Rows, kept: Sequence[str], *, label: str) -> tuple[dict[str, str | None], ...]:
    """The cells of some rows in those of the columns that the table has; the label is left to people."""
    there = [name for name in kept if name in read.table.column_names and name != label]
    some = read.take(rows)
    columns = [some.column(name) for name in there]
    return tuple(dict(zip(there, cells, strict=True)) for cells in zip(*columns, strict=True))


def unlabelled(path: Path, job: Job) -> Dataset:
    """The rows of a table without labels, with the texts and features of the recipe.

    Raises:
        DataError: it cannot be read, or a column is not there.
    """
    config = job.recipe.data
    raw = read_table(path, encoding=config.encoding, name=path.name, columns=config.header)
    require_named(raw, text=config.texts, features=config.features)
    label = config.label if config.label in raw.table.column_names else None
    table = with_nulls(raw.table, missing=config.missing, label=label, no_label=config.no_label)
    dataset = dataset_of([replace(raw, table=table)], roles=Roles(text=config.text_name))
    return with_inputs(dataset, config=config)


def _labels(read: Dataset, job: Job) -> list[str]:
    """The label of each row that has one already; else the empty string."""
    label = job.recipe.data.label
    return [cell or "" for cell in read.column(label)] if label in read.table.column_names else [""] * len(read)


def _columns(dataset: Dataset) -> tuple[str, ...]:
    """The columns of the labelled table as it came."""
    joined = {dataset.roles.text} if dataset.roles.texts else set[str]()
    return tuple(name for name in dataset.table.column_names if name not in joined)


def _answering(job: Job, rows: PartedRows) -> tuple[Predictor, Mapping[str, Any], str, tuple[str, ...]]:
    """The champion's model with what its calibration says, or the baseline's with the reason."""
    of = standing(job, rows)
    if of is not None and runs_here(of) and set(of.card["labels"]) == set(rows.labels):
        facts = rows.task.facts(rows.targets.take(of.placed(rows)), of.answers)
        refitted = job.workspace.models / f"{of.folder.name}.refit"
        return (Contender.load(refitted) if refitted.is_dir() else of).model(), facts, of.name, ()
    kind, spec, name = baseline_of(job, rows)
    of = _baseline(job, rows, kind, spec, name=name)
    facts = rows.task.facts(rows.targets.take(of.rows), of.answers)
    why = "no run has a champion that learns and runs here yet"
    return of.model(), facts, name, (f"The baseline {name!r} was asked: {why}.",)


def _baseline(job: Job, rows: PartedRows, kind: Kind[Any], spec: Section, *, name: str) -> Contender:
    """The baseline as a finished folder, which no ledger knows: its answers are of rows that it had not seen."""
    folder = job.workspace.root / "curves" / key_of("queue", content(job, rows), kind.named_by(spec), job.recipe.seed)
    with job.screen.bar(name) as advance:
        training = training_of(job, rows, name=name, kind=kind.name, key=folder.name, advance=advance)
        finished(folder, partial(kind.train, spec=spec, training=training))
    return Contender.load(folder)
