"""The classifier: a linear model over windows of a text, whose weights are one checked file of numbers."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ratchet.errors import BundleError
from ratchet.guard.features import SIZE, Window

WEIGHTS, CARD = "weights.safetensors", "card.json"
SHIPPED = Path(__file__).parent / "model"
"""The model that comes with Ratchet; ``benchmarks/guard_train.py`` wrote it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Classifier:
    """Scores of windows: the probability of an attack by a linear model, calibrated on nothing but its training rows."""

    weights: npt.NDArray[np.float32]
    """(features,)"""
    bias: float
    threshold: float
    """The score from which on a text is flagged."""

    def score(self, window: Window) -> float:
        """The score of one window, 0 to 1."""
        total = float(self.weights[window.node].astype(np.float64) @ window.value) + self.bias
        return 1 / (1 + math.exp(-min(max(total, -60.0), 60.0)))

    def best(self, windows: Iterable[Window]) -> tuple[float, Window | None]:
        """The highest score, and the first window that has it."""
        highest, best = 0.0, None
        for window in windows:
            score = self.score(window)
            if best is None or score > highest:
                highest, best = score, window
        return highest, best

    def save(self, folder: Path, *, card: dict[str, object]) -> None:
        """Write weights in int8, whole or not at all, and a card that has their SHA-256."""
        from safetensors.numpy import save

        from ratchet.workspace.workspace import write_atomic

        scale = float(np.abs(self.weights).max()) / 127 or 1.0
        tensors: dict[str, npt.NDArray[Any]] = {
            "weights": np.round(self.weights / scale).astype(np.int8),
            "numbers": np.array([scale, self.bias, self.threshold], np.float64),
        }
        data = save(tensors)
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / WEIGHTS, data)
        told = {"sha256": hashlib.sha256(data).hexdigest(), **card}
        write_atomic(folder / CARD, (json.dumps(told, indent=2, ensure_ascii=False) + "\n").encode())

    @staticmethod
    def load(folder: str | Path = SHIPPED) -> Classifier:
        """Read what ``save`` wrote.

        Raises:
            BundleError: a file is missing, or the weights are not those whose hash the card has.
        """
        from safetensors.numpy import load

        data = _checked(Path(folder))
        tensors = load(data)
        scale, bias, threshold = tensors["numbers"].tolist()
        weights = tensors["weights"].astype(np.float32) * np.float32(scale)
        if weights.shape != (SIZE,):
            raise BundleError(
                f"The weights of the guard in {folder} must be {SIZE} numbers but are {weights.shape}.",
                next_step="They were made for another version of Ratchet; train them again with benchmarks/guard_train.py.",
            )
        return Classifier(weights=weights, bias=bias, threshold=threshold)


def _checked(folder: Path) -> bytes:
    """The bytes of the weights, if they have the hash that the card gives."""
    try:
        data = (folder / WEIGHTS).read_bytes()
        wanted = json.loads((folder / CARD).read_bytes())["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(
            f"{folder} must hold {WEIGHTS} and {CARD} of a guard but {error}.",
            next_step="Install Ratchet again, or name another folder.",
        ) from None
    found = hashlib.sha256(data).hexdigest()
    if found != wanted:
        raise BundleError(
            f"{folder / WEIGHTS} must have the SHA-256 {wanted} but has {found}: the file was changed.",
            next_step="Install Ratchet again, or train the guard again; a changed file isn't read.",
        )
    return data
