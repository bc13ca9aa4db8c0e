"""What is frozen is computed once: the same logits and gradients, and not where it cannot be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from tests.conftest import generate
from tests.train.test_encoder import objective, spec

from ratchet.models.network import freeze
from ratchet.models.targets import Targets
from ratchet.recipe.sections import EncoderSpec
from ratchet.train import frozen as module
from ratchet.train.encoder import RowObjective
from ratchet.train.precision import Precision

TEXTS, LABELS = generate(60, seed=4)


def learnt(*, layers: int, **more: object) -> RowObjective:
    how: EncoderSpec = spec(layers=3, dropout=0.2, **more)
    made = objective(TEXTS, Targets.of_labels(LABELS), how)
    freeze(made.encoder.network.backbone, layers=layers)
    return made


def prepared(one: RowObjective, *, precision: str = "fp32") -> RowObjective:
    chosen = Precision(name=precision, compiled=False, reason="")
    one.ready([], computing=lambda: chosen.autocast("cpu"))
    return one


def gradient(one: RowObjective, rows: Sequence[int]) -> torch.Tensor:
    one.network.train()
    one.network.zero_grad()
    one.throw(3, step=1)
    one.loss(np.array(rows)).backward()
    return torch.cat([weight.grad.flatten() for weight in one.network.parameters() if weight.grad is not None])


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_the_gradient_is_that_of_the_whole_network(layers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    short = prepared(learnt(layers=layers))
    assert short.frozen is not None
    assert short.frozen.layers == layers
    monkeypatch.setattr(module, "MOST_BYTES", 0)
    whole = prepared(learnt(layers=layers))
    assert whole.frozen is None
    rows = [0, 5, 9, 33, 59]
    assert torch.allclose(gradient(short, rows), gradient(whole, rows), atol=1e-5)
    assert short.flops(10) < whole.flops(10)
    assert np.allclose(short.encoder.predict(TEXTS), whole.encoder.predict(TEXTS), atol=1e-6), (
        "the network is whole again"
    )


def test_where_nothing_is_frozen_for_good_nothing_is_kept() -> None:
    assert prepared(learnt(layers=0)).frozen is None
    waiting = learnt(layers=0, unfreeze="gradual")
    from ratchet.train.optimizer import hold_back

    hold_back(waiting.stages(), spec=waiting.spec, epoch=0)
    assert prepared(waiting).frozen is None


def test_a_network_whose_layers_do_more_than_that_is_computed_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    one = learnt(layers=1)
    monkeypatch.setattr(module._Passed, "forward", lambda self, hidden, *given, **named: -hidden)
    assert prepared(one).frozen is None


def test_the_states_are_computed_in_the_numbers_of_the_training() -> None:
    exact, rounded = (prepared(learnt(layers=2), precision=name).frozen for name in ("fp32", "bf16"))
    assert exact is not None
    assert rounded is not None
    away = max(float(np.abs(a - b).max()) for a, b in zip(exact.states, rounded.states, strict=True))
    assert 0 < away < 0.2
    again = prepared(learnt(layers=2), precision="bf16").frozen
    assert again is not None
    assert all(np.array_equal(a, b) for a, b in zip(rounded.states, again.states, strict=True))
