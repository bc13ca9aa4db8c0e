from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.train.generators import examples, network

from ratchet.errors import RatchetError
from ratchet.generators.chat import ChatTokens, turns_of
from ratchet.generators.generators import new_tokenizer
from ratchet.recipe.training import TrainingKeys
from ratchet.train.defaults import Settings
from ratchet.train.language import Examples, LanguageObjective, answered, documents, stages
from ratchet.train.loop import fit
from ratchet.train.records import read_history

TEXTS = ["What is the rate?", "The rate is 1.2 today.", "My card did not arrive."] * 5


def tokens(*, room: int = 64, answer: int = 16) -> ChatTokens:
    return ChatTokens(tokenizer=new_tokenizer(TEXTS, vocabulary=300), max_tokens=room, max_new_tokens=answer)


def test_every_token_of_a_long_document_is_learnt_once() -> None:
    text = np.arange(3, 40)
    found = documents([text, np.arange(3, 7), np.zeros(0, np.int64)], end=2, context=10, stride=6)
    assert found.counts == {"documents cut into windows": 1, "empty texts": 1}
    assert max(found.lengths) == 10
    learnt = [ids[told].tolist() for ids, told in found.rows[:-1]]
    assert [token for window in learnt for token in window] == [*range(4, 40), 2]
    assert [len(ids) - told.sum() for ids, told in found.rows[1:-1]] == [4] * (len(found.rows) - 2)
    assert found.rows[-1][0].tolist() == [3, 4, 5, 6, 2]


@pytest.mark.parametrize("stride", [0, 10, 11])
def test_a_stride_that_leaves_tokens_out_is_refused(stride: int) -> None:
    with pytest.raises(RatchetError, match="stride must be from 1 to 9"):
        documents([np.arange(30)], end=2, context=10, stride=stride)


def test_texts_without_a_token_are_refused() -> None:
    with pytest.raises(RatchetError, match="at least one token"):
        documents([np.zeros(0, np.int64)], end=2, context=10, stride=5)


def test_answers_alone_are_learnt_and_what_was_cut_is_counted() -> None:
    chat = tokens(answer=8)
    prompts = [turns_of("a"), turns_of("What is the rate? " * 30), turns_of("b"), turns_of("c")]
    found = answered(chat, prompts, ["yes", "no", "The rate is 1.2 today. " * 3, " "])
    assert found.counts == {"cut prompts": 1, "cut answers": 1, "empty answers": 1}
    assert len(found.rows) == 3
    ids, told = found.rows[0]
    assert chat.text(ids[told]) == "yes"
    assert ids[~told].tolist() == chat.prompt(prompts[0]).tolist()
    assert ids[-1] == chat.end
    assert max(found.lengths) <= 64


def test_no_answer_at_all_is_refused() -> None:
    with pytest.raises(RatchetError, match="must have an answer to learn but none has"):
        answered(tokens(), [turns_of("a")], [""])


def test_the_loss_is_that_of_the_answers() -> None:
    model, rows = network(), examples([12, 5, 30])
    objective = LanguageObjective(model, train=rows, valid=rows, pad_id=0)
    objective.plan(seed=0, epoch=0, budget=64)
    wanted = 0.0
    with torch.no_grad():
        for ids, told in rows.rows:
            labels = torch.from_numpy(np.where(told, ids, -100))[None]
            wanted += float(model(input_ids=torch.from_numpy(ids)[None], labels=labels).loss) * told[1:].sum()
        found = float(objective.loss(np.arange(3)))
    assert found == pytest.approx(wanted, rel=1e-5)
    assert objective.units(np.array([0, 1])) == rows.told[:2].sum() == 5
    valid = objective.validate()
    assert valid["loss"] == pytest.approx(wanted / rows.told.sum(), rel=1e-5)
    assert valid["perplexity"] == pytest.approx(math.exp(valid["loss"]))


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_the_stages_hold_every_weight_once(kind: str) -> None:
    model = network(kind)
    held = [{id(weight) for weight in stage.parameters()} for stage in stages(model)]
    assert len(held) == 4
    assert set().union(*held) == {id(weight) for weight in model.parameters()}
    assert not held[1] & held[2]
    objective = LanguageObjective(model, train=examples([9]), valid=None, pad_id=0)
    inside = sum(weight.numel() for weight in model.parameters() if weight.ndim > 1)
    assert 0 < objective.flops(10) < 60 * inside


def test_a_model_learns_by_the_loop_and_a_killed_training_ends_alike(tmp_path: Path) -> None:
    rows, few = examples([20, 31, 12, 8], seed=2), examples([9, 9])
    spec = TrainingKeys(epochs=30, lr=1e-2)

    def train(folder: Path, stop: int = 0) -> torch.nn.Module:
        model = network("gpt2", dropout=0.1)
        objective = LanguageObjective(model, train=rows, valid=few, pad_id=0)

        def progress(now: object) -> None:
            if stop and now.step == stop:  # type: ignore[attr-defined]
                raise KeyboardInterrupt

        settings = Settings(epochs=30, lr=1e-2, batch_tokens=48)
        fit(
            objective,
            spec=spec,
            settings=settings,
            folder=folder,
            facts={},
            seed=3,
            threads=1,
            save=lambda done: done,
            progress=progress,
        )
        return model

    whole = train(tmp_path / "whole")
    history = read_history(tmp_path / "whole")
    assert history[-1].train_loss < 0.2 < history[0].train_loss
    assert history[-1].valid["perplexity"] == pytest.approx(math.exp(history[-1].valid["loss"]))
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "killed", stop=17)
    again = train(tmp_path / "killed")
    for one, other in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)


def test_fewer_rows_than_a_batch_are_one_batch() -> None:
    objective = LanguageObjective(network(), train=examples([5]), valid=Examples(rows=()), pad_id=0)
    assert [rows.tolist() for rows in objective.plan(seed=0, epoch=0, budget=100_000).batches] == [[0]]
    assert objective.validate() == {}
