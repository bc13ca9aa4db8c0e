"""The vectors of a frozen encoder, each computed once; with a head behind it, it is served as one graph."""

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

from ratchet.models.checkpoints import Pooling, Source, locate
from ratchet.models.encoder import build_embedder
from ratchet.models.onnx_model import GRAPH, META, OUTPUT, TOKENIZER, OnnxModel, read_part
from ratchet.recipe.sections import EmbeddingSpec
from ratchet.train.export import export_onnx, write_description
from ratchet.train.heads import Head, fit_head, load_heads, save_heads
from ratchet.workspace.workspace import atomic_folder

__all__ = ["Embedder", "Head", "attach_head", "embedder", "fit_head", "load_heads", "save_heads"]

Floats = npt.NDArray[np.float32]
VECTORS = "vectors"
BLOCK = 4_096
"""Texts whose vectors are written together, so that a killed run keeps them."""


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
    return model.logits(texts)


def embedder(spec: EmbeddingSpec, *, language: str, cache: Path, threads: int = 0, columns: int = 1) -> Embedder:
    """The spec's encoder, exported to ONNX once.

    Args:
        spec: the recipe's section.
        language: of the texts; decides what ``auto`` means.
        cache: folder of all such encoders.
        threads: cores; 0: all.
        columns: texts in a row.

    Raises:
        RatchetError: the source is not usable.
        ExtraMissing: torch, transformers, tokenizers, onnx or onnxruntime is not installed.
    """
    source = locate(spec.source, language=language)
    pooling = _pooling(spec, source)
    several = (columns,) if columns > 1 else ()
    folder = cache / f"embedder-{_key(source, pooling, spec.normalize, spec.max_tokens, *several)}"
    if not (folder / GRAPH).is_file():
        fitted = build_embedder(
            source,
            pooling=pooling,
            unit=spec.normalize,
            max_tokens=spec.max_tokens,
            threads=threads,
            columns=columns,
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
        write_description(folder, labels=labels, meta={**meta, **facts, **head.answering.meta()})
        head.answering.write(folder)
