"""A bundle whose model's file means nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from ratchet.bundle.bundle import Bundle, write_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weights.bin").write_bytes(b"123")
    return write_bundle(
        tmp_path / "bundle",
        model_folder=folder,
        name="评论",
        created="2026-11-24T08:00:00Z",
        kind="linear",
        labels=("坏", "好", "mixed"),
        text_column="评论",
    )
