from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from ratchet.compress import quantise_onnx
from ratchet.errors import DataError, RatchetError
from ratchet.models.batching import softmax
from ratchet.models.checkpoints import locate
from ratchet.models.encoder import build_embedder
from ratchet.models.onnx_model import OnnxModel
from ratchet.recipe.sections import EmbeddingSpec
from ratchet.train.embedding import Embedder, attach_head, embedder, fit_head, load_heads, save_heads

Rows = tuple[list[str], list[str]]


@pytest.fixture
def encoder(checkpoint: Callable[..., Path], tmp_path: Path) -> Embedder:
    spec = EmbeddingSpec(source=str(checkpoint()), max_tokens=16)
    return embedder(spec, language="mixed", cache=tmp_path / "cache", threads=1)


@pytest.mark.parametrize("pooling", ["mean", "first", "last"])
@pytest.mark.parametrize("unit", [True, False])
def test_a_vector_does_not_depend_on_its_neighbours(
    checkpoint: Callable[..., Path], pooling: str, unit: bool, valid_rows: Rows
) -> None:
    source = locate(str(checkpoint(pooling=None)), language="en")
    built = build_embedder(source, pooling=pooling, unit=unit, max_tokens=16, threads=1)  # type: ignore[arg-type]
    import torch

    from ratchet.models.batching import padded

    ids = built.tokens.encode(valid_rows[0][:8])
    with torch.inference_mode():
        rows = np.arange(8)
        together = built.network(*map(torch.from_numpy, padded(ids, rows, pad_id=built.tokens.pad_id))).numpy()
        alone = [built.network(*map(torch.from_numpy, padded(ids, np.array([k]), pad_id=0))).numpy()[0] for k in rows]
    np.testing.assert_allclose(together, np.stack(alone), atol=1e-5)
    if unit:
        np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1.0, atol=1e-5)


def test_a_text_is_computed_once(encoder: Embedder, valid_rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    first = encoder.vectors(valid_rows[0])
    monkeypatch.setattr("ratchet.train.embedding._run", lambda *_: pytest.fail("computed again"))
    again = encoder.vectors([*valid_rows[0][::-1], valid_rows[0][0]])
    np.testing.assert_array_equal(again[:-1][::-1], first)
    next((encoder.folder / "vectors").rglob("values.npy")).write_bytes(b"broken")
    with pytest.raises(pytest.fail.Exception):
        encoder.vectors(valid_rows[0])


def test_the_served_graph_is_the_vectors_with_the_head(
    encoder: Embedder, train_rows: Rows, valid_rows: Rows, tmp_path: Path
) -> None:
    labels = sorted(set(train_rows[1]))
    targets = np.array([labels.index(label) for label in train_rows[1]])
    head, converged = fit_head(encoder.vectors(train_rows[0]), targets, labels=3, C=30)
    assert converged
    reference = LogisticRegression(C=30, max_iter=1_000).fit(encoder.vectors(train_rows[0]).astype(float), targets)
    probability = softmax(head.logits(encoder.vectors(valid_rows[0])))
    np.testing.assert_allclose(probability, reference.predict_proba(encoder.vectors(valid_rows[0])), atol=1e-4)
    attach_head(encoder.folder, tmp_path / "model", head, labels=labels, facts={})
    served = OnnxModel.load(tmp_path / "model", threads=1)
    assert served.labels == tuple(labels)
    np.testing.assert_allclose(served.predict(valid_rows[0]), probability, atol=1e-5)
    quantise_onnx(encoder.folder, tmp_path / "small")
    attach_head(tmp_path / "small", tmp_path / "int8", head, labels=labels, facts={})
    small = OnnxModel.load(tmp_path / "int8", threads=1)
    assert small.one_by_one
    alike = softmax(head.logits(Embedder(folder=tmp_path / "small", threads=1).vectors(valid_rows[0])))
    np.testing.assert_allclose(small.predict(valid_rows[0]), alike, atol=1e-5)


def test_two_labels_and_a_label_without_rows(encoder: Embedder, train_rows: Rows) -> None:
    vectors = encoder.vectors(train_rows[0])
    targets = np.array([label == "card" for label in train_rows[1]], dtype=np.int64) * 2
    head, _ = fit_head(vectors, targets, labels=3, C=1.0)
    reference = LogisticRegression(C=1.0, max_iter=1_000).fit(vectors.astype(float), targets)
    np.testing.assert_allclose(softmax(head.logits(vectors))[:, [0, 2]], reference.predict_proba(vectors), atol=1e-3)
    assert softmax(head.logits(vectors))[:, 1].max() == 0.0
    with pytest.raises(DataError, match="at least 2 classes but got 1"):
        fit_head(vectors, targets * 0, labels=3, C=1.0)


def test_heads_and_back(encoder: Embedder, train_rows: Rows, tmp_path: Path) -> None:
    targets = np.arange(len(train_rows[0])) % 2
    head, _ = fit_head(encoder.vectors(train_rows[0]), targets, labels=2, C=1.0)
    save_heads(tmp_path / "heads.npz", [head, head])
    found = load_heads(tmp_path / "heads.npz")
    assert len(found) == 2
    np.testing.assert_array_equal(found[1].weight, head.weight)
    (tmp_path / "heads.npz").write_bytes(b"no")
    with pytest.raises(RatchetError, match="must hold the heads"):
        load_heads(tmp_path / "heads.npz")


def test_from_scratch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RatchetError, match="source of an embedding must be a pretrained encoder"):
        embedder(EmbeddingSpec(source="scratch"), language="en", cache=tmp_path)
