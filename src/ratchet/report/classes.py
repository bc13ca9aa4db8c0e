"""What a confusion matrix says about each class: precision, recall and F1 with intervals, and the pairs mixed up most."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from ratchet.gate.proportions import wilson
from ratchet.report.content import Confusion


@dataclass(frozen=True, kw_only=True)
class Share:
    """``hits`` of ``n`` with its 95 % Wilson interval; all ``None`` when ``n`` is zero."""

    hits: int
    n: int
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True)
class ClassRow:
    """One class: ``support`` true rows, ``predicted`` rows that were given this label."""

    label: str
    support: int
    predicted: int
    precision: Share
    recall: Share
    f1: float | None


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A kind of mistake: ``rows`` of class ``true`` were taken for ``predicted``; ``share`` of the true class."""

    true: str
    predicted: str
    rows: int
    share: float


def share(hits: int, n: int) -> Share:
    """A share with its 95 % interval (Wilson's); none of no rows."""
    if n == 0:
        return Share(hits=hits, n=n, value=None, low=None, high=None)
    low, high = wilson(hits, n)
    return Share(hits=hits, n=n, value=hits / n, low=low, high=high)


def per_class(confusion: Confusion) -> tuple[ClassRow, ...]:
    """A row for each label, in the order of the labels."""
    support: dict[int, int] = defaultdict(int)
    predicted: dict[int, int] = defaultdict(int)
    right: dict[int, int] = defaultdict(int)
    for row, column, rows in confusion.cells:
        support[row] += rows
        predicted[column] += rows
        right[row] += rows if row == column else 0
    return tuple(
        ClassRow(
            label=label,
            support=support[index],
            predicted=predicted[index],
            precision=share(right[index], predicted[index]),
            recall=share(right[index], support[index]),
            f1=2 * right[index] / both if (both := support[index] + predicted[index]) else None,
        )
        for index, label in enumerate(confusion.labels)
    )


def confused(confusion: Confusion, *, most: int = 15) -> tuple[Pair, ...]:
    """The most frequent kinds of mistake, commonest first."""
    support: dict[int, int] = defaultdict(int)
    for row, _, rows in confusion.cells:
        support[row] += rows
    wrong = sorted((c for c in confusion.cells if c[0] != c[1] and c[2] > 0), key=lambda c: (-c[2], c[0], c[1]))
    return tuple(
        Pair(true=confusion.labels[row], predicted=confusion.labels[column], rows=rows, share=rows / support[row])
        for row, column, rows in wrong[:most]
    )
