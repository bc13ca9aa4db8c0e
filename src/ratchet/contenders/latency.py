"""How long models take for a text, measured side by side."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ratchet.models.model import Predictor

MOST_SECONDS = 120.0
"""About how long all of it may take: a model that writes takes seconds for a text, where others take milliseconds."""


def latency(
    models: Sequence[Predictor], texts: Sequence[str], *, rounds: int = 9, most: float = MOST_SECONDS
) -> list[npt.NDArray[np.float64]]:
    """Seconds a text, one by one, of several models in interleaved rounds: for each model shape (rounds, texts).

    Where that would take longer than ``most`` seconds there are fewer rounds, and then fewer texts, for all models alike.
    """
    begun = time.perf_counter()
    for model in models:
        model.predict(texts[:1])
    turns = max(1, int(most / max(time.perf_counter() - begun, 1e-9)))  # each one text by all models
    rounds = max(1, min(rounds, turns // max(len(texts), 1)))
    texts = texts[: max(1, turns // rounds)]
    seconds = [np.empty((rounds, len(texts))) for _ in models]
    for turn in range(rounds):
        for number in range(len(models)):
            place = (number + turn) % len(models)
            for index in range(len(texts)):
                one = texts[index : index + 1]
                begun = time.perf_counter()
                models[place].predict(one)
                seconds[place][turn, index] = time.perf_counter() - begun
    return seconds
