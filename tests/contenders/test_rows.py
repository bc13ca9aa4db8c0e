"""Prepared rows as contenders see them: of every task, and from their folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.contenders.conftest import LABELS, TEXTS

from ratchet.contenders.rows import PartedRows
from ratchet.errors import RatchetError, WorkspaceError
from ratchet.prepare.saved import FOLD, save_dataset
from ratchet.workspace.finished import save_array, save_json

Parted = Callable[..., PartedRows]


def test_texts_and_answers_of_some_rows(parted: Parted) -> None:
    rows = parted()
    some = np.array([7, 3], np.int64)
    assert rows.texts(some) == [TEXTS[7], TEXTS[3]]
    assert rows.names(some) == [LABELS[7], LABELS[3]]
    assert rows.labels == tuple(sorted(set(LABELS)))
    assert [rows.labels[place] for place in rows.truth[some]] == rows.names(some)
    assert len(rows.corpus) == len(rows.parts.dev)
    assert rows.corpus is rows.corpus, "counted once"


def test_made_rows_have_the_columns_of_the_table(parted: Parted) -> None:
    rows = parted()
    made = rows.made([rows.labels[2]])
    assert (made.names, made.values.tolist()) == (rows.labels, [2])
    sets = parted("multilabel", [json.dumps(["a"] if n % 2 else ["a", "b"]) for n in range(60)])
    assert sets.made(['["b"]']).values.tolist() == [[False, True]]


@pytest.mark.parametrize(
    ("task", "cells", "margin"),
    [
        ("classification", LABELS, 1.0),
        ("regression", [str(n % 30) for n in range(180)], 15.0),
        ("generation", LABELS, 1.0),
    ],
)
def test_the_task_says_what_decides(parted: Parted, task: str, cells: list[str], margin: float) -> None:
    rows = parted(task, cells)
    assert rows.judged_by == rows.task.metrics[:1]
    assert rows.margin_of(rows.judged_by[0]) == pytest.approx(margin, rel=0.1)
    some = rows.parts.valid
    answers = rows.task.first_champion(rows.targets).predict(rows.texts(some))
    columns = rows.columns(some, answers)
    assert all(len(column) == len(some) for column in [*columns.targets.values(), *columns.outcomes.values()])


def test_metrics_that_were_named_decide(parted: Parted) -> None:
    rows = parted("generation", LABELS, metrics=("token_f1", "chrf"))
    answers = rows.targets.values[rows.parts.valid][:, None]
    assert {*rows.columns(rows.parts.valid, answers).outcomes} == {"token_f1", "chrf"}
    assert rows.judged_by == ("token_f1", "chrf")


def saved(rows: PartedRows, folder: Path, **facts: object) -> Path:
    folder.mkdir()
    save_dataset(folder, rows.dataset)
    save_array(folder / FOLD, rows.parts.fold)
    known = {"hash": rows.parts.hash, "seal": "s", "language": "en", "notes": [], "read": 180, "removed": {"empty": 2}}
    save_json(folder / "facts.json", {**known, "crossing": {}, "changed": {}, "changed_texts": 0, **facts})
    return folder


def test_they_come_out_of_their_folder(parted: Parted, tmp_path: Path) -> None:
    rows = parted()
    again = PartedRows.load(saved(rows, tmp_path / "rows-abc"), metrics=("accuracy",))
    assert (again.key, again.seal, dict(again.removed)) == ("abc", "s", {"empty": 2})
    assert again.task.name == "classification", "rows of a version without tasks"
    assert again.dataset.texts == rows.dataset.texts
    assert again.parts.fold.tolist() == rows.parts.fold.tolist()


def test_a_task_that_is_gone_and_facts_that_lack_a_key(parted: Parted, tmp_path: Path) -> None:
    with pytest.raises(RatchetError, match="The task must be one of"):
        PartedRows.load(saved(parted(), tmp_path / "rows-a", task="ranking"))
    with pytest.raises(WorkspaceError, match="seal"):
        PartedRows.load(saved(parted(), tmp_path / "rows-b", seal=3))


def test_the_margin_of_a_cost_is_a_share(parted: Callable[..., PartedRows]) -> None:
    rows = parted("regression", [str(7 * n) for n in range(60)])
    assert rows.margin_of("rmse") > 100
    assert rows.margin_of("cost") == rows.margin_of("latency") == 1.0
