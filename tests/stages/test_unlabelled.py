"""Rows without an answer on the road of a run: what stands in test and valid is left out, the rest may be labelled."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from tests.conftest import generate

from ratchet.augment.filters import near_to
from ratchet.errors import DataError, RecipeError
from ratchet.pipeline import run
from ratchet.prepare.saved import load_dataset, load_parts
from ratchet.recipe.recipe import parse_recipe
from ratchet.recipe.sections import Recipe
from ratchet.screen import Screen
from ratchet.stages.unlabelled import new_rows

TEXTS, LABELS = generate(220, seed=5)
NEW = [*dict.fromkeys(text for text in generate(60, seed=6)[0] if text not in TEXTS)]


@pytest.fixture
def recipe(tmp_path: Path) -> Callable[..., Recipe]:
    def make(unlabelled: Sequence[str], *overrides: str) -> Recipe:
        for name, header, rows in (
            ("t.csv", ("text", "label"), [*zip(TEXTS, LABELS, strict=True)]),
            ("u.csv", ("text",), [(text,) for text in unlabelled]),
        ):
            with (tmp_path / name).open("w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows([header, *rows])
        text = (
            "data: {files: [t.csv], unlabelled: [u.csv]}\nthreads: 1\nsplit: {near: false}\ncompress: {methods: []}\n"
            "challengers: [{kind: pseudo, confidence: 0.4}]\nbaseline: {C: 10}\nexport: {refit: false}"
        )
        return parse_recipe(text, folder=tmp_path, overrides=overrides)

    return make


def test_rows_of_the_test_and_the_valid_part_are_left_out_and_said(
    recipe: Callable[..., Recipe], tmp_path: Path
) -> None:
    told = io.StringIO()
    summary = run(recipe([*TEXTS, *NEW, NEW[0], ""]), screen=Screen(told), until="train")
    said = next(line for line in told.getvalue().splitlines() if "unlabelled rows stay" in line)
    assert "near_test" in said
    assert "near_valid" in said
    verdict = next(one for one in summary["verdicts"] if one["name"] == "pseudo")
    (folder,) = (tmp_path / ".ratchet/data").glob("rows-*")
    dataset, parts = load_dataset(folder), load_parts(folder)
    assert verdict["n"] == len(parts.dev)
    (kept,) = (tmp_path / ".ratchet/data").glob("unlabelled-*")
    left = {*load_dataset(kept).texts}
    assert not left & {*TEXTS}
    test = {dataset.texts[row] for row in parts.test.tolist()}
    lines = [
        json.loads(line)
        for file in (tmp_path / ".ratchet/models/made").glob("*/fold-*.jsonl")
        for line in file.read_text("utf-8").splitlines()
    ]
    assert lines
    assert not {line["text"] for line in lines} & (test | {*TEXTS})
    assert {line["text"] for line in lines} <= {*NEW}


def test_short_rows_of_the_same_words_are_known_rows() -> None:
    texts = ["好的。", "top-up", "谢谢，再见", "on time", "on time!", "late?", "!"]
    guards = {"near_test": near_to(["好的！", "top up?"]), "near_valid": near_to(["谢谢！再见"])}
    kept, out = new_rows(texts, train={"late"}, guards=guards)
    assert [texts[row] for row in kept.tolist()] == ["on time", "!"]
    assert out == {"copy": 1, "copy_of_train": 1, "near_test": 2, "near_valid": 1}


def test_rows_that_are_all_known_are_an_error(recipe: Callable[..., Recipe]) -> None:
    with pytest.raises(DataError, match=r"data\.unlabelled must hold rows that are new but all 220 are left out: "):
        run(recipe(TEXTS))


def test_pseudo_labels_without_rows_are_refused_before_anything_is_trained(
    recipe: Callable[..., Recipe], tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match=r"data\.unlabelled must name files"):
        run(recipe(NEW, "data.unlabelled=[]"))
    assert not [*(tmp_path / ".ratchet/models").glob("*")]


def test_unlabelled_rows_change_nothing_of_what_was_prepared(recipe: Callable[..., Recipe], tmp_path: Path) -> None:
    run(recipe(NEW), until="prepare")
    run(recipe(NEW[:-5]), until="prepare")
    run(recipe(NEW, "data.unlabelled=[]", "challengers=[]"), until="prepare")
    assert len([*(tmp_path / ".ratchet/data").glob("rows-*")]) == 1


def test_they_bring_their_own_features(recipe: Callable[..., Recipe], tmp_path: Path) -> None:
    made = recipe(NEW, "data.features={age: number}")
    for name, values in (("t.csv", len(TEXTS)), ("u.csv", len(NEW))):
        lines = (tmp_path / name).read_text("utf-8").splitlines()
        cells = ["age", *(str(number % 60) for number in range(values))]
        (tmp_path / name).write_text(
            "".join(f"{line},{cell}\n" for line, cell in zip(lines, cells, strict=True)), "utf-8"
        )
    summary = run(made, until="train")
    assert {one["name"] for one in summary["verdicts"]} == {"tfidf-lr", "pseudo"}
    (tmp_path / "u.csv").write_text("text\na new row\n", "utf-8")
    with pytest.raises(DataError, match=r"u\.csv must have the column 'age' \(data\.features\)"):
        run(made, until="train")


def test_all_of_them_rejected_is_a_challenger_that_is_skipped_with_the_counts(recipe: Callable[..., Recipe]) -> None:
    told = io.StringIO()
    made = "challengers=[{kind: pseudo, confidence: 1}, {kind: eda, filters: {meaning: 1}}]"
    summary = run(recipe(NEW, made), screen=Screen(told), until="train")
    assert "pseudo: skipped. pseudo must make rows that may be trained on but all" in told.getvalue()
    assert "eda: skipped. eda must make rows" in told.getvalue()
    assert {one["name"] for one in summary["verdicts"]} == {"tfidf-lr"}
