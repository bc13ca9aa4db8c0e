"""From torch to ONNX: one graph with dynamic rows and tokens, its attention fused, checked against the network."""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ratchet.errors import BundleError, ExtraMissing
from ratchet.models.batching import by_length, padded
from ratchet.models.checkpoints import first_line
from ratchet.models.encoder import MORE, FittedEncoder
from ratchet.models.onnx_model import FORMAT, GRAPH, INPUTS, LABELS, META, OUTPUT, TOKENIZER, open_session, run
from ratchet.models.quiet import quiet_transformers
from ratchet.workspace.workspace import atomic_folder

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 17
"""The first with LayerNormalization; read by onnxruntime 1.13 and later."""
LARGEST = 1e-4
"""A graph whose logits are further from the network's than this is refused; a share of the largest where that is above 1."""

Ints = npt.NDArray[np.int64]
Sample = tuple[Ints, Ints]


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What an export wrote, and how far it is from the network."""

    bytes: int
    """Of all files."""
    opset: int
    attention: int
    """Attention layers that the optimizer fused into one node each; 0: the plain graph was kept."""
    note: str
    """Why the plain graph was kept; empty when the fused one was."""
    max_difference: float
    """Largest difference of a logit from the network's over all batches, or its share of the largest above 1."""


def export_onnx(fitted: FittedEncoder, folder: Path, *, texts: Sequence[str] = ()) -> Exported:
    """Write ``model.onnx``, ``tokenizer.json``, ``labels.json`` and ``meta.json`` for ``OnnxModel``.

    torch's older exporter with eager attention is used, because onnxruntime's optimizer knows the pattern it writes.
    The optimizer's graph is kept when it is as close to the network as rounding allows.

    Args:
        fitted: a trained encoder.
        folder: to write, whole or not at all; what stood there is replaced.
        texts: checked besides random token ids of several shapes.

    Raises:
        BundleError: no graph could be made that agrees with the network.
        ExtraMissing: onnx or onnxruntime is not installed.
        WorkspaceError: the disk is full or read-only.
    """
    for package in ("onnx", "onnxruntime"):
        if find_spec(package) is None:
            raise ExtraMissing(package, extra="train", why="The export to ONNX")
    samples = _samples(fitted, texts)
    with _eager(fitted):
        plain = _traced(fitted)
        wanted = [_logits(fitted, sample) for sample in samples]
    fused, attention = _fused(plain, config=fitted.network.backbone.config)
    graph, difference, note = fused.SerializeToString(), _difference(fused, samples, wanted), ""
    if not attention or difference > LARGEST:
        note = (
            f"the optimizer moved a logit by {difference:.2g}" if attention else "the optimizer knows no such attention"
        )
        graph, difference, attention = plain.SerializeToString(), _difference(plain, samples, wanted), 0
    if not difference <= LARGEST:
        raise BundleError(
            f"The exported graph's logits must be within {LARGEST:g} of the network's but differ by {difference:.3g}.",
            next_step="This kind of encoder cannot be exported; choose another source.",
        )
    with atomic_folder(folder) as target:
        (target / GRAPH).write_bytes(graph)
        (target / TOKENIZER).write_text(fitted.tokens.to_json(), encoding="utf-8")
        write_description(
            target,
            labels=fitted.labels,
            meta={
                "max_tokens": fitted.tokens.max_tokens,
                "pad_id": fitted.tokens.pad_id,
                **{name: value for name in MORE if (value := getattr(fitted.tokens, name)) > 1},
                "rows": "packed",
                "precision": "float32",
                "opset": OPSET,
                "attention": attention,
                "parameters": fitted.parameters,
                "source": fitted.source,
                **fitted.answering.meta(),
            },
        )
        size = sum(path.stat().st_size for path in target.iterdir())
    return Exported(bytes=size, opset=OPSET, attention=attention, note=note, max_difference=difference)


def write_description(folder: Path, *, labels: Sequence[str], meta: dict[str, Any]) -> None:
    """Write ``labels.json`` and ``meta.json`` of an exported model."""
    for name, value in ((LABELS, list(labels)), (META, {"format": FORMAT, **meta})):
        text = json.dumps(value, ensure_ascii=False, indent=1)
        (folder / name).write_text(text + "\n", encoding="utf-8")


