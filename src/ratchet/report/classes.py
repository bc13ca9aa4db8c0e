"""What a confusion matrix says about each class: precision, recall and F1 with intervals, and the pairs mixed up most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ratchet.tasks.views import Confusion, LabelRow

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A kind of mistake: ``rows`` of class ``true`` were taken for ``predicted``; ``share`` of the true class."""

    true: str
    predicted: str
    rows: int
    share: float


def per_class(confusion: Confusion) -> tuple[LabelRow, ...]:
    """A row for each label, in the order of the labels."""
    true, given, rows = _columns(confusion)
    support, predicted = _by_class(confusion, true, rows), _by_class(confusion, given, rows)
    right = _by_class(confusion, true, np.where(true == given, rows, 0))
    counts = zip(confusion.labels, right.tolist(), support.tolist(), predicted.tolist(), strict=True)
    return tuple(LabelRow.of(label, hits=hits, support=have, predicted=said) for label, hits, have, said in counts)


def confused(confusion: Confusion, *, most: int = 15) -> tuple[Pair, ...]:
    """The most frequent kinds of mistake, commonest first."""
    true, _, rows = _columns(confusion)
    support = _by_class(confusion, true, rows)
    wrong = sorted((c for c in confusion.cells if c[0] != c[1] and c[2] > 0), key=lambda c: (-c[2], c[0], c[1]))
    return tuple(
        Pair(
            true=confusion.labels[row],
            predicted=confusion.labels[column],
            rows=count,
            share=count / int(support[row]),
        )
        for row, column, count in wrong[:most]
    )


def _columns(confusion: Confusion) -> Counts:
    """True class, predicted class and rows of each cell: shape (3, cells)."""
    return np.array(confusion.cells, np.int64).reshape(-1, 3).T


def _by_class(confusion: Confusion, member: Counts, rows: Counts) -> Counts:
    """Rows of each class, when cell i belongs to ``member[i]`` and counts ``rows[i]``."""
    total = np.zeros(len(confusion.labels), np.int64)
    np.add.at(total, member, rows)
    return total
