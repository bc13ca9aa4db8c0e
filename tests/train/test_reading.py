from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.train.generators import examples, network

from ratchet.train.language import LanguageObjective
from ratchet.train.packing import packed
from ratchet.train.reading import chances, packs, reader

SIZES = [9, 17, 4, 23, 6]


def gradient(model: torch.nn.Module, found: torch.Tensor) -> dict[str, torch.Tensor]:
    model.zero_grad()
    (-found.sum()).backward()
    return {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}


@pytest.mark.parametrize("kind", ["llama", "gpt2", "qwen2", "mistral", "gemma2", "granite", "gpt_neox"])
def test_packed_examples_are_as_if_each_were_alone(kind: str) -> None:
    model = network(kind)
    net, rows = reader(model), examples(SIZES).rows
    assert packs(model)
    together = chances(net, packed(rows, [[0, 1, 2], [3, 4]], pad_id=0), masked=False)
    both = gradient(model, together)
    apart = torch.cat([chances(net, packed([row], [[0]], pad_id=0), masked=False) for row in rows])
    alone = gradient(model, apart)
    assert torch.allclose(together, apart, atol=1e-5, rtol=1e-5)
    largest = max(float(one.abs().max()) for one in alone.values())
    for name, one in alone.items():
        assert torch.allclose(both[name], one, atol=1e-5 * largest, rtol=1e-5), name


@pytest.mark.parametrize("kind", ["llama", "gpt2", "granite"])
def test_they_are_what_the_model_itself_says(kind: str) -> None:
    model, (ids, told) = network(kind), examples([13]).rows[0]
    found = chances(reader(model), packed([(ids, told)], [[0]], pad_id=0), masked=False)
    logits = model(input_ids=torch.from_numpy(ids)[None]).logits[0, :-1]
    whole = torch.log_softmax(logits, -1)[torch.arange(len(ids) - 1), torch.from_numpy(ids[1:])]
    assert torch.allclose(found, whole[torch.from_numpy(told[1:])], atol=1e-5)


def test_a_model_that_heeds_no_positions_is_padded_and_says_so() -> None:
    model, rows = network("bloom"), examples(SIZES)
    assert not packs(model)
    objective = LanguageObjective(model, train=rows, valid=rows, pad_id=0)
    plan = objective.plan(seed=0, epoch=0, budget=64)
    assert any(len(batch) > 1 for batch in plan.batches)
    with torch.no_grad():
        together = sum(float(objective.loss(batch)) for batch in plan.batches)
        alone = sum(float(objective.loss(np.array([row]))) for row in range(len(SIZES)))
    assert together == pytest.approx(alone, rel=1e-5)
    assert objective.notes == ["a bloom cannot read packed rows, so they were padded"]
    assert objective.validate()["loss"] == pytest.approx(alone / float(rows.told.sum()), rel=1e-5)
