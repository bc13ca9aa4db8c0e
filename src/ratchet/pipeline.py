"""The road: from a table to a served, proven model; it reads top to bottom like the list of stages."""

from __future__ import annotations

import json
import platform
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ratchet.bundle import Bundle, write_bundle
from ratchet.checks import Context, run_checks
from ratchet.checks.noise import write_queue
from ratchet.checks.text import check as find_in_texts
from ratchet.contenders import (
    CARD,
    FACTS,
    MODEL,
    Contender,
    PartedRows,
    defend,
    fold_folder,
    folds_at_first,
    latency,
    refit,
    shrink,
    train_augmented,
    train_balanced,
    train_embedding,
    train_encoder,
    train_linear,
    trained_in,
)
from ratchet.data.changes import reasons
from ratchet.data.clean import prepare as clean
from ratchet.data.fixes import fix, require_labels
from ratchet.data.labels import require_trainable
from ratchet.data.leaks import leaks, remove_leaks
from ratchet.data.ordered import split_by_time, times
from ratchet.data.parts import TEST, seal
from ratchet.data.quarantine import changes_path, write_quarantine
from ratchet.data.review import Answers, read_answers
from ratchet.data.saved import FOLD, UNIT, load_dataset, load_parts, save_dataset
from ratchet.data.split import split
from ratchet.errors import DataError, ExtraMissing, RatchetError, RecipeError, WorkspaceError
from ratchet.forms import is_broken
from ratchet.gate.error_budget import Family, looks
from ratchet.gate.ledger import Challenge, Ledger
from ratchet.gate.metrics import METRICS, Evidence, score
from ratchet.gate.paired_tests import normal_quantile
from ratchet.gate.verdict import Claim, Finding, judge
from ratchet.models.quiet import switch_off_telemetry
from ratchet.models.sources import ENGLISH_PACKAGE
from ratchet.models.specs import default_specs, guess_language
from ratchet.recipe.recipe import dump_recipe
from ratchet.recipe.sections import (
    BalanceSpec,
    BlendSpec,
    Challenger,
    EdaSpec,
    EmbeddingSpec,
    EncoderSpec,
    LinearSpec,
    Recipe,
)
from ratchet.screen import Screen
from ratchet.serve.predict import load_model, parity, require_parity
from ratchet.summary import Recorded, Standing, bet_lines, changed_lines, health_lines, summarise, told, write_report
from ratchet.tables.dataset import Dataset, concat
from ratchet.tables.read import RawTable, read_dataset, require_apart
from ratchet.tables.sources import source_bytes_hash
from ratchet.text.columns import Rows
from ratchet.versions.log import is_local, record_inputs
from ratchet.workspace.environment import code_version, environment
from ratchet.workspace.finished import finished, key_of, load_json, save_array, save_json
from ratchet.workspace.workspace import Workspace, write_atomic

Json = dict[str, Any]
BEFORE = " (before)"
TOGETHER = 5_000
"""Below so many judged rows the linear models are judged in one round with the baseline."""
PLAIN = 0.25
"""Weight of a model that has to beat the most frequent label only: little of the level is enough for that."""
SEEDS = 3
"""With so many seeds at most an encoder is trained, where that may decide."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run: its recipe, where it works, and whom it tells."""

    recipe: Recipe
    workspace: Workspace
    ledger: Ledger
    run: str
    screen: Screen
    code: str
    stages: dict[str, tuple[float, str]] = field(default_factory=dict)
    """Seconds and state of each stage, in order, for the summary."""

    @property
    def folder(self) -> Path:
        """Folder of this run."""
        return self.workspace.runs / self.run

    @contextmanager
    def stage(self, name: str) -> Iterator[list[bool]]:
        """Time a stage; it appends to the list whether each of its steps was skipped."""
        begun, skipped = time.perf_counter(), list[bool]()
        yield skipped
        state = "skipped" if skipped and all(skipped) else "ran"
        seconds, before = self.stages.get(name, (0.0, "skipped"))
        self.stages[name] = (seconds + time.perf_counter() - begun, "ran" if "ran" in (state, before) else "skipped")


def run(recipe: Recipe, *, screen: Screen | None = None, wait: bool = False, until: str | None = None) -> Json:
    """Go the whole road and return the summary, which is also in ``runs/<id>/summary.json``.

    Args:
        recipe: what to do.
        screen: whom to tell; nobody when absent.
        wait: wait for another run in the workspace, instead of refusing.
        until: stop after this stage: ``check``, ``prepare`` or ``train``.

    Raises:
        RatchetError: a user's mistake, in one sentence.
    """
    switch_off_telemetry()
    screen = screen or Screen()
    for path in (recipe.workspace, *recipe.data.files, *recipe.data.test_files):
        if is_broken(path):
            raise RecipeError(
                f"The path {path} must be text in UTF-8 but has other bytes.",
                next_step="Rename the folder or file: what a run records must be readable everywhere.",
            )
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
    with workspace.lock(wait=wait, on_wait=lambda holder: screen.say("wait", f"another run is at work ({holder})")):
        start(job, source)
        try:
            return road(job, source, until=until)
        except RatchetError as error:
            with suppress(WorkspaceError):  # the workspace itself may be what failed
                job.ledger.note("run-failed", {"run": job.run, "reason": str(error)})
            raise


