"""From the logits of a graph to answers: the link, the unit of a value, and the features beside the text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from ratchet.bounds import json_value
from ratchet.errors import BundleError
from ratchet.models.batching import sigmoid, softmax
from ratchet.models.features import FeatureEncoder, add_features
from ratchet.models.model import Answers

FORMAT = 2
"""Of a model that answers otherwise than by a softmax of the text alone: an older version refuses it by this number."""
FEATURES, WEIGHTS = "features.json", "features.safetensors"
Link = Literal["softmax", "independent", "identity"]
"""From logits to an answer: one of several labels, any of several, or a value."""
_AGAIN = "Export the model again, or copy the whole folder again."


@dataclass(frozen=True, kw_only=True, eq=False)
class Answering:
    """How the logits of a graph become answers.

    ``mean`` and ``spread`` are the unit of a value: the graph counts in float32, so it counts in standard deviations.
    ``weights`` (width, k) are those of the encoded features, in the unit of the logits.
    """

    link: Link = "softmax"
    mean: float = 0.0
    spread: float = 1.0
    encoder: FeatureEncoder | None = None
    weights: npt.NDArray[np.float32] | None = None

    def answers(self, logits: npt.NDArray[np.float32], inputs: Sequence[str] | None = None) -> Answers:
        """(n, k) answers of (n, k) logits: probabilities in float32, or values in float64.

        Args:
            logits: of the texts alone.
            inputs: the rows, where there are features.

        Raises:
            DataError: they have not the features.
        """
        if self.link == "softmax" and self.encoder is None:
            return softmax(logits)
        score = logits.astype(np.float64)
        if self.encoder is not None:
            assert self.weights is not None
            add_features(score, self.encoder.encode(() if inputs is None else inputs), self.weights)
        if self.link == "identity":
            return score * self.spread + self.mean
        return sigmoid(score).astype(np.float32) if self.link == "independent" else softmax(score.astype(np.float32))

    def meta(self) -> dict[str, Any]:
        """What it adds to ``meta.json``: nothing where the answer is a softmax of the logits alone."""
        unit = {"mean": self.mean, "spread": self.spread} if self.link == "identity" else {}
        link = {} if self.link == "softmax" else {"link": self.link}
        features = {} if self.encoder is None else {"features": list(self.encoder.names)}
        return {"format": FORMAT, **link, **unit, **features} if link or features else {}

    def write(self, folder: Path) -> None:
        """Write the files of the features, where there are any."""
        from safetensors.numpy import save

        if self.encoder is not None:
            assert self.weights is not None
            described = json.dumps(self.encoder.describe(), ensure_ascii=False, indent=1)
            (folder / FEATURES).write_text(described + "\n", encoding="utf-8")
            (folder / WEIGHTS).write_bytes(save({"weights": np.ascontiguousarray(self.weights)}))

    @classmethod
    def read(cls, folder: Path, meta: Mapping[str, Any], *, labels: int) -> Answering:
        """What ``meta.json`` and the files of the features say; a folder of an older version answers with a softmax.

        Raises:
            BundleError: they are damaged, or do not belong together.
        """
        link, unit = meta.get("link", "softmax"), [meta.get("mean", 0.0), meta.get("spread", 1.0)]
        if link not in get_args(Link) or not all(type(one) in (int, float) and np.isfinite(one) for one in unit):
            raise BundleError(
                f"{folder / 'meta.json'} must have a link of {', '.join(get_args(Link))} and a finite unit "
                f"but got {link!r} and {unit}.",
                next_step=_AGAIN,
            )
        encoder, weights = _features(folder, labels=labels) if meta.get("features") else (None, None)
        return cls(link=link, mean=float(unit[0]), spread=float(unit[1]), encoder=encoder, weights=weights)


SOFTMAX = Answering()
"""One of several labels, from the text alone."""


def _features(folder: Path, *, labels: int) -> tuple[FeatureEncoder, npt.NDArray[np.float32]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        encoder = FeatureEncoder.read(json_value((folder / FEATURES).read_bytes()))
        weights = load((folder / WEIGHTS).read_bytes())["weights"]
        if weights.shape != (encoder.width, labels) or weights.dtype != np.float32:
            raise ValueError(f"the weights are {weights.dtype} of the shape {weights.shape}")
    except (OSError, AttributeError, KeyError, ValueError, TypeError, SafetensorError) as error:
        raise BundleError(
            f"{folder} must hold the features beside the text but {FEATURES} and {WEIGHTS} do not fit ({error}).",
            next_step=_AGAIN,
        ) from error
    return encoder, weights
