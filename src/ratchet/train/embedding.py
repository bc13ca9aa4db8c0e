"""Logistic regression on the vectors of a frozen encoder: each text's vector is computed once, and served as one graph."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ratchet.errors import DataError, RatchetError
from ratchet.models.batching import by_length, padded
from ratchet.models.checkpoints import Pooling, Source, locate
from ratchet.models.encoder import build_embedder
from ratchet.models.onnx_model import GRAPH, META, OUTPUT, TOKENIZER, OnnxModel, read_part, run
from ratchet.recipe.sections import EmbeddingSpec
from ratchet.train.export import export_onnx, write_description
from ratchet.workspace.workspace import atomic_folder

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
VECTORS = "vectors"
BATCH_TOKENS = 2_048
BLOCK = 4_096
"""Texts whose vectors are written together, so that a killed run keeps them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Head:
    """A linear layer from vectors to logits: weights (k, width) and bias (k,)."""

    weight: Floats
    bias: Floats

    def logits(self, vectors: Floats) -> Floats:
        """(n, k) logits of (n, width) vectors."""
        found: Floats = vectors @ self.weight.T + self.bias
        return found


@dataclass(frozen=True, kw_only=True, eq=False)
class Embedder:
    """An encoder as a graph from token ids to a vector, with the vectors that it has given so far.

    ``folder`` holds the graph; its subfolder ``vectors`` holds what was computed, so that folds, later challengers and
    later runs ask for a text once.
    """

    folder: Path
    threads: int = 0

    def vectors(self, texts: Sequence[str], *, progress: Callable[[int, int], None] | None = None) -> Floats:
        """(n, width) vectors of the texts; those that are new are computed one length at a time, and kept."""
        keys = [hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest() for text in texts]
        known = self._known()
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        todo = list(new.items())
        model = OnnxModel.load(self.folder, threads=self.threads) if todo else None
        for start in range(0, len(todo), BLOCK):
            assert model is not None
            part = todo[start : start + BLOCK]
            values = _run(model, [text for _, text in part])
            self._keep([key for key, _ in part], values)
            known.update(zip((key for key, _ in part), values, strict=True))
            if progress is not None:
                progress(start + len(part), len(todo))
        width = len(read_part(self.folder / "labels.json", kind=list))
        found = np.zeros((len(texts), width), np.float32)
        for place, key in enumerate(keys):
            found[place] = known[key]
        return found

    def _known(self) -> dict[bytes, Floats]:
        known: dict[bytes, Floats] = {}
        for folder in sorted((self.folder / VECTORS).glob("*")):
            try:
                keys = np.load(folder / "keys.npy", allow_pickle=False)
                values = np.load(folder / "values.npy", allow_pickle=False)
            except (OSError, ValueError, EOFError):
                continue  # damaged: computed again
            if len(keys) == len(values):
                known.update(zip((key.tobytes() for key in keys), values, strict=True))
        return known

    def _keep(self, keys: Sequence[bytes], values: Floats) -> None:
        name = hashlib.blake2b(b"".join(keys), digest_size=10).hexdigest()
        with atomic_folder(self.folder / VECTORS / name) as folder:
            np.save(folder / "keys.npy", np.frombuffer(b"".join(keys), np.uint8).reshape(-1, 16), allow_pickle=False)
            np.save(folder / "values.npy", values, allow_pickle=False)


def _run(model: OnnxModel, texts: Sequence[str]) -> Floats:
    """The graph's plain output; the other texts of a call move it by rounding only, and not at all in int8."""
    ids = model.tokens.encode(texts)
    found = np.zeros((len(ids), len(model.labels)), np.float32)
    lengths = np.array([len(row) for row in ids], dtype=np.int64)
    for rows in by_length(lengths, budget=1 if model.one_by_one else BATCH_TOKENS):
        found[rows] = run(model.session, *padded(ids, rows, pad_id=model.tokens.pad_id))
    return found


def embedder(spec: EmbeddingSpec, *, language: str, cache: Path, threads: int = 0) -> Embedder:
    """The spec's encoder, exported to ONNX once.

    Args:
        spec: the recipe's section.
        language: of the texts; decides what ``auto`` means.
        cache: folder of all such encoders.
        threads: cores; 0: all.

    Raises:
        RatchetError: the source is not usable.
        ExtraMissing: torch, transformers, tokenizers, onnx or onnxruntime is not installed.
    """
    source = locate(spec.source, language=language)
    pooling = _pooling(spec, source)
    folder = cache / f"embedder-{_key(source, pooling, spec.normalize, spec.max_tokens)}"
    if not (folder / GRAPH).is_file():
        fitted = build_embedder(
            source, pooling=pooling, unit=spec.normalize, max_tokens=spec.max_tokens, threads=threads
        )
        export_onnx(fitted, folder)
    return Embedder(folder=folder, threads=threads)


