"""Pairs of texts whose n-gram sets are similar, each verified by its exact Jaccard similarity."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from ratchet.near.candidates import Buckets, PrefixJoin, all_pairs, most_pairs
from ratchet.near.minhash import Bands, band_keys
from ratchet.near.sets import TINY, Sets
from ratchet.text.columns import Rows

ALL_PAIRS = 20_000_000
PREFIX_PAIRS = 40_000_000
BUCKET_PAIRS = 200_000_000
_CENTRES = 16
_REMEMBERED = 1 << 23
_STEP = 1 << 20

Sides = npt.NDArray[np.int8]
Method = Literal["exhaustive", "minhash"]


@dataclass(frozen=True, kw_only=True, eq=False)
class NearPairs:
    """Verified pairs ``left[i] < right[i]`` with their Jaccard similarities, sorted.

    ``method`` is ``exhaustive`` (no pair was missed) or ``minhash``; ``skipped`` counts candidates that stayed unverified
    because too many texts met in one bucket: 0 for any usual table.
    """

    left: Rows
    right: Rows
    jaccard: npt.NDArray[np.float64]
    method: Method
    skipped: int = 0

    def __len__(self) -> int:
        return len(self.left)


def similar_pairs(
    texts: Sequence[str], *, n: int, threshold: float, sides: Sides | None = None, connect: bool = False
) -> NearPairs:
    """Pairs of these texts with a Jaccard similarity of at least ``threshold``.

    The candidates of the exhaustive roads are counted first; when they are affordable nothing is missed. Else MinHash
    bands find a pair at the threshold with probability .998, and more similar ones more surely. Every candidate is
    verified by its exact similarity, so neither road returns a pair below the threshold.

    Args:
        texts: different texts, sorted, so that the result does not depend on the order of the table.
        n: characters of an n-gram.
        threshold: smallest similarity, above 0.
        sides: 1, 2 or 3 (both) for each text; only pairs across sides 1 and 2 are wanted.
        connect: the caller wants connected components only, so a pair that is already connected is left out.
    """
    sets = Sets(texts, n=n)
    search = _Search(sets, threshold=threshold, sides=sides, connect=connect)
    if connect:
        search.offer_neighbours()
    join = PrefixJoin(sets, threshold=threshold) if sets.tokens is not None else None
    every = len(sets) * (len(sets) - 1) // 2
    if join is not None and join.windows.total <= (max(every, 1) if every <= ALL_PAIRS else PREFIX_PAIRS):
        search.offer_all(join.pairs())
    elif every <= ALL_PAIRS:
        search.offer_all(all_pairs(len(sets)))
    else:
        search.offer_bands()
        return search.result("minhash")
    return search.result("exhaustive")


def components(count: int, left: Rows, right: Rows) -> Rows:
    """Connected components of ``count`` nodes under these edges: a number below ``count`` for each node."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


