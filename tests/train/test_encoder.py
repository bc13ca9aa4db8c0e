"""Encoders for one label, several labels and a value: the losses, and that each is learnt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from tests.conftest import WORDS, generate

from ratchet.errors import RatchetError
from ratchet.models.encoder import FittedEncoder, build_encoder, load_encoder
from ratchet.models.onnx_model import OnnxModel
from ratchet.models.targets import Targets
from ratchet.recipe.sections import EncoderSpec
from ratchet.train.encoder import RowObjective, Rows, answering_of, fit_encoder
from ratchet.train.export import export_onnx
from ratchet.train.losses import MOST, row_losses, row_weights

Rowset = tuple[list[str], list[str]]
NAMES = tuple(sorted(WORDS))


def spec(**more: object) -> EncoderSpec:
    small = {"source": "scratch", "layers": 1, "width": 32, "heads": 2, "vocabulary": 300, "max_tokens": 16}
    return EncoderSpec.model_validate({**small, "epochs": 4, "lr": 5e-3, "batch_tokens": 256, **more})


def objective(texts: Sequence[str], targets: Targets, how: EncoderSpec) -> RowObjective:
    made = build_encoder(
        how, labels=targets.names, language="mixed", texts=texts, seed=1, threads=1, answering=answering_of(targets)
    )
    owners = np.arange(len(texts))
    weights = row_weights(targets, spec=how)
    rows = Rows(ids=made.tokens.encode(texts), owners=owners, targets=targets, weights=weights)
    return RowObjective(made, train=rows, valid=None, spec=how)


@pytest.fixture(scope="module")
def rows() -> Rowset:
    return generate(240, seed=3)


def several(names: Sequence[str]) -> Targets:
    return Targets.of_sets([{name, "any"} if name == NAMES[0] else {name} for name in names])


def values(names: Sequence[str]) -> Targets:
    return Targets.of_values([1000.0 + 50 * NAMES.index(name) for name in names])


@pytest.mark.parametrize("kind", ["classes", "labels", "value"])
def test_each_kind_of_answer_is_learnt_saved_exported_and_the_same(tmp_path: Path, rows: Rowset, kind: str) -> None:
    texts, names = rows
    targets = {"classes": Targets.of_labels, "labels": several, "value": values}[kind](names)
    fitted = fit_encoder(
        texts,
        targets,
        texts,
        targets,
        spec=spec(epochs=20),
        language="mixed",
        seed=1,
        threads=1,
        folder=tmp_path / "fit",
    )
    answers = fitted.predict(texts)
    if kind == "value":
        assert (
            np.abs(answers[:, 0] - targets.values).mean() < 0.3 * np.abs(targets.values - targets.values.mean()).mean()
        )
    else:
        right = answers > 0.5 if kind == "labels" else np.eye(len(targets.names), dtype=bool)[answers.argmax(1)]
        held = targets.values if kind == "labels" else np.eye(len(targets.names), dtype=bool)[targets.values]
        assert (right == held).mean() > 0.9
    again = load_encoder(tmp_path / "fit" / "model", threads=1)
    assert np.array_equal(again.predict(texts), answers)
    export_onnx(fitted, tmp_path / "onnx")
    served = OnnxModel.load(tmp_path / "onnx", threads=1)
    assert served.kind == kind
    assert np.abs(served.predict(texts) - answers).max() < 1e-3 * max(1.0, float(np.abs(answers).max()))


@pytest.mark.parametrize("kind", ["classes", "labels", "value"])
def test_accumulated_batches_give_the_gradient_of_one_large_batch(rows: Rowset, kind: str) -> None:
    texts, names = rows
    targets = {"classes": Targets.of_labels, "labels": several, "value": values}[kind](names)
    learnt = objective(texts, targets, spec(dropout=0.0, class_weights="balanced"))
    network, everything = learnt.network, np.arange(len(texts))

    def gradient(parts: Sequence[np.ndarray]) -> torch.Tensor:
        network.zero_grad()
        units = sum(learnt.units(part) for part in parts)
        for part in parts:
            (learnt.loss(part) / units).backward()
        return torch.cat([weight.grad.flatten() for weight in network.parameters() if weight.grad is not None])

    whole, pieces = gradient([everything]), gradient([everything[:31], everything[31:170], everything[170:]])
    assert torch.allclose(whole, pieces, atol=1e-6)
    assert float(whole.abs().max()) > 1e-3


def test_memory_is_saved_without_another_gradient(rows: Rowset) -> None:
    texts, names = rows
    found = []
    for saving in (False, True):
        learnt = objective(texts, Targets.of_labels(names), spec(layers=3, dropout=0.3, gradient_checkpointing=saving))
        dropouts = [part for part in learnt.network.modules() if hasattr(part, "place")]
        for place, part in enumerate(dropouts):
            part.place = place  # the same bits in both
        learnt.network.train()
        learnt.throw(1, step=5)
        learnt.loss(np.arange(40)).backward()
        found.append(
            torch.cat([weight.grad.flatten() for weight in learnt.network.parameters() if weight.grad is not None])
        )
    assert torch.allclose(*found, atol=1e-5)


def test_the_loss_of_a_row_is_as_by_hand() -> None:
    logits = torch.tensor([[2.0, -1.0, 0.5], [0.1, 0.2, 0.3]])
    chance = np.exp(logits.numpy()) / np.exp(logits.numpy()).sum(1, keepdims=True)
    right = torch.tensor([0, 2])
    plain = row_losses(logits, right, kind="classes", spec=EncoderSpec())
    assert plain.numpy() == pytest.approx(-np.log(chance[[0, 1], [0, 2]]))
    focal = row_losses(logits, right, kind="classes", spec=EncoderSpec(focal=2.0))
    assert focal.numpy() == pytest.approx((1 - chance[[0, 1], [0, 2]]) ** 2 * plain.numpy())
    smooth = row_losses(logits, right, kind="classes", spec=EncoderSpec(label_smoothing=0.3))
    target = 0.1 + 0.7 * np.eye(3)[[0, 2]]
    assert smooth.numpy() == pytest.approx(-(target * np.log(chance)).sum(1))
    held = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    one = 1 / (1 + np.exp(-logits.numpy()))
    each = -np.where(held.numpy() > 0, np.log(one), np.log(1 - one))
    assert row_losses(logits, held, kind="labels", spec=EncoderSpec()).numpy() == pytest.approx(each.mean(1))
    of_right = np.where(held.numpy() > 0, one, 1 - one)
    focal = row_losses(logits, held, kind="labels", spec=EncoderSpec(focal=1.0))
    assert focal.numpy() == pytest.approx(((1 - of_right) * each).mean(1))
    value = row_losses(torch.tensor([[2.0], [0.0]]), torch.tensor([[0.5], [1.0]]), kind="value", spec=EncoderSpec())
    assert value.tolist() == [2.25, 1.0]


def test_balanced_weights_are_those_of_scikit_learn() -> None:
    names = ["a"] * 90 + ["b"] * 9 + ["c"]
    found = row_weights(Targets.of_labels(names), spec=EncoderSpec(class_weights="balanced"))
    wanted = dict(zip("abc", compute_class_weight("balanced", classes=np.array(list("abc")), y=names), strict=True))
    assert found == pytest.approx([min(wanted[name], MOST) for name in names])
    missing = Targets.of_labels(names, names=("a", "b", "c", "never"))
    assert row_weights(missing, spec=EncoderSpec(class_weights="balanced")) == pytest.approx(found)
    assert set(row_weights(Targets.of_labels(names), spec=EncoderSpec())) == {1.0}
    sets = Targets.of_sets([{"a"}] * 8 + [{"a", "b"}] + [()])
    assert row_weights(sets, spec=EncoderSpec(class_weights="balanced")).tolist() == [10 / 18] * 8 + [5.0, 1.0]


def test_a_class_that_is_missing_in_valid_and_rows_fewer_than_a_batch(tmp_path: Path) -> None:
    targets = Targets.of_labels(["x", "y", "z"])
    fitted = fit_encoder(
        ["one", "two", "three"], targets, ["one"], targets.take(np.array([0])), spec=spec(keep="macro_f1"),
        language="en", seed=1, threads=1, folder=tmp_path,
    )  # fmt: skip
    assert fitted.predict(["one"]).shape == (1, 3)


def test_texts_that_were_cut_are_counted(tmp_path: Path, fit_tiny: Callable[..., FittedEncoder]) -> None:
    texts = ["word " * 40, "short"] * 5
    targets = Targets.of_labels(["a", "b"] * 5)
    fitted = fit_encoder(
        texts, targets, [], targets.take(np.zeros(0, np.int64)), spec=spec(epochs=1), language="en", seed=1,
        threads=1, folder=tmp_path,
    )  # fmt: skip
    assert fitted.facts["cut_texts"] == 5


def test_a_long_text_is_read_in_windows_the_same_when_it_is_served(tmp_path: Path) -> None:
    filler = "so on and on and on and on and on and so on"
    texts = [f"{filler} {filler} {filler} {word}" for word in ("good", "bad") * 40]
    targets = Targets.of_labels(["good", "bad"] * 40)
    cut = fit_encoder(
        texts, targets, [], targets.take(np.zeros(0, np.int64)), spec=spec(epochs=10), language="en", seed=1,
        threads=1, folder=tmp_path / "cut",
    )  # fmt: skip
    whole = fit_encoder(
        texts, targets, [], targets.take(np.zeros(0, np.int64)), spec=spec(epochs=10, windows=4), language="en", seed=1,
        threads=1, folder=tmp_path / "whole",
    )  # fmt: skip
    assert (cut.predict(texts).argmax(1) == targets.values).mean() == 0.5, "the word that matters was cut"
    assert (whole.predict(texts).argmax(1) == targets.values).mean() > 0.95
    assert (cut.facts["cut_texts"], whole.facts["cut_texts"]) == (80, 0)
    mixed = [*texts[:3], "good", "", texts[3]]
    export_onnx(whole, tmp_path / "onnx")
    served = OnnxModel.load(tmp_path / "onnx", threads=1)
    assert np.allclose(served.predict(mixed), whole.predict(mixed), atol=1e-5)
    assert np.allclose(served.predict(mixed)[4], served.predict([""])[0], atol=1e-5)
    again = load_encoder(tmp_path / "whole" / "model", threads=1)
    assert np.array_equal(again.predict(mixed), whole.predict(mixed))


def test_a_pair_of_texts_is_not_read_in_windows(tmp_path: Path) -> None:
    targets = Targets.of_labels(["a", "b"])
    with pytest.raises(RatchetError, match="windows must be 1 where a row is a pair of texts but got 3"):
        fit_encoder(
            ["x", "y"], targets, [], targets.take(np.zeros(0, np.int64)), spec=spec(windows=3), language="en", seed=1,
            threads=1, folder=tmp_path, columns=2,
        )  # fmt: skip


def test_settings_of_labels_are_refused_where_a_value_is_learnt(tmp_path: Path) -> None:
    targets = Targets.of_values([1.0, 2.0])
    with pytest.raises(RatchetError, match="focal must be left out where a value is learnt"):
        fit_encoder(
            ["x", "y"], targets, [], targets.take(np.zeros(0, np.int64)), spec=spec(focal=2.0), language="en", seed=1,
            threads=1, folder=tmp_path,
        )  # fmt: skip


def test_patience_needs_a_metric() -> None:
    with pytest.raises(ValueError, match="patience must be 0 where keep is last"):
        spec(patience=2)
