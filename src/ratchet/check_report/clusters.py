"""Clusters of copies and near-copies as a picture needs them: how many of which size, and the largest with their texts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from ratchet.checks.context import Context, shown
from ratchet.checks.duplicates import is_further
from ratchet.text.columns import Rows

LARGEST = 12
MEMBERS = 6


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Rows that say the same, or nearly.

    Attributes:
        rows: how many.
        texts: different texts among them, after normalisation.
        labels: rows of each label, the most frequent first.
        file: of the first row; ``row`` is its 1-based number.
        members: up to six of the different texts, the first row's first, as they may be shown.
    """

    rows: int
    texts: int
    labels: tuple[tuple[str, int], ...]
    file: str
    row: int
    members: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Clusters:
    """All clusters of a table: ``sizes`` are (rows, clusters of that many rows), from 1 row on; then the largest ones."""

    sizes: tuple[tuple[int, int], ...]
    largest: tuple[Cluster, ...]

    @property
    def repeated(self) -> int:
        """Clusters of two rows or more."""
        return sum(count for rows, count in self.sizes if rows > 1)


def find_clusters(context: Context) -> Clusters:
    """The clusters of copies, of the same wording and of near-duplicates, by their rows."""
    known = np.flatnonzero(context.clusters >= 0)
    if not len(known):
        return Clusters(sizes=(), largest=())
    numbers, first, counts = np.unique(context.clusters[known], return_index=True, return_counts=True)
    sizes, frequency = np.unique(counts, return_counts=True)
    order = np.lexsort((first, -counts))[:LARGEST]
    wanted = [int(numbers[i]) for i in order if counts[i] > 1]
    return Clusters(
        sizes=tuple(zip(sizes.tolist(), frequency.tolist(), strict=True)),
        largest=tuple(_cluster(context, np.flatnonzero(context.clusters == number)) for number in wanted),
    )


def _cluster(context: Context, rows: Rows) -> Cluster:
    data = context.dataset
    different = rows[~is_further(context.groups[rows])]
    labels = Counter(data.labels[row] for row in rows.tolist() if data.labels[row])
    return Cluster(
        rows=len(rows),
        texts=len(different),
        labels=tuple(sorted(labels.items(), key=lambda one: (-one[1], one[0]))),
        file=data.files[data.file_index[rows[0]]],
        row=int(data.origin[rows[0]]),
        members=tuple(shown(data.texts[row]) for row in different[:MEMBERS].tolist()),
    )
