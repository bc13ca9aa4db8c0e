"""What a model is, whatever it runs on: it has labels, and answers texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Answers = npt.NDArray[np.floating[Any]]
"""(n, k) floats: probabilities of k labels in float32, or one value in float64."""


class Predictor(Protocol):
    """Anything that predicts."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Label names in the order of the columns."""

    def predict(self, texts: Sequence[str], /) -> Answers:
        """Answers, shape (n texts, k columns): probabilities of the labels, or a value."""


class Model(Predictor, Protocol):
    """A predictor that can be written into a folder, from which its runtime loads it."""

    def save(self, folder: Path, /) -> object:
        """Write the model's files into a folder that is there."""
