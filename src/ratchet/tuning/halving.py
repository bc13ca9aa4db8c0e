"""Successive halving: many candidates are looked at briefly, the better half for twice as long, and so on."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

Scored = Callable[[int, int], float]
"""The score of a candidate on one step, from the numbers of both; higher is better."""


@dataclass(frozen=True, kw_only=True)
class Halved:
    """Which candidate is best, and what each scored on the steps that it was given."""

    best: int
    scores: tuple[tuple[float, ...], ...]

    def mean(self, candidate: int) -> float:
        """The mean of a candidate's scores."""
        return sum(self.scores[candidate]) / len(self.scores[candidate])


def successive_halving(candidates: int, steps: int, score: Scored) -> Halved:
    """The best of some candidates by their mean score (Jamieson and Talwalkar 2016, "Non-stochastic best arm identification").

    All are scored on one step, the better half (rounded up) on two, the better half of these on four, until all steps are
    used or one is left; that one is scored on no further step. Of equal candidates the first goes on.

    >>> successive_halving(4, 4, lambda candidate, step: float(candidate)).scores
    ((0.0,), (1.0,), (2.0, 2.0), (3.0, 3.0))

    Args:
        candidates: how many there are; at least one.
        steps: how often each can be scored: folds.
        score: asked once for a candidate and a step.
    """
    scores: list[list[float]] = [[] for _ in range(candidates)]
    left, until = list(range(candidates)), 1
    while True:
        for step in range(steps):
            for candidate in left:
                if len(scores[candidate]) <= step < until:
                    scores[candidate].append(score(candidate, step))
        left.sort(key=lambda candidate: (-sum(scores[candidate]) / len(scores[candidate]), candidate))
        left, best = left[: math.ceil(len(left) / 2)], left[0]
        if until >= steps or len(left) == 1:
            return Halved(best=best, scores=tuple(map(tuple, scores)))
        until = min(steps, 2 * until)
