"""The n-gram sets of many texts, and the exact Jaccard similarity of any pair of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ratchet.near.ngrams import Alphabet, Codes, Grams, blocks
from ratchet.text.columns import Rows

KEPT_CODES = (
    16_000_000  # up to here the sets stay in memory; beyond, those of a pair are built again when it is verified
)
TINY = 1e-9  # slack for thresholds, so that 7 of 10 reaches .7 in floating point
_VERIFIED_CODES = 1 << 22


class Sets:
    """N-gram sets: their sizes, bit maps for a quick bound, and exact similarities on demand.

    ``tokens`` numbers the n-grams of the kept sets from the rarest to the most frequent, ascending within each text;
    it is ``None`` when there are too many to keep.
    """

    def __init__(self, texts: Sequence[str], *, n: int) -> None:
        self.texts = texts
        self.alphabet = Alphabet.of(texts, n=n)
        self.tokens: npt.NDArray[np.int32] | None = None
        total = sum(map(len, texts))
        words = 2 ** min(5, max(2, math.ceil(math.log2(1 + total / max(len(texts), 1) / 32))))
        sizes, maps, kept = [np.zeros(0, np.int64)], [np.zeros((0, words), np.uint64)], [np.zeros(0, np.uint64)]
        for start, end in blocks(texts):
            grams = self.alphabet.sets(texts[start:end])
            sizes.append(grams.sizes)
            maps.append(_bit_maps(grams, words=words))
            if total <= KEPT_CODES:
                kept.append(grams.codes)
        self.sizes: Rows = np.concatenate(sizes)
        self.bounds: Rows = np.concatenate(([0], np.cumsum(self.sizes)))
        self.maps: Codes = np.concatenate(maps)
        if total <= KEPT_CODES:
            self.tokens = _rarest_first(np.concatenate(kept), sizes=self.sizes)
            self._width = int(self.tokens.max(initial=0)) + 1

    def __len__(self) -> int:
        return len(self.sizes)

    def plausible(self, left: Rows, right: Rows, *, threshold: float) -> npt.NDArray[np.bool_]:
        """False only for pairs that cannot reach the threshold.

        Sets whose bit maps differ in k bits differ in at least k n-grams, and a similarity of t allows at most
        (1 - t) / (1 + t) (|x| + |y|) of those (Sandes, Teodoro and Melo 2020, "Bitmap filter").
        """
        allowed = (1 - threshold) / (1 + threshold) * (self.sizes[left] + self.sizes[right]) + TINY
        differ = np.zeros(len(left), np.int64)
        for word in range(self.maps.shape[1]):
            column = self.maps[:, word]
            differ += np.bitwise_count(column[left] ^ column[right])
        return np.asarray(differ <= allowed)

    def jaccard(self, left: Rows, right: Rows) -> npt.NDArray[np.float64]:
        """The exact similarity of each pair: size of the intersection over size of the union."""
        shared = np.zeros(len(left), np.int64)
        weights = np.concatenate(([0], np.cumsum(self.sizes[left] + self.sizes[right])))
        most = 1 << (63 - self.alphabet.width)
        first = 0
        while first < len(left):
            last = int(np.searchsorted(weights, weights[first] + _VERIFIED_CODES, side="right")) - 1
            last = max(first + 1, last if self.tokens is not None else min(last, first + most))
            count = self._shared if self.tokens is None else self._shared_of_kept
            shared[first:last] = count(left[first:last], right[first:last])
            first = last
        return np.asarray(shared / np.maximum(self.sizes[left] + self.sizes[right] - shared, 1))

    def _shared_of_kept(self, left: Rows, right: Rows) -> Rows:
        from scipy.sparse import csr_array

        assert self.tokens is not None
        matrices = []
        for rows in (left, right):
            _, entries = expand(self.bounds[rows], self.sizes[rows])
            bounds = np.concatenate(([0], np.cumsum(self.sizes[rows])))
            ones = np.ones(len(entries), np.int32)
            matrices.append(csr_array((ones, self.tokens[entries], bounds), shape=(len(rows), self._width)))
        return np.asarray((matrices[0] * matrices[1]).sum(axis=1), np.int64)

    def _shared(self, left: Rows, right: Rows) -> Rows:
        """Sort the codes of both texts of a pair together: a shared one comes twice in a row."""
        texts, place = np.unique(np.concatenate([left, right]), return_inverse=True)
        grams = self.alphabet.sets([self.texts[i] for i in texts])
        owners, entries = expand(grams.bounds[place], grams.sizes[place])
        width = np.uint64(self.alphabet.width)
        words = ((owners % len(left)).astype(np.uint64) << width) | grams.codes[entries]
        words.sort()
        pairs = (words[1:][words[1:] == words[:-1]] >> width).astype(np.int64)
        return np.bincount(pairs, minlength=len(left))


def expand(starts: Rows, counts: Rows) -> tuple[Rows, Rows]:
    """For each i the numbers ``starts[i]`` to ``starts[i] + counts[i] - 1``: (i of each, the numbers)."""
    ends = np.cumsum(counts)
    owners = np.repeat(np.arange(len(counts)), counts)
    return owners, np.arange(len(owners)) + np.repeat(starts - ends + counts, counts)


def _rarest_first(codes: Codes, *, sizes: Rows) -> npt.NDArray[np.int32]:
    """Number the codes from the rarest to the most frequent and sort each text's numbers."""
    order = np.argsort(codes)
    fresh = np.ones(len(codes), bool)
    np.not_equal(codes[order[1:]], codes[order[:-1]], out=fresh[1:])
    numbers = np.cumsum(fresh) - 1
    counts = np.bincount(numbers)
    ranks = np.empty(len(counts), np.int64)
    ranks[np.argsort(counts, kind="stable")] = np.arange(len(counts))
    words = np.empty(len(codes), np.int64)
    words[order] = ranks[numbers]
    words |= np.repeat(np.arange(len(sizes)), sizes) << 32
    words.sort()
    return (words & 0xFFFFFFFF).astype(np.int32)


def _bit_maps(grams: Grams, *, words: int) -> Codes:
    """One bit per hashed n-gram: shape (texts, words)."""
    maps = np.zeros(len(grams) * words, np.uint64)
    hashes = (grams.codes * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(64 - 6 - (words.bit_length() - 1))
    owners = np.repeat(np.arange(len(grams)) * words, grams.sizes)
    np.bitwise_or.at(maps, owners + (hashes >> np.uint64(6)).astype(np.int64), np.uint64(1) << (hashes & np.uint64(63)))
    return maps.reshape(len(grams), words)
