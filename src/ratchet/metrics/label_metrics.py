"""Metrics of multilabel answers: subset accuracy, micro-F1 and macro-F1."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ratchet.errors import RatchetError
from ratchet.metrics.evidence import Evidence
from ratchet.metrics.metric import Metric, Setting, compare_rows, over_seeds, row_interval, row_mean
from ratchet.metrics.paired_tests import Floats, Paired
from ratchet.metrics.smooth import F1, smooth_difference, smooth_interval

NEEDS = ("labels", "membership")
GIVEN = 0.5
"""From this probability on a label is given."""
Counts = npt.NDArray[np.uint8] | npt.NDArray[np.int64]


def _sides(evidence: Evidence) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """True and given labels, shape (n, k) each."""
    true, membership = evidence.targets["labels"], evidence.outcomes["membership"]
    if true.shape != membership.shape or true.ndim != 2:
        raise RatchetError(
            f"Evidence of {evidence.name!r} must have a probability of each label but got {membership.shape} for "
            f"{true.shape}."
        )
    return true.astype(bool), membership >= GIVEN


def _all_right(evidence: Evidence) -> Floats:
    """Whether all labels of a row are right, 0 or 1, shape (n,)."""
    true, given = _sides(evidence)
    right: Floats = (true == given).all(axis=1).astype(np.float64)
    return right


def _of_each(evidence: Evidence) -> Counts:
    """Hits of each label, then its true and given places together, shape (n, 2 k)."""
    true, given = _sides(evidence)
    return np.concatenate([true & given, true.astype(np.uint8) + given], axis=1, dtype=np.uint8)


def _of_all(evidence: Evidence) -> Counts:
    """Hits of all labels, and true and given places together, shape (n, 2)."""
    hits, total = np.split(_of_each(evidence), 2, axis=1)
    return np.stack([hits.sum(axis=1, dtype=np.int64), total.sum(axis=1, dtype=np.int64)], axis=1)


def _f1(name: str, counts: Callable[[Evidence], Counts]) -> Metric:
    def compare(a: Evidence, b: Evidence, setting: Setting) -> Paired:
        first, second = counts(a), counts(b)
        doubt = (_one_more(first) + _one_more(second)) / 2
        return smooth_difference(
            first, second, F1, rare=float((doubt**2).sum()), seed=setting.seed, draws=setting.draws
        )

    def interval(evidence: Evidence, alpha: float, seed: int) -> tuple[float, float]:
        return smooth_interval(counts(evidence), F1, alpha=alpha, generator=np.random.default_rng(seed))

    return Metric(
        name=name, needs=NEEDS, value=lambda evidence: F1.of(counts(evidence)), compare=compare, interval=interval
    )


def _one_more(counts: Counts) -> Floats:
    """What one more wrong row of each label would take, shape (k,): rare labels are doubted, as rare classes are."""
    total = np.split(counts.sum(axis=0, dtype=np.float64), 2)[1]
    present = total > 0
    found: Floats = np.where(present, 2 / np.where(present, total, 1.0), 0.0) / max(int(present.sum()), 1)
    return found


LABEL_METRICS = (
    Metric(
        name="subset_accuracy",
        needs=NEEDS,
        value=lambda evidence: float(over_seeds(evidence, _all_right).mean()),
        compare=lambda a, b, setting: compare_rows(a, b, _all_right, setting),
        interval=lambda evidence, alpha, seed: row_interval(over_seeds(evidence, _all_right), alpha, seed),
        seeds=True,
    ),
    row_mean("subset_accuracy", unit="points", scale=100.0),  # of several answers to a row
    _f1("micro_f1", _of_all),
    _f1("macro_f1", _of_each),
)
