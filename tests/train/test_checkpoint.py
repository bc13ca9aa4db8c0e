from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ratchet.errors import WorkspaceError
from ratchet.train.checkpoint import Checkpoints


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("state.json", b"[" * 100_000),
        ("state.json", b"[]"),
        ("model.safetensors", b""),
        ("optimizer.safetensors", b"\xff" * 100),
    ],
)
def test_a_damaged_checkpoint_is_one_sentence(tmp_path: Path, name: str, data: bytes) -> None:
    network = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(network.parameters())
    saved = Checkpoints(folder=tmp_path / "checkpoints", key="k")
    saved.save(1, network=network, optimizer=optimizer, state={"epochs": []}, keep=None)
    assert saved.resume(network=network, optimizer=optimizer) == {"key": "k", "epoch": 1, "epochs": []}
    (tmp_path / "checkpoints" / "epoch-00001" / name).write_bytes(data)
    with pytest.raises(WorkspaceError, match="Remove the folder"):
        saved.resume(network=network, optimizer=optimizer)
