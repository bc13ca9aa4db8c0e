from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.generators.test_decoder import SMALL, TEXTS, loud

from ratchet.bundle.runtimes import load_model_folder
from ratchet.errors import RatchetError
from ratchet.generators import greedy
from ratchet.generators.decoder import FittedDecoder, build_decoder
from ratchet.generators.generated import INSTRUCTION, DecoderModel
from ratchet.tables.conversations import Turn

ASKED = ["a", "What is the rate?", "card " * 9, "", "Why? " * 3, '[{"role": "user", "content": "today"}]', "b"]
LABELS = ("card", "rate of the day", "other")


@pytest.fixture
def decoder() -> FittedDecoder:
    return loud(build_decoder("scratch", texts=TEXTS, max_tokens=160, max_new_tokens=24, shape=SMALL, threads=1))


def test_it_writes_what_its_generator_writes(decoder: FittedDecoder, monkeypatch: pytest.MonkeyPatch) -> None:
    model = DecoderModel(decoder=decoder, system="Be short.", examples=(("hello", "there"),))
    assert model.labels == ("answer",)
    assert model.turns("a") == [
        Turn("system", "Be short."),
        Turn("user", "hello"),
        Turn("assistant", "there"),
        Turn("user", "a"),
    ]
    monkeypatch.setattr("ratchet.generators.generated._CHUNK", 3)
    steps: list[tuple[int, int]] = []
    found = model.predict(ASKED, advance=lambda done, total: steps.append((done, total)))
    assert found.shape == (len(ASKED), 1)
    assert found.dtype == object
    assert found[:, 0].tolist() == [decoder.generate([model.turns(text)])[0] or None for text in ASKED]
    assert steps == [(3, 7), (6, 7), (7, 7)]
    assert model.predict([]).shape == (0, 1)


def test_an_empty_answer_is_none(decoder: FittedDecoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FittedDecoder, "generate", lambda self, prompts: ["" for _ in prompts])
    assert DecoderModel(decoder=decoder).predict(["a"]).tolist() == [[None]]


@pytest.mark.parametrize("budget", [greedy.BATCH_TOKENS, 1])
def test_the_likelihood_of_a_choice_is_that_of_the_answer(
    decoder: FittedDecoder, budget: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = DecoderModel(decoder=decoder, choices=LABELS)
    prompts = [model.turns(text) for text in ASKED]
    slow = [[decoder.answer_nll([asked], [label])[0, 0] for label in LABELS] for asked in prompts]
    monkeypatch.setattr(greedy.choice_losses, "__kwdefaults__", {"budget": budget})
    assert decoder.choice_nll(prompts, LABELS) == pytest.approx(np.array(slow), rel=1e-4)


def test_it_chooses_the_likeliest_label(decoder: FittedDecoder) -> None:
    model = DecoderModel(decoder=decoder, choices=LABELS)
    assert model.labels == LABELS
    assert model.turns("a")[0] == Turn("system", f"{INSTRUCTION}card, rate of the day, other")
    found = model.predict(ASKED)
    assert found.shape == (len(ASKED), 3)
    assert found.dtype == np.float32
    assert found.sum(axis=1) == pytest.approx(np.ones(len(ASKED)), abs=1e-5)
    losses = decoder.choice_nll([model.turns(text) for text in ASKED], LABELS)
    assert found.argmax(axis=1).tolist() == losses.argmin(axis=1).tolist()
    assert np.array_equal(model.predict(ASKED[::-1])[::-1], found)
    assert model.predict([]).shape == (0, 3)


@pytest.mark.parametrize("choices", [(), LABELS])
def test_a_saved_one_answers_the_same(decoder: FittedDecoder, tmp_path: Path, choices: tuple[str, ...]) -> None:
    model = DecoderModel(decoder=decoder, system="Kurz, bitte \ud800.", examples=(("你好", "hello"),), choices=choices)
    (tmp_path / "model").mkdir()
    model.save(tmp_path / "model")
    again = load_model_folder(tmp_path / "model", "decoder", threads=1)
    assert again.labels == model.labels
    assert np.array_equal(again.predict(ASKED), model.predict(ASKED))


@pytest.mark.parametrize(
    "change", [{"format": 2}, {"system": None}, {"examples": [["a"]]}, {"examples": "ab"}, {"choices": [1]}]
)
def test_a_damaged_card_is_one_sentence(decoder: FittedDecoder, tmp_path: Path, change: dict[str, object]) -> None:
    (tmp_path / "model").mkdir()
    DecoderModel(decoder=decoder).save(tmp_path / "model")
    path = tmp_path / "model" / "generated.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **change}), encoding="utf-8")
    with pytest.raises(RatchetError, match="must say how a generator is asked"):
        DecoderModel.load(tmp_path / "model")


def test_a_choice_of_one_token_needs_no_further_step(decoder: FittedDecoder) -> None:
    prompt = decoder.tokens.prompt([Turn("user", "a")])
    with torch.inference_mode():
        chances = torch.log_softmax(decoder.network(torch.from_numpy(prompt)[None]).logits[0, -1], -1)
        found = greedy.choice_losses(
            decoder.network, prompt, [np.array([5]), np.array([9])], pad_id=decoder.tokens.pad_id
        )
    assert found == pytest.approx([-float(chances[5]), -float(chances[9])], abs=1e-5)