def road(job: Job, source: Source, *, until: str | None = None) -> Json:
    """The stages, in order."""
    health = check(job, source)
    if until == "check":
        return finish(job, health=health, rows=None)
    rows = prepare(job, source)
    if until == "prepare":
        return finish(job, health=health, rows=rows)
    beside, first, second = waves(challengers(job, rows), rows)
    later = len(first) + len(second)
    baseline(job, rows, beside, later=later)
    incumbent(job, rows, later=later)
    challenge(job, rows, first, later=len(second))
    challenge(job, rows, second)
    compress(job, rows)
    if until == "train":
        return finish(job, health=health, rows=rows)
    bundle = export(job, rows)
    test = open_test(job, rows, bundle)
    return finish(job, health=health, rows=rows, bundle=bundle, test=test)


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """The rows as they came, the key of everything that depends on them, and the sha256 of each source's bytes."""

    train: Dataset
    test: Dataset | None
    answers: Answers | None
    """What was decided about doubted labels of ``train``."""
    key: str
    hashes: Mapping[Path, str]


def read(job: Job) -> Source:
    """Read the files; nothing is written before they are known to be good."""
    config, base = job.recipe.data, Path.cwd()
    if not config.files:
        raise DataError("data.files must name at least one table but is empty.", next_step="Add it to the recipe.")
    with job.stage("read") as skipped:
        files, test_files = [Path(name) for name in config.files], [Path(name) for name in config.test_files]

        def each(raw: RawTable) -> None:
            for note in raw.notes:
                job.screen.say("read", note)

        missing = [path for path in [*files, *test_files] if config.origin and not path.exists()]
        if missing:
            raise DataError(f"{missing[0]} does not exist.", next_step=config.origin)
        train = read_dataset(files, config=config, base=base, each=each)
        test = read_dataset(test_files, config=config, base=base, each=each) if test_files else None
        require_apart(files, test_files, base=base)
        prepare = job.recipe.prepare
        require_labels(prepare, [train] if test is None else [train, test])
        answers = read_answers(Path(prepare.review), train, labels=prepare.labels) if prepare.review else None
        renamed = prepare.model_copy(update={"text": ()})
        require_trainable(fix(train, config=renamed, answers=answers).dataset)
        if job.recipe.split.order == "time":
            times(*((train,) if test is None else (train, test)))
        hashes = {path: source_bytes_hash(path) for path in [*files, *test_files]}
        skipped.append(False)
    columns = config.model_dump(mode="json", exclude={"files", "test_files", "origin"})
    key = key_of([*hashes.values()], len(files), columns, job.code)
    return Source(train=train, test=test, answers=answers, key=key, hashes=hashes)


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
    data = version_of(job, source)
    record = environment(seeds=seeds, folder=Path.cwd()) | {"data": data}
    write_atomic(job.folder / "environment.json", json.dumps(record, indent=1).encode())
    body = {"run": job.run, "name": job.recipe.name, "data": source.key, "version": data["version"], "code": job.code}
    job.ledger.note("run-started", body)
    job.screen.say("run", f"{job.run}  {job.recipe.name}  (workspace {job.workspace.root})")
    if data["version"] is not None:
        job.screen.say("run", f"data version {told(data)}")


def _unknown_runs(job: Job) -> list[str]:
    """Runs whose folder is there, that the ledger has no record of, and that were not told of yet."""
    records = job.ledger.records()
    known = {record.body["run"] for record in records if record.kind == "run-started"}
    told_of = max((str(record.body.get("last", "~")) for record in records if record.kind == "ledger-gone"), default="")
    # A run that was killed at its start has a folder and no record; one that was finished has a summary.
    mark = "summary.json" if records else "recipe.yaml"
    found = sorted(path.parent.name for path in job.workspace.runs.glob(f"*/{mark}"))
    return [name for name in found if name not in known and name > told_of]


def version_of(job: Job, source: Source) -> Json:
    """The version of the data that this run reads, recorded unless it is the newest one already.

    Raises:
        DataError: a file was changed after it was read.
    """
    config = job.recipe.data
    tables = [source.train, *([] if source.test is None else [source.test])]
    columns = dict.fromkeys(name for table in tables for name in table.table.column_names)
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
    return {
        "version": None if version is None else version.id,
        "tags": [] if version is None else [*version.tags],
        "sources": {str(path): sha256 for path, sha256 in source.hashes.items()},
    }


def check(job: Job, source: Source) -> Json:
    """Look at the table: what would make a model trained on it, or its score, lie?"""
    recipe = job.recipe
    with job.stage("check") as skipped:
        key = key_of("check", source.key, recipe.check, recipe.split, recipe.baseline, recipe.seed, job.code)
        folder = job.workspace.data / f"check-{key}"

        def build(target: Path) -> None:
            with job.screen.bar("check") as advance:
                found = run_checks(
                    source.train,
                    config=recipe,
                    test=source.test,
                    progress=lambda title, done, total: advance(done, total, title),
                )
            save_json(target / "health.json", found.to_dict())
            if found.suspects:
                write_queue(found.suspects, target / "review.csv")

        skipped.append(finished(folder, build, final=True))
        health: Json = load_json(folder / "health.json")
    for line in health_lines(health):
        job.screen.say("check", line)
    if (folder / "review.csv").is_file():
        job.screen.say("check", f"labels to look at again, the most doubtful first: {folder / 'review.csv'}")
    return health


