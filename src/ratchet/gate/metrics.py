"""Metrics: how a model's predictions become a score, and which paired test compares two of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ratchet.errors import RatchetError
from ratchet.gate.paired_tests import (
    DRAWS,
    Floats,
    Ints,
    Paired,
    auc,
    auc_difference,
    bca,
    delong_interval,
    log_ratio,
    macro_f1_difference,
    mcnemar,
    mean_difference,
    mean_interval,
    wilson,
)

RAREST = 0.001
"""The smallest probability that the log loss counts: one row costs 6.9 nats at most, so that no single row decides."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """What one contender did on rows it was not trained on.

    Args:
        name: the contender's name.
        rows: shape (n,), distinct row ids; two contenders are compared on the ids they share.
        truth: shape (n,), true classes 0 ... k - 1.
        probability: shape (n, k), or (s, n, k) for s seeds of the same training.
        fold: shape (n,), the fold each row was held out in; ``None`` for one fixed model.
        unit: shape (n,), equal for rows that belong together (a group, near-copies, one user); ``None``: each row alone.
        chance: whether training draws lots, so that another seed of it is another model (a neural network).
        measures: quantities where less is better ("bytes", "latency"), each of shape (r,): r interleaved rounds, or one
            value that does not vary.
    """

    name: str
    rows: Ints
    truth: Ints
    probability: npt.NDArray[np.float32] | Floats
    fold: Ints | None = None
    unit: Ints | None = None
    chance: bool = False
    measures: Mapping[str, Floats] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.rows)
        if self.probability.ndim not in (2, 3) or self.probability.shape[-2] != n or len(self.truth) != n:
            raise RatchetError(
                f"Evidence of {self.name!r} must have as many probabilities and true classes as rows but got "
                f"{self.probability.shape}, {len(self.truth)} and {n}."
            )
        if len(np.unique(self.rows)) != n:
            raise RatchetError(f"Evidence of {self.name!r} must name each row once but got a row twice.")
        if not np.isfinite(self.probability).all():
            raise RatchetError(f"Evidence of {self.name!r} must hold finite probabilities but got NaN or infinity.")

    @property
    def predicted(self) -> Ints:
        """Predicted classes, shape (n,), or (s, n) for several seeds."""
        classes: Ints = self.probability.argmax(axis=-1)
        return classes

    def on(self, rows: Ints) -> Evidence:
        """The evidence restricted to the given row ids, in that order."""
        order = np.argsort(self.rows)
        where = order[np.searchsorted(self.rows, rows, sorter=order)]
        return Evidence(
            name=self.name,
            rows=rows,
            truth=self.truth[where],
            probability=self.probability[..., where, :],
            fold=None if self.fold is None else self.fold[where],
            unit=None if self.unit is None else self.unit[where],
            chance=self.chance,
            measures=self.measures,
        )


@dataclass(frozen=True, kw_only=True)
class Score:
    """One metric of one model on some rows, with a two-sided 95 % interval."""

    value: float
    low: float
    high: float
    n: int
    metric: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"value": self.value, "low": self.low, "high": self.high, "n": self.n, "metric": self.metric}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How a paired test resamples."""

    seed: int = 0
    draws: int = DRAWS


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric: its value, its paired test, its interval, and how people read it; higher is better."""

    name: str
    value: Callable[[Evidence], float]
    """Of single-seed evidence."""
    compare: Callable[[Evidence, Evidence, Setting], Paired]
    interval: Callable[[Evidence, float, int], tuple[float, float]]
    """Two-sided interval of the value, from the evidence, one minus the confidence, and a seed."""
    unit: str = "points"
    scale: float = 100.0
    """Units in 1: a share of .01 is one point."""
    seeds: bool = False
    """Whether the paired test takes evidence of several seeds."""
    needs_probability: bool = False
    """Whether it reads the probabilities, not only which class is the most probable."""

    def told(self, value: float) -> str:
        """A difference for people, without its unit."""
        return f"{value * self.scale:+.2f}"


def _right(evidence: Evidence) -> Floats:
    """Share of seeds that have each row right, shape (n,)."""
    right = (evidence.predicted == evidence.truth).astype(np.float64)
    mean: Floats = right if right.ndim == 1 else right.mean(axis=0)
    return mean


def _compare_accuracy(a: Evidence, b: Evidence, setting: Setting) -> Paired:
    difference = _right(a) - _right(b)
    if a.probability.ndim == b.probability.ndim == 2:
        wins, losses = int((difference > 0).sum()), int((difference < 0).sum())
        found = mcnemar(wins, losses, len(difference))
        return replace(found, influence=difference - difference.mean())
    return mean_difference(difference, **asdict(setting))


def _row_log_loss(evidence: Evidence) -> Floats:
    """Negative log-probability of the true class, clipped at `RAREST`; mean over seeds; shape (n,)."""
    index = np.arange(len(evidence.truth))
    true = evidence.probability[..., index, evidence.truth].astype(np.float64)
    loss: Floats = -np.log(np.clip(true, RAREST, 1.0))
    return loss if loss.ndim == 1 else loss.mean(axis=0)


def _compare_log_loss(a: Evidence, b: Evidence, setting: Setting) -> Paired:
    return mean_difference(_row_log_loss(b) - _row_log_loss(a), worst=-math.log(RAREST), **asdict(setting))


def confusion(truth: Ints, predicted: Ints, classes: int) -> Ints:
    """Counts of shape (classes, classes), [true, predicted]."""
    flat = np.bincount(truth * classes + predicted, minlength=classes * classes)
    matrix: Ints = flat.reshape(classes, classes)
    return matrix


def macro_f1_of(matrices: Floats) -> Floats:
    """Macro-F1 of confusion matrices of shape (b, k, k); a class with no row and no prediction is left out."""
    true = matrices.sum(axis=2)
    predicted = matrices.sum(axis=1)
    hits = np.diagonal(matrices, axis1=1, axis2=2)
    present = (true + predicted) > 0
    f1 = np.where(present, 2 * hits / np.maximum(true + predicted, 1e-12), 0.0)
    mean: Floats = f1.sum(axis=1) / np.maximum(present.sum(axis=1), 1)
    return mean


def _macro_f1(evidence: Evidence) -> float:
    k = evidence.probability.shape[-1]
    return float(macro_f1_of(confusion(evidence.truth, evidence.predicted, k)[None].astype(np.float64))[0])


def _compare_macro_f1(a: Evidence, b: Evidence, setting: Setting) -> Paired:
    classes = a.probability.shape[-1]
    return macro_f1_difference(
        a.truth, a.predicted, b.predicted, classes=classes, seed=setting.seed, draws=min(setting.draws, 1_999)
    )


def _positive(evidence: Evidence) -> tuple[npt.NDArray[np.bool_], Floats]:
    if evidence.probability.shape[-1] != 2:
        raise RatchetError(
            f"The metric auc must have two classes but got {evidence.probability.shape[-1]}.",
            next_step="Use macro_f1 or accuracy.",
        )
    positive = evidence.truth == 1
    if positive.all() or not positive.any():
        raise RatchetError("The metric auc must have rows of both classes but got one.", next_step="Use accuracy.")
    return positive, evidence.probability[:, 1].astype(np.float64)


def _auc(evidence: Evidence) -> float:
    return auc(*_positive(evidence))


def _compare_auc(a: Evidence, b: Evidence, setting: Setting) -> Paired:
    (truth, first), (_, second) = _positive(a), _positive(b)
    draws = min(
        setting.draws, 1_999 if len(truth) <= 2_000 else 499
    )  # the tail beyond is read off the normal fit anyway
    return auc_difference(truth, first, second, seed=setting.seed, draws=draws)


def _accuracy_interval(evidence: Evidence, alpha: float, seed: int) -> tuple[float, float]:
    del seed
    n = len(evidence.rows)
    return wilson(float(_right(evidence).mean()) * n, n, alpha=alpha)


def _macro_f1_interval(evidence: Evidence, alpha: float, seed: int) -> tuple[float, float]:
    k = evidence.probability.shape[-1]
    cells = confusion(evidence.truth, evidence.predicted, k).ravel()
    used = np.flatnonzero(cells)

    def statistic(weights: Floats) -> Floats:
        matrix = np.zeros((len(weights), k * k))
        matrix[:, used] = weights
        return macro_f1_of(matrix.reshape(-1, k, k))

    return bca(cells[used], statistic, alpha=alpha, generator=np.random.default_rng(seed))


def _auc_interval(evidence: Evidence, alpha: float, seed: int) -> tuple[float, float]:
    del seed
    return delong_interval(*_positive(evidence), alpha=alpha)


def _log_loss_interval(evidence: Evidence, alpha: float, seed: int) -> tuple[float, float]:
    return mean_interval(-_row_log_loss(evidence), alpha=alpha, generator=np.random.default_rng(seed))


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            name="accuracy",
            value=lambda evidence: float(_right(evidence).mean()),
            compare=_compare_accuracy,
            interval=_accuracy_interval,
            seeds=True,
        ),
        Metric(name="macro_f1", value=_macro_f1, compare=_compare_macro_f1, interval=_macro_f1_interval),
        Metric(name="auc", value=_auc, compare=_compare_auc, interval=_auc_interval, needs_probability=True),
        Metric(
            name="log_loss",
            value=lambda evidence: -float(_row_log_loss(evidence).mean()),
            compare=_compare_log_loss,
            interval=_log_loss_interval,
            unit="nats",
            scale=1.0,
            seeds=True,
            needs_probability=True,
        ),
    )
}
"""Every metric reads "higher is better"; log_loss is negated. A new metric is one entry here."""


def compare_measure(name: str, a: Evidence, b: Evidence) -> Paired:
    """The relative saving of a measured quantity, from interleaved rounds."""
    for evidence in (a, b):
        if name not in evidence.measures:
            known = ", ".join([*METRICS, *evidence.measures])
            raise RatchetError(
                f"The metric must be one of {known} but got {name!r}.", next_step="Correct the name of the metric."
            )
    first, second = np.asarray(a.measures[name], np.float64), np.asarray(b.measures[name], np.float64)
    if len(first) != len(second) or not len(first) or min(first.min(), second.min()) <= 0:
        raise RatchetError(
            f"The measure {name!r} must have as many positive rounds in both models but got {len(first)} and {len(second)}."
        )
    return log_ratio(first, second)


def score(evidence: Evidence, metric: str, *, alpha: float = 0.05, seed: int = 0) -> Score:
    """A metric of one model with its interval.

    Out-of-fold rows give the interval of the average of the fold models on these rows; the spread between training sets is
    not in it (`verdict.compare` accounts for that where it decides something).
    """
    found = METRICS[metric]
    low, high = found.interval(evidence, alpha, seed)
    return Score(value=found.value(evidence), low=low, high=high, n=len(evidence.rows), metric=metric)
