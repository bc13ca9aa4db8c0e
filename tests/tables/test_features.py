"""Features of a table: kinds that are guessed, and cells that no model can learn from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ratchet.errors import DataError
from ratchet.recipe.sections import DataConfig
from ratchet.tables.dataset import Dataset
from ratchet.tables.features import guess_notes, kinds_of, require_numbers, with_kinds
from ratchet.tables.read import read_dataset


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def of(contents: str, **config: Any) -> Dataset:
        (tmp_path / "t.csv").write_text(contents, encoding="utf-8")
        return read_dataset([Path("t.csv")], config=DataConfig(**config), base=tmp_path)

    return of


ROWS = "text,label,age,city\n" + "".join(f"t{i},{'ab'[i % 2]},{i},c{i % 3}\n" for i in range(40))


def test_a_list_of_names_is_guessed_and_said(read: Any) -> None:
    rows = read(ROWS + "x,a,,\n", features=("city", "age"))
    assert rows.roles.features == (("city", "category"), ("age", "number"))
    assert [*guess_notes(rows)] == [
        "the feature 'city' is a category: 0 of 40 filled cells are numbers",
        "the feature 'age' is a number: 40 of 40 filled cells are numbers",
    ]
    assert with_kinds(DataConfig(features=("city", "age")), rows).features == {"city": "category", "age": "number"}


def test_kinds_that_are_given_stay(read: Any) -> None:
    rows = read(ROWS, features={"age": "category"})
    assert rows.roles.features == (("age", "category"),)
    assert kinds_of(rows.table, {"age": "number"}) == (("age", "number"),)


def test_mostly_numbers_is_a_number_whose_words_are_refused(read: Any) -> None:
    rows = read(ROWS + "x,a,old,c1\nx,a,older,c1\n", features=("age",))
    assert dict(rows.roles.features) == {"age": "number"}
    with pytest.raises(
        DataError, match=r"'age' must be a number .* but row 41 of t.csv has 'old' \(2 such rows\)"
    ) as caught:
        require_numbers(rows.take(range(20, 42)))
    assert "data.features.age to category" in str(caught.value.next_step)


@pytest.mark.parametrize("cell", ["inf", "-Infinity", "∞", "1e31"])
def test_a_number_is_finite(read: Any, cell: str) -> None:
    rows = read(ROWS + f"x,a,{cell},c1\n", features={"age": "number"})
    with pytest.raises(DataError, match=f"row 41 of t.csv has {cell!r}"):
        require_numbers(rows)


def test_numbers_as_people_write_them_and_gaps_are_fine(read: Any) -> None:
    require_numbers(read(ROWS + "x,a,１.２万,c1\nx,a,无,\nx,a,$3.50,\n", features={"age": "number"}))


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"features": {"agee": "number"}}, r"must have the column 'agee' \(data.features\).*Did you mean 'age'"),
        ({"features": {"label": "category"}}, "data.features must name columns beside data.label but got 'label'"),
        ({"features": ("text",)}, "data.features must name columns beside data.text but got 'text'"),
        ({"features": ("age", "age")}, "must name each column once"),
        ({"text": ("text", "citi")}, r"must have the column 'citi' \(data.text\).*Did you mean 'city'"),
        ({"text": ("text", "label")}, "data.text and data.label must be two columns but both are 'label'"),
        ({"text": ("text", "city"), "group": "city"}, "must be different columns but both have 'city'"),
        ({"text": ("text", "city"), "features": ("city",)}, "beside data.text but got 'city'"),
    ],
)
def test_columns_that_cannot_be(read: Any, config: dict[str, Any], problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        read(ROWS, **config)


def test_several_texts_are_one_column_and_stay_in_the_table(read: Any) -> None:
    rows = read("title,body,label\na,b,x\n,c,y\n ,,x\n", text=("title", "body"))
    assert rows.roles.text == "title + body"
    assert rows.roles.texts == rows.roles.own_texts == ("title", "body")
    assert rows.column("title + body") == ["a\u2029b", "\u2029c", None]
    assert rows.column("title") == ["a", None, None]
    assert rows.roles.used == {"title", "body", "title + body", "label"}


def test_a_column_that_is_called_as_the_joined_one_is_refused(read: Any) -> None:
    with pytest.raises(DataError, match="has a column of this name"):
        read("title,body,title + body,label\na,b,c,x\n", text=("title", "body"))
