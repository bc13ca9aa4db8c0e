"""Checkpoints: everything that a killed training needs to go on and end with the same bytes."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ratchet.errors import WorkspaceError
from ratchet.workspace.finished import load_json, save_json
from ratchet.workspace.workspace import atomic_folder

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

_NAME = re.compile(r"epoch-(\d{5})")


@dataclass(frozen=True, kw_only=True)
class Checkpoints:
    """The checkpoints of one training, one folder an epoch; random numbers need none, they follow from (seed, step).

    Args:
        folder: of the checkpoints alone.
        key: hash of everything the result depends on; a checkpoint with another key is never resumed.
    """

    folder: Path
    key: str

    def save(
        self, epoch: int, *, network: nn.Module, optimizer: Optimizer, state: Mapping[str, Any], keep: int | None
    ) -> None:
        """Write the checkpoint of an ended epoch, whole or not at all, then drop all others but that of ``keep``.

        Raises:
            WorkspaceError: the disk is full or read-only; the earlier checkpoint stays.
        """
        from safetensors.torch import save_file

        with atomic_folder(self.folder / f"epoch-{epoch:05d}") as target:
            save_file({name: value.detach() for name, value in _trained(network)}, target / "model.safetensors")
            save_file(_moments(optimizer), target / "optimizer.safetensors")
            save_json(target / "state.json", {"key": self.key, "epoch": epoch, **state})
        for other, path in self._found().items():
            if other not in (epoch, keep):
                shutil.rmtree(path, ignore_errors=True)

    def resume(self, *, network: nn.Module, optimizer: Optimizer) -> dict[str, Any] | None:
        """Load the newest checkpoint of this training into both; its state, or ``None`` when there is none."""
        for epoch, path in sorted(self._found().items(), reverse=True):
            state: dict[str, Any] = load_json(path / "state.json", keys={"key": str})
            if state["key"] == self.key:
                self.load_weights(epoch, network=network)
                _set_moments(optimizer, _load(path / "optimizer.safetensors"))
                return state
        self.clear()
        return None

    def load_weights(self, epoch: int, *, network: nn.Module) -> None:
        """Put the weights of an epoch into the network."""
        import torch

        weights = _load(self.folder / f"epoch-{epoch:05d}" / "model.safetensors")
        with torch.no_grad():
            for name, parameter in _trained(network):
                parameter.copy_(weights[name])

    def clear(self) -> None:
        """Remove every checkpoint."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _found(self) -> dict[int, Path]:
        if not self.folder.is_dir():
            return {}
        names = ((_NAME.fullmatch(path.name), path) for path in self.folder.iterdir())
        return {int(name[1]): path for name, path in names if name}


def _load(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint's file.

    Raises:
        WorkspaceError: the file is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise WorkspaceError(
            f"{path} must hold a checkpoint but is missing or damaged: {error}.",
            next_step=f"Remove the folder {path.parent.parent} and run again: the training begins anew.",
        ) from error


def _trained(network: nn.Module) -> list[tuple[str, Tensor]]:
    """What training changes; frozen parameters come from the source again."""
    return [(name, parameter) for name, parameter in network.named_parameters() if parameter.requires_grad]


def _moments(optimizer: Optimizer) -> dict[str, Tensor]:
    state = optimizer.state_dict()["state"]
    return {f"{place}.{name}": value for place, held in state.items() for name, value in held.items()}


def _set_moments(optimizer: Optimizer, moments: Mapping[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in moments.items():
        place, _, name = key.partition(".")
        state.setdefault(int(place), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