def _samples(fitted: FittedEncoder, texts: Sequence[str]) -> list[Sample]:
    """Batches to check: random ids of several shapes, with and without padding, and some real texts."""
    dice = np.random.default_rng(0)
    longest, entries = fitted.tokens.max_tokens, fitted.tokens.tokenizer.get_vocab_size()
    samples = []
    for rows, width in ((2, min(7, longest)), (1, 1), (3, longest)):
        tokens = dice.integers(0, entries, size=(rows, width))
        mask = np.ones_like(tokens)
        mask[-1, (width + 1) // 2 :] = 0
        tokens[mask == 0] = fitted.tokens.pad_id
        samples.append((tokens, mask))
    ids = fitted.tokens.encode(list(texts[:256]))
    lengths = np.array([len(row) for row in ids], dtype=np.int64)
    return samples + [padded(ids, rows, pad_id=fitted.tokens.pad_id) for rows in by_length(lengths, budget=2048)]


@contextmanager
def _eager(fitted: FittedEncoder) -> Iterator[None]:
    """Plain attention inside the block, without dropout."""
    backbone: Any = fitted.network.backbone
    before, training = backbone.config._attn_implementation, fitted.network.training
    with quiet_transformers():
        backbone.set_attn_implementation("eager")
    fitted.network.eval()
    try:
        yield
    finally:
        fitted.network.train(training)
        backbone.set_attn_implementation(before)


def _traced(fitted: FittedEncoder) -> ModelProto:
    import onnx
    import torch

    tokens, mask = (torch.from_numpy(part) for part in _samples(fitted, ())[0])
    axes = {0: "rows", 1: "tokens"}
    with tempfile.TemporaryDirectory(prefix="ratchet-onnx-") as place, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that this exporter is the older one, and what it traced as constant
        try:
            torch.onnx.export(
                fitted.network,
                (tokens, mask),
                Path(place, GRAPH),
                input_names=list(INPUTS),
                output_names=[OUTPUT],
                dynamic_axes={INPUTS[0]: axes, INPUTS[1]: axes, OUTPUT: {0: "rows"}},
                opset_version=OPSET,
                dynamo=False,
            )
        except (torch.onnx.OnnxExporterError, RuntimeError) as error:
            raise BundleError(
                f"The encoder made from {fitted.source!r} cannot be written as ONNX: {first_line(error)}",
                next_step="Choose another source.",
            ) from error
        return onnx.load(Path(place, GRAPH))


def _fused(plain: ModelProto, *, config: Any) -> tuple[ModelProto, int]:
    """The graph with attention, gelu and layer norms fused by onnxruntime's optimizer, and its attention nodes."""
    import onnx

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnxruntime.transformers.fusion_options import FusionOptions
        from onnxruntime.transformers.optimizer import optimize_by_fusion

        options = FusionOptions("bert")
        options.enable_embed_layer_norm = False  # the embedding table stays a table, which can be quantised by row
        copy = onnx.ModelProto()
        copy.CopyFrom(plain)
        optimized = optimize_by_fusion(
            copy,
            model_type="bert",
            num_heads=config.num_attention_heads,
            hidden_size=config.hidden_size,
            optimization_options=options,
        )
    graph: ModelProto = optimized.model
    if all(opset.domain != "com.microsoft" for opset in graph.opset_import):
        graph.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))  # the domain of the fused nodes
    return graph, sum(node.op_type == "Attention" for node in graph.graph.node)


def _logits(fitted: FittedEncoder, sample: Sample) -> npt.NDArray[np.float32]:
    import torch

    with torch.inference_mode():
        logits: npt.NDArray[np.float32] = fitted.network(*(torch.from_numpy(part) for part in sample)).numpy()
    return logits


def _difference(graph: ModelProto, samples: Sequence[Sample], wanted: Sequence[npt.NDArray[np.float32]]) -> float:
    """Largest difference of a logit from the wanted ones, as a share of the largest where that is above 1."""
    session = open_session(graph.SerializeToString(), threads=1)
    found = [run(session, *sample) for sample in samples]
    return max(
        float(np.abs(ours - theirs).max()) / max(1.0, float(np.abs(theirs).max()))
        for ours, theirs in zip(found, wanted, strict=True)
    )
