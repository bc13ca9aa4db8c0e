"""Which numbers are computed with: what the recipe says, or what was measured, and why."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch

from ratchet.errors import RatchetError
from ratchet.recipe.sections import EncoderSpec
from ratchet.recipe.training import TrainingKeys
from ratchet.train import precision as module
from ratchet.train.objective import Objective
from ratchet.train.precision import Precision, choose

BATCHES = [np.arange(4), np.arange(4, 8), np.arange(8, 12)]


class Line(Objective):
    """A straight line through points."""

    goals: ClassVar[dict[str, int]] = {"loss": -1}

    def __init__(self) -> None:
        self.network = torch.nn.Linear(8, 1)
        self.lengths = np.ones(12, np.int64)
        self.points = torch.arange(96, dtype=torch.float32).view(12, 8)

    def units(self, rows: np.ndarray) -> float:
        return float(len(rows))

    def loss(self, rows: np.ndarray) -> torch.Tensor:
        return self.network(self.points[rows]).float().square().sum()

    def validate(self) -> dict[str, float]:
        return {}

    def throw(self, seed: int, *, step: int) -> None:
        del seed, step

    def stages(self) -> Sequence[torch.nn.Module]:
        return [self.network]


def chosen(tmp_path: Path, *, steps: int = 3, **more: object) -> Precision:
    spec = TrainingKeys.model_validate(more)
    return choose(Line(), BATCHES, spec=spec, steps=steps, device="cpu", kept=tmp_path / "precision.json")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> dict[str, float | None]:
    """Seconds of a batch in each precision."""
    taken: dict[str, float | None] = {"fp32": 1.0, "bf16": 1.0, "fp16": None}
    monkeypatch.setattr(module, "_seconds", lambda objective, sample, precision, **_: taken[precision.name])
    return taken


def test_a_short_training_is_not_measured(tmp_path: Path) -> None:
    found = chosen(tmp_path)
    assert found.name == "fp32"
    assert "too little to measure" in str(found)


@pytest.mark.parametrize(
    ("bf16", "fp16", "name"),
    [(0.5, None, "bf16"), (0.9, None, "fp32"), (15.0, 70.0, "fp32"), (0.5, 0.3, "fp16"), (None, None, "fp32")],
)
def test_a_long_one_takes_what_is_clearly_faster(
    tmp_path: Path, clock: dict[str, float | None], bf16: float | None, fp16: float | None, name: str
) -> None:
    clock.update(bf16=bf16, fp16=fp16)
    found = chosen(tmp_path, steps=1000)
    assert found.name == name
    assert "float32 1000 ms a batch" in found.measured
    assert (f"bfloat16 {1000 * bf16:.0f} ms" if bf16 else "bfloat16 not possible") in found.measured
    assert "measured on this cpu" in str(found)


def test_the_choice_is_kept_for_a_training_that_goes_on(tmp_path: Path, clock: dict[str, float | None]) -> None:
    clock.update(bf16=0.1)
    first = chosen(tmp_path, steps=1000)
    clock.update(bf16=9.0)
    assert chosen(tmp_path, steps=1000) == first


@pytest.mark.usefixtures("clock")
def test_what_the_recipe_says_is_used_or_refused(tmp_path: Path) -> None:
    assert str(chosen(tmp_path, precision="bf16")) == "bfloat16: as the recipe says"
    with pytest.raises(RatchetError, match="precision must be one that this device can compute with but got fp16"):
        chosen(tmp_path, precision="fp16")


def test_a_compiler_that_fails_or_costs_too_much_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: dict[str, float | None]
) -> None:
    def broken(*_: object, **__: object) -> object:
        raise RuntimeError("no compiler")

    monkeypatch.setattr(torch, "compile", broken)
    found = chosen(tmp_path, compile="measured")
    assert not found.compiled
    assert "torch.compile is not possible here" in found.reason
    (tmp_path / "b").mkdir()
    monkeypatch.setattr(torch, "compile", lambda forward, **_: forward)
    assert not chosen(tmp_path / "b", compile="measured").compiled


def test_the_measurement_leaves_no_gradient_and_no_other_weights(tmp_path: Path) -> None:
    learnt = Line()
    before = [weight.detach().clone() for weight in learnt.network.parameters()]
    choose(learnt, BATCHES, spec=EncoderSpec(), steps=3, device="cpu", kept=tmp_path / "p.json")
    assert all(torch.equal(a, b) for a, b in zip(before, learnt.network.parameters(), strict=True))
    assert all(weight.grad is None for weight in learnt.network.parameters())


@pytest.mark.parametrize(("name", "kind"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_states_between_layers_are_in_the_numbers_of_the_products(name: str, kind: torch.dtype) -> None:
    torch.manual_seed(1)
    values, norm = torch.randn(2, 3, 4, 8), torch.nn.LayerNorm(8)
    precision = Precision(name=name, compiled=False, reason="")
    with precision.autocast("cpu"):
        mixed = torch.nn.functional.scaled_dot_product_attention(values, values, values)
        scaled = norm(values)
        with torch.autocast("cpu", enabled=False):
            exact = norm(values)
    assert (mixed.dtype, scaled.dtype, exact.dtype) == (kind, kind, torch.float32)
    assert torch.allclose(scaled.float(), exact, atol=0.02)
    assert torch.allclose(
        mixed.float(), torch.nn.functional.scaled_dot_product_attention(values, values, values), atol=0.02
    )
    assert norm(values).dtype == torch.float32, "after the block nothing is rounded"