class _Search:
    """Verifies candidates, each once, and collects the pairs."""

    def __init__(self, sets: Sets, *, threshold: float, sides: Sides | None, connect: bool) -> None:
        self.sets = sets
        self.threshold = threshold
        self.sides = np.full(len(sets), 3, np.int8) if sides is None else sides
        self.connect = connect
        self.component = np.arange(len(sets))
        self.skipped = 0
        self._seen = np.zeros(0, np.int64)
        self._found: list[tuple[Rows, Rows, npt.NDArray[np.float64]]] = []

    def offer_all(self, chunks: Iterable[tuple[Rows, Rows]]) -> None:
        """Verify all chunks of candidates."""
        for left, right in chunks:
            self.offer(left, right)

    def offer_neighbours(self) -> None:
        """Verify each text with the next one: sorted texts of one template connect so, and their other pairs need no look."""
        for start in range(0, len(self.sets) - 1, _STEP):
            left = np.arange(start, min(start + _STEP, len(self.sets) - 1))
            self.offer(left, left + 1)

    def offer(self, left: Rows, right: Rows) -> None:
        """Verify these candidates."""
        sizes, total = self.sets.sizes, len(self.sets)
        small, large = np.minimum(sizes[left], sizes[right]), np.maximum(sizes[left], sizes[right])
        wanted = (small > 0) & (small >= self.threshold * large - TINY)
        wanted &= (self.sides[left] | self.sides[right]) == 3
        if self.connect:
            wanted &= self.component[left] != self.component[right]
        left, right = left[wanted], right[wanted]
        kept = self.sets.plausible(left, right, threshold=self.threshold)
        codes = np.unique(np.minimum(left, right)[kept] * total + np.maximum(left, right)[kept])
        codes = codes[~np.isin(codes, self._seen, assume_unique=True)]
        if not len(codes):
            return
        if len(self._seen) < _REMEMBERED:  # beyond, a pair may be verified again; the result drops it
            self._seen = np.sort(np.concatenate([self._seen, codes]))
        left, right = codes // total, codes % total
        similarity = self.sets.jaccard(left, right)
        near = similarity >= self.threshold - TINY
        self._found.append((left[near], right[near], similarity[near]))
        if self.connect and near.any():
            self.component = components(total, self.component[left[near]], self.component[right[near]])[self.component]

    def offer_bands(self) -> None:
        """Verify what meets in MinHash bands; overfull buckets get stars instead of all their pairs."""
        bands = Bands.for_threshold(self.threshold)
        texts = np.flatnonzero(self.sets.sizes)
        filled = self.sets.texts if len(texts) == len(self.sets) else [self.sets.texts[i] for i in texts.tolist()]
        keys = band_keys(filled, alphabet=self.sets.alphabet, bands=bands)
        sides = self.sides[texts]
        largest = 1 << 62
        if sum(map(most_pairs, keys)) > BUCKET_PAIRS:
            costs = [Buckets.of(band, texts=texts, sides=sides).costs for band in keys]
            largest = _largest_affordable(np.concatenate([cost[cost > 0] for cost in costs]))
        for band in keys:
            buckets = Buckets.of(band, texts=texts, sides=sides)
            self.offer_all(buckets.pairs(largest=largest))
            self._offer_stars(*buckets.overfull(largest=largest))

    def _offer_stars(self, texts: Rows, sizes: Rows, costs: Rows) -> None:
        """Compare the texts of overfull buckets with their neighbours in text order and with a few centres of the bucket.

        Texts that share a boilerplate connect through any of these, so a bucket of a million of them costs a few million
        comparisons instead of 5e11. What was not compared and is not connected either is counted as skipped.
        """
        if not len(texts):
            return
        bucket = np.repeat(np.arange(len(sizes)), sizes)
        beside = bucket[1:] == bucket[:-1]
        self.offer(texts[1:][beside], texts[:-1][beside])
        compared = sizes - 1
        rest, owner = texts, bucket
        for step in range(_CENTRES):
            if self.connect:  # one text of each component found so far stands for the others
                first = np.sort(np.unique(owner * len(self.sets) + self.component[rest], return_index=True)[1])
                rest, owner = rest[first], owner[first]
            left = np.bincount(owner, minlength=len(sizes))
            centre = rest[(np.cumsum(left) - left + step * (left - 1) // max(_CENTRES - 1, 1)).clip(0, len(rest) - 1)]
            self.offer(centre[owner], rest)
            compared = compared + np.maximum(left - 1, 0)
        if self.connect:
            places = np.unique(bucket * len(self.sets) + self.component[texts], return_counts=True)
            inside = np.bincount(
                places[0] // len(self.sets), weights=places[1].astype(float) ** 2, minlength=len(sizes)
            )
            costs = (sizes**2 - inside.astype(np.int64)) // 2
        self.skipped += int(np.maximum(costs - compared, 0).sum())

    def result(self, method: Method) -> NearPairs:
        """Everything found, sorted."""
        nothing = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
        left, right, jaccard = (np.concatenate(part) for part in zip(nothing, *self._found, strict=True))
        order = np.unique(left * len(self.sets) + right, return_index=True)[1]
        return NearPairs(
            left=left[order], right=right[order], jaccard=jaccard[order], method=method, skipped=self.skipped
        )


def _largest_affordable(costs: Rows) -> int:
    """The largest cost of a bucket such that all buckets up to that cost together stay within ``BUCKET_PAIRS``."""
    costs = np.sort(costs)
    affordable = int(np.searchsorted(np.cumsum(costs), BUCKET_PAIRS, side="right"))
    if affordable == len(costs):
        return int(costs[-1]) if len(costs) else 0
    below = costs[costs < costs[affordable]]
    return int(below[-1]) if len(below) else 0
