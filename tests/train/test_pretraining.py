from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from ratchet.errors import RatchetError
from ratchet.generators.generated import DecoderModel
from ratchet.monitoring.follow import PRETRAINING
from ratchet.recipe.finetune import DecoderSpec
from ratchet.recipe.pretrain import PretrainSpec
from ratchet.train.finetune import Asked, fit_decoder
from ratchet.train.language import LanguageObjective
from ratchet.train.pretraining import _keys
from ratchet.train.records import Progress

PLACES = ["库房", "车间", "南门", "北站", "医院", "书店"]
ROWS = Asked(
    texts=[f"快递到了{place}，请通知客户。" for place in PLACES], answers=[f"去{place}取件" for place in PLACES]
)
SPEC = DecoderSpec(
    source="scratch",
    layers=1,
    width=32,
    heads=2,
    vocabulary=330,
    max_tokens=64,
    max_new_tokens=16,
    epochs=2,
    lr=1e-2,
    pretrain=PretrainSpec(epochs=40, lr=1e-2),
)


@pytest.fixture
def trained(tmp_path: Path) -> Callable[..., DecoderModel]:
    def train(name: str, *, rows: Asked = ROWS, spec: DecoderSpec = SPEC, **more: object) -> DecoderModel:
        valid = Asked(texts=ROWS.texts[:2], answers=ROWS.answers[:2])
        how: dict[str, object] = {"language": "zh", "seed": 3, "threads": 1, "folder": tmp_path / name, **more}
        return fit_decoder(rows, valid, spec=spec, **how)  # type: ignore[arg-type]

    return train


def test_what_is_read_first_helps_the_answers(trained: Callable[..., DecoderModel]) -> None:
    asked = [[*trained("alone", spec=SPEC.model_copy(update={"pretrain": None})).turns(text)] for text in ROWS.texts]
    model = trained("read")
    facts = model.decoder.facts["pretraining"]
    assert facts["documents"] == len(PLACES)
    curve = facts["curve"]
    assert curve[-1]["valid_perplexity"] < 3 < curve[0]["valid_perplexity"]
    assert curve[-1]["valid_perplexity"] == pytest.approx(np.exp(curve[-1]["valid_loss"]))
    alone = trained("alone", spec=SPEC.model_copy(update={"pretrain": None})).decoder
    assert alone.facts["pretraining"] is None
    assert model.decoder.nll(asked, ROWS.answers).mean() < alone.nll(asked, ROWS.answers).mean() - 0.5


def test_the_folder_is_one_of_hugging_face_and_its_vocabulary_is_of_these_texts(
    trained: Callable[..., DecoderModel], tmp_path: Path
) -> None:
    model = trained("read")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "read" / "model")
    network = AutoModelForCausalLM.from_pretrained(tmp_path / "read" / "model")
    assert len(tokenizer.tokenize("快递到了")) < len("快递到了".encode()) / 2
    ids = torch.tensor([tokenizer.encode(ROWS.texts[0], add_special_tokens=False)])
    with torch.no_grad():
        assert torch.equal(network(ids).logits, model.decoder.network(ids).logits)
    assert model.decoder.facts["vocabulary"] == len(tokenizer) <= 330


@pytest.mark.parametrize(("part", "step"), [(PRETRAINING, 1), (PRETRAINING, 17), ("", 1)])
def test_a_killed_training_ends_with_the_same_bytes(
    trained: Callable[..., DecoderModel], tmp_path: Path, part: str, step: int
) -> None:
    trained("whole")

    def stop(now: Progress) -> None:
        if (now.part, now.step) == (part, step):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained("killed", progress=stop)
    told: list[Progress] = []
    facts = trained("killed", progress=told.append).decoder.facts
    assert told[0].part == part
    assert told[0].step == step + 1
    assert facts == trained("whole").decoder.facts
    whole, killed = ((tmp_path / name / "model" / "model.safetensors").read_bytes() for name in ("whole", "killed"))
    assert whole == killed


def test_a_corpus_is_read_too_and_makes_another_training(trained: Callable[..., DecoderModel]) -> None:
    quick = SPEC.model_copy(update={"epochs": 1, "pretrain": PretrainSpec(epochs=1, corpus=("x.txt",))})
    more = Asked(texts=ROWS.texts, answers=ROWS.answers, corpus=["仓库在城南。" * 40])
    one, other = trained("one", spec=quick), trained("other", rows=more, spec=quick)
    assert other.decoder.facts["pretraining"]["documents"] == len(PLACES) + 1
    assert other.decoder.facts["pretraining"]["cut_or_empty"] == {"documents cut into windows": 1}
    assert one.decoder.facts["key"]["rows"] != other.decoder.facts["key"]["rows"]
    assert "corpus" not in other.decoder.facts["key"]["pretrain"]


def test_memory_is_saved_in_both_parts_and_changes_no_weight(
    trained: Callable[..., DecoderModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = SPEC.model_copy(update={"epochs": 1, "pretrain": PretrainSpec(epochs=2)})
    saving, plain = list[bool](), LanguageObjective.loss

    def saves(network: torch.nn.Module) -> bool:
        return any(getattr(part, "gradient_checkpointing", False) for part in network.modules())

    def noted(self: LanguageObjective, rows: np.ndarray) -> torch.Tensor:
        saving.append(saves(self.model))
        return plain(self, rows)

    monkeypatch.setattr(LanguageObjective, "loss", noted)
    usual = trained("usual", spec=quick).decoder
    assert not any(saving)
    saving.clear()
    told = list[Progress]()
    sparing = trained("sparing", spec=quick.model_copy(update={"gradient_checkpointing": True}), progress=told.append)
    assert {one.part for one in told} == {PRETRAINING, ""}
    assert all(saving)
    assert not saves(sparing.decoder.network)
    same = zip(usual.network.parameters(), sparing.decoder.network.parameters(), strict=True)
    assert all(torch.allclose(one, other, atol=1e-5) for one, other in same)


def test_texts_without_a_token_are_refused(trained: Callable[..., DecoderModel]) -> None:
    with pytest.raises(RatchetError, match="texts with at least one token but all are empty"):
        trained("none", rows=Asked(texts=["", ""], answers=["", ""]))


def test_the_epoch_is_chosen_by_what_language_modelling_knows() -> None:
    goals = {"loss": -1, "perplexity": -1}
    by_margin = DecoderSpec(keep="margin", patience=2, rejected="r", source="scratch", pretrain=PretrainSpec(lr=0.1))
    found = _keys(by_margin, goals=goals)
    assert (found.keep, found.patience, found.lr) == ("last", 0, 0.1)
    assert _keys(SPEC.model_copy(update={"keep": "loss"}), goals=goals).keep == "loss"


def test_rows_are_read_with_their_columns_and_turns_apart() -> None:
    spoken = '[{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi"}, {"role": "user", "content": "?"}]'
    rows = Asked(texts=["title\u2029body", spoken, "x"], answers=["yes", "no", ""], corpus=["more"])
    assert rows.documents() == ["title\n\nbody\n\nyes", "hello\n\nhi\n\n?\n\nno", "x", "more"]
