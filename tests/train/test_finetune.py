from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from ratchet.contenders.folded import chosen
from ratchet.errors import RatchetError
from ratchet.generators.chat import PLAIN_TEMPLATE
from ratchet.generators.decoder import build_decoder
from ratchet.generators.generated import DecoderModel
from ratchet.generators.generators import Shape
from ratchet.recipe.finetune import DecoderSpec
from ratchet.train.adapters import load_adapter
from ratchet.train.finetune import Asked, fit_decoder, settle
from ratchet.train.records import Progress, read_history

WORDS = ["card", "rate", "refund", "fee", "post", "loan"]
ROWS = Asked(texts=[f"say {one} now" for one in WORDS], answers=[one.upper() for one in WORDS])
SCRATCH = DecoderSpec(
    source="scratch", layers=1, width=32, heads=2, vocabulary=320, max_tokens=48, max_new_tokens=12, epochs=60, lr=1e-2
)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generator that knows some of it, as others would publish it."""
    folder = tmp_path_factory.mktemp("source")
    texts = [*ROWS.texts, *ROWS.answers]
    shape = Shape(layers=2, width=32, heads=2, vocabulary=320)
    build_decoder("scratch", texts=texts, max_tokens=64, max_new_tokens=12, shape=shape, seed=5).save(folder / "m")
    return folder / "m"


@pytest.fixture
def tuned(tmp_path: Path) -> Callable[..., DecoderModel]:
    def train(spec: DecoderSpec, *, rows: Asked = ROWS, name: str = "t", **other: object) -> DecoderModel:
        valid = Asked(texts=rows.texts[:2], answers=rows.answers[:2], rejected=rows.rejected and rows.rejected[:2])
        arguments: dict[str, object] = {"language": "en", "seed": 3, "threads": 1, "folder": tmp_path / name, **other}
        return fit_decoder(rows, valid, spec=spec, **arguments)  # type: ignore[arg-type]

    return train


def adapter_spec(source: Path, tuning: str, **more: object) -> DecoderSpec:
    keys = {"max_tokens": 48, "max_new_tokens": 12, "epochs": 40, "lr": 2e-2, "rank": 8, **more}
    return DecoderSpec.model_validate({"source": str(source), "tuning": tuning, **keys})


def test_it_learns_the_answers_and_is_loaded_alike(tuned: Callable[..., DecoderModel], tmp_path: Path) -> None:
    model = tuned(SCRATCH)
    answers = model.predict(ROWS.texts)[:, 0].tolist()
    assert answers == list(ROWS.answers)
    assert DecoderModel.load(tmp_path / "t" / "model").predict(ROWS.texts)[:, 0].tolist() == answers
    records = read_history(tmp_path / "t")
    assert set(records[-1].valid) == {"loss", "perplexity"}
    facts = model.decoder.facts
    assert (facts["tuning"], facts["cut_or_empty"], facts["notes"]) == ("full", {}, [])
    assert not (tmp_path / "t" / "checkpoints").exists()
    assert not (tmp_path / "t" / "model" / "parts").exists()


def test_a_finished_training_is_not_done_again(tuned: Callable[..., DecoderModel]) -> None:
    quick = SCRATCH.model_copy(update={"epochs": 1})
    tuned(quick)
    seen: list[Progress] = []
    tuned(quick, progress=seen.append)
    assert not seen
    tuned(quick.model_copy(update={"lr": 2e-2}), name="other", progress=seen.append)
    assert seen


@pytest.mark.parametrize("tuning", ["lora", "dora"])
def test_an_adapter_is_merged_and_lies_beside(
    tuned: Callable[..., DecoderModel], tmp_path: Path, source: Path, tuning: str
) -> None:
    model = tuned(adapter_spec(source, tuning, epochs=100, rank=16))
    before = build_decoder(str(source), max_tokens=48, max_new_tokens=12)
    asked = [model.turns(text) for text in ROWS.texts]
    assert before.generate(asked) != list(ROWS.answers)
    assert model.predict(ROWS.texts)[:, 0].tolist() == list(ROWS.answers)
    saved = tmp_path / "t" / "model"
    assert DecoderModel.load(saved).predict(ROWS.texts)[:, 0].tolist() == list(ROWS.answers)
    alone = load_adapter(before.network, saved / "adapter")
    assert before.generate(asked) == list(ROWS.answers)
    assert model.decoder.facts["trained_weights"] == sum(one.numel() for one in alone.weights().values())


def test_frozen_layers_stay_as_they_were(tuned: Callable[..., DecoderModel], source: Path) -> None:
    model = tuned(adapter_spec(source, "freeze", trained_layers=1, epochs=2))
    after = dict(model.decoder.network.named_parameters())
    other = {
        name
        for name, weight in build_decoder(str(source), max_tokens=48, max_new_tokens=12).network.named_parameters()
        if not torch.equal(weight, after[name])
    }
    assert other
    assert all(".1." in name or "norm" in name for name in other)


def test_labels_are_learnt_under_the_prompt_that_is_served(tuned: Callable[..., DecoderModel]) -> None:
    rows = Asked(texts=ROWS.texts, answers=["in", "out"] * 3)
    model = tuned(SCRATCH.model_copy(update={"max_tokens": 200}), rows=rows, choices=("in", "out"))
    chances = model.predict(ROWS.texts)
    assert chances.shape == (6, 2)
    assert [("in", "out")[column] for column in chances.argmax(axis=1)] == list(rows.answers)
    assert np.allclose(chances.sum(axis=1), 1)


def test_preferences_are_learnt_from_a_column_of_rejected_answers(
    tuned: Callable[..., DecoderModel], tmp_path: Path, source: Path
) -> None:
    rows = Asked(texts=ROWS.texts, answers=ROWS.answers, rejected=[one.lower() for one in ROWS.answers])
    model = tuned(adapter_spec(source, "lora", rejected="bad", epochs=10, lr=1e-2), rows=rows)
    last = read_history(tmp_path / "t")[-1].valid
    assert set(last) == {"loss", "accuracy", "margin"}
    assert last["accuracy"] == 1
    before = build_decoder(str(source), max_tokens=48, max_new_tokens=12)
    asked = [model.turns(text) for text in ROWS.texts]
    assert rows.rejected is not None

    def lead(decoder: object) -> np.ndarray:
        better, worse = (decoder.answer_nll(asked, one)[:, 0] for one in (rows.answers, rows.rejected))  # type: ignore[attr-defined]
        return np.asarray(worse - better)

    assert (lead(model.decoder) > lead(before)).all()


def test_watched_rows_of_which_none_prefers_are_not_watched(tmp_path: Path, source: Path) -> None:
    rows = Asked(texts=ROWS.texts, answers=ROWS.answers, rejected=[one.lower() for one in ROWS.answers])
    alike = Asked(texts=ROWS.texts[:2], answers=ROWS.answers[:2], rejected=ROWS.answers[:2])
    spec = adapter_spec(source, "lora", rejected="bad", epochs=1, keep="margin")
    model = fit_decoder(rows, alike, spec=spec, language="en", seed=3, threads=1, folder=tmp_path)
    assert model.decoder.facts["kept_epoch"] == 1
    assert chosen(tmp_path, keep="margin", rows=2, epoch=1) == [
        "the last epoch was kept: there were too few rows, or too alike, to set some apart that choose by margin"
    ]


def test_checkpointing_gives_the_same_weights(tuned: Callable[..., DecoderModel], source: Path) -> None:
    one = tuned(adapter_spec(source, "lora", epochs=2), name="one")
    other = tuned(adapter_spec(source, "lora", epochs=2, gradient_checkpointing=True), name="other")
    for mine, yours in zip(one.decoder.network.parameters(), other.decoder.network.parameters(), strict=True):
        assert torch.allclose(mine, yours, atol=1e-5)


def test_a_killed_training_ends_with_the_same_answers_and_bytes(
    tuned: Callable[..., DecoderModel], tmp_path: Path, source: Path
) -> None:
    spec = adapter_spec(source, "lora", epochs=6, dropout=0.1)
    tuned(spec, name="whole")

    def stop(now: Progress) -> None:
        if now.step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tuned(spec, name="killed", progress=stop)
    tuned(spec, name="killed")
    for name in ("model.safetensors", "adapter/adapter_model.safetensors"):
        one, other = ((tmp_path / folder / "model" / name).read_bytes() for folder in ("whole", "killed"))
        assert one == other


def test_another_tokenizer_or_template_over_the_same_weights_is_another_training(
    tuned: Callable[..., DecoderModel], tmp_path: Path, source: Path
) -> None:
    keys: list[dict[str, object]] = []
    for name, change in (("as-it-is", None), ("told", "template"), ("merged", "tokenizer")):
        folder = shutil.copytree(source, tmp_path / name)
        if change == "template":
            (folder / "chat_template.jinja").write_text(PLAIN_TEMPLATE)
        if change == "tokenizer":
            contents = json.loads((folder / "tokenizer.json").read_text())
            contents["model"]["merges"].pop()
            (folder / "tokenizer.json").write_text(json.dumps(contents))
        keys.append(tuned(adapter_spec(folder, "lora", epochs=1), name=f"t-{name}").decoder.facts["key"])
    assert len({str(key["tokens"]) for key in keys}) == 3
    assert len({str(key["base"]) for key in keys}) == 1


def test_long_and_empty_rows_are_counted(tuned: Callable[..., DecoderModel]) -> None:
    rows = Asked(texts=["say card now", "fee " * 200, "post"], answers=["CARD", "0 1 2 3 4 5 6 7 8 9 " * 5, " "])
    facts = tuned(SCRATCH.model_copy(update={"epochs": 1}), rows=rows).decoder.facts
    assert facts["cut_or_empty"] == {"cut prompts": 1, "cut answers": 1, "empty answers": 1}
    json.dumps(facts)


def test_rows_without_an_answer_are_refused(tuned: Callable[..., DecoderModel]) -> None:
    with pytest.raises(RatchetError, match="must have an answer to learn but none has"):
        tuned(SCRATCH, rows=Asked(texts=["a", "b"], answers=["", ""]))


def test_four_bits_are_refused_before_anything_is_trained(
    tuned: Callable[..., DecoderModel], source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(RatchetError, match=r"tuning must be another one than qlora .*CUDA"):
        tuned(adapter_spec(source, "qlora"))


def test_what_the_recipe_leaves_open_is_chosen(source: Path) -> None:
    decoder = build_decoder(str(source), max_tokens=48, max_new_tokens=12)
    lengths = np.full(100, 40)
    found = settle(DecoderSpec(source=str(source)), decoder=decoder, lengths=lengths, seed=0)
    assert (found.batch_tokens, found.lr, found.epochs) == (640, 1e-3, 10)
    assert settle(DecoderSpec(tuning="full"), decoder=decoder, lengths=lengths, seed=0).lr == 5e-5
    assert settle(DecoderSpec(rejected="r"), decoder=decoder, lengths=lengths, seed=0).lr == pytest.approx(1e-4)
    assert settle(DecoderSpec(epochs=3, lr=0.5), decoder=decoder, lengths=lengths, seed=0).epochs == 3


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"max_tokens": 64, "max_new_tokens": 60}, "must leave 16 of max_tokens"),
        ({"width": 30}, "width must be a multiple of heads"),
        ({"width": 9, "heads": 3}, r"width must be an even multiple of heads \(3\)"),
        ({"pretrain": {}}, "pretrain must go with source: scratch, a model that knows nothing yet, but got auto"),
        ({"source": "scratch", "tuning": "lora"}, "tuning must be full for a model from scratch"),
    ],
)
def test_a_wrong_recipe_is_refused(keys: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        DecoderSpec.model_validate(keys)
