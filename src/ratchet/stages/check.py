"""Look at the tables as they were read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ratchet.checks import Health, run_checks
from ratchet.checks.context import counted
from ratchet.checks.facts import CLASSES, Class
from ratchet.checks.finding import SEVERITIES
from ratchet.checks.label_noise import write_queue
from ratchet.checks.random_split import NaiveSplit
from ratchet.metrics.metrics import Score
from ratchet.stages.job import Job
from ratchet.stages.names import Stage
from ratchet.stages.read import Source
from ratchet.workspace.finished import finished, key_of, load_json, save_json


def check(job: Job, source: Source) -> Health:
    """Look at the table: what would make a model trained on it, or its score, lie?"""
    recipe = job.recipe
    with job.stage(Stage.CHECK) as skipped:
        key = key_of(
            "check", source.key, source.task.name, recipe.check, recipe.split, recipe.baseline, recipe.seed, job.code
        )
        folder = job.workspace.data / f"check-{key}"

        def build(target: Path) -> None:
            with job.screen.bar("check") as advance:
                found = run_checks(
                    source.train,
                    config=recipe,
                    test=source.test,
                    progress=lambda title, done, total: advance(done, total, title),
                )
            found = _of_task(found, source)
            save_json(target / "health.json", found.to_dict())
            if found.suspects:
                write_queue(found.suspects, target / "review.csv")

        skipped.append(finished(folder, build, final=True))
        health = Health.from_dict(load_json(folder / "health.json"))
    for line in _lines(health, source):
        job.screen.say("check", line)
    if (folder / "review.csv").is_file():
        job.screen.say("check", f"labels to look at again, the most doubtful first: {folder / 'review.csv'}")
    return health


def _of_task(health: Health, source: Source) -> Health:
    """The facts with the labels as the task counts them: no label for numbers and texts, each for itself in a list."""
    counts = source.task.counts(source.train.labels) or {}
    facts = health.facts
    if counts.keys() == {one.name for one in facts.classes}:
        return health
    texts = {one.name: one.texts for one in facts.classes}
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:CLASSES]
    classes = tuple(Class(name=name, rows=rows, texts=texts.get(name, rows)) for name, rows in ranked)
    return replace(health, facts=replace(facts, labels=len(counts), classes=classes))


def _lines(health: Health, source: Source) -> Iterator[str]:
    """The check for people: the table, what a random split would have claimed, and what must be mended."""
    facts, task = health.facts, source.task
    contradicted = f"{counted(facts.conflicting_texts, 'text')} with two {task.answer}s or more"
    labels = [counted(facts.labels, "label")] if facts.classes else []
    yield "; ".join(
        [
            f"{facts.rows:,} rows, {facts.unique_rows:,} different texts, {contradicted}",
            *labels,
            facts.language,
        ]
    )
    if facts.naive is not None:
        yield from _claims(facts.naive)
    for severity in SEVERITIES:
        ids = [finding.id for finding in health.findings if finding.severity == severity]
        many = f"{len(ids)} would make a model or its score lie" if severity == "error" else counted(len(ids), severity)
        if ids:
            yield f"{many}: {', '.join(dict.fromkeys(ids))}"


def _claims(naive: NaiveSplit) -> Iterator[str]:
    """What a random split would have claimed, and what is true."""
    if naive.test_rows:
        yield f"a random split puts a copy of {naive.leaked_share:.1%} of its test rows into its train rows"
    if naive.naive and naive.honest:
        yield f"it would promise {_figures(naive.naive)}; without leaks: {_figures(naive.honest)}"
        if naive.leaked and naive.clean:
            yield f"(rows with a copy in train {_figures(naive.leaked)}, clean rows {_figures(naive.clean)})"
    if naive.ordered:
        yield f"on the latest fifth of the texts, by a fit on the earlier ones: {_figures(naive.ordered)}"


def _figures(score: Score) -> str:
    return f"{score.value:.1%} [{score.low:.1%}, {score.high:.1%}]"
