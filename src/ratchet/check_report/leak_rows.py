"""Which rows of one part another part gives away: between files, or between the parts of a random split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ratchet.checks.context import Context
from ratchet.prepare.leaks import leaks
from ratchet.tables.dataset import Dataset
from ratchet.text.columns import Rows


@dataclass(frozen=True, kw_only=True)
class LeakMatrix:
    """Counts of rows between parts.

    ``cells[i][j]`` are the rows of part ``j`` (column) that part ``i`` (row) gives away: (copies and same wordings,
    further near-duplicates). On the diagonal they are the further copies within a part. ``random`` tells that the parts
    are those of a random split, not files.
    """

    names: tuple[str, ...]
    rows: tuple[int, ...]
    cells: tuple[tuple[tuple[int, int], ...], ...]
    random: bool = False

    @property
    def any(self) -> bool:
        """Whether any part gives rows of another away."""
        return any(sum(cell) for i, row in enumerate(self.cells) for j, cell in enumerate(row) if i != j)


def between_files(files: Sequence[tuple[str, Dataset]], *, ngram: int, threshold: float) -> LeakMatrix:
    """The matrix of several tables, each with its name."""
    tables = [table for _, table in files]
    count = len(tables)
    cells = [[(0, 0)] * count for _ in range(count)]
    for i, left in enumerate(tables):
        cells[i][i] = _within(left, ngram=ngram, threshold=threshold)
        for j in range(i + 1, count):
            found = leaks(left, tables[j], ngram=ngram, threshold=threshold)
            cells[i][j] = (int((found.exact.right >= 0).sum()), int((found.near.right >= 0).sum()))
            cells[j][i] = (int((found.exact.left >= 0).sum()), int((found.near.left >= 0).sum()))
    return LeakMatrix(
        names=tuple(name for name, _ in files),
        rows=tuple(map(len, tables)),
        cells=tuple(map(tuple, cells)),
    )


def of_random_split(context: Context) -> LeakMatrix:
    """The matrix of train, valid and test, cut at random in the recipe's sizes as everybody does."""
    split = context.recipe.split
    known = np.flatnonzero(context.groups >= 0).astype(np.int64)
    order = np.random.default_rng(context.seed).permutation(known)
    test = round(split.test * len(order))
    valid = round((len(order) - test) / split.folds)
    parts = [np.sort(part) for part in np.split(order, [test, test + valid])][::-1]
    names = ("train", "valid", "test")
    cells = tuple(tuple(_given_away(context, i, j) for j in parts) for i in parts)
    return LeakMatrix(names=names, rows=tuple(map(len, parts)), cells=cells, random=True)


def _given_away(context: Context, giver: Rows, taker: Rows) -> tuple[int, int]:
    """Rows of ``taker`` with a copy, or else a near-copy, in ``giver``; of one and the same part the further ones."""
    if giver is taker:
        copies = len(taker) - len(np.unique(context.groups[taker]))
        return copies, len(taker) - len(np.unique(context.clusters[taker])) - copies
    copied = np.isin(context.groups[taker], context.groups[giver])
    near = np.isin(context.clusters[taker], context.clusters[giver])
    return int(copied.sum()), int((near & ~copied).sum())


def _within(table: Dataset, *, ngram: int, threshold: float) -> tuple[int, int]:
    from ratchet.near.copies import clusters, exact_groups

    texts = [text for text in table.texts if text]
    if not texts:
        return 0, 0
    copies = len(texts) - len(np.unique(exact_groups(texts)))
    return copies, len(texts) - len(np.unique(clusters(texts, ngram=ngram, threshold=threshold))) - copies
