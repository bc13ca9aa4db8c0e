"""Views of a task's answers: frozen records that a report draws, each by its type; JSON in and out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from ratchet.metrics.metric import row_interval
from ratchet.metrics.metrics import Score
from ratchet.metrics.proportions import wilson
from ratchet.tasks.sureness import Reliability, Selection

STRICT = ConfigDict(extra="forbid")
ALL, SOME = 100, 40
"""So many labels are all listed; of more, these many of the largest and of the worst."""
POINTS, THOUSAND, GRID = 2_000, 1_000, 40
"""Points that are drawn, the steps of their coordinates, and the cells of an axis that the others are counted in."""
REACH = 0.5
"""How far an axis goes beyond the middle 98 % of the values, as a share of their width."""
TENTHS = 10
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Confusion:
    """Which class was taken for which: ``cells`` are (true index, predicted index, rows), zero cells left out."""

    labels: tuple[str, ...]
    cells: tuple[tuple[int, int, int], ...]

    @classmethod
    def of(cls, truth: Ints, given: Ints, labels: Sequence[str]) -> Confusion:
        """Of true and given classes, shape (n,) each; a class that no row has or was given is left out."""
        pairs, rows = np.unique(np.stack([truth, given]), axis=1, return_counts=True)
        used, place = np.unique(pairs, return_inverse=True)
        true, said = place.reshape(pairs.shape)
        cells = tuple(zip(true.tolist(), said.tolist(), rows.tolist(), strict=True))
        return cls(labels=tuple(labels[index] for index in used), cells=cells)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class LabelRow:
    """One label: ``support`` true rows, ``predicted`` rows that were given it; ``None`` for figures of no rows."""

    label: str
    support: int
    predicted: int
    precision: Score | None
    recall: Score | None
    f1: Score | None

    @classmethod
    def of(cls, label: str, *, hits: int, support: int, predicted: int) -> LabelRow:
        """The figures of a label from its counts, with Wilson's 95 % intervals.

        F1 is no share of rows, but with the hits among all rows that have or were given the label, J, it is 2J / (1 + J):
        the ends of the interval of J give those of F1.
        """
        jaccard = _share(hits, support + predicted - hits, name="f1")
        f1 = None
        if jaccard is not None:
            value, low, high = (2 * one / (1 + one) for one in (jaccard.value, jaccard.low, jaccard.high))
            f1 = Score(value=value, low=low, high=high, n=jaccard.n, metric="f1")
        return cls(
            label=label,
            support=support,
            predicted=predicted,
            precision=_share(hits, predicted, name="precision"),
            recall=_share(hits, support, name="recall"),
            f1=f1,
        )


def _share(hits: int, n: int, *, name: str) -> Score | None:
    if not n:
        return None
    low, high = wilson(hits, n)
    return Score(value=hits / n, low=low, high=high, n=n, metric=name)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class LabelTable:
    """Labels that rows may have several of: the largest first, and where there are many, the worst of the others."""

    labels: int
    """Of the model, with those that are not listed."""
    unseen: int
    """Labels that no row has and none was given."""
    rows: tuple[LabelRow, ...]
    worst: tuple[LabelRow, ...] = ()
    rest: tuple[float, float] | None = None
    """The lowest and the highest F1 of the labels that are not listed."""

    @property
    def hidden(self) -> int:
        """Labels with figures that are not listed."""
        return self.labels - self.unseen - len(self.rows) - len(self.worst)

    @classmethod
    def of(cls, truth: Bools, given: Bools, labels: Sequence[str]) -> LabelTable:
        """Of true and given labels, shape (n, k) each."""
        hits, support, predicted = (side.sum(axis=0).tolist() for side in (truth & given, truth, given))
        rows = [
            LabelRow.of(label, hits=hit, support=have, predicted=said)
            for label, hit, have, said in zip(labels, hits, support, predicted, strict=True)
            if have + said
        ]
        rows.sort(key=lambda row: (-row.support, row.label))
        unseen = len(labels) - len(rows)
        if len(rows) <= ALL:
            return cls(labels=len(labels), unseen=unseen, rows=tuple(rows))
        others = sorted(rows[SOME:], key=lambda row: (_f1(row), -row.support, row.label))
        worst, left = others[:SOME], others[SOME:]
        rest = (_f1(left[0]), _f1(left[-1]))
        return cls(labels=len(labels), unseen=unseen, rows=tuple(rows[:SOME]), worst=tuple(worst), rest=rest)


def _f1(row: LabelRow) -> float:
    return row.f1.value if row.f1 is not None else 0.0


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Scatter:
    """True values over predicted ones; both axes go from ``low`` to ``high``, which no outlier moves far."""

    low: float
    high: float
    rows: int
    outside: int
    """Rows that lie beyond the axes."""
    points: tuple[tuple[int, int], ...]
    """(predicted, true) of up to 2,000 rows, in thousandths of the axes."""
    cells: tuple[tuple[int, int, int], ...] = ()
    """The other rows: (predicted, true, rows) on a grid of 40 by 40."""
    half_width: float | None = None
    """Of the interval around a prediction."""
    promised: float | None = None
    """The share of rows that the interval is to cover."""
    covered: Score | None = None
    """The share of rows within an interval that was made from the others."""

    @classmethod
    def of(cls, truth: Doubles, given: Doubles) -> Scatter:
        """Of true and predicted values, shape (n,) each."""
        low, high = _window(np.concatenate([truth, given]))
        places = (np.stack([given, truth]) - low) / (high - low)
        inside = np.flatnonzero(((places >= 0) & (places <= 1)).all(axis=0))
        drawn = np.unique(np.linspace(0, max(len(inside) - 1, 0), min(POINTS, len(inside))).astype(np.int64))
        points = np.round(places[:, inside[drawn]] * THOUSAND).astype(np.int64)
        other = places[:, np.setdiff1d(inside, inside[drawn])]
        grid, counts = np.unique(np.minimum(other * GRID, GRID - 1).astype(np.int64), axis=1, return_counts=True)
        return cls(
            low=low,
            high=high,
            rows=len(truth),
            outside=len(truth) - len(inside),
            points=tuple(zip(*points.tolist(), strict=True)),
            cells=tuple(zip(*grid.tolist(), counts.tolist(), strict=True)) if other.size else (),
        )


def _window(values: Doubles) -> tuple[float, float]:
    """The ends of an axis: the least and the greatest of the values that are not far from the middle 98 %."""
    known = values[np.isfinite(values)]
    if not len(known):
        return 0.0, 1.0
    low, high = np.quantile(known, (0.01, 0.99), method="inverted_cdf")
    reach = REACH * (high - low) or max(abs(float(high)) * 0.1, 0.5)
    near = known[(known >= low - reach) & (known <= high + reach)]
    ends = float(near.min()), float(near.max())
    return ends if ends[1] > ends[0] else (ends[0] - float(reach), ends[1] + float(reach))


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Tenth:
    """A tenth of the rows by their prediction, from ``low`` to ``high`` with the median ``middle``, and quantiles of what is
    true minus it.
    """

    low: float
    middle: float
    high: float
    rows: int
    p10: float
    p25: float
    p50: float
    p75: float
    p90: float


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Residuals:
    """Errors by the size of the prediction: a median off zero is a bias, and a long box says where to trust it less."""

    tenths: tuple[Tenth, ...]

    @classmethod
    def of(cls, truth: Doubles, given: Doubles) -> Residuals:
        """Of true and predicted values, shape (n,) each; one group where all predictions are equal."""
        known = np.flatnonzero(np.isfinite(truth) & np.isfinite(given))
        order = known[np.argsort(given[known], kind="stable")]
        many = 1 if len(order) and given[order[0]] == given[order[-1]] else TENTHS
        tenths = []
        for rows in np.array_split(order, many):
            if not len(rows):
                continue
            p10, p25, p50, p75, p90 = np.quantile(truth[rows] - given[rows], (0.1, 0.25, 0.5, 0.75, 0.9)).tolist()
            low, middle, high = (float(given[rows[place]]) for place in (0, len(rows) // 2, -1))
            tenths.append(
                Tenth(low=low, middle=middle, high=high, rows=len(rows), p10=p10, p25=p25, p50=p50, p75=p75, p90=p90)
            )
        return cls(tenths=tuple(tenths))


@dataclass(frozen=True, kw_only=True, config=STRICT)
class RowScore:
    """A score of each answer: its mean with an interval, and how it is spread over the rows."""

    mean: Score
    p10: float
    median: float
    p90: float

    @classmethod
    def of(cls, name: str, scores: Doubles) -> RowScore:
        """Of scores of shape (n,)."""
        low, high = row_interval(scores, 0.05, 0)
        p10, median, p90 = np.quantile(scores, (0.1, 0.5, 0.9), method="inverted_cdf").tolist()
        mean = Score(value=float(scores.mean()), low=low, high=high, n=len(scores), metric=name)
        return cls(mean=mean, p10=p10, median=median, p90=p90)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class RowScores:
    """Scores of the answers, and how many rows have none."""

    scores: tuple[RowScore, ...]
    unanswered: int = 0


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Example:
    """A row with its right answer and the one that was given."""

    prompt: str
    right: str
    given: str | None
    score: float


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Examples:
    """Rows from the worst to the best by one score, at equal distances."""

    metric: str
    examples: tuple[Example, ...]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class AnswerLengths:
    """Characters of the right answers and of the given ones, in the same bins; ``*_above`` lie beyond the last edge."""

    edges: tuple[float, ...]
    right: tuple[int, ...]
    given: tuple[int, ...]
    right_above: int
    given_above: int
    right_median: float
    given_median: float

    @classmethod
    def of(cls, right: Sequence[str], given: Sequence[str | None]) -> AnswerLengths:
        """Of all rows; one without an answer has the length 0."""
        sides = [np.array([len(one or "") for one in side], dtype=np.int64) for side in (right, given)]
        top = int(np.quantile(np.concatenate(sides), 0.99, method="inverted_cdf"))
        step = -(-(top + 1) // min(24, top + 1))
        edges = np.arange(0, top + 1 + step, step)
        counts = [np.histogram(side[side < edges[-1]], edges)[0].tolist() for side in sides]
        above = [int((side >= edges[-1]).sum()) for side in sides]
        medians = [float(np.median(side)) for side in sides]
        return cls(
            edges=tuple(edges.astype(np.float64).tolist()),
            right=tuple(counts[0]),
            given=tuple(counts[1]),
            right_above=above[0],
            given_above=above[1],
            right_median=medians[0],
            given_median=medians[1],
        )


View = Confusion | LabelTable | Scatter | Residuals | RowScores | Examples | AnswerLengths | Reliability | Selection
