"""How long models take for a text, measured side by side, in a bounded time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ratchet.gate.trial import FEWEST_MEASURED
from ratchet.models.model import Predictor
from ratchet.screen import Advance

ROUNDS = 5
"""How often the latency of a row is measured; its median counts."""
LEAST_ROUNDS = 3
"""Rounds that are given up for the sake of further rows; a median of three bears one round in which the machine was busy."""
FIRST_SHARE = 0.9
"""Share of its part of the time after which the first round ends: the rounds after it may be a little slower."""
MOST_SECONDS = 120.0
"""About how long all of it may take: a model that writes takes seconds for a text, where others take milliseconds."""
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Timed:
    """A model, and the rows that it is asked about.

    Args:
        model: to be timed.
        rows: (n,) what names each row; models that share a row are asked about it one right after the other.
        texts: of the rows.
    """

    model: Predictor
    rows: Ints
    texts: Sequence[str]


def latency(
    models: Sequence[Timed],
    *,
    rounds: int = ROUNDS,
    most: float = MOST_SECONDS,
    seed: int = 0,
    advance: Advance | None = None,
) -> list[Floats]:
    """Seconds of each answer, one text a call, for each model shape (rounds, rows); NaN for a row that was not measured.

    Every round asks all models about a row before it goes to the next row, each time in another order: whatever else the
    machine does meets them all alike. The rows come in a random order, those first that most models have. Where they would
    take longer than ``most`` there are fewer rounds, down to three, then fewer rows, so a random sample of them, and then
    fewer rounds still. The time ends no call: one that takes an hour takes an hour.

    Args:
        models: whose model is asked, about which rows.
        rounds: how often each row is asked at most.
        most: seconds of all of it.
        seed: of the order of the rows.
        advance: called with what is done.
    """
    begun = time.perf_counter()
    order = _order(models, seed=seed)
    place_of = [{row: place for place, row in enumerate(one.rows.tolist())} for one in models]
    for one in models:
        one.model.predict(one.texts[:1])
    found: list[list[Floats]] = []
    first = 0.0
    for turn in range(rounds):
        spent = time.perf_counter() - begun
        if turn and spent + first > most:
            break
        seconds = [np.full(len(one.rows), np.nan) for one in models]
        for done, row in enumerate(order, start=1):
            for step in range(len(models)):
                which = (step + turn + done) % len(models)
                place = place_of[which].get(row)
                if place is not None:
                    seconds[which][place] = _seconds(models[which], place)
            passed = time.perf_counter() - begun
            if advance is not None:
                advance(turn * len(order) + done, rounds * len(order), f"round {turn + 1} of {rounds}")
            enough = FIRST_SHARE * most / min(rounds, LEAST_ROUNDS) <= passed <= most / 2 and done >= FEWEST_MEASURED
            if turn == 0 and (enough or passed >= most):
                order = order[:done]
                break
            if turn and passed >= most and done < len(order):  # slower than the first round: it is left out
                return _stacked(found)
        first = first or time.perf_counter() - begun - spent
        found.append(seconds)
    return _stacked(found)


def _order(models: Sequence[Timed], *, seed: int) -> list[int]:
    """All rows, those first that most models have, else at random."""
    rows, shared = np.unique(np.concatenate([one.rows for one in models]), return_counts=True)
    chance = np.random.default_rng(seed).random(len(rows))
    ordered: list[int] = rows[np.lexsort((chance, -shared))].tolist()
    return ordered


def _seconds(of: Timed, place: int) -> float:
    text = of.texts[place : place + 1]
    begun = time.perf_counter()
    of.model.predict(text)
    return time.perf_counter() - begun


def _stacked(rounds: Sequence[Sequence[Floats]]) -> list[Floats]:
    return [np.stack(of) for of in zip(*rounds, strict=True)]
