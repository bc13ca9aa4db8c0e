"""Frozen encoders with logistic regression as contenders: all folds at once, each text's vector computed once."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ratchet.contenders.base import HEADS, MODEL, Floats, Ints, PartedRows, finish
from ratchet.contenders.material import Source, held, plain
from ratchet.models.batching import softmax
from ratchet.recipe.sections import EmbeddingSpec
from ratchet.screen import Advance
from ratchet.train.embedding import Embedder, Head, attach_head, embedder, fit_head, load_heads, save_heads
from ratchet.workspace.workspace import writing


def train_embedding(
    folder: Path,
    rows: PartedRows,
    *,
    name: str,
    spec: EmbeddingSpec,
    threads: int,
    store: Path,
    advance: Advance,
    kind: str = "embedding",
    material: Source = plain,
    more: Mapping[str, Any] | None = None,
) -> None:
    """Fit logistic regression on the vectors of every fold's complement; fold 0's head is to be served.

    Args:
        folder: the contender's folder, being built.
        store: where the encoder's graph and the vectors are kept.
        material: what a fold is trained on.
        more: facts for the card.
    """
    begun = time.perf_counter()
    encoder = embedder(spec, language=rows.language, cache=store, threads=threads)

    def vectors(texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return encoder.vectors(texts, progress=lambda done, total: advance(done, total, f"{done:,} vectors"))

    folds = (0,) if rows.parts.order == "time" else tuple(range(rows.parts.folds))
    heads, predicted, logits, converged = [], [], [], True
    for fold in folds:
        seen, out = held(rows, fold)
        head, ended = head_on(rows, material, seen, out, spec=spec, vectors=vectors)
        heads.append(head)
        predicted.append(out)
        logits.append(head.logits(vectors(rows.texts(out))))
        converged &= ended
    with writing(folder):
        save_heads(folder / HEADS, heads)
    attach_head(encoder.folder, folder / MODEL, heads[0], labels=rows.labels, facts={"head": "logistic regression"})
    facts = {
        "source": spec.source,
        "embedder": encoder.folder.name,
        "folds": list(folds),
        "features": heads[0].weight.shape[1],
        "converged": converged,
        **(more or {}),
    }
    finish(
        folder,
        rows,
        name=name,
        kind=kind,
        runtime="onnx",
        spec=spec,
        predicted=np.concatenate(predicted),
        probability=softmax(np.concatenate(logits)),
        seconds=time.perf_counter() - begun,
        facts=facts,
    )


def head_on(
    rows: PartedRows, material: Source, seen: Ints, out: Ints, *, spec: EmbeddingSpec, vectors: Any
) -> tuple[Head, bool]:
    """The head fitted on what may be seen, and whether its solver converged."""
    used = material(seen, held_out=out)
    place = {label: column for column, label in enumerate(rows.labels)}
    targets = np.concatenate([rows.truth[used.rows], np.array([place[label] for label in used.labels], np.int64)])
    weights = None
    if used.weights is not None:
        weights = np.concatenate([used.weights, np.ones(len(used.texts))])
    values = vectors([*rows.texts(used.rows), *used.texts])
    return fit_head(values, targets, labels=len(rows.labels), C=spec.C, weights=weights)


def shrink_embedding(
    folder: Path, rows: PartedRows, *, heads: Path, origin: str, facts: Mapping[str, Any], threads: int, store: Path
) -> tuple[Ints, Floats]:
    """An int8 form: the encoder's weights in int8, each fold's head as it is; the rows predicted, and their logits.

    Args:
        folder: the contender's folder, being built.
        heads: the heads of all folds.
        origin: folder name of the encoder's graph under ``store``.
        facts: of the contender it is made from.
        threads: cores; 0: all.
        store: where the graphs and the vectors are kept.
    """
    from ratchet.compress.quantise import quantise_onnx

    small = store / f"{origin}-int8"
    if not (small / "model.onnx").is_file():
        quantise_onnx(store / origin, small)
    encoder, fitted = Embedder(folder=small, threads=threads), load_heads(heads)
    attach_head(small, folder / MODEL, fitted[0], labels=rows.labels, facts={"head": "logistic regression"})
    with writing(folder):
        save_heads(folder / HEADS, fitted)
    predicted, logits = [], []
    for fold, head in zip(facts["folds"], fitted, strict=True):
        _, out = held(rows, fold)
        predicted.append(out)
        logits.append(head.logits(encoder.vectors(rows.texts(out))))
    return np.concatenate(predicted), softmax(np.concatenate(logits))
