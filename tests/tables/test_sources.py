"""Sources: folders, saved data sets, the hub and standard input, and the one line that each broken one gets."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ratchet.errors import DataError, ExtraMissing
from ratchet.recipe.sections import DataConfig
from ratchet.tables.dataset import Roles
from ratchet.tables.read import dataset_of, read_dataset, read_table, require_apart
from ratchet.tables.sources import sniffed, source_bytes_hash, stdin_bytes

ROWS = {"text": ["好", "bad"], "label": ["pos", "neg"]}
CSV = "text,label\n好,pos\nbad,neg\n"
FEATURES = {"text": {"dtype": "string", "_type": "Value"}, "label": {"names": ["neg", "pos"], "_type": "ClassLabel"}}


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


def saved(folder: Path, columns: dict[str, list[Any]] | None = None, *, shards: int = 1, cut: int = 0) -> Path:
    """What the library ``datasets`` writes."""
    table = pa.table(columns or {"text": ["好", "bad", "?"], "label": [1, 0, -1]})
    names = [f"data-{i:05}-of-{shards:05}.arrow" for i in range(shards)]
    each = -(-table.num_rows // shards)
    for i, name in enumerate(names):
        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table.slice(i * each, each))
        write(folder / name, sink.getvalue()[: -cut or None])
    write(folder / "state.json", json.dumps({"_data_files": [{"filename": name} for name in names], "_split": "train"}))
    write(folder / "dataset_info.json", json.dumps({"features": FEATURES}))
    return folder


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


@pytest.mark.parametrize("shards", [1, 2])
def test_a_saved_data_set_has_the_names_of_its_classes(tmp_path: Path, shards: int) -> None:
    raw = read_table(saved(tmp_path / "d", shards=shards))
    assert raw.table.to_pydict() == {"text": ["好", "bad", "?"], "label": ["pos", "neg", None]}


def test_splits_of_a_saved_data_set(tmp_path: Path) -> None:
    for split in ("train", "test"):
        saved(tmp_path / "d" / split, {"text": [split], "label": [1]})
    write(tmp_path / "d" / "dataset_dict.json", '{"splits": ["train", "test"]}')
    assert "Name one, as in d#train (a recipe: data.files [d#train] and data.test_files [d#test])" in problem_of(
        tmp_path / "d"
    )
    assert read_table(tmp_path / "d#test").table.to_pydict() == {"text": ["test"], "label": ["pos"]}
    dataset = read_dataset([Path("d#train"), Path("d#test")], config=DataConfig(), base=tmp_path)
    assert dataset.files == ("d#train", "d#test")
    assert source_bytes_hash(tmp_path / "d#train") != source_bytes_hash(tmp_path / "d#test")


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda d: saved(d, cut=8), "data-00000-of-00001.arrow of d must be a whole Arrow file but is cut off."),
        (lambda d: saved(d, cut=100), "must be a whole Arrow file but is cut off."),
        (lambda d: saved(d, cut=10_000), "must be a whole Arrow file but is cut off."),
        (lambda d: saved(d, {"text": ["a"], "label": [2]}), "Row 1 of d must have one of 2 classes in 'label' but"),
        (lambda d: (saved(d) / "data-00000-of-00001.arrow").unlink(), "must have the file data-00000-of-00001.arrow"),
        (lambda d: write(saved(d) / "dataset_info.json", "{"), "dataset_info.json of d must be JSON but is not"),
        (lambda d: write(saved(d) / "data-00000-of-00001.arrow", b"x" * 99 + b"\xff" * 4 + b"\0" * 4), "but is damaged"),
    ],
)  # fmt: skip
def test_a_saved_data_set_that_is_broken(tmp_path: Path, make: Any, problem: str) -> None:
    make(tmp_path / "d")
    assert problem in problem_of(tmp_path / "d")


def hub_folder(folder: Path, *, readme: str = "") -> Path:
    meta = {b"huggingface": json.dumps({"info": {"features": FEATURES}}).encode()}
    for name, texts in (
        ("train-00000-of-00002", ["a"]),
        ("train-00001-of-00002", ["b"]),
        ("test-00000-of-00001", ["c"]),
    ):
        path = folder / "plain" / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        table = pa.table({"text": texts, "label": [1] * len(texts)}).replace_schema_metadata(meta)
        pq.write_table(table, path)
    (folder / "extra").mkdir()
    pq.write_table(pa.table({"text": ["e"], "label": ["x"]}), folder / "extra" / "0000.parquet")
    if readme:
        write(folder / "README.md", readme)
    return folder


README = """---
license: mit
configs:
- config_name: plain
  default: {default}
  data_files:
  - split: train
    path: plain/train-*
  - split: test
    path: [plain/test-*, ../../secret.csv]
