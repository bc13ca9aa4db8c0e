from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ratchet.errors import RatchetError
from ratchet.models.encoder import FittedEncoder, build_encoder, load_encoder
from ratchet.recipe.sections import EncoderSpec

Rows = tuple[list[str], list[str]]


def test_probabilities_have_the_order_of_texts_and_labels(tiny: FittedEncoder, valid_rows: Rows) -> None:
    texts, labels = valid_rows
    chances = tiny.predict(texts)
    assert chances.shape == (len(texts), 3)
    assert chances.dtype == np.float32
    np.testing.assert_allclose(chances.sum(axis=1), 1, atol=1e-5)
    found = [tiny.labels[column] for column in chances.argmax(axis=1)]
    assert np.mean([a == b for a, b in zip(found, labels, strict=True)]) > 0.9
    np.testing.assert_allclose(tiny.predict(texts[::-1])[::-1], chances, atol=1e-5)


@pytest.mark.parametrize("texts", [[], [""], ["\x00", "\ud800", "好" * 10_000]])
def test_any_texts_get_probabilities(tiny: FittedEncoder, texts: list[str]) -> None:
    chances = tiny.predict(texts)
    assert chances.shape == (len(texts), 3)
    assert np.isfinite(chances).all()


def test_a_saved_encoder_predicts_the_same_numbers(tiny: FittedEncoder, valid_rows: Rows, tmp_path: Path) -> None:
    tiny.save(tmp_path / "saved")
    again = load_encoder(tmp_path / "saved", threads=1)
    assert np.array_equal(again.predict(valid_rows[0]), tiny.predict(valid_rows[0]))
    assert (again.labels, again.source, again.facts) == (tiny.labels, tiny.source, tiny.facts)
    again.save(tmp_path / "twice")
    for path in sorted((tmp_path / "saved").rglob("*.safetensors")):
        inside = path.relative_to(tmp_path / "saved")
        assert path.read_bytes() == (tmp_path / "twice" / inside).read_bytes()


def test_a_saved_encoder_is_a_hugging_face_folder(tiny: FittedEncoder, tmp_path: Path) -> None:
    from transformers import AutoModel, AutoTokenizer

    tiny.save(tmp_path / "saved")
    backbone = AutoModel.from_pretrained(tmp_path / "saved", local_files_only=True)
    assert backbone.config.hidden_size == 32
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "saved", local_files_only=True)
    assert tokenizer("my card")["input_ids"] == tiny.tokens.encode(["my card"])[0].tolist()
    assert not list((tmp_path / "saved").rglob("*.bin"))


@pytest.mark.parametrize(
    ("kind", "pooling"),
    [
        ("bert", "mean"),
        ("bert", "first"),
        ("bert", None),
        ("roberta", None),
        ("distilbert", "mean"),
        ("distilbert", None),
    ],
)
def test_checkpoints_of_several_kinds_build_save_and_load(
    checkpoint: Callable[..., Path], kind: str, pooling: str | None, valid_rows: Rows, tmp_path: Path
) -> None:
    spec = EncoderSpec(source=str(checkpoint(kind, pooling=pooling)), frozen_layers=0, max_tokens=64)
    built = build_encoder(spec, labels=["a", "b"], language="en", texts=[], seed=1, threads=1)
    assert built.tokens.max_tokens == 20, "the position embeddings end there"
    built.save(tmp_path / "saved")
    again = load_encoder(tmp_path / "saved", threads=1)
    assert np.array_equal(again.predict(valid_rows[0]), built.predict(valid_rows[0]))


def test_a_checkpoint_keeps_its_weights(checkpoint: Callable[..., Path]) -> None:
    from safetensors.numpy import load_file

    folder = checkpoint()
    spec = EncoderSpec(source=str(folder), frozen_layers=0)
    network = build_encoder(spec, labels=["a", "b"], language="en", texts=[], seed=1).network
    weights = load_file(folder / "model.safetensors")
    for name, parameter in network.backbone.named_parameters():
        assert np.array_equal(parameter.detach().numpy(), weights[name])


