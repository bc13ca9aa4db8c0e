"""How long models take for a text, measured side by side."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ratchet.models.model import Predictor


def latency(models: Sequence[Predictor], texts: Sequence[str], *, rounds: int = 9) -> list[npt.NDArray[np.float64]]:
    """Seconds a text, one by one, of several models in interleaved rounds: for each model shape (rounds, len(texts))."""
    seconds = [np.empty((rounds, len(texts))) for _ in models]
    for model in models:
        model.predict(texts[:1])
    for turn in range(rounds):
        for number in range(len(models)):
            place = (number + turn) % len(models)
            for index in range(len(texts)):
                one = texts[index : index + 1]
                begun = time.perf_counter()
                models[place].predict(one)
                seconds[place][turn, index] = time.perf_counter() - begun
    return seconds