def prepare(job: Job, source: Source) -> PartedRows:
    """Take out what would mislead, then divide without leaks and seal the test part."""
    recipe = job.recipe
    with job.stage("prepare") as skipped:
        near = {"ngram": recipe.check.near_ngram, "threshold": recipe.check.near_threshold}
        fixes = recipe.prepare.model_dump(mode="json", exclude={"review"})
        review = source_bytes_hash(Path(recipe.prepare.review)) if recipe.prepare.review else ""
        key = key_of("prepare", source.key, fixes, review, recipe.split, near, recipe.seed, job.code)
        folder = job.workspace.data / f"rows-{key}"
        skipped.append(finished(folder, partial(_divide, recipe=recipe, source=source, near=near), final=True))
        facts, rows = load_json(folder / "facts.json", keys=FACTS), PartedRows.load(folder)
    parts = rows.parts
    for line in changed_lines(facts):
        job.screen.say("prepare", line)
    if facts["changed"]:
        job.screen.say("prepare", f"what they were: {changes_path(folder / 'quarantine.csv')}")
    removed = ", ".join(f"{count:,} {reason}" for reason, count in facts["removed"].items())
    where = f"; {sum(facts['removed'].values()):,} in {folder / 'quarantine.csv'} ({removed})" if removed else ""
    job.screen.say("prepare", f"{len(rows.dataset):,} rows stay{where}")
    sizes = f"train {len(parts.train):,}, valid {len(parts.valid):,}, test {len(parts.test):,} (sealed)"
    how = f"{parts.folds} folds" if parts.order == "random" else "in time order"
    job.screen.say("prepare", f"{sizes}; {how}; {_crossing(facts['crossing'], tests=len(parts.test))}")
    for note in parts.notes:
        job.screen.say("prepare", note)
    return rows


def _crossing(counts: Mapping[str, int], *, tests: int) -> str:
    """How many test rows have a copy or a near-copy elsewhere, as it was counted once the rows were divided."""
    kinds = [(counts["exact"], "copy"), (counts["near"], "near-copy")]
    found = [f"{count:,} of {tests:,} test rows have a {kind} in train or valid" for count, kind in kinds if count]
    return "; ".join(found) or "no test row has a copy or near-copy in train or valid"


def _divide(target: Path, *, recipe: Recipe, source: Source, near: Json) -> None:
    config, test = recipe.prepare, source.test
    cleaned = clean(source.train, config=config, answers=source.answers, find=partial(_found, recipe=recipe))
    dataset, quarantine = cleaned.dataset, cleaned.quarantine
    if test is not None:
        fixed = fix(test, config=config)
        test = fixed.dataset
        dataset, leaking = remove_leaks(dataset, test, **near)
        quarantine = replace(quarantine.plus(leaking), changes=pa.concat_tables([quarantine.changes, fixed.changes]))
    if recipe.split.order == "time":
        ordered = split_by_time(dataset, config=recipe.split, test=test)
        whole, parts, quarantine = ordered.dataset, ordered.parts, quarantine.plus(ordered.quarantine)
    else:
        parts = split(dataset, config=recipe.split, seed=recipe.seed, test=test)
        whole = dataset if test is None else concat(dataset, test)
    language = recipe.data.language
    save_dataset(target, whole)
    save_array(target / FOLD, parts.fold)
    if parts.unit is not None:
        save_array(target / UNIT, parts.unit)
    write_quarantine(target / "quarantine.csv", quarantine)
    sealed = parts.fold == TEST
    facts = {
        "hash": parts.hash,
        "crossing": leaks(whole.take(np.flatnonzero(~sealed)), whole.take(np.flatnonzero(sealed)), **near).counts,
        "notes": list(parts.notes),
        "order": parts.order,
        "seal": seal(parts, whole),
        "read": len(source.train) + (0 if test is None else len(test)),
        "removed": quarantine.counts,
        "changed": reasons(quarantine.changes),
        "changed_texts": pc.sum(pc.equal(quarantine.changes.column("column"), whole.roles.text)).as_py() or 0,
        "language": guess_language(whole.texts) if language == "auto" else language,
    }
    save_json(target / "facts.json", facts)


def _found(dataset: Dataset, *, recipe: Recipe) -> dict[str, Rows]:
    """The positions of the rows of each finding that the recipe removes."""
    wanted: dict[str, Rows] = {name: np.zeros(0, np.int64) for name in recipe.prepare.remove}
    for finding in find_in_texts(Context(dataset=dataset, recipe=recipe, seed=recipe.seed, scored=False)):
        if finding.id in wanted:
            number = {file: i for i, file in enumerate(dataset.files)}
            places = [
                dataset.find(np.full(len(rows), number[file]), rows) for file, rows in finding.row_numbers.items()
            ]
            wanted[finding.id] = np.concatenate(places)
    return wanted


def baseline(job: Job, rows: PartedRows, beside: Sequence[Challenger], *, later: int) -> None:
    """The first champion answers the most frequent label; TF-IDF with logistic regression must beat it.

    On a small table the other contenders that cost seconds stand ``beside`` it: all must beat the first champion, and the
    best of those that do takes the place.
    """
    with job.stage("baseline") as skipped:
        family, seed = family_of(rows), job.recipe.seed
        key = key_of("majority", content(job, rows), seed)
        train = partial(train_linear, rows=rows, name="majority", spec="majority", seed=seed)
        first = Contender.load(_trained(job, key, train, skipped))
        if job.ledger.champion(family) is None:
            job.ledger.root(family, first.ref, run=job.run, key=f"root:{family}")
        spec = job.recipe.baseline
        name = spec.name or "tfidf-lr"
        train = partial(train_linear, rows=rows, name=name, spec=spec, seed=seed)
        entrants = [_entered(job, name, key_of(name, content(job, rows), spec, seed), train)]
        entrants += [entrant for other in beside if (entrant := _entrant(job, rows, other)) is not None]
        contest(job, rows, entrants, skipped, later=later, weight=PLAIN, required=True)


