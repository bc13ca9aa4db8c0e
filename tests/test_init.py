from __future__ import annotations

from pathlib import Path

import pytest

from ratchet.errors import RecipeError
from ratchet.init import write_recipe
from ratchet.recipe.recipe import load_recipe


@pytest.fixture(autouse=True)
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"a longer text number {i},{'pos' if i % 2 else 'neg'},{i}\n" for i in range(40))
    path = tmp_path / "reviews.csv"
    path.write_text("review,sentiment,n\n" + rows, encoding="utf-8")
    return path


def test_the_only_table_of_the_folder_is_taken_and_its_columns_are_guessed() -> None:
    recipe = load_recipe(write_recipe(Path("ratchet.yaml")))
    assert recipe.name == "reviews"
    assert [Path(file).name for file in recipe.data.files] == ["reviews.csv"]
    assert (recipe.data.text, recipe.data.label) == ("review", "sentiment")


def test_paths_are_seen_from_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    out = write_recipe(Path("deep/r.yaml"), files=["reviews.csv"], test_files=["reviews.csv"], name="x")
    assert out.read_text("utf-8").count("../reviews.csv") == 2
    recipe = load_recipe(out)
    assert recipe.name == "x"
    assert all(Path(file).samefile("reviews.csv") for file in (*recipe.data.files, *recipe.data.test_files))


def test_what_is_asked_can_be_changed_and_is_checked() -> None:
    asked: list[tuple[str, str]] = []

    def ask(question: str, default: str) -> str:
        asked.append((question, default))
        return "n" if "label" in question else default

    recipe = load_recipe(write_recipe(Path("r.yaml"), ask=ask))
    assert [default for _, default in asked] == ["reviews.csv", "review", "sentiment"]
    assert recipe.data.label == "n"
    with pytest.raises(RecipeError, match=r"The label must be a column of reviews\.csv"):
        write_recipe(Path("s.yaml"), ask=lambda question, default: "none" if "label" in question else default)
    assert not Path("s.yaml").exists()


def test_a_table_without_a_header(tmp_path: Path) -> None:
    (tmp_path / "bare.csv").write_text("good room,1\nbad room,0\n" * 20, encoding="utf-8")
    recipe = load_recipe(
        write_recipe(Path("r.yaml"), files=["bare.csv"], columns=("words", "stars"), text="words", label="stars")
    )
    assert recipe.data.header == ("words", "stars")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"files": ["reviews.csv", " "]}, "one name is empty"),
        ({"text": "nothing"}, "The text must be a column of reviews.csv"),
        ({"label": "nothing"}, "The label must be a column of reviews.csv"),
    ],
)
def test_wrong_answers_write_nothing(arguments: dict[str, object], problem: str) -> None:
    with pytest.raises(RecipeError, match=problem):
        write_recipe(Path("r.yaml"), **arguments)  # type: ignore[arg-type]
    assert not Path("r.yaml").exists()


def test_several_tables_a_missing_label_and_a_recipe_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("text\n" + "".join(f"a text {i}\n" for i in range(30)), encoding="utf-8")
    with pytest.raises(RecipeError, match=r"this folder has 2: other\.csv, reviews\.csv"):
        write_recipe(Path("r.yaml"))
    with pytest.raises(RecipeError, match="must have a label column but none of its columns"):
        write_recipe(Path("r.yaml"), files=["other.csv"])
    Path("r.yaml").write_text("kept", encoding="utf-8")
    with pytest.raises(RecipeError, match="must not exist yet"):
        write_recipe(Path("r.yaml"), files=["reviews.csv"])
    assert Path("r.yaml").read_text("utf-8") == "kept"
    write_recipe(Path("r.yaml"), files=["reviews.csv"], force=True)
    assert load_recipe(Path("r.yaml")).name == "reviews"
