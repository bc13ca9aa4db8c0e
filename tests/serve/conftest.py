"""A bundle with a model that needs no library: its probabilities follow from the length of the text."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from ratchet.bundle.bundle import Bundle, write_bundle

LABELS = ("坏", "好", "mixed")


class Lengths:
    """Three labels; the text's length in characters decides. ``gate`` can hold it back."""

    labels = LABELS

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Semaphore(0)
        self.seen: list[list[str]] = []

    def predict(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        self.entered.release()
        assert self.gate.wait(20)
        self.seen.append(list(texts))
        sizes = np.array([len(text) for text in texts], dtype=np.float32)
        scores = np.stack([sizes % 3 + 0.5, sizes % 5 + 0.5, np.ones_like(sizes)], axis=1)
        return (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def model() -> Lengths:
    return Lengths()


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
        labels=LABELS,
        text_column="评论",
    )