def incumbent(job: Job, rows: PartedRows, *, later: int) -> None:
    """The table changed: the champion of the rows before must be beaten too, on rows that it was not trained on."""
    before = job.ledger.champion_before(family_of(rows))
    if before is None:
        return
    with job.stage("challengers") as skipped:
        of = Contender.load(job.workspace.models / before.contender.key)
        name = f"{of.name.removesuffix(BEFORE)}{BEFORE}"
        trained, left_out = trained_in(of)
        known = job.workspace.data / f"rows-{trained}"
        reason = "Its labels are others." if tuple(of.card["labels"]) != rows.labels else ""
        reason = reason or ("" if known.is_dir() else f"{known} is gone, so nobody knows what it was trained on.")
        if not reason:
            fold = load_parts(known).fold
            trained_on = load_dataset(known).take(np.flatnonzero((fold >= 0) & (fold != left_out)))
            train = partial(defend, rows=rows, name=name, of=of, trained_on=trained_on)
            try:
                key = key_of("incumbent", of.folder.name, content(job, rows))
                contest(job, rows, [_entered(job, name, key, train)], skipped, later=later)
            except DataError as error:
                reason = error.problem
        if reason:
            _skip(job, name, reason)


def challengers(job: Job, rows: PartedRows) -> tuple[Challenger, ...]:
    """What the recipe says, or what is known to be worth a try for this language and with what is installed."""
    if job.recipe.challengers is not None:
        return job.recipe.challengers
    usual = default_specs(rows.language, n_rows=len(rows.parts.dev), n_labels=len(rows.labels))
    linear = [spec for name, spec in usual.items() if name in ("linear-wide", "blend")]
    counts = np.bincount(rows.truth[rows.parts.dev])
    spec = BalanceSpec(name="balance")
    uneven = set(job.recipe.gate.metrics) != {"accuracy"} and counts.max() > spec.ratio * counts.min()
    balance = (spec,) if uneven else ()  # by accuracy alone the largest class would always be right
    frozen = (EmbeddingSpec(name="embedding", source=job.recipe.train.source),) if _pretrained(job, rows) else ()
    return (*linear, *balance, EdaSpec(name="eda"), *frozen, job.recipe.train)


def _pretrained(job: Job, rows: PartedRows) -> bool:
    """Whether the encoder that this run would train begins from a checkpoint, whose vectors can be used as they are."""
    if _missing_extra() is not None:
        return False
    source = job.recipe.train.source
    return source != "scratch" and (
        source != "auto" or (rows.language == "en" and find_spec(ENGLISH_PACKAGE) is not None)
    )


def _missing_extra() -> str | None:
    """The first package of the extra ``train`` that is not installed."""
    return next((package for package in ("torch", "transformers", "onnx") if find_spec(package) is None), None)


def waves(plan: Sequence[Challenger], rows: PartedRows) -> tuple[list[Challenger], list[Challenger], list[Challenger]]:
    """Those judged beside the baseline, those that stand for themselves, and those made from whoever wins among them.

    Between two such models a point of accuracy takes some 4,000 rows to prove (benchmarks/gate_power.py). On fewer rows those
    that cost seconds (linear models, embeddings) are judged together against the first champion, and the best of those that
    are proven goes on.
    """
    few = len(rows.parts.compared) < TOGETHER
    beside: list[Challenger] = [
        spec for spec in plan if few and isinstance(spec, LinearSpec | BlendSpec | EmbeddingSpec)
    ]
    made: list[Challenger] = [spec for spec in plan if isinstance(spec, EdaSpec | BalanceSpec)]
    return beside, [spec for spec in plan if spec not in (*beside, *made)], made


def challenge(job: Job, rows: PartedRows, specs: Sequence[Challenger], *, later: int = 0) -> None:
    """Train challengers, then judge them together: the best of those that are proven better is the next champion."""
    if not specs:
        return
    with job.stage("challengers") as skipped:
        entrants = [entrant for spec in specs if (entrant := _entrant(job, rows, spec)) is not None]
        contest(job, rows, entrants, skipped, later=later)


def _entrant(job: Job, rows: PartedRows, spec: Challenger) -> Entrant | None:
    """How a challenger is trained; ``None``, with the reason said, where it cannot be."""
    name, seed, threads = spec.name or spec.kind, job.recipe.seed, job.recipe.threads
    deep = isinstance(spec, EncoderSpec | EmbeddingSpec)
    key = key_of("challenger", content(job, rows), spec, seed, threads if deep else 0)
    if isinstance(spec, LinearSpec | BlendSpec):
        return _entered(job, name, key, partial(train_linear, rows=rows, name=name, spec=spec, seed=seed))
    missing = _missing_extra()
    if deep and missing is not None:
        _skip(job, name, str(ExtraMissing(missing, extra="train", why=f"The challenger {name!r}")))
        return None
    of, store = anchor(job, rows), job.workspace.models
    if isinstance(spec, EdaSpec | BalanceSpec):
        while "from_key" in of.card["facts"]:  # made from another one itself: what is made is made from the origin
            of = Contender.load(store / str(of.card["facts"]["from_key"]))
        if of.spec() is None:
            _skip(job, name, "The champion is the majority model, which learns nothing from other training rows.")
            return None
        key = key_of("challenger", content(job, rows), spec, seed, of.folder.name)

    def train(folder: Path, folds: Sequence[int] = (), seeds: int = 1) -> None:
        with job.screen.bar(name) as advance:
            common: Json = {"name": name, "threads": threads, "store": store, "advance": advance}
            if isinstance(spec, EncoderSpec):
                train_encoder(folder, rows, spec=spec, seed=seed, key=key, folds=folds, seeds=seeds, **common)
            elif isinstance(spec, EmbeddingSpec):
                train_embedding(folder, rows, spec=spec, **common)
            elif isinstance(spec, BalanceSpec):
                train_balanced(folder, rows, spec=spec, of=of, seed=seed, key=key, **common)
            elif isinstance(spec, EdaSpec):
                train_augmented(folder, rows, spec=spec, of=of, seed=seed, key=key, **common)

    if isinstance(spec, EncoderSpec):
        return _entered(job, name, key, train, folds=folds_at_first(rows))
    return _entered(job, name, key, train)


