from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from ratchet.models.encoder import FittedEncoder
from ratchet.recipe.sections import EncoderSpec
from ratchet.train.loop import fit_encoder

Rows = tuple[list[str], list[str]]
WORDS = {
    "card": ["card", "arrive", "delivery", "post", "late"],
    "rate": ["rate", "exchange", "currency", "price", "fee"],
    "退款": ["退款", "取消", "还钱", "到账", "慢"],
}
TINY = EncoderSpec(
    source="scratch",
    layers=1,
    width=32,
    heads=2,
    vocabulary=120,
    max_tokens=24,
    epochs=3,
    batch_tokens=128,
    lr=1e-2,
    dropout=0.1,
)


def generate(count: int, *, seed: int) -> Rows:
    """Texts whose label is told by their words, among words that tell nothing."""
    dice = random.Random(seed)
    filler = ["please", "help", "with", "my", "the", "问题", "怎么", "请"]
    labels = [dice.choice(sorted(WORDS)) for _ in range(count)]
    texts = []
    for label in labels:
        words = dice.choices(WORDS[label], k=2) + dice.choices(filler, k=dice.randint(1, 12))
        dice.shuffle(words)
        texts.append(" ".join(words))
    return texts, labels


@pytest.fixture(scope="session")
def train_rows() -> Rows:
    return generate(240, seed=1)


@pytest.fixture(scope="session")
def valid_rows() -> Rows:
    return generate(60, seed=2)


@pytest.fixture(scope="session")
def tiny_spec() -> EncoderSpec:
    return TINY


@pytest.fixture(scope="session")
def fit_tiny(train_rows: Rows, valid_rows: Rows) -> Callable[..., FittedEncoder]:
    """Train a tiny encoder in a folder; further arguments as for ``fit_encoder``."""

    def fit(folder: Path, *, spec: EncoderSpec = TINY, **more: object) -> FittedEncoder:
        arguments: dict[str, object] = {"labels": sorted(WORDS), "language": "mixed", "seed": 7, "threads": 1, **more}
        return fit_encoder(*train_rows, *valid_rows, spec=spec, folder=folder, **arguments)  # type: ignore[arg-type]

    return fit


@pytest.fixture(scope="session")
def tiny(fit_tiny: Callable[..., FittedEncoder], tmp_path_factory: pytest.TempPathFactory) -> FittedEncoder:
    return fit_tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def checkpoint(tmp_path: Path, tiny: FittedEncoder) -> Callable[..., Path]:
    """Write a small pretrained checkpoint as others publish them."""

    def write(kind: str = "bert", *, pooling: str | None = "mean", name: str = "checkpoint") -> Path:
        import torch
        from transformers import BertConfig, BertModel, DistilBertConfig, DistilBertModel, RobertaConfig, RobertaModel

        size = tiny.tokens.tokenizer.get_vocab_size()
        common = {"vocab_size": size, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
        torch.manual_seed(3)
        if kind == "bert":
            model = BertModel(BertConfig(**common, intermediate_size=64, max_position_embeddings=20))
        elif kind == "roberta":
            model = RobertaModel(
                RobertaConfig(**common, intermediate_size=64, max_position_embeddings=22, pad_token_id=1)
            )
        else:
            model = DistilBertModel(
                DistilBertConfig(
                    vocab_size=size, dim=32, n_layers=2, n_heads=2, hidden_dim=64, max_position_embeddings=20
                )
            )
        folder = tmp_path / name
        model.save_pretrained(folder)
        (folder / "tokenizer.json").write_text(tiny.tokens.to_json(), encoding="utf-8")
        if pooling is not None:
            (folder / "1_Pooling").mkdir()
            modes = {"pooling_mode_mean_tokens": pooling == "mean", "pooling_mode_cls_token": pooling == "first"}
            (folder / "1_Pooling" / "config.json").write_text(json.dumps(modes), encoding="utf-8")
        return folder

    return write


@pytest.fixture(scope="session")
def exported(tiny: FittedEncoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the tiny encoder's ONNX form."""
    from ratchet.train.export import export_onnx

    folder = tmp_path_factory.mktemp("exported") / "onnx"
    export_onnx(tiny, folder)
    return folder
