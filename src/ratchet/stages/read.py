"""Read the tables, and record what a run begins with."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ratchet.errors import DataError, RecipeError
from ratchet.metrics.metrics import MEASURED
from ratchet.prepare.fixes import fix, require_labels
from ratchet.prepare.review import Answers, read_answers
from ratchet.prepare.split_by_time import times
from ratchet.recipe.recipe import dump_recipe
from ratchet.stages.answer import require_answerable
from ratchet.stages.job import Job
from ratchet.stages.names import Stage
from ratchet.stages.unlabelled import read_unlabelled
from ratchet.tables.dataset import Dataset
from ratchet.tables.features import guess_notes, require_numbers, with_kinds
from ratchet.tables.read import RawTable, read_dataset, require_apart
from ratchet.tables.sources import source_bytes_hash
from ratchet.tasks.registry import AUTO, guess_task, task_of
from ratchet.tasks.task import Task, require_metrics
from ratchet.versions.log import Version, is_local, record_inputs, version_label
from ratchet.workspace.environment import environment
from ratchet.workspace.finished import key_of
from ratchet.workspace.workspace import write_atomic


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """The rows as they came, the key of everything that depends on them, and the sha256 of each source's bytes."""

    task: Task
    train: Dataset
    test: Dataset | None
    answers: Answers | None
    """What was decided about doubted labels of ``train``."""
    key: str
    hashes: Mapping[Path, str]
    unlabelled: Dataset | None = None
    """Rows without an answer."""


def read(job: Job) -> Source:
    """Read the files; nothing is written before they are known to be good."""
    config, base = job.recipe.data, Path.cwd()
    if not config.files:
        raise DataError("data.files must name at least one table but is empty.", next_step="Add it to the recipe.")
    with job.stage(Stage.READ) as skipped:
        files, test_files = [Path(name) for name in config.files], [Path(name) for name in config.test_files]

        def each(raw: RawTable) -> None:
            for note in raw.notes:
                job.screen.say("read", note)

        others = [Path(name) for name in config.unlabelled]
        missing = [path for path in [*files, *test_files, *others] if config.origin and not path.exists()]
        if missing:
            raise DataError(f"{missing[0]} does not exist.", next_step=config.origin)
        _require_features(job)
        train = read_dataset(files, config=config, base=base, each=each)
        settled = with_kinds(config, train)
        test = read_dataset(test_files, config=settled, base=base, each=each) if test_files else None
        if not isinstance(config.features, Mapping):
            for note in guess_notes(train):
                job.screen.say("read", f"{note}; wrong guess? Set data.features in the recipe.")
        unlabelled = read_unlabelled(settled, base=base, each=each)
        for rows in (train,) if test is None else (train, test):
            require_numbers(rows)
        _require_slices(job, train)
        require_apart(files, test_files, base=base)
        prepare = job.recipe.prepare
        require_labels(prepare, [train] if test is None else [train, test])
        answers = read_answers(Path(prepare.review), train, labels=prepare.labels) if prepare.review else None
        task = _task(job, train)
        train, test = task.read(train), None if test is None else task.read(test, like=train)
        renamed = prepare.model_copy(update={"text": ()})
        task.require_trainable(fix(train, config=renamed, answers=answers).dataset)
        for note in task.notes(train):
            job.screen.say("read", note)
        if job.recipe.split.order == "time":
            times(*((train,) if test is None else (train, test)))
        hashes = {path: source_bytes_hash(path) for path in [*files, *test_files]}
        skipped.append(False)
    columns = config.model_dump(mode="json", exclude={"files", "test_files", "unlabelled", "origin"})
    key = key_of([*hashes.values()], len(files), columns, job.code)
    return Source(task=task, train=train, test=test, answers=answers, key=key, hashes=hashes, unlabelled=unlabelled)


def _require_features(job: Job) -> None:
    """Refuse a contender that wants a feature which the recipe has not.

    Raises:
        RecipeError: with the nearest name.
    """
    recipe, known = job.recipe, tuple(job.recipe.data.features)
    for spec in (recipe.baseline, *(recipe.challengers or ())):
        for name in getattr(spec, "columns", None) or ():
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
                listed = ", ".join(known) or "which is empty"
                raise RecipeError(
                    f"columns of a contender must be of data.features ({listed}) but got {name!r}.",
                    next_step=f"Did you mean {near[0]!r}?" if near else f"Add {name!r} to data.features.",
                )


def _require_slices(job: Job, train: Dataset) -> None:
    """Refuse a column of ``report.slices`` that the table has not.

    Raises:
        RecipeError: with the nearest name.
    """
    known = train.table.column_names
    for name in job.recipe.report.slices:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
            raise RecipeError(
                f"report.slices must name columns of the table ({', '.join(known)}) but got {name!r}.",
                next_step=f"Did you mean {near[0]!r}?" if near else "Correct the name.",
            )


