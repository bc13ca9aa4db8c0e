"""Which rows of one table are in another: kept, changed, removed and added."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from ratchet.near.copies import NGRAM, THRESHOLD, normalise
from ratchet.near.pairs import similar_pairs
from ratchet.tables.dataset import Dataset, row_digests
from ratchet.text.columns import Rows

RELATED = 0.5

Pairs = tuple[Rows, Rows]
"""A row of ``a`` and the row of ``b`` that it became, in two arrays of equal length."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Match:
    """Rows of two tables by what became of them.

    ``related``: at least half of the rows that occur once in one table are in the other, so that the tables are two versions
    of one; where they are not, equal rows may be what anybody would write.
    """

    kept: Pairs
    changed: Pairs
    removed: Rows
    added: Rows
    by: Literal["id", "content"]
    related: bool
    notes: tuple[str, ...] = ()


def match(a: Dataset, b: Dataset, *, near: float | None = THRESHOLD) -> Match:
    """Match the rows of two tables by their common columns; what the id column says is no content.

    By the id column where both have it without gaps or repeats (unless more rows are equal without it: then the ids were
    assigned again). Else by content: equal rows first, each used once; then rows of equal text after normalisation; then rows
    whose texts are near-duplicates, the most similar first. The latter two are "changed".

    Args:
        near: Jaccard similarity of character trigrams from which texts are near-duplicates; ``None``: do not look for them.
    """
    notes: list[str] = []
    identifier = _identifier(a, b, notes)
    names = [name for name in a.table.column_names if name in b.table.column_names and name != a.roles.id]
    rows = _numbered(*(row_digests(replace(side, table=side.table.select(names))) for side in (a, b)))
    kept, related = _paired(*rows), _related(*rows)
    if identifier is not None:
        same_id = _paired(*_numbered(a.column(identifier), b.column(identifier)))
        equal = rows[0][same_id[0]] == rows[1][same_id[1]]
        if 2 * int(equal.sum()) >= len(kept[0]):
            pairs = _those(same_id, equal), _those(same_id, ~equal)
            related = len(equal) >= RELATED * min(len(a), len(b))
            return _match(a, b, *pairs, by="id", related=related, notes=notes)
        notes.append(
            f"Of the rows with the same {identifier!r}, {int(equal.sum()):,} are equal, but {len(kept[0]):,} are equal without "
            "it: the ids were assigned again, and rows are matched by content."
        )
    changed = _of_text(a, b, *_open(a, b, kept))
    if near is not None:
        close = _of_near_text(a, b, *_open(a, b, kept, changed), threshold=near)
        changed = np.concatenate([changed[0], close[0]]), np.concatenate([changed[1], close[1]])
    return _match(a, b, kept, changed, by="content", related=related, notes=notes)


def _match(
    a: Dataset,
    b: Dataset,
    kept: Pairs,
    changed: Pairs,
    *,
    by: Literal["id", "content"],
    related: bool,
    notes: list[str],
) -> Match:
    removed, added = _open(a, b, kept, changed)
    return Match(kept=kept, changed=changed, removed=removed, added=added, by=by, related=related, notes=tuple(notes))


def _identifier(a: Dataset, b: Dataset, notes: list[str]) -> str | None:
    """The id column, if both tables have it and no id is missing or there twice."""
    name = a.roles.id
    if name is None or name not in a.table.column_names or name not in b.table.column_names:
        return None
    for side in (a, b):
        cells = side.column(name)
        if None in cells or len(set(cells)) < len(cells):
            what = "missing" if None in cells else "repeated"
            notes.append(f"The id column {name!r} has {what} values, so rows are matched by content.")
            return None
    return name


def _numbered(left: Iterable[Hashable], right: Iterable[Hashable]) -> Pairs:
    """A number for each value of both sides, equal for equal values."""
    numbers: dict[Hashable, int] = {}
    sides = [
        np.fromiter((numbers.setdefault(value, len(numbers)) for value in side), np.int64) for side in (left, right)
    ]
    return sides[0], sides[1]


