"""What a model is, whatever it runs on: it has labels, and answers texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt


class Predictor(Protocol):
    """Anything that predicts."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Label names in the order of the columns."""

    def predict(self, texts: Sequence[str], /) -> npt.NDArray[np.float32]:
        """Probabilities, shape (n texts, k labels)."""


class Model(Predictor, Protocol):
    """A predictor that can be written into a folder, from which its runtime loads it."""

    def save(self, folder: Path, /) -> object:
        """Write the model's files into a folder that is there."""
