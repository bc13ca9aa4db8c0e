"""What names contenders and families: whatever decides an answer makes another one."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.trial import Trial, rows_for, trial

from ratchet.contenders.linear import Linear
from ratchet.contenders.rows import PartedRows
from ratchet.recipe.sections import LinearSpec
from ratchet.recipe.track import TrackConfig
from ratchet.recipe.watch import AlertSpec, WatchConfig
from ratchet.screen import Bar, Screen
from ratchet.stages.entrants import content, entered, family_of, train_first, training_of
from ratchet.stages.job import Job
from ratchet.tasks.registry import task_of

__all__ = ["trial"]


@pytest.fixture
def rows(job: Job) -> PartedRows:
    return PartedRows.load(next(job.workspace.data.glob("rows-*")))


def test_another_task_judge_or_feature_is_another_family(job: Job, rows: PartedRows) -> None:
    data = rows.dataset
    featured = replace(data, roles=replace(data.roles, features=(("text", "category"),)))
    others = [
        rows,
        replace(rows, task=task_of("multilabel")),
        replace(rows, judged_as="one"),
        replace(rows, judged_as="two"),
        replace(rows, dataset=featured),
    ]
    assert len({family_of(other) for other in others}) == len(others)
    assert len({content(job, other) for other in others}) == len(others)
    assert family_of(rows) == f"gate-{rows.parts.hash[:16]}", "earlier workspaces go on"


def test_another_text_column_or_language_is_another_contender(job: Job, rows: PartedRows) -> None:
    data = rows.dataset
    others = [
        rows,
        replace(rows, language="en"),
        replace(rows, dataset=replace(data, roles=replace(data.roles, text="label"))),
    ]
    assert len({content(job, other) for other in others}) == len(others)
    assert len({family_of(other) for other in others}) == 1


def test_a_feature_that_is_added_later_is_used(trial: Callable[..., Trial]) -> None:
    made = trial()
    with (made.folder / "t.csv").open("w", encoding="utf-8", newline="") as file:
        cells = [(row.id, f"no word {n}", row.answer, row.answer[:2]) for n, row in enumerate(made.rows)]
        csv.writer(file).writerows([("id", "text", "label", "desk"), *cells])
    plain = made.run("", "baseline.C=1", until="train")
    featured = made.run("", "baseline.C=1", "data.features={desk: category}", until="train")
    assert plain["champion"] == "majority"
    assert featured["champion"] == "tfidf-lr"


def test_another_task_on_the_same_table_starts_anew(trial: Callable[..., Trial]) -> None:
    made = trial(rows=rows_for("multilabel"))
    assert made.run("", "task=classification", until="prepare")["run"]
    many = made.run("", "task=multilabel", "baseline.C=1", until="train")
    assert many["champion"] == "tfidf-lr"
    assert "micro_f1" in many["verdicts"][0]["line"]
    tasks = {PartedRows.load(path).task.name for path in (made.folder / "w" / "data").glob("rows-*")}
    assert tasks == {"classification", "multilabel"}


def test_how_a_training_is_watched_is_handed_down_and_names_nothing(job: Job, rows: PartedRows) -> None:
    rule = AlertSpec(metric="train/loss", above=5)
    changed = {
        "watch": WatchConfig(every=9),
        "alerts": (rule,),
        "track": TrackConfig(uri="http://127.0.0.1:9"),
        "gate": job.recipe.gate.model_copy(update={"hour": 3.0}),
    }
    other = replace(job, recipe=job.recipe.model_copy(update=changed))
    training = training_of(other, rows, name="encoder", kind="encoder", key="k", advance=Bar())
    told = training.watching.named("fold 2")
    assert (told.config.every, told.alerts, told.price) == (9, (rule,), 3.0)
    assert (told.track.uri, told.track.experiment) == ("http://127.0.0.1:9", job.recipe.name)
    assert told.name == "encoder fold 2"
    assert told.about == {
        "run": job.run,
        "recipe": job.recipe.name,
        "contender": "encoder",
        "kind": "encoder",
        "part": "fold 2",
    }
    with told.aside() as terminal:
        assert terminal is None
    assert content(other, rows) == content(job, rows)
    dear = other.recipe.model_copy(update={"watch": WatchConfig(price=8)})
    bought = training_of(replace(job, recipe=dear), rows, name="e", kind="encoder", key="k", advance=Bar())
    assert bought.watching.price == 8


def test_folds_that_are_missing_are_said_where_none_can_be_bought(job: Job, rows: PartedRows) -> None:
    def train(folder: Path) -> None:
        training = training_of(job, rows, name="made", kind="eda", key="k", advance=Bar())
        Linear().train(folder, LinearSpec(), replace(training, facts={"missing_folds": {"2": "out of memory"}}))

    stream = io.StringIO()
    found = train_first(replace(job, screen=Screen(stream)), entered(job, "made", "missing-key", train), [])
    assert found.name == "made"
    assert "made: fold 2 could not be trained and is left out. out of memory" in stream.getvalue()
    shutil.rmtree(found.folder)
