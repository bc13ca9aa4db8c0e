"""Several text columns and features beside them go the whole road."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.conftest import generate

from ratchet.bundle.bundle import Bundle
from ratchet.bundle.predict import load_model
from ratchet.contenders.change import Changing
from ratchet.contenders.kind import Training
from ratchet.contenders.linear import Linear
from ratchet.contenders.material import Material, held, made_inputs
from ratchet.contenders.registry import changes
from ratchet.contenders.rows import PartedRows
from ratchet.errors import DataError, RecipeError
from ratchet.models.inputs import SEPARATOR, Inputs, joined, parted
from ratchet.models.model import features_of
from ratchet.pipeline import run
from ratchet.prepare.quarantine import read_quarantine, restore
from ratchet.recipe.recipe import parse_recipe
from ratchet.recipe.sections import EdaSpec, LinearSpec, Recipe
from ratchet.screen import Screen
from ratchet.tables.dataset import Dataset

FEATURES = "features: {age: number, city: category}"
Make = Callable[..., Recipe]


@pytest.fixture
def recipe(tmp_path: Path) -> Make:
    """400 rows: the city tells half of the labels, the words of the two texts some, the age nothing."""

    def make(challengers: str, *overrides: str, data: str = FEATURES, wild: str = "") -> Recipe:
        dice = random.Random(7)
        texts, labels = generate(400, seed=5)
        with (tmp_path / "t.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["title", "body", "age", "city", "label"])
            for number, (text, label) in enumerate(zip(texts, labels, strict=True)):
                words = text.split()
                told = dice.random() < 0.5
                city = label if told else dice.choice("xyz")
                age = wild if number == 0 and wild else str(dice.randint(18, 80))
                body = "" if number % 50 == 3 else f"<b>{' '.join(words[1:])}</b> {number}"
                writer.writerow([words[0], body, "" if number % 9 == 0 and not wild else age, city, label])
        head = f"data: {{files: [t.csv], text: [title, body], {data}}}\nthreads: 1\nsplit: {{near: false}}\n"
        head += f"prepare: {{text: [html, invisible]}}\nchallengers: [{challengers}]\n"
        blind = "baseline={features: [{unit: char, low: 8, high: 8}], C: 0.0001, columns: []}"
        return parse_recipe(head, folder=tmp_path, overrides=(blind, *overrides))

    return make


def rows_of(recipe: Recipe) -> PartedRows:
    folder = next((Path(recipe.workspace) / "data").glob("rows-*"))
    return PartedRows.load(folder)


def told(recipe: Recipe) -> tuple[Any, str]:
    stream = io.StringIO()
    return run(recipe, screen=Screen(stream)), stream.getvalue()


def training(rows: PartedRows, folder: Path) -> Training:
    return Training(
        rows=rows, name="x", kind="linear", key="x", seed=1, threads=1, store=folder, advance=lambda *_: None
    )


def test_a_winner_with_features_is_refitted_compressed_exported_and_served(recipe: Make) -> None:
    made = recipe(
        "{kind: linear, name: wide, C: 10}, {kind: eda, name: eda}, {kind: balance, name: balance}", "gate.margin=0.2"
    )
    summary, said = told(made)
    verdicts = {verdict["name"]: verdict for verdict in summary["verdicts"]}
    assert verdicts["wide"]["promoted"]
    assert {"eda", "balance"} <= set(verdicts)
    assert any(name.endswith("-int8") for name in verdicts)
    bundle = Bundle.open(summary["bundle"]["path"])
    assert bundle.manifest.text_column == "title + body"
    assert bundle.manifest.text_columns == ("title", "body")
    assert bundle.manifest.features == {"age": "number", "city": "category"}
    assert "not used" not in said
    rows, model = rows_of(made), load_model(bundle)
    answers = model.predict(rows.inputs(rows.parts.dev))
    assert (answers.argmax(axis=1) == rows.truth[rows.parts.dev]).mean() > 0.9
    unmended = Inputs([joined(["card", "<b>please</b>"])], {"age": ["40"], "city": ["card"]})
    mended = Inputs([joined(["card", "please"])], {"age": ["40"], "city": ["card"]})
    assert np.array_equal(model.predict(unmended), model.predict(mended))
    with pytest.raises(DataError, match="'age' and 'city' beside the text"):
        model.predict(["a text alone"])


def test_fixes_work_cell_by_cell_and_the_quarantine_gives_the_rows_back(recipe: Make) -> None:
    made = recipe("")
    run(made, until="prepare")
    rows = rows_of(made)
    folder = next((Path(made.workspace) / "data").glob("rows-*"))
    assert all(len(parted(text)) == 2 for text in rows.dataset.texts)
    assert not any("<b>" in text for text in rows.dataset.texts)
    assert rows.dataset.column("body")[0].startswith("<b>")  # type: ignore[union-attr]
    whole = restore(rows.dataset, read_quarantine(folder / "quarantine.csv", like=rows.dataset))
    assert len(whole) == 400
    assert any("<b>" in text for text in whole.texts)
    assert rows.dataset.roles.features == (("age", "number"), ("city", "category"))


def test_columns_say_which_features_a_contender_uses(recipe: Make) -> None:
    made = recipe("{kind: linear, name: city, C: 10, columns: [city]}, {kind: blend, name: none, columns: []}")
    run(made)
    cards = {path.parent.name: path.parent for path in (Path(made.workspace) / "models").glob("*/contender.json")}
    from ratchet.contenders.base import Contender

    found = {one.name: features_of(one.model()) for one in map(Contender.load, cards.values())}
    assert found["city"] == {"city": "category"}
    assert found["none"] == {}


@pytest.mark.parametrize(
    ("challenger", "near"),
    [("{kind: linear, columns: [citty]}", "Did you mean 'city'"), ("{kind: blend, columns: [q]}", "Add 'q'")],
)
def test_a_column_that_is_no_feature_is_refused_at_once(recipe: Make, challenger: str, near: str) -> None:
    with pytest.raises(RecipeError, match=rf"columns of a contender must be of data.features \(age, city\).*{near}"):
        run(recipe(challenger))


@pytest.mark.slow
def test_a_kind_that_uses_no_features_is_told(recipe: Make) -> None:
    tiny = "source: scratch, layers: 1, width: 16, heads: 2, vocabulary: 150, epochs: 1, max_tokens: 16"
    _, said = told(recipe(f"{{kind: encoder, name: deep, {tiny}}}", "split.folds=2", "compress.methods=[]"))
    assert "deep: the features age, city are not used" in said


def test_an_embedding_uses_them(recipe: Make, checkpoint: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def blind(model: Any, texts: Sequence[str]) -> Any:
        assert all(len(parted(text)) == 2 for text in texts)
        return np.zeros((len(texts), len(model.labels)), np.float32)

    monkeypatch.setattr("ratchet.train.embedding._run", blind)
    source = f"source: {checkpoint()}, max_tokens: 16"
    plan = f"{{kind: embedding, name: with, {source}}}, {{kind: embedding, name: without, columns: [], {source}}}"
    plan += ", {kind: eda, name: eda}"
    made = recipe(plan, "export.tolerance=1", "export.disagreement=1", "gate.margin=0.2")
    summary = run(made)
    verdicts = {verdict["name"]: verdict for verdict in summary["verdicts"]}
    assert verdicts["with"]["promoted"]
    assert not verdicts["without"]["promoted"]
    assert "eda" in verdicts
    bundle = Bundle.open(summary["bundle"]["path"])
    assert bundle.manifest.features == {"age": "number", "city": "category"}
    assert load_model(bundle).predict(Inputs(["a" + SEPARATOR + "b"], {"age": [None], "city": ["card"]})).shape == (
        1,
        3,
    )


def test_made_texts_have_the_features_of_their_row_and_as_many_texts(recipe: Make) -> None:
    made = recipe("")
    run(made, until="prepare")
    rows = rows_of(made)
    seen, out = held(rows, 0)
    material = changes()["eda"].material(EdaSpec(copies=2), Changing(rows=rows, seed=3), seen, held_out=out)
    beside = made_inputs(material, rows)
    assert len(beside) == len(material.texts) > 100
    assert all(len(parted(text)) == 2 for text in beside)
    cities, labels = rows.dataset.column("city"), rows.dataset.labels
    assert list(beside.features["city"]) == [cities[row] for row in material.made_from]
    assert list(material.labels) == [labels[row] for row in material.made_from]
    assert set(material.made_from) <= set(seen.tolist())


def test_a_change_that_does_not_name_its_rows_is_refused_beside_features(recipe: Make) -> None:
    made = recipe("")
    run(made, until="prepare")
    rows = rows_of(made)
    material = Material(rows=rows.parts.dev, texts=["a"], labels=[rows.labels[0]])
    with pytest.raises(DataError, match="must name the row that each of its 1 texts was made from"):
        made_inputs(material, rows)
    bare = replace(rows, dataset=replace(rows.dataset, roles=replace(rows.dataset.roles, features=())))
    assert made_inputs(material, bare).features == {}


def test_a_held_out_outlier_changes_nothing(recipe: Make, tmp_path: Path) -> None:
    made = recipe("")
    run(made, until="prepare")
    rows = rows_of(made)
    seen, out = held(rows, 0)
    spec = Linear().resolve(LinearSpec(C=10), rows)

    def fitted(dataset: Dataset) -> Any:
        own = replace(rows, dataset=dataset)
        return Linear().fit(spec, Material(rows=seen), training(own, tmp_path))

    def wild(at: int) -> Dataset:
        import pyarrow as pa

        cells: dict[str, list[str | None]] = {name: rows.dataset.column(name) for name in ("age", "city")}
        cells["age"][at], cells["city"][at] = "1e20", "nowhere"
        table = rows.dataset.table
        for name, column in cells.items():
            table = table.set_column(table.column_names.index(name), name, pa.array(column, pa.string()))
        return replace(rows.dataset, table=table)

    asked = rows.inputs(out[1:])
    plain = fitted(rows.dataset)
    outside, inside = fitted(wild(int(out[0]))), fitted(wild(int(seen[0])))
    assert outside.encoder == plain.encoder
    assert np.array_equal(outside.predict(asked), plain.predict(asked))
    assert not np.array_equal(inside.predict(asked), plain.predict(asked))


def test_a_number_that_is_none_is_refused_with_its_row(recipe: Make) -> None:
    with pytest.raises(DataError, match=r"'age' must be a number .* but row 1 of .*t.csv has 'old'"):
        run(recipe("", wild="old"))


def test_guessed_kinds_are_said(recipe: Make) -> None:
    stream = io.StringIO()
    run(recipe("", data="features: [age, city]"), screen=Screen(stream), until="prepare")
    assert "the feature 'age' is a number: 355 of 355 filled cells are numbers; wrong guess?" in stream.getvalue()
