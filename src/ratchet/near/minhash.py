"""MinHash signatures of n-gram sets, and the bands in which similar sets meet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ratchet.near.ngrams import Alphabet, Codes, blocks, scrambled
from ratchet.text.columns import Rows

PERMUTATIONS = 192
RECALL = 0.998
_SEED = 20_261_124
_BLOCK_CODES = 1 << 16  # 256 KiB of 32-bit hashes: a block and its product stay in the second-level cache
_BLOCK_CHARACTERS = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Bands:
    """``count`` bands of ``rows`` permutations: two sets meet when all rows of any band agree."""

    count: int
    rows: int

    @classmethod
    def for_threshold(cls, threshold: float, *, permutations: int = PERMUTATIONS, recall: float = RECALL) -> Bands:
        """The longest bands in which a pair of exactly this Jaccard similarity still meets with this probability."""
        for rows in range(permutations, 1, -1):
            bands = cls(count=permutations // rows, rows=rows)
            if bands.recall(threshold) >= recall:
                return bands
        return cls(count=permutations, rows=1)

    def recall(self, similarity: float) -> float:
        """The chance that two sets of this Jaccard similarity meet: 1 - (1 - s^rows)^count."""
        return -math.expm1(self.count * math.log1p(-min(similarity**self.rows, 1 - 1e-16)))


def signatures(codes: Codes, *, bounds: Rows, permutations: int = PERMUTATIONS) -> npt.NDArray[np.uint32]:
    """What each permutation puts first in each set: shape (permutations, sets), uint32.

    The share of equal rows of two columns estimates the Jaccard similarity of the two sets (Broder 1997, "On the
    resemblance and containment of documents"). A permutation multiplies a mixed 32-bit hash of the code by an odd number;
    read forwards it gives one row (the least), backwards the next (the complement of the greatest), so half of the
    products are saved and the two are, if anything, less alike than chance. Repeats in a set change nothing; an empty set
    has 2^32 - 1 in every row.
    """
    factors = np.random.default_rng(_SEED).integers(0, 2**32, (permutations + 1) // 2, dtype=np.uint32) | np.uint32(1)
    filled = np.flatnonzero(np.diff(bounds))
    starts = bounds[filled]
    rows = np.empty((2 * len(factors), len(filled)), np.uint32)
    first = 0
    while first < len(filled):
        last = max(first + 1, int(np.searchsorted(starts, starts[first] + _BLOCK_CODES)))
        end = starts[last] if last < len(filled) else bounds[-1]
        hashes = _mixed(codes[starts[first] : end])
        moved = np.empty_like(hashes)
        cuts = starts[first:last] - starts[first]
        for i, factor in enumerate(factors):
            np.multiply(hashes, factor, out=moved)
            np.minimum.reduceat(moved, cuts, out=rows[2 * i, first:last])
            np.maximum.reduceat(moved, cuts, out=rows[2 * i + 1, first:last])
        first = last
    np.invert(rows[1::2], out=rows[1::2])
    if len(filled) == len(bounds) - 1:
        return rows[:permutations]
    every = np.full((permutations, len(bounds) - 1), np.iinfo(np.uint32).max, np.uint32)
    every[:, filled] = rows[:permutations]
    return every


def band_keys(texts: Sequence[str], *, alphabet: Alphabet, bands: Bands) -> npt.NDArray[np.uint32]:
    """One hash per band and text: shape (bands, texts), uint32; texts that agree in a band have equal hashes there.

    Works through the texts in blocks and keeps 4 bytes per band and text, never the signatures.
    """
    keys = np.empty((bands.count, len(texts)), np.uint32)
    for start, end in blocks(texts, characters=_BLOCK_CHARACTERS):
        grams = alphabet.grams(texts[start:end])
        rows = signatures(grams.codes, bounds=grams.bounds, permutations=bands.count * bands.rows)
        folded = np.zeros((bands.count, end - start), np.uint64)
        for row in range(bands.rows):
            folded = scrambled(folded ^ rows[row :: bands.rows].astype(np.uint64))
        keys[:, start:end] = (folded >> np.uint64(32)).astype(np.uint32)
    return keys


def _mixed(codes: Codes) -> npt.NDArray[np.uint32]:
    return (scrambled(codes) >> np.uint64(32)).astype(np.uint32)
