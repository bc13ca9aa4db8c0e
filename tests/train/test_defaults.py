from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ratchet.models.checkpoints import Source, locate
from ratchet.recipe.sections import EncoderSpec
from ratchet.train.defaults import Settings, settle

SCRATCH = Source(folder=None, name="scratch")


@pytest.mark.parametrize(
    ("rows", "length", "epochs", "budget"),
    [
        (50, 10, 20, 512),  # a handful of rows: as many passes as allowed
        (4_000, 16, 4, 512),
        (12_000, 50, 2, 1600),
        (12_000, 500, 2, 8192),
    ],
)
def test_epochs_and_batches_follow_the_rows(rows: int, length: int, epochs: int, budget: int) -> None:
    lengths = np.full(rows, length, dtype=np.int64)
    found = settle(EncoderSpec(), source=SCRATCH, lengths=lengths, seed=1)
    assert (found.epochs, found.batch_tokens) == (epochs, budget)


@pytest.mark.parametrize(("width", "rate"), [(None, 1e-3), (32, 5e-4), (768, 5e-5)])
def test_the_rate_follows_the_source(checkpoint: Callable[..., Path], width: int | None, rate: float) -> None:
    source = SCRATCH
    if width is not None:
        folder = checkpoint()
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        (folder / "config.json").write_text(json.dumps({**config, "hidden_size": width}), encoding="utf-8")
        source = locate(str(folder), language="en")
    assert settle(EncoderSpec(), source=source, lengths=np.full(9, 9), seed=1).lr == rate


def test_what_the_recipe_says_stands() -> None:
    said = EncoderSpec(epochs=9, lr=0.5, batch_tokens=99)
    found = settle(said, source=SCRATCH, lengths=np.full(9, 9), seed=1)
    assert found == Settings(epochs=9, lr=0.5, batch_tokens=99)