def compress(job: Job, rows: PartedRows) -> None:
    """Smaller forms of the champion: one is promoted when it is not worse by the margin, and smaller."""
    with job.stage("compress") as skipped:
        methods = job.recipe.compress.methods
        for number, method in enumerate(methods):
            of = champion(job, rows)
            if of.spec() is None or of.ref.kind == method:
                skipped.append(True)
                continue
            key, name = key_of("compress", method, of.folder.name, job.code), f"{of.name}-{method}"
            train = partial(shrink, rows=rows, name=name, of=of, threads=job.recipe.threads, store=job.workspace.models)
            entrants = [_entered(job, name, key, train)]
            contest(job, rows, entrants, skipped, later=len(methods) - number - 1, copies=True)


def content(job: Job, rows: PartedRows) -> str:
    """What names the rows and their folds, in whatever order the table has them, under this version of Ratchet."""
    return key_of(rows.parts.hash, job.code)


def family_of(rows: PartedRows) -> str:
    """All challengers ever judged on these rows and folds."""
    return f"gate-{rows.parts.hash[:16]}"


def _entered(job: Job, name: str, key: str, train: Callable[..., None], *, folds: tuple[int, ...] = ()) -> Entrant:
    """An entrant, whose verdict is by the metrics of this recipe."""
    return Entrant(name=name, key=key, judged=key_of(key, job.recipe.gate.metrics), train=train, folds=folds)


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


def _skip(job: Job, name: str, reason: str) -> None:
    """Say and record why a challenger was not tried."""
    job.ledger.note("skipped", {"run": job.run, "name": name, "reason": reason}, key=f"skipped:{job.run}:{name}")
    job.screen.say("challenge", f"{name}: skipped. {reason}")


def _trained(job: Job, key: str, train: Any, skipped: list[bool]) -> Path:
    """The folder of the contender with this key, trained unless it is there."""
    folder = job.workspace.models / key
    skipped.append(finished(folder, train))
    return folder


def contest(
    job: Job,
    rows: PartedRows,
    entrants: Sequence[Entrant],
    skipped: list[bool],
    *,
    later: int = 0,
    weight: float = 1.0,
    required: bool = False,
    copies: bool = False,
) -> None:
    """Train challengers and judge them in one round, unless the ledger has their verdicts; the only way to the top.

    Args:
        entrants: who is judged.
        skipped: takes whether each was there already.
        later: how many more are planned after these, whose share of the error level is left to them.
        weight: of each of these beside one of those, while the first champion stands, which is easily beaten.
        required: the run ends where the first of them cannot be trained; another is skipped and the reason recorded.
        copies: they are forms of the champion, which need not be better, only smaller and not worse.
    """
    family, gate = family_of(rows), job.recipe.gate
    known = {challenge.key: challenge for challenge in job.ledger.challenges(family)}
    new = [entrant for entrant in entrants if entrant.judged not in known]
    skipped += [True] * (len(entrants) - len(new))
    trained: dict[str, Contender] = {}
    for entrant in list(new):
        try:
            trained[entrant.name] = _first(job, entrant, skipped)
        except RatchetError as error:
            if (required and entrant is entrants[0]) or isinstance(error, WorkspaceError):
                raise
            new.remove(entrant)
            _skip(job, entrant.name, str(error))
    root, standing = anchor(job, rows), champion(job, rows)
    for name in [name for name, contender in trained.items() if contender.folder in (root.folder, standing.folder)]:
        del trained[name]  # judged by other metrics before, and nobody challenges himself
    new = [entrant for entrant in new if entrant.name in trained]
    if trained:
        account: Literal["improvements", "copies"] = "copies" if copies else "improvements"
        claims = [
            Claim(metric=m, kind="noninferior" if copies else "superior", margin=gate.margin) for m in gate.metrics
        ]
        paid = job.ledger.family(family, alpha=gate.alpha, account=account)
        own = weight if root.spec() is None else 1.0
        level = paid.share(own * len(trained), later=later)
        spend, paid_for = dict.fromkeys(trained, 1.0), dict.fromkeys(trained, 1.0)
        for entrant in new:
            if entrant.folds:
                bought = buy(job, rows, entrant, trained[entrant.name], claims=claims, level=level / len(trained))
                trained[entrant.name], spend[entrant.name], paid_for[entrant.name] = bought
        seeds = not copies and _take_seeds(job)
        found = judge(
            [contender.evidence(rows, seeds=seeds) for contender in trained.values()],
            (standing if copies else root).evidence(rows, seeds=seeds),
            [*claims, Claim(metric="bytes")] if copies else claims,
            family=paid,
            level=level,
            spend=[*spend.values()],
            paid=[*paid_for.values()],
            anchor=root.evidence(rows),
            copy=copies,
            seed=job.recipe.seed,
        )
        keys = {entrant.name: entrant.judged for entrant in new}
        job.ledger.judged(
            found,
            challengers={name: contender.ref for name, contender in trained.items()},
            keys=keys,
            account=account,
            run=job.run,
            key=f"round:{family}:{key_of(*sorted(keys.values()))}",
        )
        kept = {champion(job, rows).folder, anchor(job, rows).folder}
        for contender in (*trained.values(), standing, root):
            if contender.folder not in kept:
                contender.forget_folds()
        for entrant in new:
            for spare in job.workspace.models.glob(f"{entrant.key}.fold-*"):
                shutil.rmtree(spare, ignore_errors=True)
    known = {challenge.key: challenge for challenge in job.ledger.challenges(family)}
    for entrant in entrants:
        if entrant.judged in known:
            _tell(job, known[entrant.judged])


