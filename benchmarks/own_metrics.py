"""Metrics as a user writes them, for the benchmark of the gate: their rate of false promotions is measured there."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def cost_weighted_f1(right: np.ndarray, given: np.ndarray) -> float:
    """F1 of "1" in which a miss counts three times as much as a false alarm."""
    hits = float(((right == "1") & (given == "1")).sum())
    missed, false = float(((right == "1") & (given != "1")).sum()), float(((right != "1") & (given == "1")).sum())
    below = 2 * hits + 3 * missed + false
    return 2 * hits / below if below else 0.0


def recall_at_precision(right: np.ndarray, given: np.ndarray, probability: Mapping[str, np.ndarray]) -> float:
    """The largest share of "1" that is found by a threshold whose precision is .8 or more: it jumps from row to row."""
    del given
    positive = (right == "1")[np.argsort(-probability["1"], kind="stable")]
    hits = np.cumsum(positive)
    able = hits / np.arange(1, len(hits) + 1) >= 0.8
    return float(hits[able].max() / hits[-1]) if hits[-1] and able.any() else 0.0


def dear_errors(right: np.ndarray, given: np.ndarray) -> float:
    """What errors cost: those of too little three times as much as those of too much."""
    error = right - given
    return float(np.where(error > 0, 3 * error, -error).mean())
