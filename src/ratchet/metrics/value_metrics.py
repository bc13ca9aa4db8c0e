"""Metrics of regression: the mean absolute error, the root of the mean squared one, R2 and Spearman's correlation.

Nothing bounds the error of a row. A mean of such rows is doubted where a few of them are nearly all of it, and tested as if
one more row had been seen, as bad for the claim as the worst of them: Student's t alone too often calls a contender better
who errs rarely and far.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ratchet.errors import RatchetError
from ratchet.metrics.evidence import Evidence
from ratchet.metrics.means import few_decide, mean_difference, mean_interval
from ratchet.metrics.metric import Metric, Setting, over_seeds
from ratchet.metrics.paired_tests import Floats, Paired
from ratchet.metrics.ranking import spearman, spearman_difference, spearman_interval
from ratchet.metrics.smooth import R2, RMSE, Smooth, smooth_difference, smooth_interval

NEEDS = ("value",)


def _sides(evidence: Evidence) -> tuple[Floats, Floats]:
    """True and predicted values, shape (n,) each."""
    true, said = evidence.targets["value"], evidence.outcomes["value"]
    if true.ndim != 1 or said.ndim != 1:
        raise RatchetError(
            f"Evidence of {evidence.name!r} must have one value a row but got {true.shape} and {said.shape}."
        )
    return true.astype(np.float64), said.astype(np.float64)


def _row_error(evidence: Evidence) -> Floats:
    """The absolute error of each row, shape (n,)."""
    true, said = _sides(evidence)
    return np.abs(said - true)


def _compare_mae(a: Evidence, b: Evidence, setting: Setting) -> Paired:
    first, second = over_seeds(a, _row_error), over_seeds(b, _row_error)
    saved = second - first
    found = mean_difference(saved, worst=float(np.abs(saved).max()), seed=setting.seed, draws=setting.draws)
    return replace(found, doubt=few_decide(first, second))


def _mae_interval(evidence: Evidence, alpha: float, seed: int) -> tuple[float, float]:
    return mean_interval(-over_seeds(evidence, _row_error), alpha=alpha, generator=np.random.default_rng(seed))


def _squares(evidence: Evidence) -> Floats:
    """Squared error and one, shape (n, 2)."""
    error = _row_error(evidence)
    return np.stack([error**2, np.ones(len(error))], axis=1)


def _with_targets(evidence: Evidence) -> Floats:
    """Squared error, one, target and squared target, shape (n, 4); targets around their mean, so that no digit is lost."""
    true = _sides(evidence)[0]
    centred = true - true.mean()
    if not centred.any():
        raise RatchetError("The metric r2 must have targets that differ but got one value.", next_step="Use mae.")
    return np.concatenate([_squares(evidence), centred[:, None], centred[:, None] ** 2], axis=1)


def _compare_squares(a: Evidence, b: Evidence, function: Smooth, setting: Setting) -> Paired:
    first, second = (_squares(side) if function is RMSE else _with_targets(side) for side in (a, b))
    found = smooth_difference(first, second, function, unbounded=True, seed=setting.seed, draws=setting.draws)
    return replace(found, doubt=few_decide(first[:, 0], second[:, 0]))


VALUE_METRICS = (
    Metric(
        name="mae",
        needs=NEEDS,
        value=lambda evidence: -float(over_seeds(evidence, _row_error).mean()),
        compare=_compare_mae,
        interval=_mae_interval,
        unit="",
        scale=1.0,
        sign=-1,
        seeds=True,
        bounded=False,
    ),
    Metric(
        name="rmse",
        needs=NEEDS,
        value=lambda evidence: RMSE.of(_squares(evidence)),
        compare=lambda a, b, setting: _compare_squares(a, b, RMSE, setting),
        interval=lambda evidence, alpha, seed: smooth_interval(
            _squares(evidence), RMSE, alpha=alpha, generator=np.random.default_rng(seed)
        ),
        unit="",
        scale=1.0,
        sign=-1,
        bounded=False,
    ),
    Metric(
        name="r2",
        needs=NEEDS,
        value=lambda evidence: R2.of(_with_targets(evidence)),
        compare=lambda a, b, setting: _compare_squares(a, b, R2, setting),
        interval=lambda evidence, alpha, seed: smooth_interval(
            _with_targets(evidence), R2, alpha=alpha, generator=np.random.default_rng(seed)
        ),
        unit="",
        scale=1.0,
    ),
    Metric(
        name="spearman",
        needs=NEEDS,
        value=lambda evidence: spearman(*_sides(evidence)),
        compare=lambda a, b, _: spearman_difference(*_sides(a), _sides(b)[1]),
        interval=lambda evidence, alpha, _: spearman_interval(*_sides(evidence), alpha=alpha),
        unit="",
        scale=1.0,
    ),
)
