"""Clean the rows, and divide them into parts that no copy crosses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ratchet.checks import Context
from ratchet.checks.text import check as find_in_texts
from ratchet.contenders.rows import FACTS, Near, PartedRows
from ratchet.prepare.changes import reasons
from ratchet.prepare.clean import prepare as clean
from ratchet.prepare.fixes import fix
from ratchet.prepare.leaks import leaks, remove_leaks
from ratchet.prepare.parts import TEST, seal
from ratchet.prepare.quarantine import changes_path, write_quarantine
from ratchet.prepare.saved import FOLD, UNIT, save_dataset
from ratchet.prepare.split import split
from ratchet.prepare.split_by_time import split_by_time
from ratchet.recipe.sections import Recipe
from ratchet.stages.job import Job, Json
from ratchet.stages.names import Stage
from ratchet.stages.read import Source
from ratchet.tables.dataset import Dataset, concat
from ratchet.tables.sources import source_bytes_hash
from ratchet.text.columns import Rows
from ratchet.text.language import guess_language
from ratchet.workspace.finished import finished, key_of, load_json, save_array, save_json


def prepare(job: Job, source: Source) -> PartedRows:
    """Take out what would mislead, then divide without leaks and seal the test part."""
    recipe = job.recipe
    with job.stage(Stage.PREPARE) as skipped:
        near = Near(ngram=recipe.check.near_ngram, threshold=recipe.check.near_threshold)
        fixes = recipe.prepare.model_dump(mode="json", exclude={"review"})
        review = source_bytes_hash(Path(recipe.prepare.review)) if recipe.prepare.review else ""
        task = source.task.name
        key = key_of("prepare", source.key, task, fixes, review, recipe.split, near, recipe.seed, job.code)
        folder = job.workspace.data / f"rows-{key}"
        skipped.append(finished(folder, partial(_divide, recipe=recipe, source=source, near=near), final=True))
        facts, rows = load_json(folder / "facts.json", keys=FACTS), PartedRows.load(folder, metrics=recipe.gate.scored)
        rows = replace(rows, near=near)
    parts = rows.parts
    for line in _changes(facts):
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


def _changes(facts: Json) -> Iterator[str]:
    """What was changed, for people: texts and labels with their reasons, out of all rows that were read."""
    texts = {reason: count for reason, count in facts["changed"].items() if reason.startswith("text.")}
    labels = {reason: count for reason, count in facts["changed"].items() if reason not in texts}
    for noun, rows, counts in (("text", facts["changed_texts"], texts), ("label", sum(labels.values()), labels)):
        if rows:
            listed = ", ".join(f"{count:,} {reason}" for reason, count in counts.items())
            yield f"{rows:,} {noun if rows == 1 else noun + 's'} changed ({rows / facts['read']:.1%}: {listed})"


def _crossing(counts: Mapping[str, int], *, tests: int) -> str:
    """How many test rows have a copy or a near-copy elsewhere, as it was counted once the rows were divided."""
    kinds = [(counts["exact"], "copy"), (counts["near"], "near-copy")]
    found = [f"{count:,} of {tests:,} test rows have a {kind} in train or valid" for count, kind in kinds if count]
    return "; ".join(found) or "no test row has a copy or near-copy in train or valid"


def _divide(target: Path, *, recipe: Recipe, source: Source, near: Near) -> None:
    config, test = recipe.prepare, source.test
    cleaned = clean(source.train, config=config, answers=source.answers, find=partial(_found, recipe=recipe))
    dataset, quarantine = cleaned.dataset, cleaned.quarantine
    if test is not None:
        fixed = fix(test, config=config)
        test = fixed.dataset
        dataset, leaking = remove_leaks(dataset, test, **near)
        quarantine = replace(quarantine.plus(leaking), changes=pa.concat_tables([quarantine.changes, fixed.changes]))
    if recipe.split.order == "time":
        ordered = split_by_time(dataset, config=recipe.split, test=test, labelled=source.task.strata([]) is None)
        whole, parts, quarantine = ordered.dataset, ordered.parts, quarantine.plus(ordered.quarantine)
    else:
        strata = source.task.strata(dataset.labels)
        parts = split(dataset, config=recipe.split, seed=recipe.seed, test=test, strata=strata)
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
        "task": source.task.name,
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
