from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ratchet.errors import DataError
from ratchet.recipe.sections import DataConfig
from ratchet.tables.dataset import Roles
from ratchet.tables.read import dataset_of, read_dataset, read_table, require_apart

ROWS = {"text": ["好", "bad"], "label": ["pos", "neg"]}


CSV = "text,label\n好,pos\nbad,neg\n"


def write(path: Path, data: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def problem_of(path: Path, **how: Any) -> str:
    with pytest.raises(DataError) as caught:
        read_table(path, name=path.name, **how)
    assert caught.value.next_step
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_folder_of_tables_is_one_table_and_rows_know_their_files(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        write(tmp_path / "d" / f"part-{number}.csv", f"text,label\nt{number},x\n")
    write(tmp_path / "d" / ".hidden.csv", "other\n1\n")
    write(tmp_path / "d" / "notes.txt", "hello")
    raw = read_table(tmp_path / "d")
    assert raw.table.to_pydict() == {"text": ["t1", "t2", "t10"], "label": ["x"] * 3}
    assert raw.notes == ("1 other files of d are not read, such as notes.txt.",)
    dataset = read_dataset([Path("d")], config=DataConfig(), base=tmp_path)
    assert dataset.place(2) == "row 1 of d/part-10.csv"
    assert dataset_of([raw], roles=Roles(text="text")).files == dataset.files


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({}, "must hold tables"),
        ({"readme.pdf": "x"}, "must hold tables"),
        ({"a.csv": CSV, "b.jsonl": '{"text": "x"}\n'}, "tables of one format but has .csv and .jsonl"),
        ({"a.csv": CSV, "b.csv": "text,other\na,b\n"}, "d/b.csv and d/a.csv differ in 'label', 'other'"),
        ({"a.csv": CSV, "b.csv": ""}, "d/b.csv must have a header and rows but is empty."),
        ({"train.csv": CSV, "test.csv": CSV}, "d holds several splits (test, train), which must not be read as one table"),
        ({"reviews.csv": CSV, "reviews_dev.csv": CSV}, "several splits (others, dev)"),
        ({"train/pos/1.txt": "a", "test/pos/1.txt": "b"}, "several splits (test, train)"),
        ({"train/1.txt": "a", "test/1.txt": "b"}, "one folder per label but its folders are splits: test, train."),
        ({"a/b/c/1.txt": "a"}, "must hold tables"),
        ({"state.json": "{"}, "state.json of d must be readable JSON"),
        ({"state.json": "{}"}, "must have rows but its state.json names no file"),
        ({"state.json": '{"_data_files": [{"filename": "../../x.arrow"}]}'}, "must have the file x.arrow"),
        ({"state.json": '{"_indices_data_files": [{"filename": "i.arrow"}]}'}, "list of chosen rows"),
    ],
)  # fmt: skip
def test_a_folder_that_is_no_table(tmp_path: Path, files: dict[str, str], problem: str) -> None:
    (tmp_path / "d").mkdir()
    for name, text in files.items():
        write(tmp_path / "d" / name, text)
    assert problem in problem_of(tmp_path / "d")


def test_a_split_of_a_folder_is_named_behind_the_number_sign(tmp_path: Path) -> None:
    write(tmp_path / "d" / "train.csv", CSV)
    write(tmp_path / "d" / "test.csv", "text,label\nt,x\n")
    assert read_table(tmp_path / "d#train").table.to_pydict() == ROWS
    assert "must have the split 'dev' but has test, train." in problem_of(tmp_path / "d#dev")
    require_apart([Path("d#train")], [Path("d#test")], base=tmp_path)
    with pytest.raises(DataError, match=r"d/train.csv is given twice \(as d#train\)"):
        require_apart([Path("d#train")], [Path("d/train.csv")], base=tmp_path)
    assert "Leave out #train" in problem_of(tmp_path / "d" / "train.csv#train")


def test_a_folder_a_label_with_a_file_a_text(tmp_path: Path) -> None:
    files = {
        "pos/10.txt": "ten\n",
        "pos/2.txt": "two\r\nlines",
        "neg/1.txt": "很差，不推荐",
        "neg/x.log": "no",
        "pos/deep/1.txt": "no",
    }
    for name, text in files.items():
        write(tmp_path / "d" / name, text.encode("gb18030"))
    write(tmp_path / "d" / "pos" / ".DS_Store", b"\0")
    raw = read_table(tmp_path / "d")
    assert raw.table.to_pydict() == {
        "text": ["很差，不推荐", "two\r\nlines", "ten"],
        "label": ["neg", "pos", "pos"],
        "file": ["neg/1.txt", "pos/2.txt", "pos/10.txt"],
    }
    assert raw.notes == (
        "1 other files of d are not read, such as neg/x.log.",
        "1 folders in d are not read, such as pos/deep.",
    )
    write(tmp_path / "d" / "pos" / "3.txt", b"caf\xe9 au lait")
    assert "d/pos/3.txt must be UTF-8 but line 1 is not" in problem_of(tmp_path / "d")


def test_texts_of_one_split(tmp_path: Path) -> None:
    for name in ("train/pos/1.txt", "train/neg/1.txt", "test/pos/1.txt"):
        write(tmp_path / "imdb" / name, name)
    assert read_table(tmp_path / "imdb#train").table.column("file").to_pylist() == ["neg/1.txt", "pos/1.txt"]
    assert read_table(tmp_path / "imdb" / "test").table.column("label").to_pylist() == ["pos"]
    assert "must have the folder 'dev' but has test, train" in problem_of(tmp_path / "imdb#dev")


@pytest.mark.parametrize("pattern", ["data/**.parquet", "", "null", "{path: null}", "{split: train, path: 3}", "[[x]]"])
def test_patterns_of_a_readme_that_are_none_are_passed_over(tmp_path: Path, pattern: str) -> None:
    write(tmp_path / "d" / "README.md", f"---\nconfigs:\n- config_name: default\n  data_files: {pattern}\n---\n")
    write(tmp_path / "d" / "a.csv", CSV)
    assert read_table(tmp_path / "d").table.num_rows
