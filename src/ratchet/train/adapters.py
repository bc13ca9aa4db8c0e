"""Adapters: few new weights beside the frozen ones of a generator, trained, saved alone, loaded, and merged into it."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ratchet.errors import ExtraMissing, RatchetError
from ratchet.train.language import layers
from ratchet.workspace.finished import load_json, save_json
from ratchet.workspace.workspace import atomic_folder

if TYPE_CHECKING:
    from peft import PeftModel
    from torch import nn
    from transformers import PreTrainedModel

FORMAT = 1
CARD, WEIGHTS = "adapter.json", "adapter_model.safetensors"
KINDS = ("lora", "dora", "qlora")
_NOT_HASHED = frozenset({"transformers_version", "dtype", "torch_dtype", "architectures", "use_cache"})


@dataclass(frozen=True, kw_only=True)
class AdapterShape:
    """What an adapter is.

    Attributes:
        kind: ``lora`` (Hu et al. 2021, "LoRA: low-rank adaptation of large language models"), ``dora`` (Liu et al. 2024,
            "DoRA: weight-decomposed low-rank adaptation") or ``qlora`` (Dettmers et al. 2023, "QLoRA: efficient finetuning of
            quantized LLMs"): LoRA over a base in 4 bits.
        rank: of the two matrices beside each frozen one.
        alpha: their product counts alpha / rank times.
        dropout: share of a layer's inputs that the adapter does not see in training.
    """

    kind: str
    rank: int
    alpha: int
    dropout: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Adapted:
    """A generator with an adapter in it; the adapter's weights alone are trained."""

    peft: PeftModel
    shape: AdapterShape
    base: str
    """`base_hash` of the generator without it."""

    @property
    def model(self) -> PreTrainedModel:
        """The generator, the adapter inside."""
        return self.peft.get_base_model()

    def save(self, folder: Path) -> None:
        """Write the adapter alone, so that `load_adapter` and peft itself can load it.

        Raises:
            WorkspaceError: the disk is full or read-only.
        """
        from safetensors.torch import save_file

        with atomic_folder(folder) as target:
            save_file(self.weights(), target / WEIGHTS)
            self.peft.peft_config["default"].save_pretrained(str(target))
            save_json(target / CARD, {"format": FORMAT, "shape": asdict(self.shape), "base": self.base})

    def weights(self) -> dict[str, Any]:
        """The adapter's weights by peft's names."""
        from peft import get_peft_model_state_dict

        found = get_peft_model_state_dict(self.peft, save_embedding_layers=False)
        return {name: value.detach().cpu().clone().contiguous() for name, value in found.items()}

    def merged(self) -> PreTrainedModel:
        """The generator with the adapter's product added to its weights; it is as large and as fast as without.

        Raises:
            RatchetError: a weight is no number any more, or the base is in 4 bits.
        """
        if self.shape.kind == "qlora":
            raise RatchetError(
                "An adapter must be merged into a base in full precision but this one is in 4 bits.",
                next_step="Load the adapter onto the base itself, and merge there.",
            )
        try:
            return self.peft.merge_and_unload(safe_merge=True)
        except ValueError as error:
            raise RatchetError(f"The adapter must hold numbers but some are not: {error}") from error


def attach(model: PreTrainedModel, shape: AdapterShape, *, base: str, seed: int = 0) -> Adapted:
    """Put a new adapter beside every linear layer but the head; it changes no answer before it is trained.

    Args:
        model: whose own weights are frozen by it.
        shape: of the adapter.
        base: `base_hash` of the model.
        seed: of its first weights.

    Raises:
        ExtraMissing: peft is not installed.
        RatchetError: ``qlora`` where there is no such thing.
    """
    import torch

    require_peft()
    from peft import LoraConfig, get_peft_model

    targets, turned = _targets(model)
    if shape.kind == "qlora":
        require_4bit()
        _in_4bit(model)
    config = LoraConfig(
        r=shape.rank,
        lora_alpha=shape.alpha,
        lora_dropout=shape.dropout,
        use_dora=shape.kind == "dora",
        target_modules=targets,
        fan_in_fan_out=turned,
        bias="none",
    )
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers by an old name
        torch.manual_seed(seed)
        peft = get_peft_model(model, config)
    config.base_model_name_or_path = None  # a folder of this machine
    config.target_modules = sorted(
        config.target_modules or ()
    )  # peft makes a set of it, whose order is another each time
    return Adapted(peft=peft, shape=shape, base=base)


def load_adapter(model: PreTrainedModel, folder: Path) -> Adapted:
    """Put a saved adapter into the generator that it was trained for.

    Raises:
        RatchetError: it belongs to another generator, or is damaged.
        ExtraMissing: peft is not installed.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    require_peft()
    from peft import set_peft_model_state_dict

    card = load_json(folder / CARD, keys={"format": int, "shape": dict, "base": str})
    shape = _shape(card, folder)
    base = base_hash(model)
    if base != card["base"]:
        raise RatchetError(
            f"The adapter {folder} must be put into the generator that it was trained for ({card['base'][:12]}) but got "
            f"another one ({base[:12]}).",
            next_step="Name the source that the adapter was trained from.",
        )
    try:
        weights = load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise RatchetError(
            f"{folder / WEIGHTS} must hold an adapter but is missing or damaged: {error}.", next_step="Copy it again."
        ) from error
    adapted = attach(model, shape, base=base)
    known = adapted.weights()
    if {name: value.shape for name, value in known.items()} != {name: value.shape for name, value in weights.items()}:
        raise RatchetError(f"{folder / WEIGHTS} must hold the weights that {CARD} tells of but holds others.")
    set_peft_model_state_dict(adapted.peft, weights)
    return adapted


def _shape(card: Mapping[str, Any], folder: Path) -> AdapterShape:
    found = card["shape"]
    kind, rank, alpha, dropout = (found.get(name) for name in ("kind", "rank", "alpha", "dropout"))
    numbers = type(alpha) is int and isinstance(dropout, int | float) and type(rank) is int and rank > 0
    if card["format"] != FORMAT or kind not in KINDS or not numbers:
        raise RatchetError(
            f"{folder / CARD} must tell of an adapter in the format {FORMAT} but does not.", next_step="Copy it again."
        )
    assert type(rank) is int
    assert type(alpha) is int
    # A base in 4 bits is for training: the adapter itself is LoRA.
    return AdapterShape(kind="lora" if kind == "qlora" else kind, rank=rank, alpha=alpha, dropout=float(dropout))


def base_hash(model: PreTrainedModel) -> str:
    """64 hex digits over a generator's configuration and all of its weights, in float32."""
    import torch

    config = {
        name: value
        for name, value in model.config.to_diff_dict().items()
        if not name.startswith("_") and name not in _NOT_HASHED
    }
    digest = hashlib.sha256(repr(sorted((name, repr(value)) for name, value in config.items())).encode())
    for name, value in sorted(model.state_dict().items()):
        digest.update(f"{name} {tuple(value.shape)}".encode())
        digest.update(memoryview(value.detach().to("cpu", torch.float32).contiguous().numpy()).cast("B"))
    return digest.hexdigest()


def freeze(model: PreTrainedModel, *, trained_layers: int) -> None:
    """Leave the upper layers, and the norm above them, to be trained; embeddings and head stay as they are.

    Raises:
        RatchetError: it has fewer layers than that.
    """
    inside = layers(model)
    require_layers(trained_layers, len(inside))
    held = {id(weight) for part in _ends(model) for weight in part.parameters()}
    held |= {id(weight) for layer in inside[:-trained_layers] for weight in layer.parameters()}
    for weight in model.parameters():
        weight.requires_grad_(id(weight) not in held)


def require_layers(trained_layers: int, there: int) -> None:
    """Refuse to train more layers than are there.

    Raises:
        RatchetError: it has fewer.
    """
    if not 1 <= trained_layers <= there:
        raise RatchetError(
            f"trained_layers must be from 1 to {there}, the layers of this generator, but got {trained_layers}.",
            next_step="Set trained_layers of this challenger.",
        )


def require_peft() -> None:
    """Stop where peft is not installed.

    Raises:
        ExtraMissing: it is not.
    """
    if find_spec("peft") is None:
        raise ExtraMissing("peft", extra="finetune", why="An adapter")


def require_4bit() -> None:
    """Stop where no base can be held in 4 bits.

    Raises:
        RatchetError: there is no graphics card of CUDA, or bitsandbytes is not installed.
    """
    import torch

    missing = [] if torch.cuda.is_available() else ["a graphics card with CUDA"]
    missing += [] if find_spec("bitsandbytes") else ["the package bitsandbytes"]
    if missing:
        raise RatchetError(
            f"tuning must be another one than qlora where there is not {' and '.join(missing)}, which 4 bits need.",
            next_step="Set tuning: lora, which gives the same adapter from a base in full precision.",
        )


def _ends(model: PreTrainedModel) -> list[nn.Module]:
    from torch import nn

    inside = {id(module) for layer in layers(model) for module in layer.modules()}
    found: list[nn.Module] = [
        module for module in model.modules() if isinstance(module, nn.Embedding) and id(module) not in inside
    ]
    head = model.get_output_embeddings()
    return found if head is None else [*found, head]


def _targets(model: PreTrainedModel) -> tuple[list[str], bool]:
    """The last names of the linear layers but the head, and whether they hold their weights turned (GPT-2)."""
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    found = [
        (name.rpartition(".")[2], isinstance(module, Conv1D))
        for layer in layers(model)
        for name, module in layer.named_modules()
        if isinstance(module, nn.Linear | Conv1D)
    ]
    if not found:
        raise RatchetError(
            f"A generator must have linear layers for an adapter but a {model.config.model_type} has none.",
            next_step="Set tuning: full.",
        )
    return sorted({name for name, _ in found}), any(turned for _, turned in found)


def _in_4bit(model: PreTrainedModel, device: str = "cuda") -> None:
    """The linear layers inside the layers in 4 bits (NF4, quantised twice); the whole on the device, where they become so."""
    import torch
    from bitsandbytes.nn import Linear4bit, Params4bit
    from torch import nn

    for layer in layers(model):
        for name, module in [*layer.named_modules()]:
            if isinstance(module, nn.Linear):
                small = Linear4bit(
                    module.in_features,
                    module.out_features,
                    bias=module.bias is not None,
                    compute_dtype=torch.bfloat16,
                    compress_statistics=True,
                    quant_type="nf4",
                )
                small.weight = Params4bit(
                    module.weight.data, requires_grad=False, compress_statistics=True, quant_type="nf4"
                )
                small.bias = module.bias
                parent, _, own = name.rpartition(".")
                setattr(layer.get_submodule(parent), own, small)
    model.to(device)
