"""A metric: what a score is, how two of them are compared, and how people read it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ratchet.errors import RatchetError
from ratchet.metrics.evidence import Evidence
from ratchet.metrics.means import mean_difference, mean_interval
from ratchet.metrics.paired_tests import DRAWS, Floats, Paired
from ratchet.metrics.proportions import mcnemar, wilson


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How a paired test resamples, and by which factor a saving must be shown."""

    seed: int = 0
    draws: int = DRAWS
    factor: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric: its value, its paired test, its interval, and how people read it; higher is better."""

    name: str
    needs: tuple[str, ...]
    """The columns of targets and outcomes that it reads."""
    value: Callable[[Evidence], float]
    """Higher is better: an error is negated. With several seeds it is the mean over them, or of the first."""
    compare: Callable[[Evidence, Evidence, Setting], Paired]
    interval: Callable[[Evidence, float, int], tuple[float, float]]
    """Two-sided interval of the value, from the evidence, one minus the confidence, and a seed."""
    unit: str = "points"
    scale: float = 100.0
    """Units in 1: a share of .01 is one point."""
    sign: int = 1
    """-1 where people read the negated value: an error, a cost."""
    seeds: bool = False
    """Whether the paired test takes evidence of several seeds."""
    needs_probability: bool = False
    """Whether it reads the probabilities, not only which class is the most probable."""
    bounded: bool = True
    """Whether a value lies in a range that all tables share, so that a margin of a point means the same everywhere."""
    saving: bool = False
    """Whether a difference is a relative saving, which may be claimed by a factor."""

    def told(self, value: float) -> str:
        """A difference for people, without its unit."""
        return f"{value * self.scale:+.2f}" if self.unit else f"{value:+.3g}"

    def shown(self, value: float) -> str:
        """A value for people: an error as it is, a share in per cent."""
        own = self.sign * value
        return f"{own:.1%}" if self.unit == "points" else f"{own:.4g}"


def over_seeds(evidence: Evidence, rows: Callable[[Evidence], Floats]) -> Floats:
    """A score of each row, shape (n,): the mean over the seeds."""
    runs = [rows(run) for run in evidence.seed_runs()]
    mean: Floats = runs[0] if len(runs) == 1 else np.stack(runs).mean(axis=0)
    return mean


def compare_rows(
    a: Evidence, b: Evidence, rows: Callable[[Evidence], Floats], setting: Setting, *, unskewed: bool = True
) -> Paired:
    """The test of a mean over rows: McNemar's where every row of both is 0 or 1, else sign flips and t."""
    first, second = over_seeds(a, rows), over_seeds(b, rows)
    difference = first - second
    if not a.seeds and not b.seeds and _zero_or_one(first) and _zero_or_one(second):
        wins, losses = int((difference > 0).sum()), int((difference < 0).sum())
        return replace(mcnemar(wins, losses, len(difference)), influence=difference - difference.mean())
    found = mean_difference(difference, seed=setting.seed, draws=setting.draws)
    return found.unskewed() if unskewed else found


def row_interval(scores: Floats, alpha: float, seed: int) -> tuple[float, float]:
    """Interval of the mean of scores of shape (n,): Wilson's where all are 0 or 1, else a bootstrap's."""
    if _zero_or_one(scores):
        return wilson(float(scores.sum()), len(scores), alpha=alpha)
    return mean_interval(scores, alpha=alpha, generator=np.random.default_rng(seed))


def _zero_or_one(scores: Floats) -> bool:
    return bool(((scores == 0) | (scores == 1)).all())


def column(evidence: Evidence, name: str, *, width: int = 0) -> Floats:
    """An outcome as floats, shape (n,), or (n, width) where a width is given.

    Raises:
        RatchetError: it is not there, or has another shape.
    """
    if name not in evidence.outcomes:
        raise RatchetError(f"Evidence of {evidence.name!r} must have the outcome {name!r} but has none.")
    values: Floats = evidence.outcomes[name].astype(np.float64)
    if values.shape[1:] != ((width,) if width else ()):
        wanted = f"(rows, {width})" if width else "(rows,)"
        raise RatchetError(f"The column {name!r} of {evidence.name!r} must be {wanted} but got {values.shape}.")
    return values


def row_mean(name: str, *, unit: str = "", scale: float = 1.0, sign: int = 1) -> Metric:
    """The metric that is the mean of the column of its name, one score a row, higher is better."""

    def rows(evidence: Evidence) -> Floats:
        return column(evidence, name)

    return Metric(
        name=name,
        needs=(name,),
        value=lambda evidence: float(over_seeds(evidence, rows).mean()),
        compare=lambda a, b, setting: compare_rows(a, b, rows, setting),
        interval=lambda evidence, alpha, seed: row_interval(over_seeds(evidence, rows), alpha, seed),
        unit=unit,
        scale=scale,
        sign=sign,
        seeds=True,
        bounded=unit == "points",
    )


def fits(metric: Metric, columns: Sequence[str] | frozenset[str]) -> bool:
    """Whether all columns that the metric reads are there."""
    return set(metric.needs) <= set(columns)