def _first(job: Job, entrant: Entrant, skipped: list[bool]) -> Contender:
    """The challenger as it is before anybody looks; where folds can be bought, with those that a killed run bought."""
    if not entrant.folds:
        return Contender.load(_trained(job, entrant.key, entrant.train, skipped))
    return _with_folds(job, entrant, entrant.folds, skipped)


def _with_folds(job: Job, entrant: Entrant, folds: Sequence[int], skipped: list[bool], *, seeds: int = 1) -> Contender:
    """The challenger with the models of these folds and seeds; those that are there are not trained again."""
    train = partial(entrant.train, folds=folds, seeds=seeds)
    key = key_of(entrant.key, list(folds), *([seeds] if seeds > 1 else []))
    found = Contender.load(_trained(job, key, train, skipped))
    for fold, reason in found.card["facts"].get("missing_folds", {}).items():
        job.screen.say("challenge", f"{entrant.name}: fold {fold} could not be trained and is left out. {reason}")
    return found


def buy(
    job: Job, rows: PartedRows, entrant: Entrant, contender: Contender, *, claims: Sequence[Claim], level: float
) -> tuple[Contender, float, float]:
    """Buy evidence for a challenger that is undecided but may still win: one fold more, then all folds with another seed.

    The looks are planned: one after each number of folds and of seeds, each with its part of the challenger's level
    (`family.looks`). It ends when the challenger is decided, cannot win any more, or the next step would take more than
    ``gate.budget``; whether a look is the last is settled before it is made, and then it gets all that is left. A look is
    recorded before the next step is trained, so that a killed run makes the same looks, and none twice.

    Returns the challenger with the folds and seeds it has, the part of its level for the verdict, and that of all looks.
    """
    if rows.parts.order != "random":
        return contender, 1.0, 1.0
    total = rows.parts.folds
    plan = [(tuple(range(count)), 1) for count in range(len(entrant.folds), total + 1)]
    if _take_seeds(job):
        plan += [(tuple(range(total)), seeds) for seeds in range(2, SEEDS + 1)]
    used, spent = 0.0, 0.0
    family, store = paid_by(job, rows), job.workspace.models
    for number, ((folds, seeds), part) in enumerate(zip(plan, looks(len(plan)), strict=True)):
        if number:
            contender = _with_folds(job, entrant, folds, [], seeds=seeds)
            used += _seconds(store, entrant, folds if seeds > 1 else folds[-1:], turn=seeds - 1)
        key = f"look:{family.name}:{entrant.judged}:{len(folds)}" + (f":{seeds}" if seeds > 1 else "")
        seen = job.ledger.find(key)
        reseeds = number + 1 < len(plan) and plan[number + 1][1] > 1
        if seen is None:
            price = _seconds(store, entrant, folds if reseeds else folds[-1:])
            last = number + 1 == len(plan) or used + price > 60 * job.recipe.gate.budget
            share = 1.0 - spent if last else part
            body = _look(job, rows, contender, claims, level=level, share=share, last=last)
            seen = job.ledger.note("look", body, key=key)
        look = seen.body
        if number or not look["last"]:
            more = "all folds are trained with another seed" if reseeds else "one more fold is trained"
            after = f"{len(folds)} of {total} folds" + (f" and {seeds} seeds" if seeds > 1 else "")
            job.screen.say("buy", _bought_line(entrant.name, look, after=after, more=more))
        if look["last"] or look["decision"] != "buy":
            return contender, float(look["share"]), spent + float(look["share"])
        spent += part
    return contender, 1.0, 1.0


def _take_seeds(job: Job) -> bool:
    """Whether all metrics of the gate can be judged over several seeds."""
    return all(METRICS[metric].seeds for metric in job.recipe.gate.metrics)


def _look(
    job: Job,
    rows: PartedRows,
    contender: Contender,
    claims: Sequence[Claim],
    *,
    level: float,
    share: float,
    last: bool,
) -> Json:
    """One look at a challenger: what it says, and what follows."""
    gate = job.recipe.gate
    seeds = _take_seeds(job)
    found = judge(
        [contender.evidence(rows, seeds=seeds)],
        anchor(job, rows).evidence(rows, seeds=seeds),
        claims,
        family=Family(name=paid_by(job, rows).name, alpha=gate.alpha),
        level=level,
        spend=[share],
        seed=job.recipe.seed,
    ).verdicts[0]
    finding = found.findings[0]
    share_of_rows = finding.n / len(rows.parts.compared)
    share_of_seeds = contender.card["facts"].get("seeds", 1) / SEEDS if share_of_rows == 1.0 else 1.0
    may_win = not last and _wins(finding, share=share_of_rows * share_of_seeds, level=level, alpha=gate.alpha)
    decision = "decided" if found.promotes else "buy" if may_win else "stop"
    return {
        "name": contender.name,
        "n": finding.n,
        "metric": finding.metric,
        "estimate": finding.estimate,
        "p": finding.p,
        "level": found.level,
        "share": share,
        "last": last,
        "decision": decision,
    }