def _paired(left: Rows, right: Rows) -> Pairs:
    """Positions of equal numbers on both sides; each position is used once, repeats are paired in order."""
    width = max(len(left), len(right), 1)
    codes = left * width + _occurrence(left), right * width + _occurrence(right)
    _, here, there = np.intersect1d(codes[0], codes[1], assume_unique=True, return_indices=True)
    order = np.argsort(here)
    return here[order].astype(np.int64), there[order].astype(np.int64)


def _occurrence(numbers: Rows) -> Rows:
    """How often the same number stands before each position."""
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    rank = np.empty(len(numbers), np.int64)
    rank[order] = np.arange(len(numbers)) - np.repeat(starts, np.diff(np.append(starts, len(numbers))))
    return rank


def _related(left: Rows, right: Rows) -> bool:
    """Whether half of what occurs once on one side is on the other too.

    What anybody may write ("ok", 好的) is in any two tables, but where it is likely to be met again it is there often.
    """
    width = int(max(left.max(initial=-1), right.max(initial=-1))) + 1
    counts = np.bincount(left, minlength=width), np.bincount(right, minlength=width)
    for own, other in (counts, counts[::-1]):
        once = own == 1
        if once.any() and (other[once] > 0).mean() >= RELATED:
            return True
    return False


def _those(pairs: Pairs, which: npt.NDArray[np.bool_]) -> Pairs:
    return pairs[0][which], pairs[1][which]


def _open(a: Dataset, b: Dataset, *taken: Pairs) -> Pairs:
    """The rows of either table that are in none of these pairs."""
    free = np.ones(len(a), bool), np.ones(len(b), bool)
    for pairs in taken:
        free[0][pairs[0]] = free[1][pairs[1]] = False
    return np.flatnonzero(free[0]), np.flatnonzero(free[1])


def _of_text(a: Dataset, b: Dataset, left: Rows, right: Rows) -> Pairs:
    """Pairs of these rows with the same text after normalisation; an empty text is like no other."""
    plain = [[normalise(side.texts[row]) for row in rows.tolist()] for side, rows in ((a, left), (b, right))]
    here, there = (np.array([bool(text) for text in texts], bool) for texts in plain)
    left, right = left[here], right[there]
    pairs = _paired(*_numbered(*([text for text in texts if text] for texts in plain)))
    return left[pairs[0]], right[pairs[1]]


def _of_near_text(a: Dataset, b: Dataset, left: Rows, right: Rows, *, threshold: float) -> Pairs:
    """Pairs of these rows whose texts are near-duplicates, the most similar first, each row used once."""
    rows: tuple[dict[str, list[int]], dict[str, list[int]]] = ({}, {})
    for held, side, positions in ((rows[0], a, left), (rows[1], b, right)):
        for row in reversed(positions.tolist()):
            held.setdefault(normalise(side.texts[row]), []).append(row)
    texts: Sequence[str] = sorted(rows[0].keys() | rows[1].keys())
    sides = np.fromiter(((text in rows[0]) + 2 * (text in rows[1]) for text in texts), np.int8, len(texts))
    pairs = similar_pairs(texts, n=NGRAM, threshold=threshold, sides=sides)
    found: list[tuple[int, int]] = []
    for place in np.argsort(-pairs.jaccard, kind="stable").tolist():
        one, other = texts[int(pairs.left[place])], texts[int(pairs.right[place])]
        for mine, theirs in ((one, other), (other, one)):
            from_a, from_b = rows[0].get(mine, []), rows[1].get(theirs, [])
            while from_a and from_b:
                found.append((from_a.pop(), from_b.pop()))
    found.sort()
    matched = np.array(found, np.int64).reshape(-1, 2)
    return matched[:, 0], matched[:, 1]