def _pooling(spec: EmbeddingSpec, source: Source) -> Pooling:
    if spec.pooling == "cls":
        return "first"
    if spec.pooling != "auto":
        return spec.pooling
    return "mean" if source.pooling == "own" else source.pooling


def _key(source: Source, *facts: object) -> str:
    """20 hex digits over the encoder's files and how its vectors are made."""
    digest = hashlib.sha256(json.dumps([source.name, *facts]).encode())
    for path in sorted(source.folder.rglob("*")) if source.folder else ():
        if path.suffix in (".safetensors", ".json", ".txt", ".model"):
            with path.open("rb") as file:
                digest.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:20]


def fit_head(
    vectors: Floats, targets: Ints, *, labels: int, C: float, weights: npt.NDArray[np.float64] | None = None
) -> tuple[Head, bool]:
    """Logistic regression by L-BFGS, and whether it converged; a label without a row is never the answer.

    Args:
        vectors: (n, width).
        targets: (n,) columns of the labels.
        labels: k.
        C: inverse strength of the penalty.
        weights: (n,) of the rows.

    Raises:
        DataError: all rows have one label.
    """
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    present = np.unique(targets)
    if len(present) < 2:
        raise DataError(f"The rows must be of at least 2 classes but got {len(present)}.")
    model: Any = LogisticRegression(C=C, max_iter=1_000)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        model.fit(vectors.astype(np.float64), targets, sample_weight=weights)
    weight = np.zeros((labels, vectors.shape[1]))
    bias = np.full(labels, -1e4)
    if len(present) == 2:
        weight[present], bias[present] = np.stack([-model.coef_[0], model.coef_[0]]) / 2, 0.0
        bias[present] = np.array([-1, 1]) * model.intercept_[0] / 2
    else:
        weight[present], bias[present] = model.coef_, model.intercept_
    head = Head(weight=weight.astype(np.float32), bias=bias.astype(np.float32))
    return head, not any(issubclass(found.category, ConvergenceWarning) for found in caught)


def attach_head(source: Path, target: Path, head: Head, *, labels: Sequence[str], facts: dict[str, Any]) -> None:
    """Write a classifier: the encoder's graph with the head behind it, in one file.

    Args:
        source: folder with an encoder's graph, whose output is the vector.
        target: folder to write, whole or not at all.
        head: of this model.
        labels: names of the columns.
        facts: for ``meta.json``.
    """
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(source / GRAPH)
    graph, inner = model.graph, "sentence_vector"
    for node in graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                if name == OUTPUT:
                    names[place] = inner
    graph.initializer.extend(
        [numpy_helper.from_array(head.weight, "head.weight"), numpy_helper.from_array(head.bias, "head.bias")]
    )
    graph.node.append(helper.make_node("Gemm", [inner, "head.weight", "head.bias"], [OUTPUT], name="head", transB=1))
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(OUTPUT, onnx.TensorProto.FLOAT, ["rows", len(labels)]))
    meta = read_part(source / META, kind=dict)
    with atomic_folder(target) as folder:
        (folder / GRAPH).write_bytes(model.SerializeToString())
        shutil.copyfile(source / TOKENIZER, folder / TOKENIZER)
        write_description(folder, labels=labels, meta={**meta, **facts})


def save_heads(path: Path, heads: Sequence[Head]) -> None:
    """Write the heads of all folds."""
    weights, biases = np.stack([head.weight for head in heads]), np.stack([head.bias for head in heads])
    with path.open("wb") as file:
        np.savez(file, weight=weights, bias=biases)


def load_heads(path: Path) -> list[Head]:
    """Read what `save_heads` wrote.

    Raises:
        RatchetError: it is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as found:
            pairs = zip(found["weight"], found["bias"], strict=True)
            return [Head(weight=weight, bias=bias) for weight, bias in pairs]
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise RatchetError(
            f"{path} must hold the heads of an embedding but: {error}.", next_step="Run again."
        ) from error
