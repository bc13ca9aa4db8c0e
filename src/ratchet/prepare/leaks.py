"""Rows that two tables share: copies, near-copies and equal groups; and taking them out of the training table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ratchet.errors import DataError
from ratchet.near.copies import NGRAM, THRESHOLD, same_words, unique_texts
from ratchet.near.pairs import similar_pairs
from ratchet.prepare.quarantine import Quarantine, removed
from ratchet.tables.dataset import Dataset
from ratchet.text.columns import Rows

LEAK = "parts.leak"


@dataclass(frozen=True, kw_only=True, eq=False)
class Shared:
    """For each row of either table a row of the other that matches it best, or -1; and how similar the two are."""

    left: Rows
    right: Rows
    left_similarity: npt.NDArray[np.float64]
    right_similarity: npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Leaks:
    """What ``left`` (training rows) and ``right`` (test rows) share, by kind.

    ``exact``: the same wording. ``near``: verified n-gram similarity, exact matches not counted. ``group``: an equal
    value in the group column. ``skipped``: see :class:`ratchet.near.pairs.NearPairs`.
    """

    exact: Shared
    near: Shared
    group: Shared
    skipped: int

    @property
    def counts(self) -> dict[str, int]:
        """Rows of ``right`` that leak, by kind; a row can leak in its text and its group."""
        kinds = {"exact": self.exact, "near": self.near, "group": self.group}
        return {kind: int((shared.right >= 0).sum()) for kind, shared in kinds.items()}

    @property
    def left_rows(self) -> npt.NDArray[np.bool_]:
        """Which rows of ``left`` match any row of ``right``."""
        return (self.exact.left >= 0) | (self.near.left >= 0) | (self.group.left >= 0)

    @property
    def right_rows(self) -> npt.NDArray[np.bool_]:
        """Which rows of ``right`` match any row of ``left``."""
        return (self.exact.right >= 0) | (self.near.right >= 0) | (self.group.right >= 0)


def leaks(left: Dataset, right: Dataset, *, ngram: int = NGRAM, threshold: float = THRESHOLD) -> Leaks:
    """Find the rows that two tables share.

    Args:
        left: rows that a model may be trained on.
        right: rows that it is to be measured on.
        ngram: characters of an n-gram.
        threshold: Jaccard similarity from which two texts are near-duplicates.
    """
    exact = _equal(_wordings(left), _wordings(right))
    near, skipped = _near(left.texts, right.texts, ngram=ngram, threshold=threshold)
    return Leaks(exact=exact, near=_without(near, exact), group=_equal(_groups(left), _groups(right)), skipped=skipped)


def remove_leaks(
    train: Dataset, test: Dataset, *, ngram: int = NGRAM, threshold: float = THRESHOLD
) -> tuple[Dataset, Quarantine]:
    """The rows of ``train`` that share nothing with ``test``, and the quarantine of the others with reason ``parts.leak``.

    The test table is left as it is, so that its scores stay comparable with those of others.

    Raises:
        DataError: nothing of ``train`` would be left.
    """
    found = leaks(train, test, ngram=ngram, threshold=threshold)
    if len(train) and found.left_rows.all():
        raise DataError(
            f"Some training rows must differ from the test rows but all {len(train):,} are copies, near-copies or of the "
            "same group.",
            next_step="Is data.test_files the training table? Name another file, or leave it out to cut a test part.",
        )
    rows = np.flatnonzero(found.left_rows)
    kept = np.select(
        [found.exact.left[rows] >= 0, found.near.left[rows] >= 0],
        [found.exact.left[rows], found.near.left[rows]],
        found.group.left[rows],
    )
    quarantine = removed(train, rows, reasons=[LEAK] * len(rows), kept=kept, keeper=test)
    return train.take(np.flatnonzero(~found.left_rows)), quarantine


def _wordings(dataset: Dataset) -> list[str | None]:
    return [same_words(text) or None for text in dataset.texts]


def _groups(dataset: Dataset) -> list[str | None]:
    group = dataset.roles.group
    return [None] * len(dataset) if group is None else dataset.column(group)


def _equal(left: list[str | None], right: list[str | None]) -> Shared:
    """Match equal keys with the first row that has them; ``None`` equals nothing."""
    first_left, first_right = _first_rows(left), _first_rows(right)
    to_right = np.array([-1 if key is None else first_right.get(key, -1) for key in left], np.int64)
    to_left = np.array([-1 if key is None else first_left.get(key, -1) for key in right], np.int64)
    return Shared(
        left=to_right,
        right=to_left,
        left_similarity=(to_right >= 0).astype(float),
        right_similarity=(to_left >= 0).astype(float),
    )


def _first_rows(keys: list[str | None]) -> dict[str, int]:
    rows: dict[str, int] = {}
    for row, key in enumerate(keys):
        if key is not None:
            rows.setdefault(key, row)
    return rows


def _near(left: list[str], right: list[str], *, ngram: int, threshold: float) -> tuple[Shared, int]:
    """Match every row with the most similar text of the other side."""
    unique, _, place = unique_texts([*left, *right])
    here, there = place[: len(left)], place[len(left) :]
    sides = np.zeros(len(unique), np.int8)
    sides[here] |= 1
    sides[there] |= 2
    pairs = similar_pairs(unique, n=ngram, threshold=threshold, sides=sides)
    one, other = np.concatenate([pairs.left, pairs.right]), np.concatenate([pairs.right, pairs.left])
    similarity = np.concatenate([pairs.jaccard, pairs.jaccard])
    matches = []
    for own, own_side, opposite, opposite_side in ((here, 1, there, 2), (there, 2, here, 1)):
        fits = ((sides[one] & own_side) > 0) & ((sides[other] & opposite_side) > 0)
        best, score = _best(one[fits], other[fits], similarity[fits], count=len(unique))
        first = np.full(len(unique), -1, np.int64)
        first[opposite[::-1]] = np.arange(len(opposite))[::-1]
        matches.append((np.where(best >= 0, first[best], -1)[own], score[own]))
    (to_right, left_score), (to_left, right_score) = matches
    shared = Shared(left=to_right, right=to_left, left_similarity=left_score, right_similarity=right_score)
    return shared, pairs.skipped


def _best(
    one: Rows, other: Rows, similarity: npt.NDArray[np.float64], *, count: int
) -> tuple[Rows, npt.NDArray[np.float64]]:
    """The most similar partner of each of ``count`` texts, or -1; of equally similar ones the first."""
    order = np.lexsort((other, -similarity, one))
    texts, first = np.unique(one[order], return_index=True)
    best, score = np.full(count, -1, np.int64), np.zeros(count)
    best[texts] = other[order][first]
    score[texts] = similarity[order][first]
    return best, score


def _without(near: Shared, exact: Shared) -> Shared:
    """Near matches of the rows that have no exact one."""
    left, right = exact.left < 0, exact.right < 0
    return Shared(
        left=np.where(left, near.left, -1),
        right=np.where(right, near.right, -1),
        left_similarity=near.left_similarity * left,
        right_similarity=near.right_similarity * right,
    )
