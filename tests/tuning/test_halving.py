"""Successive halving: how often candidates are asked, and that it finds the best nearly as often as asking all of them."""

from __future__ import annotations

import numpy as np
import pytest

from ratchet.tuning.halving import successive_halving


@pytest.mark.parametrize(
    ("candidates", "steps", "asked"),
    [(8, 4, 8 + 4 + 2 * 2), (8, 3, 8 + 4 + 2), (1, 4, 1), (5, 2, 5 + 3), (3, 8, 3 + 2)],
)
def test_the_better_half_is_asked_further(candidates: int, steps: int, asked: int) -> None:
    calls = list[tuple[int, int]]()

    def score(candidate: int, step: int) -> float:
        calls.append((candidate, step))
        return float(candidate % 7)

    found = successive_halving(candidates, steps, score)
    assert len(calls) == len({*calls}) == asked
    assert found.best == max(range(candidates), key=lambda one: (one % 7, -one))
    assert len(found.scores[found.best]) == max(map(len, found.scores))


def test_equal_candidates_keep_their_order() -> None:
    assert successive_halving(6, 4, lambda candidate, step: 1.0).best == 0


def test_it_finds_the_best_nearly_as_often_as_scoring_all_on_all() -> None:
    """16 asked instead of 32; the standard error of a share of 2,000 is at most .012."""
    dice, hits, full = np.random.default_rng(0), 0, 0
    truth = np.linspace(0, 1, 8)
    for _ in range(2_000):
        scores = truth[:, None] + dice.normal(scale=0.3, size=(8, 4))
        hits += successive_halving(8, 4, lambda one, step, scores=scores: float(scores[one, step])).best == 7  # type: ignore[misc]
        full += int(scores.mean(axis=1).argmax()) == 7
    assert hits / 2_000 > 0.85 * full / 2_000
    assert hits / 2_000 > 0.5
