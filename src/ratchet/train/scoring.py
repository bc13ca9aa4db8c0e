"""Metrics of the answers to the valid rows after each epoch, which may choose it: any of the task, and the user's own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ratchet.errors import MetricFailed, RatchetError, RecipeError
from ratchet.metrics.metric import fits
from ratchet.metrics.metrics import METRICS, named
from ratchet.metrics.own_function import divided, is_own, known_as, own_function
from ratchet.models.model import Answers
from ratchet.models.targets import Targets
from ratchet.scores.business import score_of
from ratchet.scores.by_name import SCORES
from ratchet.train.identity import texts_hash

LAST = "last"
"""No metric: the last epoch is kept."""
_COLUMNS = {"classes": ("truth", "probability"), "labels": ("labels", "membership"), "value": ("value",)}


@dataclass(frozen=True, kw_only=True, eq=False)
class Scoring:
    """Metrics of n valid rows, beside what the objective says of them itself.

    Args:
        metrics: their names, as `scores.business.score_of` takes them.
        right: the right answers of the rows.
        features: columns of the table, (n,) each, which an own metric may take.
    """

    metrics: tuple[str, ...]
    right: Targets
    features: Mapping[str, npt.NDArray[Any]]
    beside: frozenset[str] = frozenset()
    """Those among the metrics that nothing depends on: without a value they are left out."""

    @classmethod
    def of(
        cls,
        wanted: Sequence[str],
        *,
        given: Collection[str],
        right: Targets,
        features: Mapping[str, npt.NDArray[Any]] | None = None,
        beside: Sequence[str] = (),
    ) -> Scoring:
        """The metrics that are wanted and not given, each tried on right answers before anything is trained.

        Args:
            wanted: names of metrics; ``last`` is none.
            given: what the objective gives itself.
            right: the right answers of the valid rows.
            features: as of the class.
            beside: further metrics, to be told where they have a value.

        Raises:
            RecipeError: there is no such metric of these answers.
            MetricFailed: one that is wanted fails on right answers.
        """
        require_measured((*wanted, *beside), given=given, kind=right.kind)
        metrics = tuple(dict.fromkeys(name for name in (*wanted, *beside) if name not in (LAST, *given)))
        found = cls(metrics=metrics, right=right, features=features or {}, beside=frozenset(beside).difference(wanted))
        if metrics and len(right):
            try:
                found.scores(_answered(right))
            except MetricFailed as problem:
                raise MetricFailed(
                    f"Before the first epoch, on right answers: {problem.problem}", next_step=problem.next_step
                ) from problem
        return found

    @property
    def goals(self) -> Mapping[str, int]:
        """Of each metric: 1 where more is better, -1 where less is."""
        return {name: named(name)[0].sign for name in self.metrics}

    @property
    def named_by(self) -> dict[str, Any]:
        """What names a training beside its settings: the source of own metrics, and what they read; empty without any."""
        own = [known_as(name) for name in self.metrics if is_own(name)]
        columns = [[str(cell) for cell in values.tolist()] for _, values in sorted(self.features.items())]
        return {"own_metrics": own, "features": texts_hash(*columns)} if own else {}

    def scores(self, answers: Answers) -> dict[str, float]:
        """The values, as people read them.

        Raises:
            MetricFailed: one has none for these answers, and is not only told beside.
        """
        found = {}
        for name in self.metrics:
            try:
                found[name] = score_of(name, self.right, answers, features=self.features)[0]
            except RatchetError as problem:
                if name not in self.beside:
                    raise MetricFailed(problem.problem, next_step=problem.next_step) from problem
        return found


def without_value(name: str, right: Targets) -> RatchetError | None:
    """Why a metric of the task has no value for these rows, whatever is answered; ``None``: it has, or it is another's."""
    if right.kind == "texts" or is_own(name) or name not in _able(right.kind):
        return None
    try:
        score_of(name, right, _answered(right))
    except RatchetError as problem:
        return problem
    return None


def require_measured(wanted: Sequence[str], *, given: Collection[str], kind: str) -> None:
    """Refuse an epoch that is best by what nobody measures.

    Args:
        wanted: names of metrics; ``last`` is none.
        given: what the objective gives itself.
        kind: of the right answers.

    Raises:
        RecipeError: there is no such metric of these answers, or one of the user's own that cannot be imported.
    """
    able = [*given, *(name for name in _able(kind) if name not in given)]
    for name in wanted:
        if is_own(name):
            own_function(divided(name)[0])
        elif name != LAST and name not in able:
            raise RecipeError(
                f"keep must be last or one of {', '.join(able)} but got {name!r}.",
                next_step="Set keep of this challenger.",
            )


def _able(kind: str) -> list[str]:
    """The metrics that are functions of answers of a kind."""
    if kind == "texts":
        return [*SCORES]
    return [metric.name for metric in METRICS if fits(metric, _COLUMNS[kind])]


def _answered(right: Targets) -> Answers:
    """(n, k) answers that are right in every row."""
    match right.kind:
        case "classes":
            sure: Answers = np.eye(len(right.names), dtype=np.float32)[right.values]
            return sure
        case "labels":
            return right.values.astype(np.float32)
    column: Answers = right.values.reshape(-1, 1)
    return column
