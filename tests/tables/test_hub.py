from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ratchet.errors import DataError, ExtraMissing
from ratchet.recipe.sections import DataConfig
from ratchet.tables.read import read_dataset, read_table

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