def _wins(finding: Finding, *, share: float, level: float, alpha: float) -> bool:
    """Whether a challenger may still be proven when all is bought: even one who is as good as the upper 99 % bound.

    Args:
        finding: of a look at ``share`` of the rows, or of the seeds once all rows are there.
        level: of the last look; ``alpha``: of the finding's upper bound.
    """
    error = (finding.high - finding.estimate) / normal_quantile(1 - alpha)
    return bool(finding.estimate + normal_quantile(0.99) * error > -normal_quantile(level) * error * share**0.5)


def _bought_line(name: str, look: Mapping[str, Any], *, after: str, more: str) -> str:
    seen = f"{name} after {after}: {look['estimate'] * 100:+.2f} points on {look['n']:,} rows"
    words = {
        "decided": "proven already, no more is bought",
        "buy": f"undecided but may still win, so {more}",
        "stop": "it cannot win any more" if not look["last"] else "nothing more can be bought within gate.budget",
    }
    return f"{seen}, p={look['p']:.2g} of {look['level']:.2g}: {words[look['decision']]}"


def _seconds(store: Path, entrant: Entrant, folds: Sequence[int], *, turn: int = 0) -> float:
    """What these folds took; those that could not be trained took nothing."""
    paths = [fold_folder(store, entrant.key, fold, turn) / "fold.json" for fold in folds]
    return sum(float(load_json(path, keys={"seconds": int | float})["seconds"]) for path in paths if path.is_file())


def paid_by(job: Job, rows: PartedRows) -> Family:
    """The account of the improvements on these rows."""
    return job.ledger.family(family_of(rows), alpha=job.recipe.gate.alpha)


def _tell(job: Job, challenge: Challenge) -> None:
    """A verdict for people."""
    arrow = " -> new champion" if challenge.promoted else ""
    job.screen.say("challenge", f"{challenge.verdict.line}{arrow}")
    card = load_json(job.workspace.models / challenge.challenger.key / CARD)
    if not card["facts"].get("converged", True):
        name = challenge.challenger.name
        job.screen.say("challenge", f"{name}: the solver ended before it converged; another C may serve it better")


def export(job: Job, rows: PartedRows) -> Bundle:
    """Train the champion once more on all dev rows, write it as a bundle, and refuse it unless it predicts as it did."""
    with job.stage("export") as skipped:
        best = champion(job, rows)
        served, reason = _served(job, rows, best)
        key = key_of("bundle", served.folder.name, job.recipe.export, job.code)
        target = job.workspace.bundles / f"{best.name}-{key[:8]}"
        skipped.append(target.is_dir())
        if not target.is_dir():
            shared, probability = served.predictions(rows, rows.parts.valid)
            if not len(shared):
                raise WorkspaceError(
                    f"{served.folder} must hold predictions of valid rows but has none to compare the export with.",
                    next_step=f"Remove {served.folder} and run again.",
                )
            texts = rows.texts(shared)
            trained = Recorded(labels=rows.labels, probability=probability)
            found = parity(trained, served.model(threads=job.recipe.threads), texts)
            require_parity(found, config=job.recipe.export)
            judged = score(best.evidence(rows), job.recipe.gate.metrics[0]).to_dict()
            write_bundle(
                target,
                model_folder=served.folder / MODEL,
                name=best.name,
                created=datetime.now(UTC).isoformat(timespec="seconds"),
                kind=best.runtime,
                labels=rows.labels,
                language=rows.language,
                text_column=job.recipe.data.text,
                fixes=job.recipe.prepare.text,
                model={
                    "kind": best.ref.kind,
                    "bytes": served.ref.bytes,
                    "judged": best.folder.name,
                    "served": served.folder.name,
                    "refit_rows": served.card["facts"].get("refit"),
                    "parity_max_difference": found.max_difference,
                    "parity_disagreements": found.disagreements,
                    "parity_rows": found.n,
                },
                data_version=rows.parts.hash,
                recipe=dump_recipe(job.recipe),
                verdicts=[challenge.verdict.to_dict() for challenge in challenges(job, rows)],
                scores={"valid": judged, "about": "the model that was judged, on rows it had not seen"},
                environment={"python": platform.python_version(), "platform": platform.platform()},
            )
            job.ledger.note("exported", {"run": job.run, "bundle": target.name, "champion": best.name})
        bundle = Bundle.open(target)
    facts = bundle.manifest.model
    how = f"trained again on all {facts['refit_rows']:,} train and valid rows" if facts.get("refit_rows") else reason
    job.screen.say("export", f"{best.name}, {how}")
    job.screen.say(
        "export",
        f"{target} ({bundle.bytes:,} bytes); {facts['parity_rows']:,} valid rows predicted again: largest difference "
        f"{facts['parity_max_difference']:.1e}, {facts['parity_disagreements']} other labels",
    )
    return bundle


