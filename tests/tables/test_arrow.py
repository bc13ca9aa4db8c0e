from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ratchet.errors import DataError
from ratchet.recipe.sections import DataConfig
from ratchet.tables.read import read_dataset, read_table
from ratchet.tables.sources import source_bytes_hash

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
