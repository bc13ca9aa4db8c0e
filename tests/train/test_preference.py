from __future__ import annotations

import math
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from tests.train.generators import network

from ratchet.errors import RatchetError
from ratchet.generators.chat import ChatTokens, turns_of
from ratchet.generators.generators import new_tokenizer
from ratchet.recipe.training import TrainingKeys
from ratchet.train.defaults import Settings
from ratchet.train.loop import fit
from ratchet.train.preference import PreferenceObjective, Preferences, preferences
from ratchet.train.reading import Example
from ratchet.train.records import read_history

BETA = 0.3


def pairs(count: int, *, seed: int = 0) -> Preferences:
    dice = np.random.default_rng(seed)

    def example(prompt: np.ndarray, size: int) -> Example:
        ids = np.concatenate([prompt, dice.integers(3, 97, size=size)])
        return ids, np.arange(len(ids)) >= len(prompt)

    prompts = [dice.integers(3, 97, size=dice.integers(3, 12)) for _ in range(count)]
    return Preferences(
        chosen=[example(prompt, 4) for prompt in prompts], rejected=[example(prompt, 6) for prompt in prompts]
    )


def log_probability(model: torch.nn.Module, example: Example) -> float:
    """By the whole logits of one example alone."""
    ids, told = example
    with torch.no_grad():
        logits = model(input_ids=torch.from_numpy(ids)[None]).logits[0]
    each = torch.log_softmax(logits.double(), -1)
    return sum(float(each[place - 1, ids[place]]) for place in np.flatnonzero(told))


def test_the_loss_is_the_one_of_the_paper() -> None:
    model, rows, watched = network(), pairs(4), pairs(3, seed=1)
    before = {id(one): log_probability(model, one) for one in (*rows.chosen, *rows.rejected)}
    others = {id(one): log_probability(model, one) for one in (*watched.chosen, *watched.rejected)}
    objective = PreferenceObjective(model, train=rows, valid=watched, pad_id=0, beta=BETA)
    objective.ready([np.arange(4)], computing=nullcontext)
    assert float(objective.loss(np.arange(4)).detach()) == pytest.approx(4 * math.log(2), abs=1e-4)
    with torch.no_grad():
        generator = torch.Generator().manual_seed(5)
        for weight in model.parameters():
            weight.add_(torch.randn(weight.shape, generator=generator), alpha=0.05)

    def margin(place: int, of: Preferences, reference: dict[int, float]) -> float:
        chosen, rejected = of.chosen[place], of.rejected[place]
        gained = log_probability(model, chosen) - reference[id(chosen)]
        return BETA * (gained - (log_probability(model, rejected) - reference[id(rejected)]))

    wanted = [-math.log(1 / (1 + math.exp(-margin(place, rows, before)))) for place in range(4)]
    objective.plan(seed=0, epoch=0, budget=64)
    assert float(objective.loss(np.array([2, 0])).detach()) == pytest.approx(wanted[2] + wanted[0], abs=1e-4)
    assert objective.units(np.array([2, 0])) == 2
    margins = [margin(place, watched, others) for place in range(3)]
    found = objective.validate()
    assert found["loss"] == pytest.approx(np.mean([math.log1p(math.exp(-one)) for one in margins]), abs=1e-4)
    assert found["margin"] == pytest.approx(np.mean(margins), abs=1e-4)
    assert found["accuracy"] == np.mean([one > 0 for one in margins])


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_first_margins_are_0_in_the_numbers_of_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: Literal["fp32", "bf16"]
) -> None:
    margins: list[torch.Tensor] = []
    margins_of = PreferenceObjective._margins

    def kept(self: PreferenceObjective, *of: Any, **how: Any) -> torch.Tensor:
        found = margins_of(self, *of, **how)
        if self.network.training and self.reference.any():  # a step, not the measurement before it
            margins.append(found.detach().clone())
        return found

    monkeypatch.setattr(PreferenceObjective, "_margins", kept)
    objective = PreferenceObjective(network(), train=pairs(12), valid=pairs(3, seed=1), pad_id=0, beta=BETA)
    spec, settings = TrainingKeys(precision=precision), Settings(epochs=1, lr=3e-3, batch_tokens=128)
    fit(objective, spec=spec, settings=settings, folder=tmp_path, facts={}, seed=1, threads=1, save=lambda done: done)
    assert margins[0].tolist() == [0.0] * len(margins[0])
    assert len(margins) > 1
    assert margins[1].abs().max() > 0


def test_chosen_answers_become_likelier_than_rejected_ones(tmp_path: Path) -> None:
    model, rows = network(), pairs(6)
    objective = PreferenceObjective(model, train=rows, valid=rows, pad_id=0, beta=BETA)
    spec, settings = TrainingKeys(), Settings(epochs=8, lr=3e-3, batch_tokens=64)
    fit(objective, spec=spec, settings=settings, folder=tmp_path, facts={}, seed=1, threads=1, save=lambda done: done)
    last = read_history(tmp_path)[-1].valid
    assert last["accuracy"] == 1
    assert last["loss"] < 0.3 < math.log(2)


def test_rows_that_prefer_nothing_are_left_out_and_counted() -> None:
    chat = ChatTokens(tokenizer=new_tokenizer(["a b c"] * 5, vocabulary=300), max_tokens=48, max_new_tokens=8)
    asked = turns_of("a")
    found = preferences(chat, [(asked, "b", "c"), (asked, "b", ""), (asked, "b", "b"), (asked, "c", "b")])
    assert len(found) == 2
    assert found.counts == {"pairs with an empty answer": 1, "pairs of one answer": 1}
    assert chat.text(found.chosen[0][0][found.chosen[0][1]]) == "b"
    with pytest.raises(RatchetError, match="must prefer an answer to another one"):
        preferences(chat, [(asked, "b", "b")])
    assert len(preferences(chat, [(asked, "b", "b")], watched=True)) == 0
