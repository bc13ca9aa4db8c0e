"""An exported classifier: predicts with onnxruntime and tokenizers alone, on any machine, without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ratchet.bounds import json_value
from ratchet.errors import BundleError, ExtraMissing
from ratchet.models import answering
from ratchet.models.answering import SOFTMAX, Answering, Link
from ratchet.models.batching import by_length, padded
from ratchet.models.features import require_features
from ratchet.models.inputs import Inputs
from ratchet.models.model import Answers
from ratchet.models.quiet import switch_off_telemetry
from ratchet.models.targets import Kind
from ratchet.models.tokens import TextEncoder, averaged

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

    from ratchet.recipe.sections import FeatureKind

GRAPH, TOKENIZER, LABELS, META = "model.onnx", "tokenizer.json", "labels.json", "meta.json"
FORMAT = 1
BATCH_TOKENS = 2048
"""Tokens of a batch, padding included; larger ones leave the cache and are slower."""
INPUTS = ("input_ids", "attention_mask")
OUTPUT = "logits"
TOLERANCE = 1e-5
"""How far a probability may move with the other texts of a call, in float32; rounding only. An int8 graph scales its
activations by the largest in the batch, so it is run one text at a time and does not move at all."""


@dataclass(frozen=True, kw_only=True, eq=False)
class OnnxModel:
    """A graph from token ids to logits, its tokenizer and its labels."""

    session: InferenceSession
    tokens: TextEncoder
    labels: tuple[str, ...]
    one_by_one: bool
    """Run one text at a time, because the graph's numbers depend on what is in the batch."""
    answering: Answering = SOFTMAX
    """From the graph's logits to answers, and the features beside the text."""

    @classmethod
    def load(cls, folder: Path, *, threads: int = 0) -> OnnxModel:
        """Load ``model.onnx``, ``tokenizer.json``, ``labels.json`` and ``meta.json``.

        Args:
            folder: of the exported model.
            threads: cores that one call may use; 0: all.

        Raises:
            BundleError: a file is missing or damaged, or they do not belong together.
            ExtraMissing: onnxruntime or tokenizers is not installed.
        """
        meta, labels = read_part(folder / META, kind=dict), read_part(folder / LABELS, kind=list)
        if meta.get("format") not in (FORMAT, answering.FORMAT):
            raise BundleError(
                f"{folder / META} must have the format {FORMAT} or {answering.FORMAT} but got {meta.get('format')!r}.",
                next_step="Export the model again, or install the version of Ratchet that exported it.",
            )
        session = open_session(folder / GRAPH, threads=threads)
        width = session.get_outputs()[0].shape[-1]
        if width != len(labels):
            raise BundleError(f"{folder / LABELS} must name {width} labels, as the graph has, but has {len(labels)}.")
        return cls(
            session=session,
            tokens=_tokens(folder / TOKENIZER, meta=meta, of=folder / META),
            labels=tuple(labels),
            one_by_one=meta.get("rows") == "one",
            answering=Answering.read(folder, meta, labels=len(labels)),
        )

    @property
    def beside(self) -> dict[str, FeatureKind]:
        """The features beside the text that it reads."""
        return {} if self.answering.encoder is None else self.answering.encoder.kinds

    @property
    def kind(self) -> Kind:
        """What it answers: one label, any labels, each by itself, or a value."""
        kinds: dict[Link, Kind] = {"softmax": "classes", "independent": "labels", "identity": "value"}
        return kinds[self.answering.link]

    def predict(self, texts: Sequence[str]) -> Answers:
        """Answers (n texts, k labels), rows in the order of the texts, columns in the order of ``labels``.

        Probabilities in float32, or values in float64. A text is cut to ``tokens.max_bytes`` bytes, then to
        ``tokens.max_tokens`` tokens. The other texts of the call move a probability by at most ``TOLERANCE``, and not at
        all in an int8 graph; a value by as much of its standard deviation. A model with features wants
        :class:`~ratchet.models.inputs.Inputs`.

        Raises:
            DataError: the texts come without the features that the model was trained with.
        """
        rows = Inputs.of(texts)
        if self.answering.encoder is not None:
            require_features(rows, self.answering.encoder.names)
        return self.answering.answers(self.logits(rows.texts), rows)

    def logits(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """(n, k) what the graph says of the texts alone."""
        ids, owners = self.tokens.in_windows(texts)
        logits = np.zeros((len(ids), len(self.labels)), dtype=np.float32)
        lengths = np.array([len(row) for row in ids], dtype=np.int64)
        budget = 1 if self.one_by_one else BATCH_TOKENS
        for rows in by_length(lengths, budget=budget):
            logits[rows] = run(self.session, *padded(ids, rows, pad_id=self.tokens.pad_id))
        return averaged(logits, owners, texts=len(texts))


def open_session(graph: Path | bytes, *, threads: int = 0) -> InferenceSession:
    """An onnxruntime session on the CPU that leaves idle cores idle and reports only errors.

    Raises:
        BundleError: the graph is missing or damaged.
        ExtraMissing: onnxruntime is not installed.
    """
    switch_off_telemetry()
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise ExtraMissing("onnxruntime", extra="serve", why="Running an ONNX model") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_mem_pattern = False  # it plans for one shape, and each batch has another
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if isinstance(graph, Path) and not graph.is_file():
        raise BundleError(f"The exported model must have the file {graph} but has none.", next_step=_AGAIN)
    try:
        return onnxruntime.InferenceSession(
            graph if isinstance(graph, bytes) else str(graph), options, providers=["CPUExecutionProvider"]
        )
    except _ort_errors() as error:
        lines = str(error).strip().splitlines()
        raise BundleError(f"The graph of the exported model cannot be loaded: {lines[0]}", next_step=_AGAIN) from error


def run(
    session: InferenceSession, tokens: npt.NDArray[np.int64], mask: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    """Logits (rows, k) of token ids and their mask, both (rows, tokens)."""
    logits: npt.NDArray[np.float32] = session.run([OUTPUT], dict(zip(INPUTS, (tokens, mask), strict=True)))[0]
    return logits


_AGAIN = "Export the model again, or copy the whole folder again."


def _ort_errors() -> tuple[type[Exception], ...]:
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    names = (
        "Fail",
        "InvalidGraph",
        "InvalidProtobuf",
        "InvalidArgument",
        "NoSuchFile",
        "NotImplemented",
        "ModelLoaded",
    )
    return (*(getattr(state, name) for name in names if hasattr(state, name)), ValueError, RuntimeError)


def _tokens(path: Path, *, meta: dict[str, Any], of: Path) -> TextEncoder:
    try:
        import tokenizers  # noqa: F401 - asked for here, so that its absence is told from a damaged file
    except ModuleNotFoundError as error:
        raise ExtraMissing("tokenizers", extra="serve", why="Running an ONNX model") from error
    numbers: dict[str, Any] = {"max_tokens": meta.get("max_tokens"), "pad_id": meta.get("pad_id")}
    numbers |= {name: meta.get(name, 1) for name in ("columns", "windows")}
    wrong = next((name for name, value in numbers.items() if type(value) is not int or value < 0), None)
    if wrong is not None:
        raise BundleError(f"{of} must have a whole number {wrong!r} but got {numbers[wrong]!r}.", next_step=_AGAIN)
    contents = _text(path)
    try:
        return TextEncoder.from_json(contents, **numbers)
    except Exception as error:  # tokenizers has no class of its own
        raise BundleError(f"{path} must be a tokenizer but: {error}.", next_step=_AGAIN) from error


def read_part(path: Path, *, kind: type) -> Any:
    """The JSON value of the wanted kind in one file of an exported model.

    Raises:
        BundleError: there is none.
    """
    try:
        found = json_value(_text(path))
    except ValueError as error:
        raise BundleError(f"{path} must be JSON but: {error}.", next_step=_AGAIN) from error
    if not isinstance(found, kind):
        raise BundleError(f"{path} must hold a {kind.__name__} but got a {type(found).__name__}.", next_step=_AGAIN)
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BundleError(
            f"The exported model must have a readable {path.name} but {error}.", next_step=_AGAIN
        ) from error
