"""What a source is called in what is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from ratchet.models.checkpoints import Source
from ratchet.train.identity import source_hash

NAMES = ["model.safetensors", "config.json", "vocab.txt", "spiece.model", "source.spm", "chat_template.jinja"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (*NAMES, "m.gguf", "other.gguf", "README.md"):
        (tmp_path / name).write_text(name)
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
def test_weights_settings_and_tokenizer_name_a_folder(folder: Path, name: str) -> None:
    before = source_hash(Source(folder=folder, name="m"))
    (folder / "README.md").write_text("new")
    assert source_hash(Source(folder=folder, name="m")) == before
    (folder / name).write_text("new")
    assert source_hash(Source(folder=folder, name="m")) != before


def test_a_gguf_file_is_all_of_its_source(folder: Path) -> None:
    source = Source(folder=folder, name="m", gguf="m.gguf")
    before = source_hash(source)
    for name in (*NAMES, "other.gguf"):
        (folder / name).write_text("new")
    assert source_hash(source) == before
    (folder / "m.gguf").write_text("new")
    assert source_hash(source) != before
