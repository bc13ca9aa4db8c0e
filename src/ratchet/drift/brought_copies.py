"""Copies, conflicting labels and leaks that came with the rows of a new version."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ratchet.near.copies import NGRAM, exact_groups, unique_texts
from ratchet.near.pairs import similar_pairs
from ratchet.prepare.leaks import leaks
from ratchet.tables.dataset import Dataset
from ratchet.text.columns import Rows


@dataclass(frozen=True, kw_only=True, eq=False)
class Copies:
    """Copies by normalised text, and labels that contradict each other.

    Attributes:
        old: rows of the old table that say what an earlier row says; ``new`` likewise of the new table.
        exact: new rows that repeat an old row or an earlier new one.
        near: new rows, not in ``exact``, that nearly repeat another row; ``None`` where nobody looked.
        conflicts_old: texts with two labels or more; ``conflicts_new`` likewise.
        conflicts: new rows with a text whose labels contradict each other in the new table and did not in the old one.
    """

    old: int
    new: int
    exact: Rows
    near: Rows | None
    conflicts_old: int
    conflicts_new: int
    conflicts: Rows


@dataclass(frozen=True, kw_only=True, eq=False)
class Leaked:
    """What new rows give away of the test rows.

    Attributes:
        rows: new rows that are in the test table too, or nearly, or of one of its groups.
        counts: test rows given away by new rows, by kind.
        fresh: test rows that the new table gives away and the old one did not.
    """

    rows: Rows
    counts: dict[str, int]
    fresh: int


def copies(a: Dataset, b: Dataset, fresh: Rows, *, near: float | None) -> Copies:
    """The copies in both tables, and those that the ``fresh`` rows of ``b`` bring."""
    texts = ["", *a.texts, *b.texts]
    groups = exact_groups(texts)[1:]  # group 0: no text
    here, there = groups[: len(a)], groups[len(a) :]
    is_fresh = np.zeros(len(b), bool)
    is_fresh[fresh] = True
    order = np.argsort(is_fresh, kind="stable")
    first = np.zeros(len(b), bool)
    first[order[np.unique(there[order], return_index=True)[1]]] = True
    exact = np.flatnonzero(is_fresh & ~first & (there > 0))
    old, new = (_conflicting(side, of) for side, of in ((a, here), (b, there)))
    return Copies(
        old=_repeats(here),
        new=_repeats(there),
        exact=exact,
        near=None if near is None else np.setdiff1d(_near(b, fresh, threshold=near), exact),
        conflicts_old=len(old),
        conflicts_new=len(new),
        conflicts=np.flatnonzero(is_fresh & np.isin(there, np.setdiff1d(new, old))),
    )


def leaked(a: Dataset, b: Dataset, fresh: Rows, test: Dataset, *, near: float) -> Leaked:
    """The test rows that the ``fresh`` rows of ``b`` give away."""
    found = leaks(b.take(fresh), test, threshold=near)
    fresh_rows = 0
    if found.right_rows.any():
        fresh_rows = int((found.right_rows & ~leaks(a, test, threshold=near).right_rows).sum())
    return Leaked(rows=fresh[np.flatnonzero(found.left_rows)], counts=found.counts, fresh=fresh_rows)


def _repeats(groups: Rows) -> int:
    filled = groups[groups > 0]
    return len(filled) - len(np.unique(filled))


def _conflicting(side: Dataset, groups: Rows) -> Rows:
    """Groups of copies that carry two labels or more."""
    if side.roles.label is None:
        return np.zeros(0, np.int64)
    labels = exact_groups(["", *side.labels], form=str)[1:]  # label 0: none
    known = (groups > 0) & (labels > 0)
    pairs = np.unique(np.stack([groups[known], labels[known]], axis=1), axis=0)
    group, many = np.unique(pairs[:, 0], return_counts=True)
    return group[many > 1]


def _near(b: Dataset, fresh: Rows, *, threshold: float) -> Rows:
    """The fresh rows whose text is a near-duplicate of another row's."""
    unique, _, place = unique_texts(b.texts)
    sides = np.full(len(unique), 2, np.int8)
    sides[place[fresh]] = 3
    pairs = similar_pairs(unique, n=NGRAM, threshold=threshold, sides=sides)
    met = np.zeros(len(unique), bool)
    met[pairs.left] = met[pairs.right] = True
    return fresh[met[place[fresh]]]
