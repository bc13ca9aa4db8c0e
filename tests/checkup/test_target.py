"""What is checked: roles, lines and files of tables, folders and recipes."""

from pathlib import Path

import pytest

from ratchet.checkup.target import open_pair, open_target, spoken
from ratchet.errors import RatchetError
from ratchet.tables.dataset import Roles

ROWS = "".join(f"这是第{i}条评论,{'好' if i % 2 else '差'}\n" for i in range(30))


def test_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text("text,label\n" + ROWS, encoding="utf-8")
    target = open_target(Path("t.csv"))
    assert target.dataset.roles == Roles(text="text", label="label")
    assert target.name == "t.csv"
    assert target.files == ("t.csv",)
    assert not target.is_recipe
    assert target.recipe.data.files == (str(tmp_path / "t.csv"),)
    assert [target.line("t.csv", row) for row in (1, 30)] == [2, 31]
    assert target.line("other.csv", 1) is None


def test_a_folder_of_tables_counts_lines_by_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("all").mkdir()
    Path("all/a.csv").write_text("text,label\n" + ROWS, encoding="utf-8")
    Path("all/b.csv").write_text("text,label\n" + ROWS, encoding="utf-8")
    target = open_target(Path("all"))
    assert target.files == ("all/a.csv", "all/b.csv")
    assert len(target.dataset) == 60
    assert target.line("all/b.csv", 3) == 4


def test_set_and_given_roles(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("text,label,x\n" + ROWS.replace("\n", ",a\n"), encoding="utf-8")
    assert open_target(path, overrides=["data.label=x"]).dataset.roles.label == "x"
    assert open_target(path, overrides=["data.label=x"], given={"label": "label"}).dataset.roles.label == "label"
    assert open_target(path, given={"label": ""}).dataset.roles.label is None
    assert open_target(path, overrides=["data.missing=[a]"]).dataset.table.column("x").null_count == 30


def test_a_table_beside_another_takes_its_roles(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label,user\n" + ROWS.replace("\n", ",u\n"), encoding="utf-8")
    (tmp_path / "b.csv").write_text(
        "id,body\n" + "".join(f"{i},另外的第{i}条评论\n" for i in range(9)), encoding="utf-8"
    )
    pair = open_pair(tmp_path / "a.csv", tmp_path / "b.csv", given={"group": "user"})
    assert pair.train.roles == Roles(text="text", label="label", group="user")
    assert pair.test.roles == Roles(text="text")
    assert pair.test.texts[0] == "另外的第0条评论"


def test_a_recipe_names_its_own_test_files(tmp_path: Path) -> None:
    with pytest.raises(RatchetError, match="--test must go with a table"):
        open_target(tmp_path / "r.yaml", test=[tmp_path / "t.csv"])


def test_a_name_reads_right_whatever_the_locale() -> None:
    assert spoken(Path("评论.csv")) == "评论.csv"
    assert spoken(Path("a/b.csv")) == str(Path("a/b.csv"))
