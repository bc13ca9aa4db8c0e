"""What a model is, whatever it runs on: it has labels, and answers texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy.typing as npt

if TYPE_CHECKING:
    from ratchet.recipe.sections import FeatureKind


Answers = npt.NDArray[Any]
"""(n, k): probabilities of k labels in float32, one value in float64, or one text as an object (``None``: no answer)."""


@dataclass(frozen=True, kw_only=True)
class Destination:
    """Where a model sends the texts that it is asked about, and the environment variable whose value goes with them."""

    address: str
    key: str = ""
    further: tuple[Destination, ...] = ()
    """Others to which texts are sent too."""

    def __str__(self) -> str:
        own = f"{self.address}, with the key in {self.key}" if self.key else self.address
        return ", and to ".join([own, *map(str, self.further)])


class Predictor(Protocol):
    """Anything that predicts."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Label names in the order of the columns."""

    def predict(self, texts: Sequence[str], /) -> Answers:
        """Answers, shape (n texts, k columns): probabilities of the labels, or a value."""


def features_of(model: Predictor) -> dict[str, FeatureKind]:
    """The features beside the text that a model reads: what its attribute ``beside`` says, or none without one."""
    return dict(getattr(model, "beside", {}))


class Model(Predictor, Protocol):
    """A predictor that can be written into a folder, from which its runtime loads it."""

    def save(self, folder: Path, /) -> object:
        """Write the model's files into a folder that is there."""
