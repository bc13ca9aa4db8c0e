from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from ratchet.errors import DataError
from ratchet.prepare.changes import reasons
from ratchet.prepare.clean import prepare
from ratchet.prepare.fixes import fix
from ratchet.prepare.quarantine import restore
from ratchet.prepare.review import read_answers
from ratchet.recipe.sections import PrepareConfig
from ratchet.tables.dataset import Dataset, Roles

Cells = list[tuple[str | None, ...]]


def dataset(rows: Cells, *, files: int = 1) -> Dataset:
    cells = list(zip(*rows, strict=True)) if rows else [(), (), ()]
    file_index = np.sort(np.arange(len(rows)) % files)
    return Dataset(
        table=pa.table(
            {
                name: pa.array(column, pa.string())
                for name, column in zip(("text", "label", "note"), cells, strict=False)
            }
        ),
        roles=Roles(text="text", label="label"),
        files=tuple(f"{chr(97 + i)}.csv" for i in range(files)),
        file_index=file_index,
        origin=np.arange(len(rows)) - np.searchsorted(file_index, file_index) + 1,
    )


HEAD = ("file", "row", "text", "label", "suggested", "decision")


REVIEWED: Cells = [("很好", "neg"), ("=坏\n了", "pos"), ("一般", "pos"), ("很 好", "neg"), ("很好！", "neg")]


@pytest.fixture
def queue(tmp_path: Path) -> Callable[..., Path]:
    """Writes a filled-in queue."""

    def write(*lines: tuple[str, ...], head: tuple[str, ...] = HEAD) -> Path:
        with (tmp_path / "q.csv").open("w", encoding="utf-8-sig", newline="") as file:
            csv.writer(file).writerows([head, *lines])
        return tmp_path / "q.csv"

    return write


def test_answers_hold_for_copies_and_come_back(queue: Callable[..., Path]) -> None:
    rows: Cells = [*REVIEWED, ("很好", "neg"), ("ok", "pos")]
    path = queue(
        ("a.csv", "1", "很好", "neg", "pos", " pos "),
        ("data/a.csv", "2.0", "'=坏 了", "pos", "neg", "Drop"),
        ("a.csv", "3", "一般", "pos", "neg", ""),
        ("a.csv", "5", "很好！", "neg", "pos", "keep"),
    )
    table = dataset(rows)
    answers = read_answers(path, table, labels={})
    config = PrepareConfig(duplicates="keep", conflicts="keep")
    prepared = prepare(table, config=config, answers=answers)
    assert prepared.dataset.labels == ["pos", "pos", "neg", "neg", "pos", "pos"]
    assert [(r.row, r.reason) for r in prepared.quarantine.records] == [(2, "labels.review")]
    assert prepared.quarantine.changes.column("row").to_pylist() == [1, 6]
    assert reasons(prepared.quarantine.changes) == {"labels.review": 2}
    assert restore(prepared.dataset, prepared.quarantine).content_hash == table.content_hash


def test_answers_know_the_new_names_and_have_the_last_word(queue: Callable[..., Path]) -> None:
    table = dataset([("a", "x"), ("b", "x"), ("c", "y")])
    path = queue(("a.csv", "1", "a", "x", "y", "y"), ("a.csv", "2", "b", "x", "y", "x"))
    config = PrepareConfig(labels={"x": "X", "y": "Y"})
    answers = read_answers(path, table, labels=config.labels)
    fixed = fix(table, config=config, answers=answers)
    assert fixed.dataset.labels == ["Y", "X", "Y"]
    assert reasons(fixed.changes) == {"labels.review": 2, "labels.renamed": 1}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (("a.csv", "9", "很好", "neg", "", "pos"), "Row 1 of q.csv must be about a row of the table but there is no row 9 "),
        (("a.csv", "x", "很好", "neg", "", "pos"), "there is no row x of a.csv"),
        (("a.csv", "1e30", "很好", "neg", "", "pos"), "there is no row 1e30 of a.csv"),
        (("b.csv", "1", "很好", "neg", "", "pos"), "there is no row 1 of b.csv"),
        (("a.csv", "1", "很坏", "neg", "", "pos"), "row 1 of a.csv but that has another text by now"),
        (("a.csv", "1", "很好", "pos", "", "neg"), "row 1 of a.csv but that has another label by now"),
        (("a.csv", "1", "很好", "neg", "", "psо"), "must have keep, drop or a label of the table as its decision but has"),
    ],
)  # fmt: skip
def test_answers_that_do_not_fit_are_refused(queue: Callable[..., Path], line: tuple[str, ...], problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        read_answers(queue(line), dataset(REVIEWED), labels={})
    undecided = queue((*line[:-1], ""))
    assert len(read_answers(undecided, dataset(REVIEWED), labels={}).rows) == 0


def test_a_file_whose_name_is_guarded_is_found(queue: Callable[..., Path]) -> None:
    table = replace(dataset(REVIEWED), files=("@a.csv",))
    answers = read_answers(queue(("'@a.csv", "1", "很好", "neg", "", "pos")), table, labels={})
    assert answers.labels == ("pos",)


def test_unclear_answers_are_refused(queue: Callable[..., Path]) -> None:
    table = dataset(REVIEWED)
    both = (("a.csv", "1", "很好", "neg", "", "pos"), ("a.csv", "1", "很好", "neg", "", "drop"))
    with pytest.raises(DataError, match="Copies must have one decision but row 1 of"):
        read_answers(queue(*both), dataset([*REVIEWED, ("很好", "neg")]), labels={})
    with pytest.raises(DataError, match="has no column 'decision'"):
        read_answers(queue(both[0][:-1], head=HEAD[:-1]), table, labels={})
    with pytest.raises(DataError, match="must have a clear decision but 'drop' is also a label"):
        read_answers(queue(both[1]), dataset([("很好", "neg"), ("b", "drop")]), labels={})
