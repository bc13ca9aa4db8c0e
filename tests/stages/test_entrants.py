"""What names contenders and families: whatever decides an answer makes another one."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.trial import Trial, rows_for, trial

from ratchet.contenders.rows import PartedRows
from ratchet.stages.entrants import content, family_of
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
