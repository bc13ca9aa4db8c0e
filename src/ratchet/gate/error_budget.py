"""A family: all challengers ever judged on the same rows, and how the chance of a false promotion is divided among them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ratchet.metrics.paired_tests import normal_quantile

RESERVE = 0.2
"""Share of the family's level that the first plan leaves to runs that nobody has planned yet."""
POINTS = 4_096
MOST = 24  # beyond so many challengers at once their correlation is not used
_PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89)

Correlation = tuple[tuple[float, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Family:
    """What is left of a family's error level after the rounds that were judged.

    A round may use any part of what is left, as long as that is settled before its evidence is seen. What its proven
    challengers were given comes back: a hypothesis that was rejected can no longer be rejected wrongly (the graphical
    procedures of Bretz, Maurer, Brannath, Posch 2009, Statistics in Medicine 28). So the chance that the family ever
    promotes a challenger that is not better stays below ``alpha``, however many come.

    >>> Family(name="rows").share()
    0.04
    """

    name: str
    alpha: float = 0.05
    remains: float | None = None
    """What no round has spent yet; ``None``: all of it."""
    rounds: int = 0
    """Rounds judged so far."""

    @property
    def left(self) -> float:
        """What no round has spent yet."""
        return self.alpha if self.remains is None else self.remains

    def share(self, challengers: float = 1, *, later: float = 0) -> float:
        """The level of the next round.

        Args:
            challengers: how many are judged in it, or the sum of their weights.
            later: how many more are planned after it, or the sum of their weights.

        A reserve is kept for runs to come: a fifth of ``alpha`` at first, half of what is left once that is used.
        """
        free = self.left - min(self.left / 2, RESERVE * self.alpha)
        return free * challengers / (challengers + later)

    def after(self, spent: float) -> Family:
        """The family once a round has ended that spent so much."""
        left = max(self.left - spent, 0.0)
        return Family(name=self.name, alpha=self.alpha, remains=left, rounds=self.rounds + 1)


@lru_cache(maxsize=256)
def joint_levels(weights: tuple[float, ...], correlation: Correlation | None, level: float) -> tuple[float, ...]:
    """The one-sided level of each challenger of a round, so that any false rejection has the chance ``level`` at most.

    Args:
        weights: importance of each challenger, shape (m,).
        correlation: of the m test statistics, (m, m); they were computed on the same rows, so they hang together. ``None``:
            unknown, and the levels add up to ``level`` (Bonferroni).
        level: of the whole round.

    Levels are in proportion to the weights, as large as the joint normal law of the statistics allows (Bretz, Posch, Glimm,
    Klinglmueller, Maurer, Rohmeyer 2011, "Graphical approaches for multiple comparison procedures using weighted Bonferroni,
    Simes, or parametric tests", section 4; Dunnett 1955 for equal weights).

    >>> [round(found, 4) for found in joint_levels((1.0, 1.0), ((1.0, 0.5), (0.5, 1.0)), 0.05)]
    [0.0277, 0.0277]
    """
    total = sum(weights)
    shares = [weight / total for weight in weights]
    if correlation is None or len(weights) > MOST:
        return tuple(level * share for share in shares)
    low, high = level, level * len(weights)
    for _ in range(30):
        middle = (low + high) / 2
        inside = any_rejected(tuple(middle * share for share in shares), correlation) <= level
        low, high = (middle, high) if inside else (low, middle)
    return tuple(low * share for share in shares)


@lru_cache(maxsize=4_096)
def any_rejected(levels: tuple[float, ...], correlation: Correlation | None) -> float:
    """The chance that at least one of several true null hypotheses is rejected at its level.

    The multivariate normal probability is computed by separation of variables (Genz 1992, Journal of Computational and
    Graphical Statistics 1) on a fixed lattice, so that the same question has the same answer everywhere.
    """
    used = [number for number, level in enumerate(levels) if level > 0]
    if not used:
        return 0.0
    if len(used) == 1:
        return levels[used[0]]
    bonferroni = min(1.0, sum(levels))
    if correlation is None or len(used) > MOST:
        return bonferroni
    bounds = np.array([-normal_quantile(min(levels[number], 1 - 1e-12)) for number in used])
    matrix = np.array(correlation, dtype=np.float64)[np.ix_(used, used)]
    try:
        chance = 1 - _below(bounds, matrix)
    except np.linalg.LinAlgError:  # rounded correlations of tests that are almost one need not be those of any law
        return bonferroni
    return min(bonferroni, max(chance, max(levels)))


def _below(bounds: npt.NDArray[np.float64], correlation: npt.NDArray[np.float64]) -> float:
    """P(all Z < bounds) for Z normal with this correlation."""
    from scipy.special import ndtr, ndtri

    m = len(bounds)
    ridge = 2e-6 * m  # more than the rounding of the correlations can take off the smallest eigenvalue
    root = np.linalg.cholesky((1 - ridge) * correlation + ridge * np.eye(m))
    steps = np.sqrt(np.array(_PRIMES[: m - 1], dtype=np.float64))
    points = np.abs(2 * (np.arange(1, POINTS + 1)[:, None] * steps % 1.0) - 1)  # the tent evens the lattice out
    chance = np.full(POINTS, float(ndtr(bounds[0] / root[0, 0])))
    share, drawn = chance.copy(), np.zeros((POINTS, m - 1))
    for place in range(1, m):
        drawn[:, place - 1] = ndtri(np.clip(points[:, place - 1] * share, 1e-300, 1 - 1e-16))
        share = ndtr((bounds[place] - drawn[:, :place] @ root[place, :place]) / root[place, place])
        chance *= share
    return float(chance.mean())


def correlation_of(influences: Sequence[npt.NDArray[np.float64]]) -> Correlation:
    """How several comparisons on the same rows hang together.

    Args:
        influences: of each, shape (n,), zero for rows (or units) that it did not use.
    """
    matrix = np.stack(influences)
    norms = np.sqrt((matrix**2).sum(axis=1))
    scaled = matrix / np.where(norms > 0, norms, 1.0)[:, None]
    found = np.clip(scaled @ scaled.T, -1.0, 1.0)
    np.fill_diagonal(found, 1.0)
    return tuple(tuple(round(float(cell), 6) for cell in row) for row in found)


def looks(count: int) -> tuple[float, ...]:
    """The part of a challenger's level for each of its looks, when evidence is bought between them.

    The looks before the last share a tenth: enough to end early what is beyond doubt, and next to nothing off the last
    (Haybittle 1971, Peto et al. 1976; the levels add up, so the looks may depend on each other in any way).

    >>> looks(1), looks(3)
    ((1.0,), (0.05, 0.05, 0.9))
    """
    if count == 1:
        return (1.0,)
    return (*(0.1 / (count - 1),) * (count - 1), 0.9)


def optimism(error: float, looked: int) -> float:
    """How much too high the best of so many estimates is expected to be, when none is truly better than another.

    Args:
        error: standard error of one estimate.
        looked: how many were seen.

    The expected maximum of normal values is at most ``error * sqrt(2 ln looked)`` (Boucheron, Lugosi, Massart 2013, 2.5).
    """
    return error * math.sqrt(2 * math.log(looked)) if looked > 1 else 0.0
