"""The metrics that there are, found by their name and by the columns of the evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ratchet.errors import RatchetError
from ratchet.metrics.answer_metrics import ANSWER_METRICS
from ratchet.metrics.class_metrics import CLASS_METRICS
from ratchet.metrics.evidence import Evidence
from ratchet.metrics.label_metrics import LABEL_METRICS
from ratchet.metrics.means import log_ratio
from ratchet.metrics.metric import Metric, fits, row_mean
from ratchet.metrics.own_function import divided, is_own
from ratchet.metrics.own_metric import own_metrics
from ratchet.metrics.paired_tests import Paired
from ratchet.metrics.value_metrics import VALUE_METRICS

METRICS: tuple[Metric, ...] = (*CLASS_METRICS, *LABEL_METRICS, *VALUE_METRICS, *ANSWER_METRICS)
"""Every metric reads "higher is better"; an error is negated. Those of one name need other columns, and share a unit."""
MEASURED = tuple(metric.name for metric in METRICS if metric.saving)
"""What an answer took, its cost and its latency: less is better, and a claim may be that it is several times less."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """One metric of one model on some rows, with a two-sided 95 % interval."""

    value: float
    low: float
    high: float
    n: int
    metric: str

    @property
    def shown(self) -> tuple[float, float, float]:
        """Value and interval as people read them: an error is not negated."""
        if named(self.metric)[0].sign > 0:
            return self.value, self.low, self.high
        return -self.value, -self.high, -self.low

    @property
    def line(self) -> str:
        """The score for people: "accuracy 81.2% [79.0%, 83.1%]"."""
        metric, (value, low, high) = named(self.metric)[0], self.shown
        return f"{self.metric} {_shown(metric, value)} [{_shown(metric, low)}, {_shown(metric, high)}]"

    def beside(self, other: Score) -> str:
        """The difference to another score, and that score, for people: "+0.4 points beside 80.8%"."""
        metric = named(self.metric)[0]
        change = self.shown[0] - other.shown[0]
        gap = f"{change * metric.scale:+.1f} points" if metric.unit == "points" else f"{change:+.3g}"
        return f"{gap} beside {_shown(metric, other.shown[0])}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"value": self.value, "low": self.low, "high": self.high, "n": self.n, "metric": self.metric}


def _shown(metric: Metric, value: float) -> str:
    return f"{value:.1%}" if metric.unit == "points" else f"{value:.4g}"


def named(name: str) -> tuple[Metric, ...]:
    """The metrics of a name, for one or several tasks; of a name that is none, the mean of the column of that name, and of
    ``module:function`` what that is of classes, labels and values."""
    if is_own(name):
        return (*own_metrics(name), row_mean(name, sign=-1 if divided(name)[1] == "min" else 1))
    return tuple(metric for metric in METRICS if metric.name == name) or (row_mean(name),)


def judged_by(evidence: Evidence) -> tuple[str, ...]:
    """Names that the evidence can be judged by."""
    read = {column for metric in METRICS for column in metric.needs}
    plain = [name for name, values in evidence.outcomes.items() if name not in read and values.ndim == 1]
    able = [metric.name for metric in METRICS if fits(metric, evidence.columns)]
    return tuple(dict.fromkeys([*able, *plain, *evidence.measures]))


def find_metric(name: str, evidence: Evidence) -> Metric:
    """The metric of that name which reads the columns that are there.

    Raises:
        RatchetError: there is none; the message names what the evidence can be judged by.
    """
    found = next((metric for metric in named(name) if fits(metric, evidence.columns)), None)
    if found is None:
        known = ", ".join(judged_by(evidence)) or "nothing"
        raise RatchetError(
            f"The metric must be one of {known} but got {name!r}.", next_step="Correct the name of the metric."
        )
    return found


def is_measure(name: str, evidence: Evidence) -> bool:
    """Whether the name is a quantity that was measured in rounds, and no metric of the rows."""
    return name in evidence.measures and not any(fits(metric, evidence.columns) for metric in named(name))


def compare_measure(name: str, a: Evidence, b: Evidence) -> Paired:
    """The relative saving of a measured quantity, from interleaved rounds."""
    if name not in b.measures:
        known = ", ".join(judged_by(b))
        raise RatchetError(
            f"The metric must be one of {known} but got {name!r}.", next_step=f"Measure {name} of {b.name!r} too."
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
    found = find_metric(metric, evidence)
    evidence = evidence.on(evidence.measured(found.needs)) if evidence.known else evidence
    low, high = found.interval(evidence, alpha, seed)
    return Score(value=found.value(evidence), low=low, high=high, n=len(evidence.rows), metric=metric)