def _task(job: Job, train: Dataset) -> Task:
    """The task of the recipe, or the one that the answers look like, which is said."""
    if job.recipe.task != AUTO:
        return task_of(job.recipe.task)
    task = guess_task(train)
    if task.name != "classification":
        job.screen.say("read", f"the answers look like {task.name}; wrong guess? Set task in the recipe.")
    return task


def settled(job: Job, source: Source) -> Job:
    """The run with what the recipe leaves to the task: the metrics of the gate, and whether contradictions are mistakes."""
    recipe, task = job.recipe, source.task
    gate = recipe.gate if recipe.gate.metrics else recipe.gate.model_copy(update={"metrics": task.metrics[:1]})
    require_metrics(gate.metrics, task)
    require_answerable(job, task)
    require_metrics([claim.metric for claim in gate.claims if claim.metric not in MEASURED], task, key="gate.claims")
    prepare = recipe.prepare
    if not task.contradictions and "conflicts" not in prepare.model_fields_set:
        prepare = prepare.model_copy(update={"conflicts": "keep"})
    return replace(job, recipe=recipe.model_copy(update={"task": task.name, "gate": gate, "prepare": prepare}))


def start(job: Job, source: Source) -> None:
    """Heal what a killed run left, and record the recipe, the environment and the data."""
    for torn in job.ledger.recover():
        job.screen.say("ledger", f"a record torn by a killed run was moved to {torn}")
    closed = job.ledger.closed()
    if closed:
        job.ledger.note("families-closed", {"families": list(closed)}, key=f"families-closed:{','.join(closed)}")
        job.screen.say(
            "ledger",
            f"verdicts of an earlier version stand as they are; its {len(closed)} families of challengers take no more "
            "challenges, and this version begins its own",
        )
    if unknown := _unknown_runs(job):
        job.screen.say(
            "ledger",
            f"{job.workspace.runs} holds runs but the ledger is gone, or has lost them: what was judged before, and whether "
            "the sealed test was opened, is not known, so a score on it may flatter",
        )
        job.ledger.note("ledger-gone", {"run": job.run, "runs": len(unknown), "last": unknown[-1]})
    job.folder.mkdir(parents=True)
    seeds = {"run": job.recipe.seed}
    write_atomic(job.folder / "recipe.yaml", dump_recipe(job.recipe).encode())
    version = version_of(job, source)
    known, tags = (None, ()) if version is None else (version.id, version.tags)
    data = {
        "version": known,
        "tags": list(tags),
        "sources": {str(path): sha256 for path, sha256 in source.hashes.items()},
    }
    record = environment(seeds=seeds, folder=Path.cwd()) | {"data": data}
    write_atomic(job.folder / "environment.json", json.dumps(record, indent=1).encode())
    body = {"run": job.run, "name": job.recipe.name, "data": source.key, "version": known, "code": job.code}
    job.ledger.note("run-started", body)
    job.screen.say("run", f"{job.run}  {job.recipe.name}  (workspace {job.workspace.root})")
    if version is not None:
        job.screen.say("run", f"data version {version_label(known, tags)}")


def _unknown_runs(job: Job) -> list[str]:
    """Runs whose folder is there, that the ledger has no record of, and that were not told of yet."""
    records = job.ledger.records()
    known = {record.body["run"] for record in records if record.kind == "run-started"}
    told_of = max((str(record.body.get("last", "~")) for record in records if record.kind == "ledger-gone"), default="")
    # A run that was killed at its start has a folder and no record; one that was finished has a summary.
    mark = "summary.json" if records else "recipe.yaml"
    found = sorted(path.parent.name for path in job.workspace.runs.glob(f"*/{mark}"))
    return [name for name in found if name not in known and name > told_of]


def version_of(job: Job, source: Source) -> Version | None:
    """The version of the data that this run reads, recorded unless it is the newest one already.

    Raises:
        DataError: a file was changed after it was read.
    """
    config = job.recipe.data
    tables = [source.train, *([] if source.test is None else [source.test])]
    made = source.train.roles.text if source.train.roles.texts else None
    columns = dict.fromkeys(name for table in tables for name in table.table.column_names if name != made)
    version = record_inputs(
        config.files,
        config.test_files,
        workspace=job.workspace,
        message=f"run {job.run}",
        shape=(sum(map(len, tables)), [*columns]),
    )
    for path, known in source.hashes.items():
        if is_local(path) and source_bytes_hash(path) != known:
            raise DataError(f"{path} must stay as it is during a run but was changed.", next_step="Run again.")
    return version
