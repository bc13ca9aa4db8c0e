"""``ratchet augment``: a table of new rows that can be trained on, a look at twenty, and mistakes in one line."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from tests.cli.conftest import Ratchet
from tests.conftest import generate

from ratchet.errors import DataError
from ratchet.recipe.recipe import load_recipe
from ratchet.tables.read import read_dataset


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    texts, labels = generate(200, seed=5)
    with Path("t.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *zip(texts, labels, strict=True)])
    Path("r.yaml").write_text(
        "data: {files: [t.csv]}\nthreads: 1\nsplit: {near: false}\n"
        "augment: [{kind: eda, name: much, copies: 3}, {kind: eda, name: little, operations: [swap]}]\n",
        encoding="utf-8",
    )
    return Path("r.yaml")


def test_a_table_is_written_that_the_recipe_can_read(ratchet: Ratchet, recipe: Path) -> None:
    ended = ratchet("augment", str(recipe), "--kind", "little", "-s", "copies=2", "--out", "new.csv")
    assert ended.code == 0, ended.err
    assert "new rows kept; rejected: " in ended.err
    assert "made from" in ended.out
    with Path("new.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = [*csv.DictReader(file)]
    own = ("parent_file", "parent_row", "parent_text", "operation", "augmenter", "seed", "model")
    assert [*rows[0]] == ["text", "label", *(f"ratchet.{name}" for name in own)]
    with Path("t.csv").open(encoding="utf-8", newline="") as file:
        table = [*csv.DictReader(file)]
    for row in rows:
        parent = table[int(row["ratchet.parent_row"]) - 1]
        assert (parent["text"], parent["label"]) == (row["ratchet.parent_text"], row["label"])
        assert sorted("".join(parent["text"].split())) == sorted("".join(row["text"].split()))
        assert row["ratchet.operation"] == "swap"
    config = load_recipe(recipe).data
    with pytest.raises(DataError, match=r"new\.csv must be read alone"):
        read_dataset([Path("t.csv"), Path("new.csv")], config=config, base=Path())
    assert len(read_dataset([Path("new.csv")], config=config, base=Path())) == len(rows)
    again = ratchet("augment", str(recipe), "--kind", "little", "-s", "copies=2", "--out", "again.jsonl", "--json")
    lines = [json.loads(line) for line in Path("again.jsonl").read_text("utf-8").splitlines()]
    assert lines == rows
    told = json.loads(again.out)
    assert told["kept"] == len(rows)
    assert told["kept"] + sum(told["rejected"].values()) == told["tried"]


@pytest.mark.parametrize(("text", "label"), [("parent_text", "model"), ("operation", "augmenter")])
def test_columns_of_the_table_keep_their_cells_whatever_their_names(
    ratchet: Ratchet, recipe: Path, text: str, label: str
) -> None:
    texts, labels = generate(200, seed=5)
    with Path("t.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([(text, label), *zip(texts, labels, strict=True)])
    columns = ["--set", f"data.text={text}", "--set", f"data.label={label}"]
    ended = ratchet("augment", str(recipe), "--kind", "little", *columns, "--out", "new.jsonl")
    assert ended.code == 0, ended.err
    rows = [json.loads(line) for line in Path("new.jsonl").read_text("utf-8").splitlines()]
    assert {row[label] for row in rows} == set(labels)
    assert not {row[text] for row in rows} & set(texts), "the new texts, not those that they were made from"
    assert {row["ratchet.augmenter"] for row in rows} == {"eda"}


@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl"])
def test_a_cell_that_a_spreadsheet_would_compute_is_guarded_and_comes_back(
    ratchet: Ratchet, recipe: Path, form: str
) -> None:
    texts, labels = generate(200, seed=5)
    cells = [
        (f"{'=' if row % 2 else chr(39) + '='}cmd {text}", f"+{label}")
        for row, (text, label) in enumerate(zip(texts, labels, strict=True))
    ]
    with Path("t.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *cells])
    ended = ratchet("augment", str(recipe), "--kind", "much", "-s", "operations=[delete]", "--out", f"new.{form}")
    assert ended.code == 0, ended.err
    if form != "jsonl":
        with Path(f"new.{form}").open(encoding="utf-8-sig", newline="") as file:
            rows = [*csv.reader(file, delimiter="\t" if form == "tsv" else ",")]
        assert not [cell for row in rows for cell in row if cell.startswith(("=", "+"))]
    read = read_dataset([Path(f"new.{form}")], config=load_recipe(recipe).data, base=Path())
    assert set(read.labels) == {f"+{label}" for label in labels}
    assert {text[: text.index("cmd")] for text in read.texts if "cmd" in text} == {"=", "'="}


def test_a_table_alone_leaves_nothing_behind(ratchet: Ratchet, recipe: Path) -> None:
    before = {*Path().iterdir()}
    ended = ratchet("augment", "t.csv", "--set", "split.near=false")
    assert ended.code == 0, ended.err
    assert "prepare    train " in ended.err
    assert {*Path().iterdir()} == before
    assert recipe in before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("r.yaml",), "One augmenter must be named but the recipe has 2: much, little."),
        (("r.yaml", "--kind", "edda"), "Did you mean eda?"),
        (("t.csv", "-s", "copes=2"), "augment.0.copes"),
        (("t.csv", "-s", "copies=99"), "augment.0.copies"),
        (("t.csv", "--out", "new.txt"), "--out must end in .jsonl, .ndjson, .csv, .tsv but got 'new.txt'."),
        (("t.csv", "--out", "t.csv"), "--out must be a new file but t.csv is read by the recipe."),
        (("t.csv", "-s", "filters.meaning=1"), "all 13"),
        (("t.csv", "-s", "filters={meaning: .5, vectors: ./none}"), "must be a directory"),
    ],
)
@pytest.mark.usefixtures("recipe")
def test_a_mistake_is_one_line_and_code_2(ratchet: Ratchet, arguments: tuple[str, ...], message: str) -> None:
    ended = ratchet("augment", *arguments, *(("--set", "split.near=false") if arguments[0] == "t.csv" else ()))
    assert ended.code == 2
    assert message in ended.err
    assert not Path("new.txt").exists()
