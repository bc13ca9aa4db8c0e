"""Checkpoints: everything that a killed training needs to go on and end with the same bytes."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ratchet.errors import WorkspaceError
from ratchet.workspace.finished import file_sha256, load_json, save_json
from ratchet.workspace.workspace import atomic_folder

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

WEIGHTS, MOMENTS, AVERAGE, STATE = "model.safetensors", "optimizer.safetensors", "average.safetensors", "state.json"
LAST = 2
"""So many of the newest checkpoints are kept, so that one may be damaged."""
_NAME = re.compile(r"step-(\d{8})")


@dataclass(frozen=True, kw_only=True, eq=False)
class Parts:
    """What is saved and loaded: the weights that are trained, the optimizer's moments, and the average of the weights."""

    network: nn.Module
    optimizer: Optimizer
    average: dict[str, Tensor] | None = None


@dataclass(frozen=True, kw_only=True)
class Checkpoints:
    """The checkpoints of one training, one folder each; random numbers need none, they follow from (seed, step).

    Args:
        folder: of the checkpoints alone.
        facts: all that the result depends on, by name; a checkpoint with other facts is refused.
    """

    folder: Path
    facts: Mapping[str, Any]
    notes: list[str] = field(default_factory=list)
    """What was found damaged, in sentences."""

    def save(self, step: int, parts: Parts, *, state: Mapping[str, Any], keep: Collection[int] = ()) -> None:
        """Write the checkpoint after ``step`` steps, whole or not at all, and drop all but the newest, those in ``keep``,
        and what any of these may go back to.

        Raises:
            WorkspaceError: the disk is full or read-only; the earlier checkpoints stay.
        """
        from safetensors.torch import save

        with atomic_folder(self._path(step)) as target:
            # In memory first: what `save_file` says of a full disk is no OSError.
            (target / WEIGHTS).write_bytes(save(_plain(dict(_trainable(parts.network)))))
            (target / MOMENTS).write_bytes(save(_plain(_moments(parts.optimizer))))
            if parts.average is not None:
                (target / AVERAGE).write_bytes(save(_plain(parts.average)))
            hashes = {path.name: file_sha256(path) for path in sorted(target.glob("*.safetensors"))}
            needs = sorted({*keep} - {step})
            body = {"facts": dict(self.facts), "step": step, "needs": needs, "state": dict(state), "sha256": hashes}
            save_json(target / STATE, {"body": body, "sha256": _hash(body)})
        found = sorted(self.steps(), reverse=True)
        staying = {*found[:LAST], *keep}
        for other in found:  # what one may go back to is earlier, so that its turn comes later
            if other in staying:
                staying.update((self._said(other) or {}).get("needs", ()))
            else:
                shutil.rmtree(self._path(other), ignore_errors=True)

    def resume(self, parts: Parts) -> dict[str, Any] | None:
        """Load the newest whole checkpoint; its state, or ``None`` when there is none.

        One that is damaged, or may go back to an earlier one that is, is passed over, and a sentence in ``notes`` says so.

        Raises:
            WorkspaceError: the checkpoint is of another training; the message names what differs.
        """
        for step in sorted(self.steps(), reverse=True):
            body = self._whole(step)
            problem = "was damaged" if body is None else self._lacks(body)
            if body is None or problem:
                shutil.rmtree(self._path(step), ignore_errors=True)
                before = any(other < step for other in self.steps())
                then = "so the one before it was used" if before else "and none was before it: it began anew"
                self.notes.append(f"the checkpoint after {step:,} steps {problem}, {then}")
                continue
            self._require_same(body["facts"])
            self.load(step, parts)
            state: dict[str, Any] = body["state"]
            return state
        return None

    def _lacks(self, body: Mapping[str, Any]) -> str:
        """What is wrong with the earlier checkpoints that this one may go back to; empty: nothing."""
        for step in body.get("needs", ()):
            if self._whole(step) is None:
                return f"may go back to the one after {step:,} steps, which was damaged"
        return ""

    def load(self, step: int, parts: Parts) -> None:
        """Put a checkpoint's weights, moments and average into the parts.

        Raises:
            WorkspaceError: a file of it is not as it was written.
        """
        self.load_weights(step, parts.network)
        _set_moments(parts.optimizer, self._load(step, MOMENTS))
        if parts.average is not None:
            for name, value in self._load(step, AVERAGE).items():
                parts.average[name].copy_(value)

    def load_weights(self, step: int, network: nn.Module, *, averaged: bool = False) -> None:
        """Put the weights after ``step`` steps into the network; with ``averaged`` their moving average.

        Raises:
            WorkspaceError: a file of the checkpoint is not as it was written.
        """
        import torch

        weights = self._load(step, AVERAGE if averaged else WEIGHTS)
        with torch.no_grad():
            for name, parameter in _trainable(network):
                parameter.copy_(weights[name])

    def drop_after(self, step: int) -> None:
        """Remove the checkpoints after more steps than that."""
        for other in self.steps():
            if other > step:
                shutil.rmtree(self._path(other), ignore_errors=True)

    def clear(self) -> None:
        """Remove every checkpoint."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def steps(self) -> list[int]:
        """After how many steps there are checkpoints."""
        if not self.folder.is_dir():
            return []
        names = (_NAME.fullmatch(path.name) for path in self.folder.iterdir())
        return [int(name[1]) for name in names if name]

    def _path(self, step: int) -> Path:
        return self.folder / f"step-{step:08d}"

    def _whole(self, step: int) -> dict[str, Any] | None:
        """What the checkpoint says, or ``None`` where a file of it is not as it was written."""
        path, body = self._path(step), self._said(step)
        try:
            whole = body and all(file_sha256(path / name) == digest for name, digest in body["sha256"].items())
        except (OSError, KeyError, AttributeError):
            return None
        return body if whole else None

    def _said(self, step: int) -> dict[str, Any] | None:
        """What the checkpoint says, or ``None`` where that is not as it was written; its tensors are not looked at."""
        try:
            found = load_json(self._path(step) / STATE, keys={"body": dict, "sha256": str})
        except (OSError, WorkspaceError):
            return None
        body: dict[str, Any] = found["body"]
        return body if found["sha256"] == _hash(body) else None

    def _load(self, step: int, name: str) -> dict[str, Tensor]:
        """The tensors of a file of a checkpoint that is whole."""
        from safetensors.torch import load_file

        path = self._path(step) / name
        body = self._whole(step)
        if body is None or name not in body["sha256"]:
            raise WorkspaceError(
                f"{path} must hold what was written but it, or a file beside it, is missing or damaged.",
                next_step="Run again: the training goes on from an earlier checkpoint, or begins anew.",
            )
        return load_file(path)

    def _require_same(self, before: Mapping[str, Any]) -> None:
        other = sorted(name for name in {*before, *self.facts} if before.get(name) != self.facts.get(name))
        if other:
            shown = "; ".join(
                f"{name}: {str(before.get(name))[:60]} then, {str(self.facts.get(name))[:60]} now" for name in other
            )
            raise WorkspaceError(
                f"{self.folder} must hold checkpoints of this training but they are of another one ({shown}).",
                next_step=f"Train in another folder, or remove {self.folder} to begin anew.",
            )


def _hash(body: Mapping[str, Any]) -> str:
    return sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _plain(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same numbers, each in memory of its own, as the file format wants them."""
    return {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}


def _trainable(network: nn.Module) -> list[tuple[str, Tensor]]:
    """What training may change, now or in a later epoch; what stays as the source has it is read from there again."""
    return [
        (name, parameter)
        for name, parameter in network.named_parameters()
        if parameter.requires_grad or getattr(parameter, "waits", False)
    ]


def _moments(optimizer: Optimizer) -> dict[str, Tensor]:
    state = optimizer.state_dict()["state"]
    return {f"{place}.{name}": value for place, held in state.items() for name, value in held.items()}


def _set_moments(optimizer: Optimizer, moments: Mapping[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in moments.items():
        place, _, name = key.partition(".")
        state.setdefault(int(place), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