def _served(job: Job, rows: PartedRows, best: Contender) -> tuple[Contender, str]:
    """What is exported: the champion trained on all dev rows, or as it was judged, and why."""
    if not job.recipe.export.refit:
        return best, "as it was judged (export.refit is false)"
    with job.screen.bar("refit") as advance:
        whole, reason = refit(
            best, rows, seed=job.recipe.seed, threads=job.recipe.threads, store=job.workspace.models, advance=advance
        )
    return (best, f"as it was judged. {reason}") if whole is None else (whole, "")


def challenges(job: Job, rows: PartedRows) -> tuple[Challenge, ...]:
    """All challenges on these rows, in order."""
    return job.ledger.challenges(family_of(rows))


def open_test(job: Job, rows: PartedRows, bundle: Bundle) -> Json:
    """Score the bundle on the sealed test part; the opening is recorded first, and once for each champion."""
    with job.stage("test"):
        best, test = champion(job, rows), rows.parts.test
        body = {"run": job.run, "seal": rows.seal, "champion": best.name, "bundle": bundle.sha256}
        job.ledger.note("test-opened", body, key=f"test:{rows.seal}:{bundle.sha256}")
        probability = load_model(bundle, threads=job.recipe.threads).predict(rows.texts(test))
        evidence = Evidence(name=best.name, rows=test, truth=rows.truth[test], probability=probability)
        scores = [score(evidence, metric).to_dict() for metric in job.recipe.gate.metrics]
        records = job.ledger.records()
        openings = [r.time for r in records if r.kind == "test-opened" and r.body["seal"] == rows.seal]
        lost = any(r.kind == "ledger-gone" for r in records)
    first = scores[0]
    judged = score(best.evidence(rows), first["metric"])
    times = "once" if len(openings) == 1 else f"{len(openings)} times, so it flatters"
    times += "; earlier openings are not known, since the ledger was lost" if lost else ""
    job.screen.say(
        "test",
        f"{best.name}: {first['metric']} {first['value']:.1%} [{first['low']:.1%}, {first['high']:.1%}] on {first['n']:,} "
        f"sealed rows (opened {times}); {(first['value'] - judged.value) * 100:+.1f} points beside {judged.value:.1%} on the "
        "rows of the verdicts",
    )
    return {
        "scores": scores,
        "opened": openings,
        "lost": lost,
        "judged": judged.to_dict(),
        "refit_rows": bundle.manifest.model.get("refit_rows"),
        "predicted": probability,
        "evidence": evidence,
    }


def finish(
    job: Job,
    *,
    health: Json,
    rows: PartedRows | None,
    bundle: Bundle | None = None,
    test: Mapping[str, Any] | None = None,
) -> Json:
    """Write the summary and the report, and close the run in the ledger."""
    contenders: list[Contender] = []
    forms: list[tuple[Contender, np.ndarray[Any, Any]]] = []
    judged = () if rows is None else challenges(job, rows)
    if rows is not None and bundle is not None:
        with job.stage("report") as skipped:
            skipped.append(False)
            root = job.ledger.find(f"root:{family_of(rows)}")
            keys = [] if root is None else [root.body["contender"]["key"]]
            keys += [challenge.challenger.key for challenge in judged]
            contenders = [Contender.load(job.workspace.models / key) for key in dict.fromkeys(keys)]
            forms = _forms(job, rows, contenders)
    summary = summarise(
        run=job.run,
        recipe=job.recipe,
        data=load_json(job.folder / "environment.json", keys={"data": dict})["data"],
        health=health,
        rows=rows,
        contenders=contenders,
        judged=judged,
        champion=None if rows is None or not judged else champion(job, rows).name,
        standing=None if rows is None or not judged else standing_of(job, rows),
        bundle=bundle,
        test=test,
        stages=job.stages,
        ledger=job.ledger.records()[-1],
        forms=forms,
    )
    write_report(job.folder, summary=summary, rows=rows, health=health, contenders=contenders, test=test, bundle=bundle)
    write_atomic(job.folder / "summary.json", json.dumps(summary, ensure_ascii=False, indent=1).encode())
    job.ledger.note("run-finished", {"run": job.run, "champion": summary["champion"], "seconds": summary["seconds"]})
    for line in bet_lines(summary):
        job.screen.say("best bet", line)
    job.screen.say("report", str(job.folder / "report.html"))
    if bundle is not None:
        job.screen.say("serve", f"ratchet serve {bundle.path}")
    return summary


def standing_of(job: Job, rows: PartedRows) -> Standing:
    """Where the gate stands on these rows: who must be beaten, and what is left of the error level and of the margin."""
    family, gate = family_of(rows), job.recipe.gate
    return Standing(
        anchor=anchor(job, rows),
        champion=champion(job, rows),
        left=job.ledger.family(family, alpha=gate.alpha).left,
        copies_left=job.ledger.family(family, alpha=gate.alpha, account="copies").left,
        margin=gate.margin,
    )


def _forms(job: Job, rows: PartedRows, contenders: list[Contender]) -> list[tuple[Contender, np.ndarray[Any, Any]]]:
    """The compressed contenders beside what they were made from, with their latencies in interleaved rounds."""
    small = [contender for contender in contenders if contender.ref.kind == "int8"]
    if not small:
        return []
    of = next((c for c in contenders if c.name == small[-1].card["facts"]["of"]), None)
    pair = [contender for contender in (of, small[-1]) if contender is not None]
    texts = rows.texts(rows.parts.valid[:40])
    models = [contender.model(threads=job.recipe.threads) for contender in pair]
    return list(zip(pair, latency(models, texts), strict=True))
