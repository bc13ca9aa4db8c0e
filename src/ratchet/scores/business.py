"""Any metric of a task as one number, for whoever needs no verdict: early stopping, and the search for settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ratchet.errors import RatchetError
from ratchet.metrics.evidence import Evidence
from ratchet.metrics.metrics import find_metric
from ratchet.metrics.own_function import Goal
from ratchet.scores.by_name import text_score

Array = npt.NDArray[Any]


class RightAnswers(Protocol):
    """The right answers of n rows, as `models.targets.Targets` has them."""

    @property
    def kind(self) -> str:
        """``classes``, ``labels``, ``value`` or ``texts``."""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of an answer."""

    @property
    def values(self) -> Array:
        """(n,) or (n, k)."""


def score_of(
    name: str, targets: RightAnswers, answers: Array, *, features: Mapping[str, Array] | None = None
) -> tuple[float, Goal]:
    """The value of a metric on some rows, as people read it, and whether more ("max") or less ("min") of it is better.

    Args:
        name: any metric of the task that is a function of its answers, or ``module:function`` of the user's, which may end
            with ``:min``.
        targets: the right answers of n rows.
        answers: shape (n, k), as a model gives them: probabilities, one number, or one text.
        features: columns of the table, (n,) each, which an own metric may take.

    Raises:
        RatchetError: there are no rows, or the metric cannot be computed of them; the message says why.

    >>> from ratchet.models.targets import Targets
    >>> score_of("accuracy", Targets.of_labels(["a", "b"]), np.array([[0.9, 0.1], [0.6, 0.4]]))
    (0.5, 'max')
    """
    if not len(answers):
        raise RatchetError(f"The metric {name} must have a row at least but got none.")
    right, outcomes = _columns(name, targets, answers)
    evidence = Evidence(
        name="these answers",
        rows=np.arange(len(answers)),
        targets=right,
        outcomes=outcomes,
        labels=targets.names,
        features=features or {},
    )
    metric = find_metric(name, evidence)
    value = metric.sign * metric.value(evidence)
    return value + 0.0, "max" if metric.sign > 0 else "min"


def _columns(name: str, targets: RightAnswers, answers: Array) -> tuple[dict[str, Array], dict[str, Array]]:
    match targets.kind:
        case "classes":
            return {"truth": targets.values}, {"probability": answers}
        case "labels":
            return {"labels": targets.values}, {"membership": answers}
        case "value":
            return {"value": targets.values}, {"value": np.asarray(answers).reshape(len(answers), -1)[:, 0]}
    given, references = answers[:, 0].tolist(), targets.values.tolist()
    return {}, {name: text_score(name)(given, references)}
