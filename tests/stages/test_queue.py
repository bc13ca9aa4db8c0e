from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from ratchet.cli.main import cli
from ratchet.errors import DataError, RatchetError
from ratchet.labels.asked import queue_csv, render_queue, told
from ratchet.pipeline import run
from ratchet.recipe.sections import Recipe
from ratchet.stages.queue import rows_to_label
from ratchet.stages.rows import job_of, prepared

Recipes = Callable[..., Recipe]
Writes = Callable[..., None]


FORMULA = "=HYPERLINK(post) card pin late 退款 today"


def pool(folder: Path, write: Writes) -> Path:
    """Unlabelled rows, one of which a spreadsheet would compute, and one that has a label in the table already."""
    write(folder / "open.csv", 60, seed=9, label=False)
    with (folder / "open.csv").open("a", encoding="utf-8", newline="") as file:
        csv.writer(file).writerow([FORMULA])
    return folder / "open.csv"


def filled(data: bytes, *, label: str = "card") -> bytes:
    """A queue with a label in every row."""
    lines = [*csv.reader(data.decode("utf-8-sig").splitlines())]
    place = lines[0].index("label")
    for line in lines[1:]:
        line[place] = label
    return "\n".join(",".join(f'"{cell}"' for cell in line) for line in lines).encode()


def joined(recipe: Recipe, folder: Path, queue: Path) -> Recipe:
    return recipe.model_copy(
        update={"data": recipe.data.model_copy(update={"files": (str(folder / "rows.csv"), str(queue))})}
    )


def test_a_labelled_queue_joins_the_table(tmp_path: Path, recipe_in: Recipes, write: Writes) -> None:
    recipe = recipe_in(tmp_path)
    asked = rows_to_label(pool(tmp_path, write), recipe, count=61)
    assert FORMULA in asked.texts
    assert asked.rows == 61
    assert "'=HYPERLINK" in queue_csv(asked).decode("utf-8-sig")
    (tmp_path / "queue.csv").write_bytes(filled(queue_csv(asked)))
    before = prepared(job_of(recipe))[1].dataset
    after = prepared(job_of(joined(recipe, tmp_path, tmp_path / "queue.csv")))[1].dataset
    assert len(after) == len(before) + len(asked.texts)
    assert after.table.column_names == before.table.column_names
    assert dict(zip(after.texts, after.labels, strict=True))[FORMULA] == "card"


def test_queued_rows_are_never_in_the_test_part(tmp_path: Path, recipe_in: Recipes, write: Writes) -> None:
    recipe = recipe_in(tmp_path)
    asked = rows_to_label(pool(tmp_path, write), recipe, count=61)
    (tmp_path / "queue.csv").write_bytes(filled(queue_csv(asked)))
    rows = prepared(job_of(joined(recipe, tmp_path, tmp_path / "queue.csv")))[1]
    queued = {row for row, text in enumerate(rows.dataset.texts) if text in set(asked.texts)}
    assert len(queued) == len(asked.texts)
    assert not queued & set(rows.parts.test.tolist())
    folds = np.bincount(rows.parts.fold[sorted(queued)], minlength=rows.parts.folds)
    assert folds.min() > 0
    plain = tmp_path / "plain.csv"  # the same rows as a table that is no queue are drawn like all others
    with plain.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *((text, "card") for text in asked.texts)])
    rows = prepared(job_of(joined(recipe, tmp_path, plain)))[1]
    assert {rows.dataset.texts[row] for row in rows.parts.test.tolist()} & set(asked.texts)


def test_rows_that_nobody_labelled_stay_out(tmp_path: Path, recipe_in: Recipes, write: Writes) -> None:
    recipe = recipe_in(tmp_path)
    asked = rows_to_label(pool(tmp_path, write), recipe, count=5)
    assert len(asked.texts) == 5
    (tmp_path / "queue.csv").write_bytes(queue_csv(asked))
    rows = prepared(job_of(joined(recipe, tmp_path, tmp_path / "queue.csv")))[1]
    before = prepared(job_of(recipe))[1]
    assert len(rows.dataset) == len(before.dataset)
    assert rows.removed == {**before.removed, "labels.missing": 5}
    assert not set(asked.texts) & set(rows.dataset.texts)


