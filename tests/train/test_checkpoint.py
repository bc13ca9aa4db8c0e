from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ratchet.errors import WorkspaceError
from ratchet.train.checkpoint import Checkpoints, Parts


def parts(seed: int = 0, *, averaged: bool = False) -> Parts:
    torch.manual_seed(seed)
    network = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(network.parameters())
    network(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    average = {name: weight.detach().clone() for name, weight in network.named_parameters()} if averaged else None
    return Parts(network=network, optimizer=optimizer, average=average)


def same(one: Parts, other: Parts) -> bool:
    moments = zip(one.optimizer.state.values(), other.optimizer.state.values(), strict=True)
    weights = zip(one.network.parameters(), other.network.parameters(), strict=True)
    averages = zip((one.average or {}).values(), (other.average or {}).values(), strict=True)
    alike = all(torch.equal(a[name], b[name]) for a, b in moments for name in ("exp_avg", "exp_avg_sq", "step"))
    return alike and all(torch.equal(a, b) for a, b in (*weights, *averages))


@pytest.mark.parametrize("averaged", [False, True])
def test_everything_comes_back(tmp_path: Path, averaged: bool) -> None:
    saved, before, after = (
        Checkpoints(folder=tmp_path / "c", facts={"a": 1}),
        parts(1, averaged=averaged),
        parts(2, averaged=averaged),
    )
    assert saved.resume(after) is None
    saved.save(5, before, state={"epoch": 1})
    assert not same(before, after)
    assert saved.resume(after) == {"epoch": 1}
    assert same(before, after)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("state.json", b"[" * 100_000),
        ("state.json", b"[]"),
        ("state.json", b'{"body": {"step": 1}, "sha256": "0"}'),
        ("model.safetensors", b""),
        ("optimizer.safetensors", b"\xff" * 100),
    ],
)
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before_it(tmp_path: Path, name: str, data: bytes) -> None:
    saved, before, after = Checkpoints(folder=tmp_path / "c", facts={}), parts(1), parts(3)
    saved.save(1, before, state={"at": 1})
    saved.save(2, parts(2), state={"at": 2})
    (tmp_path / "c" / "step-00000002" / name).write_bytes(data)
    assert saved.resume(after) == {"at": 1}
    assert same(before, after)
    assert saved.notes == ["the checkpoint after 2 steps was damaged, so the one before it was used"]


def test_the_newest_two_and_the_wanted_ones_are_kept(tmp_path: Path) -> None:
    saved = Checkpoints(folder=tmp_path / "c", facts={})
    for step in (0, 2, 4, 6, 8):
        saved.save(step, parts(), state={}, keep={0, 2} if step < 6 else {0})
    assert sorted(saved.steps()) == [0, 6, 8]
    saved.drop_after(6)
    assert sorted(saved.steps()) == [0, 6]


def test_what_a_kept_one_may_go_back_to_is_kept_as_well(tmp_path: Path) -> None:
    saved, after = Checkpoints(folder=tmp_path / "c", facts={}), parts(9)
    for step, start in ((0, 0), (10, 10), (15, 10), (20, 20)):  # an epoch has 10 steps, of which the last one is kept
        saved.save(step, parts(step), state={"at": step}, keep={start})
    assert sorted(saved.steps()) == [10, 15, 20]
    (tmp_path / "c" / "step-00000020" / "model.safetensors").write_bytes(b"")
    assert saved.resume(after) == {"at": 15}
    assert same(after, parts(15))
    saved.save(25, parts(25), state={}, keep={20})
    saved.save(30, parts(30), state={}, keep={30})
    assert sorted(saved.steps()) == [25, 30], "no longer than that"


def test_a_checkpoint_of_another_training_is_refused_with_what_differs(tmp_path: Path) -> None:
    Checkpoints(folder=tmp_path / "c", facts={"lr": 1e-3, "rows": "x"}).save(1, parts(), state={})
    with pytest.raises(WorkspaceError, match=r"another one \(lr: 0.001 then, 0.01 now\)") as caught:
        Checkpoints(folder=tmp_path / "c", facts={"lr": 1e-2, "rows": "x"}).resume(parts())
    assert "remove" in caught.value.next_step


@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_one_that_may_go_back_to_a_damaged_one_is_passed_over(tmp_path: Path, damage: str) -> None:
    saved, before, after = Checkpoints(folder=tmp_path / "c", facts={}), parts(1), parts(9)
    saved.save(1, before, state={"at": 1}, keep={1})
    for step in (2, 4, 6):
        saved.save(step, parts(step), state={"at": step}, keep={1, 2})
    best = tmp_path / "c" / "step-00000002" / "model.safetensors"
    data = bytearray(best.read_bytes())
    data[-1] ^= 1  # a number of it: the file itself can be read
    best.write_bytes(data) if damage == "changed" else best.unlink()
    with pytest.raises(WorkspaceError, match="is missing or damaged") as caught:
        saved.load_weights(2, after.network)
    assert "Run again" in caught.value.next_step
    assert saved.resume(after) == {"at": 1}
    assert same(before, after)
    assert saved.notes == [
        *(
            f"the checkpoint after {step} steps may go back to the one after 2 steps, which was damaged, "
            "so the one before it was used"
            for step in (6, 4)
        ),
        "the checkpoint after 2 steps was damaged, so the one before it was used",
    ]
    assert saved.steps() == [1]
