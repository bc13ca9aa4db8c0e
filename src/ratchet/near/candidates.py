"""Candidates for near-duplicates: an exhaustive road for what is affordable, MinHash bands for the rest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ratchet.near.sets import TINY, Sets, expand
from ratchet.text.columns import Rows

_CHUNK = 1 << 20
_PLACE_BITS = 30

Chunks = Iterator[tuple[Rows, Rows]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Windows:
    """Candidates as windows: entry ``i`` meets the entries ``starts[i]`` to ``starts[i] + counts[i] - 1`` of a list."""

    starts: Rows
    counts: Rows

    @property
    def total(self) -> int:
        """Number of candidate pairs."""
        return int(self.counts.sum())

    def chunks(self) -> Chunks:
        """The pairs (entry, list entry), about a million at a time."""
        ends = np.concatenate(([0], np.cumsum(self.counts)))
        first = 0
        while first < len(self.counts):
            last = max(first + 1, int(np.searchsorted(ends, ends[first] + _CHUNK, side="right")) - 1)
            owners, partners = expand(self.starts[first:last], self.counts[first:last])
            yield owners + first, partners
            first = last


def all_pairs(count: int) -> Chunks:
    """Every pair of ``count`` texts."""
    return Windows(starts=np.zeros(count, np.int64), counts=np.arange(count)).chunks()


class PrefixJoin:
    """Texts of a given similarity share one of their rarest n-grams, so only those n-grams are looked up.

    Prefix, length and positional filters of Chaudhuri et al. 2006 ("A primitive operator for similarity joins") and Xiao
    et al. 2008 ("Efficient similarity joins for near duplicate detection"); no pair is missed.
    """

    def __init__(self, sets: Sets, *, threshold: float) -> None:
        assert sets.tokens is not None
        self.threshold = threshold
        order = np.argsort(sets.sizes, kind="stable")
        self.texts = order[np.searchsorted(sets.sizes[order], 1) :]  # by size; an empty text is near nothing
        self.sizes = sets.sizes[self.texts]
        probed = self._prefix(threshold)
        self.owner, entries = expand(sets.bounds[self.texts], probed)
        self.position = entries - sets.bounds[self.texts][self.owner]
        token = sets.tokens[entries].astype(np.int64)
        # The shorter text of a pair is looked up by the longer one, so it is listed under fewer of its n-grams.
        listed = np.flatnonzero(self.position < self._prefix(2 * threshold / (1 + threshold))[self.owner])
        total = max(len(self.texts), 1)
        keys = token[listed] * total + self.owner[listed]
        by_key = np.argsort(keys)
        self.listed = listed[by_key]
        lowest = np.searchsorted(self.sizes, np.ceil(threshold * self.sizes - TINY))[self.owner]
        starts = np.searchsorted(keys[by_key], token * total + lowest)
        ends = np.searchsorted(keys[by_key], token * total + self.owner)
        self.windows = Windows(starts=starts, counts=np.maximum(ends - starts, 0))

    def _prefix(self, share: float) -> Rows:
        """How many of a text's rarest n-grams must be looked at so that ``share`` of them cannot agree elsewhere."""
        return np.asarray(self.sizes - np.ceil(share * self.sizes - TINY) + 1, np.int64)

    def pairs(self) -> Chunks:
        """Candidates (longer text, shorter text); a pair may come more than once."""
        factor = self.threshold / (1 + self.threshold)
        for probe, place in self.windows.chunks():
            match = self.listed[place]
            left, right = self.owner[probe], self.owner[match]
            rest = np.minimum(self.sizes[left] - self.position[probe], self.sizes[right] - self.position[match])
            enough = rest >= factor * (self.sizes[left] + self.sizes[right]) - TINY
            yield self.texts[left[enough]], self.texts[right[enough]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Buckets:
    """Texts with equal keys of one band, side by side: ``texts[starts[i] : starts[i] + sizes[i]]``."""

    texts: Rows
    starts: Rows
    sizes: Rows
    costs: Rows
    windows: Windows

    @classmethod
    def of(cls, keys: npt.NDArray[np.uint32], *, texts: Rows, sides: npt.NDArray[np.int8]) -> Buckets:
        """Sort by key; within a bucket, texts of side 1 come first, then those of both sides, then those of side 2."""
        later = np.array([0, 0, 2, 1], np.uint64)[sides]
        # Key, side and place in one word: sorting words is several times faster than sorting an index by them.
        words = (keys.astype(np.uint64) << np.uint64(32)) | (later << np.uint64(_PLACE_BITS))
        words |= np.arange(len(keys), dtype=np.uint64)
        words.sort()
        order = (words & np.uint64((1 << _PLACE_BITS) - 1)).astype(np.int64)
        words >>= np.uint64(32)
        fresh = np.ones(len(words), bool)
        np.not_equal(words[1:], words[:-1], out=fresh[1:])
        starts = np.flatnonzero(fresh)
        sizes = np.diff(np.append(starts, len(words)))
        first = np.repeat(starts, sizes)
        where = np.arange(len(words)) - first
        kind = sides[order]
        before_two = np.repeat(np.add.reduceat(kind != 2, starts) if len(starts) else starts, sizes)
        counts = np.select([kind == 1, kind == 3], [0, where], before_two)
        costs = np.add.reduceat(counts, starts) if len(starts) else starts
        return cls(
            texts=texts[order], starts=starts, sizes=sizes, costs=costs, windows=Windows(starts=first, counts=counts)
        )

    def pairs(self, *, largest: int) -> Chunks:
        """All pairs across the sides, of the buckets that cost at most ``largest`` pairs."""
        counts = np.where(np.repeat(self.costs, self.sizes) <= largest, self.windows.counts, 0)
        for probe, place in Windows(starts=self.windows.starts, counts=counts).chunks():
            yield self.texts[probe], self.texts[place]

    def overfull(self, *, largest: int) -> tuple[Rows, Rows, Rows]:
        """The buckets that cost more: their texts side by side, the size and the cost of each."""
        over = self.costs > largest
        return self.texts[np.repeat(over, self.sizes)], self.sizes[over], self.costs[over]


def most_pairs(keys: npt.NDArray[np.uint32]) -> int:
    """How many pairs of texts have equal keys of this band, whatever their sides."""
    ordered = np.sort(keys)
    cuts = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    sizes = np.diff(np.concatenate(([0], cuts, [len(ordered)])))
    return int((sizes * (sizes - 1) // 2).sum())