def test_the_champion_is_asked_once_there_is_one(tmp_path: Path, recipe_in: Recipes, write: Writes) -> None:
    recipe = recipe_in(tmp_path)
    summary = run(recipe, until="train")
    asked = rows_to_label(pool(tmp_path, write), recipe, count=5)
    assert asked.model == summary["champion"]
    assert asked.notes == ()
    assert all(0 <= value <= 1 for value in asked.queue.uncertainty.tolist())


def test_page_and_lines_name_what_was_left_out(tmp_path: Path, recipe_in: Recipes, write: Writes) -> None:
    recipe = recipe_in(tmp_path)
    known = (tmp_path / "rows.csv").read_text(encoding="utf-8").splitlines()[1].rsplit(",", 1)[0]
    path = pool(tmp_path, write)
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{known}\n<script>alert(1)</script> card post why again\n")
    asked = rows_to_label(path, recipe, count=70)
    assert sum(asked.queue.left_out.values()) + len(asked.texts) == 63
    assert "left out: " in told(asked)[-1]
    page = render_queue(asked)
    assert "<script>alert(1)" not in page
    assert "Rows to label next" in page


def test_refusals(tmp_path: Path, recipe_in: Recipes, write: Writes) -> None:
    (tmp_path / "other.csv").write_text("words\nhello there\n", encoding="utf-8")
    with pytest.raises(DataError, match="text"):
        rows_to_label(tmp_path / "other.csv", recipe_in(tmp_path))
    with pytest.raises(DataError, match="rows without a label"):
        rows_to_label(tmp_path / "rows.csv", recipe_in(tmp_path))
    with pytest.raises(RatchetError, match="1 at least"):
        rows_to_label(pool(tmp_path, write), recipe_in(tmp_path), count=0)


def test_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Writes) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "rows.csv", 320)
    (tmp_path / "ratchet.yaml").write_text("data: {files: [rows.csv]}\n", encoding="utf-8")
    pool(tmp_path, write)
    found = CliRunner().invoke(cli, ["queue", "open.csv", "--count", "4"], catch_exceptions=False)
    assert "Wrote queue.csv. Fill in the column label" in found.output
    assert len((tmp_path / "queue.csv").read_text(encoding="utf-8-sig").splitlines()) == 5
    with pytest.raises(RatchetError, match="must not be there yet"):
        CliRunner().invoke(cli, ["queue", "open.csv"], catch_exceptions=False)
    with pytest.raises(RatchetError, match=r"must end in \.csv or \.html"):
        CliRunner().invoke(cli, ["queue", "open.csv", "--out", "queue.txt"], catch_exceptions=False)
    found = CliRunner().invoke(
        cli, ["curve", "rows.csv", "--draws", "3", "--more", "50", "--out", "curve.html"], catch_exceptions=False
    )
    assert "50 more rows: " in found.output
    assert (tmp_path / "curve.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_nothing_new_is_an_empty_queue(tmp_path: Path, recipe_in: Recipes) -> None:
    recipe = recipe_in(tmp_path)
    lines = (tmp_path / "rows.csv").read_text(encoding="utf-8").splitlines()
    (tmp_path / "open.csv").write_text("\n".join(["text", *(line.rsplit(",", 1)[0] for line in lines[1:40])]))
    asked = rows_to_label(tmp_path / "open.csv", recipe)
    assert asked.texts == ()
    assert sum(asked.queue.left_out.values()) == 39
    assert len(queue_csv(asked).splitlines()) == 1
    assert "0 of 39 rows" in render_queue(asked)