def test_weights_that_are_missing_are_not_made_up(checkpoint: Callable[..., Path]) -> None:
    from safetensors.numpy import load_file, save_file

    folder = checkpoint()
    weights = load_file(folder / "model.safetensors")
    kept = {name: value for name, value in weights.items() if "layer.1." not in name}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(RatchetError, match="must hold all weights of a bert"):
        build_encoder(EncoderSpec(source=str(folder)), labels=["a", "b"], language="en", texts=[], seed=1)


@pytest.mark.parametrize("damage", ["cut", "empty"])
def test_damaged_weights_are_named(checkpoint: Callable[..., Path], damage: str) -> None:
    folder = checkpoint()
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:100] if damage == "cut" else b"")
    with pytest.raises(RatchetError, match="could not be loaded") as caught:
        build_encoder(EncoderSpec(source=str(folder)), labels=["a", "b"], language="en", texts=[], seed=1)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize("contents", ["", "{}", "[1]"])
def test_a_damaged_tokenizer_is_named(checkpoint: Callable[..., Path], contents: str) -> None:
    folder = checkpoint()
    (folder / "tokenizer.json").write_text(contents, encoding="utf-8")
    with pytest.raises(RatchetError, match="must have a usable tokenizer"):
        build_encoder(EncoderSpec(source=str(folder)), labels=["a", "b"], language="en", texts=[], seed=1)


def test_a_tokenizer_of_another_model_is_named(checkpoint: Callable[..., Path], tiny: FittedEncoder) -> None:
    from tokenizers import Tokenizer

    folder = checkpoint()
    other = Tokenizer.from_str(tiny.tokens.to_json())
    other.add_tokens(["another"])
    other.save(str(folder / "tokenizer.json"))
    with pytest.raises(RatchetError, match=r"must have at most \d+ entries"):
        build_encoder(EncoderSpec(source=str(folder)), labels=["a", "b"], language="en", texts=[], seed=1)


def test_a_plain_vocabulary_file_will_do(checkpoint: Callable[..., Path]) -> None:
    folder = checkpoint()
    (folder / "tokenizer.json").unlink()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "房", "间", "card"]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    built = build_encoder(EncoderSpec(source=str(folder)), labels=["a", "b"], language="zh", texts=[], seed=1)
    assert built.tokens.encode(["房间 Card"])[0].tolist() == [2, 5, 6, 7, 3]


def test_more_frozen_layers_than_there_are_is_an_error(checkpoint: Callable[..., Path]) -> None:
    spec = EncoderSpec(source=str(checkpoint()), frozen_layers=3)
    with pytest.raises(RatchetError, match="frozen_layers must be at most 2"):
        build_encoder(spec, labels=["a", "b"], language="en", texts=[], seed=1)


def test_the_seed_decides_the_new_weights_and_the_callers_stream_is_left_alone(
    tiny_spec: EncoderSpec, train_rows: Rows
) -> None:
    import torch

    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    one, same, other = (
        build_encoder(tiny_spec, labels=["a", "b"], language="mixed", texts=train_rows[0], seed=seed)
        for seed in (1, 1, 2)
    )
    assert torch.equal(torch.rand(3), wanted)
    weights = [encoder.network.backbone.embeddings.word_embeddings.weight for encoder in (one, same, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize(
    ("contents", "problem"),
    [(None, "must be a JSON file"), ("{", "must be a JSON file"), ('{"format": 9}', "format 1")],
)
def test_a_folder_that_is_not_a_saved_encoder_is_named(tmp_path: Path, contents: str | None, problem: str) -> None:
    if contents is not None:
        (tmp_path / "encoder.json").write_text(contents, encoding="utf-8")
    with pytest.raises(RatchetError, match=problem):
        load_encoder(tmp_path)


def test_the_card_is_plain_json(tiny: FittedEncoder, tmp_path: Path) -> None:
    tiny.save(tmp_path / "saved")
    card = json.loads((tmp_path / "saved" / "encoder.json").read_text(encoding="utf-8"))
    assert card["labels"] == ["card", "rate", "退款"]
    assert card["source"] == "scratch"
