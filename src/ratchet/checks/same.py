"""Which of many texts are the same after normalisation, without normalising those that no other can equal.

Normalising costs microseconds a text in Python, and most texts have no copy. So each text gets a fingerprint first: a hash of
its Chinese characters, kana, syllables, ASCII letters in lower case and digits, in order, which normalisation leaves as they
are. Texts of different fingerprints can not be the same; only those that share one are normalised and compared.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ratchet.data.duplicates import normalise, renumbered
from ratchet.data.engine import LOCAL, Engine
from ratchet.data.strings import Points, blocks, code_points
from ratchet.data.table import Rows

Words = npt.NDArray[np.uint32]

_STABLE = ((0x30, 0x39), (0x61, 0x7A), (0x3041, 0x3096), (0x30A1, 0x30FA), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3))
# Looked at one by one; what is neither in these nor known to be harmless sends its text to the slow road.
_LOOKED_AT = ((0x80, 0x33FF), (0xA4D0, 0xABFF), (0xF900, 0xFFFF), (0x1D400, 0x1D7FF), (0x1F000, 0x1F2FF))
_HARMLESS = ((0x0, 0x7F), (0x3400, 0x4DBF), (0xA000, 0xA4CF), (0xE000, 0xF8FF), (0x1F300, 0x1FAFF))
# Conjoining Hangul letters: two of them become one syllable.
_JAMO = ((0x1100, 0x11FF), (0xA960, 0xA97F), (0xD7B0, 0xD7FF))
_PLACES = 1 << 16
_SEED = 20_261_124


@dataclass(frozen=True, kw_only=True, eq=False)
class Fingerprints:
    """Texts of which only ``shared`` (positions) have a fingerprint that another text has too."""

    texts: pa.Array
    shared: Rows

    @classmethod
    def of(cls, texts: pa.Array, *, engine: Engine = LOCAL) -> Fingerprints:
        """Take the fingerprints; none of the texts may be missing."""
        prints = engine.map(_prints, texts)
        order = np.argsort(prints, kind="stable")
        same = np.flatnonzero(prints[order[1:]] == prints[order[:-1]])
        shared = np.zeros(len(texts), bool)
        shared[order[same]] = shared[order[same + 1]] = True
        return cls(texts=texts, shared=np.flatnonzero(shared).astype(np.int64))

    def groups(self, form: Callable[[str], str] = normalise) -> Rows:
        """As :func:`ratchet.data.duplicates.exact_groups`: a number for each text, equal for texts with equal ``form``.

        ``form`` must keep letters and digits of the normalised text in order, as ``normalise`` and ``wording`` do.
        """
        first: dict[str, int] = {}
        group = np.arange(len(self.texts), dtype=np.int64)
        texts = self.texts.take(pa.array(self.shared)).to_pylist()
        for position, text in zip(self.shared.tolist(), texts, strict=True):
            group[position] = first.setdefault(form(text), position)
        return renumbered(group)


def _prints(texts: pa.Array) -> Words:
    prints = np.zeros(len(texts), np.uint32)
    risky = _tables()[1]
    for start, end, points, lengths in blocks(texts):
        prints[start:end] = _of_points(points, lengths)
        where = np.flatnonzero(risky[points])
        if len(where):
            odd = start + np.unique(np.searchsorted(np.cumsum(lengths), where, side="right"))
            plain = [normalise(text) for text in texts.take(pa.array(odd)).to_pylist()]
            prints[odd] = _of_points(*code_points(pa.array(plain, texts.type)))
    return prints


def _of_points(points: Points, lengths: Rows) -> Words:
    letters = _tables()[0][points]
    place = np.cumsum(letters > 0, dtype=np.uint32)
    bounds = np.concatenate(([0], np.cumsum(lengths)))
    before = np.concatenate((np.zeros(1, np.uint32), place))[bounds[:-1]]
    place -= np.repeat(before, lengths)
    place &= np.uint32(_PLACES - 1)
    words = _factors()[place]
    words *= letters
    return _sums(words, lengths)


def _sums(words: npt.NDArray[np.generic], lengths: Rows) -> Words:
    """The sum of each text's words, modulo 2^32."""
    total = np.concatenate((np.zeros(1, np.uint32), np.cumsum(words, dtype=np.uint32)))
    ends = np.cumsum(lengths)
    return np.asarray(total[ends] - total[ends - lengths])


@cache
def _factors() -> Words:
    """A random odd factor for each place: a text's fingerprint is the sum of its characters times those of their places."""
    return np.random.default_rng(_SEED).integers(0, 2**32, _PLACES, dtype=np.uint32) | np.uint32(1)


@cache
def _tables() -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.bool_]]:
    """Of each code point: the stable character that it stands for (0: none); whether it may become or alter a stable one."""
    stable = np.zeros(0x110000, np.uint16)
    for low, high in _STABLE:
        stable[low : high + 1] = np.arange(low, high + 1)
    stable[0x41:0x5B] = np.arange(0x61, 0x7B)
    risky = np.ones(0x110000, bool)
    for low, high in _HARMLESS + _STABLE:
        risky[low : high + 1] = False
    jamo = {point for low, high in _JAMO for point in range(low, high + 1)}
    for low, high in _LOOKED_AT:
        for point in range(low, high + 1):
            if not stable[point]:
                becomes = [ord(character) for character in normalise(chr(point))]
                risky[point] = any(
                    stable[other] or other in jamo or unicodedata.category(chr(other)).startswith("M")
                    for other in becomes
                )
    return stable, risky