- config_name: extra
  data_files: extra/*.parquet
---
# A data set
"""


@pytest.mark.parametrize("pattern", ["data/**.parquet", "", "null", "{path: null}", "{split: train, path: 3}", "[[x]]"])
def test_patterns_of_a_readme_that_are_none_are_passed_over(tmp_path: Path, pattern: str) -> None:
    write(tmp_path / "d" / "README.md", f"---\nconfigs:\n- config_name: default\n  data_files: {pattern}\n---\n")
    write(tmp_path / "d" / "a.csv", CSV)
    assert read_table(tmp_path / "d").table.num_rows


@pytest.mark.parametrize("readme", ["", README.format(default="false"), README.format(default="true"), "---\n[\n---\n"])
def test_a_snapshot_of_the_hub(tmp_path: Path, readme: str) -> None:
    folder = hub_folder(tmp_path / "d", readme=readme)
    named = "" if "true" in readme else "plain/"
    raw = read_table(tmp_path / f"d#{named}train")
    assert raw.table.to_pydict() == {"text": ["a", "b"], "label": ["pos", "pos"]}
    assert read_table(tmp_path / "d#extra").table.to_pydict() == {"text": ["e"], "label": ["x"]}
    if named:
        assert "2 configurations, which are different tables" in problem_of(folder)
    else:
        assert "several splits (train, test)" in problem_of(folder)
    assert "several splits" in problem_of(folder / "plain")


def test_a_hub_id_is_downloaded_and_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    asked: list[tuple[str, Any]] = []

    def fetch(repository: str, *, repo_type: str, revision: str | None, allow_patterns: list[str]) -> str:
        assert repo_type == "dataset"
        assert "*.py" not in allow_patterns
        asked.append((repository, revision))
        return str(folder)

    folder = hub_folder(tmp_path / "d")
    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    raw = read_table(tmp_path / "hf://owner/name@v1.0#plain/train", name="hf://owner/name@v1.0#plain/train")
    assert raw.table.column("text").to_pylist() == ["a", "b"]
    assert raw.parts[0] == ("hf://owner/name@v1.0/plain/train-00000-of-00002.parquet", 1)
    assert asked == [("owner/name", "v1.0")]
    dataset = read_dataset([Path("hf://owner/name#plain/test")], config=DataConfig(), base=tmp_path)
    assert dataset.place(0) == "row 1 of hf://owner/name/plain/test-00000-of-00001.parquet"


def test_the_hub_out_of_reach_and_the_library_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(DataError, match="the hub cannot be reached and there is no copy") as caught:
        read_table(Path("hf://owner/name"))
    assert "hf download --repo-type dataset owner/name" in caught.value.next_step
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ExtraMissing, match=r"pip install 'ratchetml\[hub\]'"):
        read_table(Path("hf://owner/name"))


class Input(io.TextIOWrapper):
    terminal = False

    def isatty(self) -> bool:
        return self.terminal


def give(monkeypatch: pytest.MonkeyPatch, data: bytes, *, terminal: bool = False) -> None:
    stdin = Input(io.BytesIO(data))
    stdin.terminal = terminal
    monkeypatch.setattr(sys, "stdin", stdin)
    stdin_bytes.cache_clear()


def parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(ROWS), sink)
    return sink.getvalue()


JSONL = '\n{"text": "好", "label": "pos"}\n{"text": "bad", "label": "neg"}\n'


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (CSV.encode(), "csv"),
        (CSV.encode("utf-16"), "csv"),
        (CSV.replace(",", "\t").encode("utf-8-sig"), "tsv"),
        (JSONL.encode(), "jsonl"),
        (gzip.compress(CSV.encode()), "csv"),
        (parquet(), "parquet"),
    ],
)
def test_standard_input_tells_its_format(
    data: bytes, kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    give(monkeypatch, data)
    raw = read_table(Path("-"))
    assert (raw.table.to_pydict(), raw.format, raw.name) == (ROWS, kind, "standard input")
    assert read_table(tmp_path / "-").table.to_pydict() == ROWS
    assert source_bytes_hash(Path("-")) == hashlib.sha256(data).hexdigest()


def test_standard_input_with_its_format_given_and_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, b"text\tlabel\na, b, c\tx\n")
    assert read_table(Path("-"), format="tsv").table.to_pydict() == {"text": ["a, b, c"], "label": ["x"]}
    assert "format must be one of csv, tsv, jsonl, json, parquet, xlsx, arrow but got 'xml'" in problem_of(
        Path("-"), format="xml"
    )
    give(monkeypatch, b"")
    assert "standard input must have a header and rows but is empty" in problem_of(Path("-"))
    give(monkeypatch, b"", terminal=True)
    assert "Standard input must be a table but is a terminal." in problem_of(Path("-"))
    stdin_bytes.cache_clear()


@pytest.mark.parametrize(
    ("start", "kind"), [(b"PK\x03\x04", "xlsx"), (b"ARROW1\0\0", "arrow"), (b"\xff\xff\xff\xff", "arrow")]
)
def test_first_bytes(start: bytes, kind: str) -> None:
    assert sniffed(start + b"...") == kind


def test_hashes_change_with_names_and_bytes_only(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        write(tmp_path / "d" / name, CSV)
    assert source_bytes_hash(tmp_path / "d" / "a.csv") == hashlib.sha256(CSV.encode()).hexdigest()
    before = source_bytes_hash(tmp_path / "d")
    write(tmp_path / "d" / "notes.md", "not read")
    assert source_bytes_hash(tmp_path / "d") == before
    (tmp_path / "d" / "b.csv").rename(tmp_path / "d" / "c.csv")
    renamed = source_bytes_hash(tmp_path / "d")
    write(tmp_path / "d" / "c.csv", CSV + "x,y\n")
    assert len({before, renamed, source_bytes_hash(tmp_path / "d")}) == 3
    with pytest.raises(DataError, match="does not exist"):
        source_bytes_hash(tmp_path / "missing.csv")


def test_only_what_is_there_and_alike_is_offered(tmp_path: Path) -> None:
    write(tmp_path / "reviews.csv", CSV)
    (tmp_path / "lost.csv").symlink_to("nowhere")
    for name, said in (("review.csv", "Did you mean 'reviews.csv'"), ("lost.csv", "Check"), ("tweets.csv", "Check")):
        with pytest.raises(DataError) as caught:
            read_table(tmp_path / name)
        assert caught.value.next_step.startswith(said)


def test_a_file_with_the_sign_in_its_name(tmp_path: Path) -> None:
    assert read_table(write(tmp_path / "issue#7.csv", CSV)).table.to_pydict() == ROWS


def test_sheets_that_are_read_twice_are_found(tmp_path: Path) -> None:
    from tests.tables.test_xlsx import HEADER, ROW, book

    write(tmp_path / "b.xlsx", book(HEADER + ROW, HEADER + ROW))
    for train, test in (("b.xlsx", "b.xlsx#One"), ("b.xlsx#two", "b.xlsx#Two"), ("b.xlsx", "b.xlsx")):
        with pytest.raises(DataError, match="is given twice"):
            require_apart([Path(train)], [Path(test)], base=tmp_path)
    require_apart([Path("b.xlsx")], [Path("b.xlsx#Two")], base=tmp_path)
    write(tmp_path / "c.xlsx", b"PK no book")
    require_apart([Path("c.xlsx")], [Path("b.xlsx")], base=tmp_path)


def test_names_that_ratchet_writes_itself_are_refused_for_a_run(tmp_path: Path) -> None:
    write(tmp_path / "q.csv", "ratchet.file,text,label\na.csv,good,x\n")
    assert read_table(tmp_path / "q.csv").table.num_rows == 1
    with pytest.raises(DataError, match=r"q.csv must not have the column 'ratchet.file', .*Rename the columns"):
        read_dataset([Path("q.csv")], config=DataConfig(text="text", label="label"), base=tmp_path)
