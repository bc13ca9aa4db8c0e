"""Features that tell the label by themselves: as a rule they were written when it was known already."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ratchet.checks.context import Context, Samples, counted, percent
from ratchet.checks.finding import Finding
from ratchet.recipe.sections import FeatureKind
from ratchet.text.columns import Rows
from ratchet.text.numbers import numbers

GIVES = ("leaks.feature",)
WHOLLY = 0.95
"""Share of the mistakes of "always the most frequent label" that a column alone avoids, from which it tells the label."""
RANKED = 0.995
"""Rank correlation with a value from which a column tells it."""
OWN, OTHERS = 0.7, 0.01
"""A column tells one label where so large a share of its rows can be seen in it, and so small a share of the others."""
LEAST = 20
_LEAST_ROWS = 50
_BINS, _IN_BIN = 200, 8
_VALUES = 20
Floats = npt.NDArray[np.float64]


def check(context: Context) -> Iterator[Finding]:
    """Each feature by itself: how well its cells tell the labels of other rows."""
    known = np.flatnonzero(context.labels.member >= 0)
    if len(known) < _LEAST_ROWS:
        return
    for name, kind in context.dataset.roles.features:
        cells = _bins(context, name, kind)[known]
        told = _Told.of(cells, context.labels.member[known], labels=len(context.labels))
        found = _of_value(context, name, kind, known) or _of_label(context, name, told)
        if found is not None:
            severity, message = found
            rows = known[told.right] if told.right.any() else known
            yield context.finding(
                "leaks.feature",
                severity="error" if severity else "warning",
                message=message,
                why="Such a column is mostly written once the label is known: when an answer is asked for it is not there, "
                f"and a score with it means nothing. Unless it is known then, take {name!r} out of data.features.",
                positions=rows,
                column=name,
                samples=Samples(
                    notes={int(row): f"label {context.labels.values[context.labels.member[row]]!r}" for row in rows[:3]}
                ),
            )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Told:
    """How rows are guessed by the other rows of their cell.

    Attributes:
        right: (rows,) whether most of the others have the row's label, by a majority that does not hang on the row.
        base: rows of the most frequent label, as a share.
        own: (labels,) share of each label's rows that are guessed right.
        others: (labels,) share of the other labels' rows that are guessed to have the label.
        sizes: (labels,) rows.
    """

    right: npt.NDArray[np.bool_]
    base: float
    own: Floats
    others: Floats
    sizes: Rows

    @classmethod
    def of(cls, cell: Rows, label: Rows, *, labels: int) -> _Told:
        """Of rows with these cells and labels (numbers from 0)."""
        keys, counts = np.unique(cell * labels + label, return_counts=True)
        order = np.lexsort((-counts, keys // labels))
        owner, ranked = keys[order] // labels, counts[order]
        first = np.flatnonzero(np.concatenate(([True], owner[1:] != owner[:-1])))
        top, best = keys[order][first] % labels, ranked[first]
        follows = np.append(owner, -1)[first + 1] == owner[first]
        second = np.where(follows, np.append(ranked, 0)[first + 1], 0)
        runner = np.where(follows, np.append(keys[order] % labels, 0)[first + 1], labels)
        place = np.searchsorted(owner[first], cell)
        right = (top[place] == label) & (best[place] - 1 > second[place])
        guess = np.where((top[place] == label) & ~right, runner[place], top[place])
        sizes = np.bincount(label, minlength=labels)
        false = np.bincount(guess[guess != label], minlength=labels + 1)[:labels]
        return cls(
            right=right,
            base=float(sizes.max() / len(label)),
            own=np.bincount(label[right], minlength=labels) / np.maximum(sizes, 1),
            others=false / np.maximum(len(label) - sizes, 1),
            sizes=sizes,
        )


def _of_label(context: Context, name: str, told: _Told) -> tuple[bool, str] | None:
    """Whether the column tells all labels, and in words; ``None`` where it does not even tell one."""
    share = float(told.right.mean())
    if told.base < 1 and share - told.base >= WHOLLY * (1 - told.base):
        return True, (
            f"The feature {name!r} alone tells the label: by the other rows with the same cell {percent(share)} are guessed "
            f"right, {percent(told.base)} by the most frequent label."
        )
    marked = np.flatnonzero((told.own >= OWN) & (told.others <= OTHERS) & (told.sizes >= LEAST))
    if not len(marked) or told.base == 1:
        return None
    label = int(marked[np.argmax(told.own[marked])])
    return False, (
        f"The feature {name!r} alone tells {counted(len(marked), 'label')}: {context.labels.values[label]!r} can be seen in "
        f"{percent(float(told.own[label]))} of its rows, and in {percent(float(told.others[label]))} of the others."
    )


def _of_value(context: Context, name: str, kind: FeatureKind, known: Rows) -> tuple[bool, str] | None:
    """The same where the answers are numbers, many different ones, and so is the feature."""
    answers, _ = numbers(context.labels.array)
    if kind != "number" or len(context.labels) <= _VALUES or np.isnan(answers).mean() > 0.1:
        return None
    from scipy.stats import rankdata

    feature = np.append(numbers(context.cells(name).array)[0], np.nan)[context.cells(name).member[known]]
    answer = answers[context.labels.member[known]]
    both = ~(np.isnan(feature) | np.isnan(answer))
    if both.sum() < _LEAST_ROWS or np.ptp(feature[both]) == 0:
        return None
    correlation = float(np.corrcoef(rankdata(feature[both]), rankdata(answer[both]))[0, 1])
    if abs(correlation) < RANKED:
        return None
    return True, f"The feature {name!r} alone tells the value: their ranks have a correlation of {correlation:.3f}."


def _bins(context: Context, name: str, kind: FeatureKind) -> Rows:
    """(rows,) a number for each row, equal for equal cells, or for near ones of many numbers; missing cells have one too."""
    cells = context.cells(name)
    member = cells.member.astype(np.int64)
    bins = min(_BINS, max(len(member) // _IN_BIN, 2))
    if kind == "category" or len(cells) <= bins:
        return member + 1
    value, _ = numbers(cells.array)
    value = np.append(value, np.nan)[member]
    filled = value[~np.isnan(value)]
    edges = np.unique(np.quantile(filled, np.linspace(0, 1, bins + 1)[1:-1])) if len(filled) else filled
    return np.where(np.isnan(value), 0, np.searchsorted(edges, value, side="right") + 1)
