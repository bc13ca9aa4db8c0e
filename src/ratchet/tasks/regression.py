"""Regression: a number for each row, and an interval around it that covers a stated share of rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ratchet.bounds import NUMBER
from ratchet.errors import DataError
from ratchet.metrics.metrics import Score
from ratchet.metrics.proportions import wilson
from ratchet.models.conformal import half_width
from ratchet.models.model import Answers
from ratchet.models.targets import Targets
from ratchet.tasks.task import (
    NO_FACTS,
    OF_CLASSES,
    Cell,
    CellType,
    Columns,
    Mask,
    Parity,
    Task,
    Wrong,
    filled,
    object_schema,
    require_columns,
)
from ratchet.tasks.views import Residuals, Scatter, View

if TYPE_CHECKING:
    from ratchet.tables.dataset import Dataset
    from ratchet.tasks.replies import Parsed

ALPHA = 0.1
"""Share of rows whose value may lie outside the interval of a prediction."""
_BINS = 10
FAR = 20.0
"""Times the range of the middle half beyond it, from where a number is far from the others."""
_A_NUMBER = {"type": "number"}


class Regression(Task):
    """A number for each row; units such as %, 万 and thousands separators are understood."""

    name = "regression"
    answer = "number"
    metrics = ("rmse", "mae", "r2", "spearman")
    own_metrics = True
    checks_apart = frozenset({*OF_CLASSES, "labels"})
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
        from ratchet.tasks.replies import Parsed, number

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

    def row_quality(self, targets: Targets, answers: Answers) -> tuple[str, npt.NDArray[np.float64]]:
        """The absolute error, negated."""
        return "mae", -np.abs(answers[:, 0].astype(np.float64) - targets.values)

    def worst(self, targets: Targets, answers: Answers, *, most: int) -> list[Wrong]:
        """The rows with the largest errors."""
        given = answers[:, 0].astype(np.float64)
        first = np.argsort(-np.abs(given - targets.values), kind="stable")[:most]
        return [
            Wrong(place=place, right=f"{targets.values[place]:g}", given=f"{given[place]:.4g}", certainty=None)
            for place in first.tolist()
        ]

    def views(
        self, targets: Targets, answers: Answers, *, texts: Sequence[str], metrics: Sequence[str]
    ) -> tuple[View, ...]:
        """True values over predicted ones with the interval and what it covers, and the errors by tenths."""
        del texts, metrics
        true, given = targets.values.astype(np.float64), answers[:, 0].astype(np.float64)
        picture, facts = Scatter.of(true, given), self.facts(targets, answers)
        if facts:
            covered = crossed_coverage(true - given)
            picture = replace(picture, half_width=facts["half_width"], promised=facts["coverage"], covered=covered)
        return picture, Residuals.of(true, given)

    def counts(self, answers: Sequence[str]) -> None:
        """Numbers are no labels."""
        del answers

    def predictions(self, answers: Answers, *, names: Sequence[str], facts: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The number, and the ends of its interval where the model has one."""
        del names
        half = facts.get("half_width")
        rows = answers[:, 0].astype(np.float64).tolist()
        if half is None:
            return [{"value": value} for value in rows]
        return [{"value": value, "low": value - half, "high": value + half} for value in rows]

    def schema(self, *, names: Sequence[str], facts: Mapping[str, Any]) -> dict[str, Any]:
        """As `predictions` writes it."""
        example = self.predictions(np.ones((1, 1)), names=names, facts=facts)[0]
        share = f"{facts['coverage']:.0%} of rows" if "coverage" in facts else "rows"
        about = f", and the ends of an interval that holds the right one of {share}" if "low" in example else ""
        return object_schema(f"The number of one text{about}.", dict.fromkeys(example, _A_NUMBER), example=example)

    def cell_types(
        self, names: Sequence[str], *, each_label: bool, facts: Mapping[str, Any] = NO_FACTS
    ) -> dict[str, CellType]:
        """The number, and the ends of its interval."""
        del names, each_label, facts
        return {"prediction": float, "prediction_low": float, "prediction_high": float}

    def cells(
        self, answers: Answers, *, names: Sequence[str], facts: Mapping[str, Any], each_label: bool
    ) -> list[dict[str, Cell]]:
        """As `cell_types` names them; no ends where the model has no interval."""
        del each_label
        return [
            {"prediction": one["value"], "prediction_low": one.get("low"), "prediction_high": one.get("high")}
            for one in self.predictions(answers, names=names, facts=facts)
        ]

    def borne_out(self, targets: Targets, answers: Answers, *, least: float, known: tuple[Targets, Answers]) -> Mask:
        """Whether the value is no further off than 90 % of those that are known, whatever is asked for at least."""
        del least
        right, given = known
        half = half_width(right.values - given[:, 0], alpha=ALPHA)
        near: Mask = np.abs(targets.values - answers[:, 0]) <= half
        return near

    def facts(self, targets: Targets, answers: Answers) -> dict[str, Any]:
        """The half-width of an interval, from the errors on rows that the models had not seen (split conformal)."""
        half = half_width(targets.values - answers[:, 0], alpha=ALPHA)
        return {"half_width": half, "coverage": 1 - ALPHA} if math.isfinite(half) else {}

    def notes(self, dataset: Dataset) -> list[str]:
        """Numbers so far from the others that a few rows decide every square."""
        rows = filled(dataset)
        values = values_of([dataset.labels[row] for row in rows.tolist()])
        low, high = np.quantile(values, [0.25, 0.75])
        width = (high - low) or float(np.abs(values).max())
        far = np.flatnonzero((values < low - FAR * width) | (values > high + FAR * width))
        if not len(far):
            return []
        first = int(rows[far[np.argmax(np.abs(values[far]))]])
        return [
            f"{len(far):,} of {len(values):,} numbers are far from the others, such as {dataset.labels[first]!r} in "
            f"{dataset.place(first)} (the middle half is {low:g} to {high:g}): they decide rmse and r2, less so mae"
        ]

    def margin(self, targets: Targets) -> float:
        """The middle half of the values: one point of margin is a hundredth of it, and no outlier moves it."""
        low, high = np.quantile(targets.values, [0.25, 0.75])
        return float(high - low) or float(targets.values.std()) or 1.0


def crossed_coverage(residuals: npt.NDArray[np.float64]) -> Score | None:
    """The share of rows that an interval made from the other half of the rows covers; ``None`` for few rows.

    Every second row is a half, so that no row is in the interval that it is looked for in; 95 % interval by Wilson.
    """
    halves = residuals[::2], residuals[1::2]
    widths = [half_width(half, alpha=ALPHA) for half in halves]
    if not all(map(math.isfinite, widths)):
        return None
    inside = sum(int((np.abs(half) <= width).sum()) for half, width in zip(halves, reversed(widths), strict=True))
    low, high = wilson(inside, len(residuals))
    return Score(value=inside / len(residuals), low=low, high=high, n=len(residuals), metric="coverage")


def values_of(answers: Sequence[str]) -> npt.NDArray[np.float64]:
    """(n,) the cells as numbers; NaN where one is none."""
    import pyarrow as pa

    from ratchet.text.numbers import numbers

    values, _ = numbers(pa.array(answers, pa.string()))
    return values
