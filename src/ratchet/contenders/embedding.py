"""Frozen encoders with logistic regression as contenders: all folds at once, each text's vector computed once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ratchet.compress.compressor import Compressor
from ratchet.contenders.base import HEADS, MODEL, Contender, Trained, write_contender
from ratchet.contenders.kind import NONE, Kind, Training, compressed
from ratchet.contenders.material import Material, held, judged_folds, made_inputs, summed
from ratchet.contenders.rows import PartedRows
from ratchet.contenders.sources import source_files
from ratchet.models.checkpoints import locate
from ratchet.models.encoder import require_pretrained
from ratchet.models.model import Answers
from ratchet.recipe.sections import EmbeddingSpec
from ratchet.train.embedding import Embedder, Head, attach_head, embedder, fit_head, load_heads, save_heads
from ratchet.workspace.workspace import writing

Vectors = Callable[[Sequence[str]], npt.NDArray[np.float32]]


class Embedding(Kind[EmbeddingSpec]):
    """Logistic regression on the vectors of a pretrained encoder.

    The vectors of all folds are computed once, so the folds' heads are kept in one file instead of a model each.
    """

    name, spec, runtime = "embedding", EmbeddingSpec, "onnx"
    tasks = ("classification", "multilabel", "regression")
    packages = ("torch", "transformers", "onnx")
    threaded = True
    featured = True

    def require(self, spec: EmbeddingSpec, rows: PartedRows) -> None:
        """As `Kind.require`."""
        require_pretrained(locate(spec.source, language=rows.language, weights=False))

    def train(self, folder: Path, spec: EmbeddingSpec, training: Training) -> None:
        """As `Kind.train`."""
        begun, rows = time.perf_counter(), training.rows
        encoder = self._encoder(spec, training)
        vectors = _shown(encoder, training)
        heads, predicted, answers, counts, converged = [], [], [], [], True
        folds = judged_folds(rows)
        for fold in folds:
            seen, out = held(rows, fold)
            material = training.change(seen, held_out=out)
            head, ended = _head(material, spec, training, vectors)
            heads.append(head)
            counts.append(material.counts)
            predicted.append(out)
            answers.append(head.answers(vectors(rows.texts(out)), rows.inputs(out)))
            converged &= ended
        _save(folder, encoder, heads, rows.labels)
        facts = {
            "source": spec.source,
            "embedder": encoder.folder.name,
            "folds": list(folds),
            "features": heads[0].weight.shape[1],
            "converged": converged,
            **training.facts,
            **summed(counts),
        }
        trained = Trained(
            predicted=np.concatenate(predicted),
            answers=np.concatenate(answers),
            seconds=time.perf_counter() - begun,
            facts=facts,
        )
        write_contender(folder, rows, self.identity(spec, training), trained)

    def tried(self, spec: EmbeddingSpec, training: Training) -> Answers:
        """As `Kind.tried`: the vectors are kept, the head is not."""
        rows = training.rows
        vectors = _shown(self._encoder(spec, training), training)
        head, _ = _head(training.change(rows.parts.train, held_out=rows.parts.valid), spec, training, vectors)
        valid = rows.inputs(rows.parts.valid)
        return head.answers(vectors(valid.texts), valid)

    def refit(self, folder: Path, spec: EmbeddingSpec, training: Training) -> None:
        """As `Kind.refit`."""
        begun, rows = time.perf_counter(), training.rows
        encoder = self._encoder(spec, training)
        vectors = _shown(encoder, training)
        head, _ = _head(training.change(rows.parts.dev, held_out=NONE), spec, training, vectors)
        _save(folder, encoder, [head], rows.labels)
        valid = rows.inputs(rows.parts.valid)
        trained = Trained(
            predicted=rows.parts.valid,
            answers=head.answers(vectors(valid.texts), valid),
            seconds=time.perf_counter() - begun,
            facts={"embedder": encoder.folder.name, "folds": [0], **training.facts},
        )
        write_contender(folder, rows, self.identity(spec, training), trained)

    def compress(self, folder: Path, compressor: Compressor, of: Contender, training: Training) -> None:
        """The encoder's graph in a smaller form, once; each fold's head as it is."""
        if "embedder" not in of.facts:  # the champion of earlier rows is one model
            super().compress(folder, compressor, of, training)
            return
        begun, rows, store = time.perf_counter(), training.rows, training.store
        origin = str(of.facts["embedder"])
        small = store / f"{origin}-{compressor.name}"
        if not (small / "model.onnx").is_file():
            compressor.apply(store / origin, small)
        encoder, heads = Embedder(folder=small, threads=training.threads), load_heads(of.folder / HEADS)
        _save(folder, encoder, heads, rows.labels)
        predicted, answers = [], []
        for fold, head in zip(of.folds, heads, strict=True):
            _, out = held(rows, fold)
            predicted.append(out)
            answers.append(head.answers(encoder.vectors(rows.texts(out)), rows.inputs(out)))
        trained = Trained(
            predicted=np.concatenate(predicted),
            answers=np.concatenate(answers),
            seconds=time.perf_counter() - begun,
            facts={"embedder": small.name, "folds": list(of.folds), **training.facts},
        )
        write_contender(folder, rows, compressed(of, training), trained)

    def named_by(self, spec: EmbeddingSpec) -> object:
        """Other files in the same directory are another contender."""
        return spec, self.sources(spec)

    def sources(self, spec: EmbeddingSpec) -> list[str]:
        """As `Kind.sources`."""
        return source_files(spec.source)

    def _encoder(self, spec: EmbeddingSpec, training: Training) -> Embedder:
        rows = training.rows
        return embedder(
            spec, language=rows.language, cache=training.store, threads=training.threads, columns=rows.texts_a_row
        )


def _shown(encoder: Embedder, training: Training) -> Vectors:
    """The vectors of texts, with a bar while new ones are computed."""
    advance = training.advance
    return partial(encoder.vectors, progress=lambda done, total: advance(done, total, f"{done:,} vectors"))


def _head(material: Material, spec: EmbeddingSpec, training: Training, vectors: Vectors) -> tuple[Head, bool]:
    """The head fitted on what may be seen, and whether its solver converged."""
    rows = training.rows
    targets = rows.targets.take(material.rows)
    if len(material.labels):
        targets = targets.followed_by(rows.made(material.labels))
    weights = None
    if material.weights is not None:
        weights = np.concatenate([material.weights, np.ones(len(material.texts))])
    own, made = rows.inputs(material.rows), made_inputs(material, rows)
    kinds = rows.kinds_of(spec.columns)
    values = vectors([*own.texts, *made.texts])
    return fit_head(values, targets, C=spec.C, weights=weights, inputs=own.followed_by(made), kinds=kinds)


def _save(folder: Path, encoder: Embedder, heads: Sequence[Head], labels: Sequence[str]) -> None:
    """The first head behind the encoder as the model to be served, and all heads beside it."""
    with writing(folder):
        save_heads(folder / HEADS, heads)
    facts: Mapping[str, str] = {"head": "logistic regression"}
    attach_head(encoder.folder, folder / MODEL, heads[0], labels=labels, facts=dict(facts))
