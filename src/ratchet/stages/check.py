"""Look at the tables as they were read."""

from __future__ import annotations

from pathlib import Path

from ratchet.checks import run_checks
from ratchet.checks.label_noise import write_queue
from ratchet.stages.job import Job, Json
from ratchet.stages.read import Source
from ratchet.summary import health_lines
from ratchet.workspace.finished import finished, key_of, load_json, save_json


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
