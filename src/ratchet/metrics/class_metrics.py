"""Metrics of classification: accuracy, macro-F1, weighted F1, MCC, AUC and log loss."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ratchet.errors import RatchetError
from ratchet.metrics.bootstrap import bca
from ratchet.metrics.evidence import Evidence
from ratchet.metrics.macro_f1 import confusion, macro_f1_difference, macro_f1_of
from ratchet.metrics.means import mean_difference, mean_interval
from ratchet.metrics.metric import Metric, Setting, compare_rows, over_seeds, row_mean
from ratchet.metrics.paired_tests import Floats, Paired
from ratchet.metrics.proportions import wilson
from ratchet.metrics.ranking import auc, auc_difference, delong_interval
from ratchet.metrics.smooth import MCC, WEIGHTED_F1, Smooth, smooth_difference

RAREST = 0.001
"""The smallest probability that the log loss counts: one row costs 6.9 nats at most, so that no single row decides."""
NEEDS = ("truth", "probability")


def _right(evidence: Evidence) -> Floats:
    """Whether each row is right, 0 or 1, shape (n,)."""
    right: Floats = (evidence.predicted == evidence.truth).astype(np.float64)
    return right


def _accuracy(evidence: Evidence) -> float:
    return float(over_seeds(evidence, _right).mean())


def _compare_accuracy(a: Evidence, b: Evidence, setting: Setting) -> Paired:
    return compare_rows(a, b, _right, setting, unskewed=False)


def _accuracy_interval(evidence: Evidence, alpha: float, seed: int) -> tuple[float, float]:
    del seed
    n = len(evidence.rows)
    return wilson(_accuracy(evidence) * n, n, alpha=alpha)


def _row_log_loss(evidence: Evidence) -> Floats:
    """Negative log-probability of the true class, clipped at `RAREST`, shape (n,)."""
    index = np.arange(len(evidence.truth))
    true = evidence.probability[index, evidence.truth].astype(np.float64)
    loss: Floats = -np.log(np.clip(true, RAREST, 1.0))
    return loss


def _compare_log_loss(a: Evidence, b: Evidence, setting: Setting) -> Paired:
    saved = over_seeds(b, _row_log_loss) - over_seeds(a, _row_log_loss)
    return mean_difference(saved, worst=-math.log(RAREST), seed=setting.seed, draws=setting.draws)


def _log_loss_interval(evidence: Evidence, alpha: float, seed: int) -> tuple[float, float]:
    return mean_interval(-over_seeds(evidence, _row_log_loss), alpha=alpha, generator=np.random.default_rng(seed))


def _macro_f1(evidence: Evidence) -> float:
    k = evidence.probability.shape[-1]
    return float(macro_f1_of(confusion(evidence.truth, evidence.predicted, k)[None].astype(np.float64))[0])


def _compare_macro_f1(a: Evidence, b: Evidence, setting: Setting) -> Paired:
    classes = max(a.probability.shape[-1], b.probability.shape[-1])  # one more where somebody gave no answer
    return macro_f1_difference(
        a.truth, a.predicted, b.predicted, classes=classes, seed=setting.seed, draws=min(setting.draws, 1_999)
    )


def _macro_f1_interval(evidence: Evidence, alpha: float, seed: int) -> tuple[float, float]:
    return _matrix_interval(evidence, macro_f1_of, alpha=alpha, seed=seed)


def _matrix_interval(
    evidence: Evidence, value: Callable[[Floats], Floats], *, alpha: float, seed: int
) -> tuple[float, float]:
    """Of a function of confusion matrices, shape (b, k, k)."""
    k = evidence.probability.shape[-1]
    cells = confusion(evidence.truth, evidence.predicted, k).ravel()
    used = np.flatnonzero(cells)

    def statistic(weights: Floats) -> Floats:
        matrix = np.zeros((len(weights), k * k))
        matrix[:, used] = weights
        return value(matrix.reshape(-1, k, k))

    return bca(cells[used], statistic, alpha=alpha, generator=np.random.default_rng(seed))


def _sums(matrices: Floats) -> Floats:
    """Hits, true and given rows of each class, shape (b, 3 k), from confusion matrices of shape (b, k, k)."""
    hits = np.diagonal(matrices, axis1=1, axis2=2)
    return np.concatenate([hits, matrices.sum(axis=2), matrices.sum(axis=1)], axis=1)


def _memberships(evidence: Evidence, other: Evidence | None = None) -> npt.NDArray[np.uint8]:
    """Hits, true and given rows of each class, shape (n, 3 k); of two contenders k is that of the one with more columns."""
    k = max(side.probability.shape[-1] for side in (evidence, other or evidence))
    row, found = np.arange(len(evidence.rows)), np.zeros((len(evidence.rows), 3, k), dtype=np.uint8)
    found[row, 1, evidence.truth] = 1
    found[row, 2, evidence.predicted] = 1
    found[:, 0] = found[:, 1] & found[:, 2]
    return found.reshape(len(row), 3 * k)


def _of_memberships(name: str, function: Smooth) -> Metric:
    def compare(a: Evidence, b: Evidence, setting: Setting) -> Paired:
        first, second = _memberships(a, b), _memberships(b, a)
        return smooth_difference(first, second, function, seed=setting.seed, draws=setting.draws)

    return Metric(
        name=name,
        needs=NEEDS,
        value=lambda evidence: function.of(_memberships(evidence)),
        compare=compare,
        interval=lambda evidence, alpha, seed: _matrix_interval(
            evidence, lambda cells: function.value(_sums(cells)), alpha=alpha, seed=seed
        ),
        unit="points" if function is WEIGHTED_F1 else "",
        scale=100.0 if function is WEIGHTED_F1 else 1.0,
    )


def _positive(evidence: Evidence) -> tuple[npt.NDArray[np.bool_], Floats]:
    columns = evidence.probability.shape[-1]
    unanswered = columns == 3 and evidence.truth.max(initial=0) < 2  # one column more where somebody gave no answer
    if columns != 2 and not unanswered:
        raise RatchetError(
            f"The metric auc must have two classes but got {columns}.",
            next_step="Use macro_f1 or accuracy.",
        )
    positive = evidence.truth == 1
    if positive.all() or not positive.any():
        raise RatchetError("The metric auc must have rows of both classes but got one.", next_step="Use accuracy.")
    scores = evidence.probability[:, 1].astype(np.float64)
    return positive, np.where(evidence.predicted == 2, ~positive, scores) if unanswered else scores


def _compare_auc(a: Evidence, b: Evidence, setting: Setting) -> Paired:
    (truth, first), (_, second) = _positive(a), _positive(b)
    draws = min(
        setting.draws, 1_999 if len(truth) <= 2_000 else 499
    )  # the tail beyond is read off the normal fit anyway
    return auc_difference(truth, first, second, seed=setting.seed, draws=draws)


def _auc_interval(evidence: Evidence, alpha: float, seed: int) -> tuple[float, float]:
    del seed
    return delong_interval(*_positive(evidence), alpha=alpha)


CLASS_METRICS = (
    Metric(
        name="accuracy",
        needs=NEEDS,
        value=_accuracy,
        compare=_compare_accuracy,
        interval=_accuracy_interval,
        seeds=True,
    ),
    row_mean("accuracy", unit="points", scale=100.0),  # of several answers to a row
    Metric(name="macro_f1", needs=NEEDS, value=_macro_f1, compare=_compare_macro_f1, interval=_macro_f1_interval),
    _of_memberships("weighted_f1", WEIGHTED_F1),
    _of_memberships("mcc", MCC),
    Metric(
        name="auc",
        needs=NEEDS,
        value=lambda evidence: auc(*_positive(evidence)),
        compare=_compare_auc,
        interval=_auc_interval,
        needs_probability=True,
    ),
    Metric(
        name="log_loss",
        needs=NEEDS,
        value=lambda evidence: -float(over_seeds(evidence, _row_log_loss).mean()),
        compare=_compare_log_loss,
        interval=_log_loss_interval,
        unit="nats",
        scale=1.0,
        sign=-1,
        seeds=True,
        needs_probability=True,
    ),
)
