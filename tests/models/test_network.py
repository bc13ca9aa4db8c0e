from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ratchet.models.encoder import FittedEncoder, build_encoder
from ratchet.models.network import Dice, Dropout, layer_stack, using_threads
from ratchet.recipe.sections import EncoderSpec


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_dropout_drops_its_share_and_keeps_the_mean(share: float) -> None:
    drop = Dropout(share, dice=Dice()).train()
    out = drop(torch.ones(400, 250))
    assert float((out == 0).float().mean()) == pytest.approx(share, abs=0.01)
    assert float(out.mean()) == pytest.approx(1.0, abs=0.01)


def test_dropout_is_a_function_of_seed_and_step() -> None:
    dice = Dice()
    drop = Dropout(0.5, dice=dice).train()
    values = torch.ones(64, 33)

    def at(seed: int, step: int) -> torch.Tensor:
        dice.throw(seed, step=step)
        return drop(values)

    assert torch.equal(at(1, 5), at(1, 5))
    assert not torch.equal(at(1, 5), at(1, 6))
    assert not torch.equal(at(1, 5), at(2, 5))


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_dropout_is_nothing_outside_training(share: float) -> None:
    drop = Dropout(share, dice=Dice()).eval()
    values = torch.randn(4, 4)
    assert torch.equal(drop(values), values)


def test_every_hidden_dropout_is_the_fast_one_and_attention_has_none(tiny: FittedEncoder) -> None:
    drops = [child for child in tiny.network.modules() if isinstance(child, torch.nn.Dropout)]
    assert all(isinstance(child, Dropout) for child in drops)
    names = {name: child.p for name, child in tiny.network.named_modules() if isinstance(child, Dropout)}
    assert {share for name, share in names.items() if "attention.self" in name} == {0.0}
    assert {share for name, share in names.items() if "attention.self" not in name} == {0.1}


@pytest.mark.parametrize(("kind", "pooling"), [("bert", "mean"), ("roberta", None), ("distilbert", "first")])
def test_frozen_layers_and_embeddings_are_not_trained(
    checkpoint: Callable[..., Path], kind: str, pooling: str | None
) -> None:
    spec = EncoderSpec(source=str(checkpoint(kind, pooling=pooling)), frozen_layers=1, max_tokens=16)
    network = build_encoder(spec, labels=["a", "b"], language="en", texts=[], seed=1).network
    stack = layer_stack(network.backbone)
    assert len(stack) == 2
    assert not any(parameter.requires_grad for parameter in stack[0].parameters())
    assert all(parameter.requires_grad for parameter in stack[1].parameters())
    embeddings = [child for name, child in network.named_modules() if name.endswith("embeddings")]
    assert embeddings
    assert not any(parameter.requires_grad for child in embeddings for parameter in child.parameters())
    assert any(parameter.requires_grad for name, parameter in network.named_parameters() if "stack" not in name)


def test_threads_are_put_back() -> None:
    before = torch.get_num_threads()
    with using_threads(1) as chosen:
        assert chosen == torch.get_num_threads() == 1
    with using_threads(0) as chosen:
        assert chosen == len(os.sched_getaffinity(0))
    assert torch.get_num_threads() == before
