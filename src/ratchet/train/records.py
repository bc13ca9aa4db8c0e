"""What a training tells: where it stands after each step, what each epoch gave, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ratchet.models.encoder import read_json

HISTORY = "history.json"


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a training stands, after each step."""

    step: int
    """Steps done, over all epochs."""
    steps: int
    """Steps of the whole training."""
    epoch: int
    """Counted from 1."""
    loss: float
    rate: float
    """Learning rate of the step."""
    tokens_per_second: float
    """Real tokens, padding not counted, since this process began to train."""
    valid: Mapping[str, float] = field(default_factory=dict)
    """At the end of an epoch what the objective says of the valid rows; empty after a step."""
    part: str = ""
    """Which one, of a training that has several parts; empty: its last."""


@dataclass(frozen=True, kw_only=True)
class EpochRecord:
    """One epoch, for the learning curve."""

    epoch: int
    """Counted from 1."""
    steps: int
    train_loss: float
    """Mean over the units of the loss, as trained (with dropout and label smoothing)."""
    valid: Mapping[str, float] = field(default_factory=dict)
    """What the objective says of the valid rows, ``loss`` among it; empty without valid rows."""
    seconds: float
    """Of the training, validation apart."""
    tokens_per_second: float
    padding: float
    """Share of the computed tokens that were padding."""

    @property
    def valid_loss(self) -> float | None:
        """Mean loss on the valid rows; ``None`` without them."""
        return self.valid.get("loss")

    @property
    def valid_accuracy(self) -> float | None:
        """Share of right answers to the valid rows, where that is measured."""
        return self.valid.get("accuracy")


@dataclass(frozen=True, kw_only=True)
class Fit:
    """What a training did; the network holds the weights of the kept epoch."""

    records: tuple[EpochRecord, ...]
    kept_epoch: int
    """Counted from 1."""
    precision: str
    """What was computed with, and why."""
    notes: tuple[str, ...]
    """What a person should know: damaged checkpoints, a loss that was not finite."""

    @property
    def facts(self) -> dict[str, Any]:
        """For the card of what was trained."""
        return {"kept_epoch": self.kept_epoch, "precision": self.precision, "notes": list(self.notes)}


def is_done(card: Path, key: Mapping[str, Any]) -> bool:
    """Whether the training of which all that its weights depend on is this ``key`` has ended, by the card of its model."""
    return card.is_file() and read_json(card).get("facts", {}).get("key") == key


def read_history(folder: Path) -> list[EpochRecord]:
    """The epochs of a training in its folder, those of a killed one too; empty when there are none."""
    if not (folder / HISTORY).exists():
        return []
    return [EpochRecord(**record) for record in read_json(folder / HISTORY)["epochs"]]
