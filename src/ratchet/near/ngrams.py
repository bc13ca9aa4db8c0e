"""Character n-grams of many texts at once, as sets of integers in flat arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ratchet.text.columns import Rows

Codes = npt.NDArray[np.uint64]
_CODE_BITS = 60  # bits of one n-gram; the rest of a 64-bit word numbers the texts while they are sorted
_BLOCK_CHARACTERS = 1 << 22


@dataclass(frozen=True, kw_only=True, eq=False)
class Grams:
    """N-grams of several texts: those of text ``i`` are ``codes[bounds[i] : bounds[i + 1]]``."""

    codes: Codes
    bounds: Rows

    def __len__(self) -> int:
        return len(self.bounds) - 1

    @property
    def sizes(self) -> Rows:
        """Number of n-grams of each text."""
        return np.diff(self.bounds)


@dataclass(frozen=True, kw_only=True, eq=False)
class Alphabet:
    """Small numbers for the characters that occur (0 is padding), so that an n-gram of them fits 60 bits as it is.

    Only 4-grams over more than 32,767 different characters do not fit; they are hashed to 60 bits.
    """

    numbers: npt.NDArray[np.uint32]
    bits: int
    n: int

    @classmethod
    def of(cls, texts: Sequence[str], *, n: int) -> Alphabet:
        """The alphabet of these texts for n-grams of ``n`` characters."""
        counts = character_counts(texts)
        points = np.flatnonzero(counts)
        numbers = np.zeros(max(len(counts), 1), np.uint32)
        numbers[points] = np.arange(1, len(points) + 1)
        return cls(numbers=numbers, bits=max(len(points), 1).bit_length(), n=n)

    @property
    def width(self) -> int:
        """Bits of an n-gram."""
        return min(self.bits * self.n, _CODE_BITS)

    def grams(self, texts: Sequence[str]) -> Grams:
        """Every n-gram of each text, repeats included; a text shorter than ``n`` is one n-gram, an empty text none."""
        n = self.n
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        characters = self.numbers[_points(texts, gap=n - 1)].astype(np.uint64)
        packed = self._packed(characters)
        counts = np.maximum(lengths - n + 1, np.minimum(lengths, 1))
        bounds = _bounds(counts)
        starts = _bounds(lengths + n - 1)[:-1]
        return Grams(codes=packed[np.arange(bounds[-1]) + np.repeat(starts - bounds[:-1], counts)], bounds=bounds)

    def _packed(self, characters: Codes) -> Codes:
        """The n-gram that begins at each character but the last n - 1."""
        count = len(characters) - (self.n - 1)
        packed = characters[:count].copy()
        fits = self.bits * self.n <= _CODE_BITS
        for shift in range(1, self.n):
            packed = packed << np.uint64(self.bits) if fits else scrambled(packed)
            packed += characters[shift : shift + count]
        return packed if fits else scrambled(packed) >> np.uint64(64 - _CODE_BITS)

    def sets(self, texts: Sequence[str]) -> Grams:
        """The different n-grams of each text, ascending."""
        width = self.width
        at_once = 1 << (64 - width)
        parts = [_distinct(self.grams(texts[i : i + at_once]), width=width) for i in range(0, len(texts), at_once)]
        if not parts:
            return Grams(codes=np.zeros(0, np.uint64), bounds=np.zeros(1, np.int64))
        return Grams(
            codes=np.concatenate([part.codes for part in parts]),
            bounds=_bounds(np.concatenate([part.sizes for part in parts])),
        )


def scrambled(words: Codes) -> Codes:
    """A fixed mixing of 64-bit words: multiply by odd constants, fold the high half into the low one."""
    words = words * np.uint64(0x9E3779B97F4A7C15)
    words ^= words >> np.uint64(32)
    return words * np.uint64(0xD6E8FEB86659FD93)


def character_counts(texts: Sequence[str]) -> Rows:
    """How often each Unicode code point up to the highest one occurs in these texts."""
    counts = np.zeros(0, np.int64)
    for start, end in blocks(texts):
        block = np.bincount(_points(texts[start:end], gap=0), minlength=len(counts))
        block[: len(counts)] += counts
        counts = block
    return counts


def blocks(texts: Sequence[str], *, characters: int = _BLOCK_CHARACTERS) -> Iterator[tuple[int, int]]:
    """Consecutive ranges of texts with about this many characters each; a longer text is a range of its own."""
    ends = _bounds(np.fromiter(map(len, texts), np.int64, len(texts)))
    start = 0
    while start < len(texts):
        end = max(start + 1, int(np.searchsorted(ends, ends[start] + characters, side="right")) - 1)
        yield start, end
        start = end


def _points(texts: Sequence[str], *, gap: int) -> npt.NDArray[np.uint32]:
    """The code points of all texts, each text followed by ``gap`` zeros."""
    filler = "\0" * gap
    joined = filler.join(texts) + filler if texts else ""
    return np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)


def _distinct(grams: Grams, *, width: int) -> Grams:
    """Sort each text's codes and drop repeats, by one sort of (text, code) words."""
    texts = np.repeat(np.arange(len(grams), dtype=np.uint64), grams.sizes)
    words = (texts << np.uint64(width)) | grams.codes
    words.sort()
    first = np.ones(len(words), bool)
    np.not_equal(words[1:], words[:-1], out=first[1:])
    words = words[first]
    counts = np.bincount((words >> np.uint64(width)).astype(np.int64), minlength=len(grams))
    return Grams(codes=words & np.uint64((1 << width) - 1), bounds=_bounds(counts))


def _bounds(counts: Rows) -> Rows:
    bounds = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=bounds[1:])
    return bounds
