"""Regression: a number for each row, and an interval around it that covers a stated share of rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ratchet.bounds import NUMBER
from ratchet.errors import DataError
from ratchet.models.conformal import half_width
from ratchet.models.model import Answers
from ratchet.models.targets import Targets
from ratchet.tables.dataset import Dataset
from ratchet.tasks.replies import Parsed, number
from ratchet.tasks.task import Columns, Parity, Task, Wrong, filled, require_columns
from ratchet.text.numbers import numbers

ALPHA = 0.1
"""Share of rows whose value may lie outside the interval of a prediction."""
_BINS = 10


class Regression(Task):
    """A number for each row; units such as %, 万 and thousands separators are understood."""

    name = "regression"
    answer = "number"
    metrics = ("rmse", "mae", "r2", "spearman")
    contradictions = False

    def require_trainable(self, dataset: Dataset) -> None:
        """Numbers only, of at least two values."""
        require_columns(dataset, answer=self.answer)
        rows, column = filled(dataset), dataset.roles.label
        values = values_of([dataset.labels[row] for row in rows.tolist()])
        wrong = np.flatnonzero(~(np.abs(values) <= NUMBER))
        if len(wrong):
            row = int(rows[wrong[0]])
            more = f" ({len(wrong):,} such cells)" if len(wrong) > 1 else ""
            raise DataError(
                f"Column {column!r} must hold numbers of at most {NUMBER:g} but {dataset.place(row)} has "
                f"{dataset.labels[row]!r}{more}.",
                next_step="Correct the cell, name it in data.no_label, or set task to classification.",
            )
        if len(values) < 2 or values.min() == values.max():
            only = dataset.labels[int(rows[0])] if len(rows) else ""
            raise DataError(
                f"Column {column!r} must hold different numbers but all {len(values):,} rows are {only!r}.",
                next_step="Set data.label to another column.",
            )

    def targets(self, answers: Sequence[str], *, names: tuple[str, ...] | None = None) -> Targets:
        """(n,) the number of each row."""
        return Targets.of_values(values_of(answers), name=(names or ("value",))[0])

    def strata(self, answers: Sequence[str]) -> list[str] | None:
        """Tenths of the rows by their value, so that every part has small and large ones."""
        values = values_of(answers)
        ranks = np.argsort(np.argsort(values, kind="stable"), kind="stable")
        return [f"{tenth:02d}" for tenth in (ranks * _BINS // max(len(values), 1)).tolist()]

    def columns(self, targets: Targets, answers: Answers, *, metrics: Sequence[str]) -> Columns:
        """True and predicted numbers, (n,) each."""
        del metrics
        return Columns(targets={"value": targets.values}, outcomes={"value": answers[:, 0].astype(np.float64)})

    def parity(self, before: Answers, after: Answers) -> Parity:
        """Differences as a share of the spread of all predictions; no value is another answer."""
        spread = float(np.std(before)) or float(np.abs(before).max()) or 1.0
        return Parity(max_difference=float(np.abs(before - after).max()) / spread, disagreements=0, n=len(before))

    def understood(self, text: str, *, names: Sequence[str]) -> Parsed[str]:
        """The one number that it holds."""
        del names
        found = number(text)
        return Parsed(value=None if found.value is None else repr(found.value), reason=found.reason)

    def spelled(self, answers: Sequence[str]) -> list[str]:
        """The cells as they are, each of which must be a number."""
        wrong = np.flatnonzero(~(np.abs(values_of(answers)) <= NUMBER))
        if len(wrong):
            raise DataError(
                f"The right answers must be numbers but {len(wrong):,} of {len(answers):,} are not: "
                f"{answers[int(wrong[0])]!r} first.",
                next_step="Correct them, or name another task.",
            )
        return [*answers]

    def answers(self, cells: Sequence[str | None], targets: Targets) -> Answers:
        """The numbers; no answer counts as the end of the values that is farther from the right one."""
        low, high = float(targets.values.min(initial=0)), float(targets.values.max(initial=0))
        farther = np.where(targets.values - low > high - targets.values, low, high)
        given = np.array([np.nan if cell is None else float(cell) for cell in cells])
        return np.where(np.isnan(given), farther, given)[:, None]

    def worst(self, targets: Targets, answers: Answers, *, most: int) -> list[Wrong]:
        """The rows with the largest errors."""
        given = answers[:, 0].astype(np.float64)
        first = np.argsort(-np.abs(given - targets.values), kind="stable")[:most]
        return [
            Wrong(place=place, right=f"{targets.values[place]:g}", given=f"{given[place]:.4g}", certainty=None)
            for place in first.tolist()
        ]

    def predictions(self, answers: Answers, *, names: Sequence[str], facts: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The number, and the ends of its interval where the model has one."""
        del names
        half = facts.get("half_width")
        rows = answers[:, 0].astype(np.float64).tolist()
        if half is None:
            return [{"value": value} for value in rows]
        return [{"value": value, "low": value - half, "high": value + half} for value in rows]

    def facts(self, targets: Targets, answers: Answers) -> dict[str, Any]:
        """The half-width of an interval, from the errors on rows that the models had not seen (split conformal)."""
        half = half_width(targets.values - answers[:, 0], alpha=ALPHA)
        return {"half_width": half, "coverage": 1 - ALPHA} if math.isfinite(half) else {}

    def margin(self, targets: Targets) -> float:
        """The middle half of the values: one point of margin is a hundredth of it, and no outlier moves it."""
        low, high = np.quantile(targets.values, [0.25, 0.75])
        return float(high - low) or float(targets.values.std()) or 1.0


def values_of(answers: Sequence[str]) -> npt.NDArray[np.float64]:
    """(n,) the cells as numbers; NaN where one is none."""
    values, _ = numbers(pa.array(answers, pa.string()))
    return values
