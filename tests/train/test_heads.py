"""Heads that answer with any labels or a value, or that read features beside the text."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from ratchet.errors import BundleError, DataError, RatchetError
from ratchet.models.features import fair_scale
from ratchet.models.inputs import Inputs
from ratchet.models.onnx_model import OnnxModel
from ratchet.models.targets import Targets
from ratchet.recipe.sections import EmbeddingSpec, FeatureKind
from ratchet.train.embedding import Embedder, attach_head, embedder
from ratchet.train.heads import Head, fit_head, load_heads, save_heads

Rows = tuple[list[str], list[str]]
KINDS: dict[str, FeatureKind] = {"price": "number", "shop": "category"}
DICE = np.random.default_rng(6)
VECTORS = (DICE.normal(size=(150, 12)) * 0.8 ** np.arange(12)).astype(np.float32)
SCORES = VECTORS @ DICE.normal(size=(12, 4)) + 0.3 * DICE.normal(size=(150, 4))
INPUTS = Inputs(
    ["x"] * 150,
    {"price": [f"{v:.2f}" for v in DICE.normal(20, 5, 150)], "shop": [f"s{n}" for n in DICE.integers(0, 3, 150)]},
)


def targets(kind: str) -> Targets:
    if kind == "labels":
        values = np.concatenate([SCORES > [0, 1, 2, -1], np.zeros((150, 1), bool), np.ones((150, 1), bool)], axis=1)
        return Targets(kind="labels", names=tuple("abcdef"), values=values)
    if kind == "value":
        return Targets.of_values(5e8 + 1e3 * SCORES[:, 0])
    return Targets.of_labels([str(n) for n in SCORES.argmax(axis=1)])


@pytest.mark.parametrize("C", [0.1, 30.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_any_labels_are_a_logistic_regression_each(C: float, weighted: bool) -> None:
    wanted, weights = targets("labels"), DICE.uniform(0.2, 3, 150) if weighted else None
    head, converged = fit_head(VECTORS, wanted, C=C, weights=weights)
    assert converged
    found = head.answers(VECTORS)
    assert found.dtype == np.float32
    for label in range(4):
        solver = LogisticRegression(C=C, max_iter=10_000, tol=1e-10)
        reference = solver.fit(VECTORS.astype(float), wanted.values[:, label], sample_weight=weights)
        np.testing.assert_allclose(found[:, label], reference.predict_proba(VECTORS)[:, 1], atol=2e-3)
    assert found[:, 4].max() < 0.01
    assert found[:, 5].min() > 0.99


@pytest.mark.parametrize("C", [0.1, 30.0])
def test_a_value_is_ridge_regression(C: float) -> None:
    wanted = targets("value")
    head, converged = fit_head(VECTORS, wanted, C=C)
    reference = Ridge(alpha=1 / C, solver="cholesky").fit(VECTORS.astype(float), wanted.values)
    found = head.answers(VECTORS)
    assert converged
    assert (found.dtype, found.shape) == (np.dtype(np.float64), (150, 1))
    np.testing.assert_allclose(found[:, 0], reference.predict(VECTORS.astype(float)), rtol=0, atol=0.05)


@pytest.mark.parametrize("kind", ["classes", "labels", "value"])
def test_features_stand_beside_the_vector(kind: str) -> None:
    head, _ = fit_head(VECTORS, targets(kind), C=5, inputs=INPUTS, kinds=KINDS)
    encoder, weights = head.answering.encoder, head.answering.weights
    assert encoder is not None
    assert weights is not None
    assert weights.shape == (encoder.width, len(head.bias))
    length = float(np.sqrt((VECTORS.astype(float) ** 2).sum(axis=1).mean()))
    beside = encoder.encode(INPUTS) * fair_scale(encoder, length=length)
    plain, _ = fit_head(np.concatenate([VECTORS, beside], axis=1).astype(np.float32), targets(kind), C=5)
    wide = np.concatenate([VECTORS, beside], axis=1).astype(np.float32)
    np.testing.assert_allclose(head.answers(VECTORS, INPUTS), plain.answers(wide), rtol=1e-5, atol=5e-3)
    with pytest.raises(DataError, match="must have the columns 'price' and 'shop' beside the text"):
        head.answers(VECTORS)


@pytest.mark.parametrize("kind", ["classes", "labels", "value"])
@pytest.mark.parametrize("features", [False, True])
def test_heads_come_back_with_their_bits(kind: str, features: bool, tmp_path: Path) -> None:
    more = {"inputs": INPUTS, "kinds": KINDS} if features else {}
    head, _ = fit_head(VECTORS, targets(kind), C=1, **more)  # type: ignore[arg-type]
    save_heads(tmp_path / "heads.npz", [head, head])
    for again in load_heads(tmp_path / "heads.npz"):
        assert np.array_equal(again.answers(VECTORS, INPUTS), head.answers(VECTORS, INPUTS))


def test_damaged_features_of_heads_are_refused(tmp_path: Path) -> None:
    head, _ = fit_head(VECTORS, targets("value"), C=1, inputs=INPUTS, kinds=KINDS)
    save_heads(tmp_path / "heads.npz", [head])
    with np.load(tmp_path / "heads.npz") as found:
        arrays = {name: found[name] for name in found.files if not name.startswith("features")}
    np.savez(tmp_path / "heads.npz", **arrays)
    with pytest.raises(RatchetError, match="must hold the heads"):
        load_heads(tmp_path / "heads.npz")


@pytest.fixture
def encoder(checkpoint: Callable[..., Path], tmp_path: Path) -> Embedder:
    return embedder(
        EmbeddingSpec(source=str(checkpoint()), max_tokens=16), language="mixed", cache=tmp_path / "cache", threads=1
    )


def beside(texts: list[str]) -> Inputs:
    dice = np.random.default_rng(len(texts))
    shops = [f"s{n}" for n in dice.integers(0, 2, len(texts))]
    return Inputs(texts, {"price": [f"{v:.1f}" for v in dice.normal(size=len(texts))], "shop": shops})


def served(encoder: Embedder, rows: Rows, kind: str, features: bool, folder: Path) -> tuple[Head, OnnxModel]:
    texts, labels = rows
    if kind == "labels":
        wanted = Targets.of_sets(
            [{label, "late"} if "late" in text else {label} for text, label in zip(*rows, strict=True)]
        )
    elif kind == "value":
        wanted = Targets.of_values([1e9 + len(text) for text in texts])
    else:
        wanted = Targets.of_labels(labels)
    more = {"inputs": beside(texts), "kinds": KINDS} if features else {}
    head, _ = fit_head(encoder.vectors(texts), wanted, C=10, **more)  # type: ignore[arg-type]
    attach_head(encoder.folder, folder, head, labels=wanted.names, facts={})
    return head, OnnxModel.load(folder, threads=1)


@pytest.mark.parametrize("kind", ["classes", "labels", "value"])
@pytest.mark.parametrize("features", [False, True])
def test_what_is_served_is_the_head(
    kind: str, features: bool, encoder: Embedder, train_rows: Rows, valid_rows: Rows, tmp_path: Path
) -> None:
    head, model = served(encoder, train_rows, kind, features, tmp_path / "model")
    probe = beside(valid_rows[0]) if features else Inputs(valid_rows[0])
    assert model.kind == kind
    plain = kind == "classes" and not features
    assert json.loads((tmp_path / "model" / "meta.json").read_bytes())["format"] == (1 if plain else 2)
    found, wanted = model.predict(probe), head.answers(encoder.vectors(valid_rows[0]), probe)
    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
    tolerance = 1e-5 * (head.answering.spread if kind == "value" else 1)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance)
    assert np.array_equal(OnnxModel.load(tmp_path / "model", threads=1).predict(probe), found)
    alone = np.concatenate([model.predict(probe[row : row + 1]) for row in range(5)])
    np.testing.assert_allclose(alone, found[:5], rtol=0, atol=tolerance)
    if features:
        with pytest.raises(DataError, match="must have the columns 'price' and 'shop' beside the text"):
            model.predict(valid_rows[0])


def change_link(meta: dict[str, object], folder: Path) -> None:
    meta["link"] = "probit"


def change_unit(meta: dict[str, object], folder: Path) -> None:
    meta["spread"] = "wide"


def drop_features(meta: dict[str, object], folder: Path) -> None:
    (folder / "features.json").unlink()


def cut_weights(meta: dict[str, object], folder: Path) -> None:
    (folder / "features.safetensors").write_bytes(b"{}")


def drop_a_column(meta: dict[str, object], folder: Path) -> None:
    (folder / "features.json").write_text("[]", encoding="utf-8")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (change_link, "must have a link of softmax, independent, identity and a finite unit but got 'probit'"),
        (change_unit, "a finite unit but got 'identity' and .*'wide'"),
        (drop_features, "must hold the features beside the text"),
        (cut_weights, "must hold the features beside the text"),
        (drop_a_column, "must hold the features beside the text"),
    ],
)
def test_a_damaged_folder_is_refused(
    damage: Callable[..., None], message: str, encoder: Embedder, train_rows: Rows, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    served(encoder, train_rows, "value", True, folder)
    meta = json.loads((folder / "meta.json").read_bytes())
    damage(meta, folder)
    (folder / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
    with pytest.raises(BundleError, match=message):
        OnnxModel.load(folder, threads=1)
