"""Which of many texts are the same after normalisation, without normalising those that no other can equal.

Normalising costs microseconds a text in Python, and most texts have no copy. So each text gets a fingerprint first: a hash of
its Chinese characters, kana, syllables, ASCII letters in lower case and digits, in order, which normalisation leaves as they
are. Texts of different fingerprints can not be the same; only those that share one are normalised and compared.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from ratchet.data.duplicates import normalise, renumbered
from ratchet.data.ngrams import blocks
from ratchet.data.table import Rows

Words = npt.NDArray[np.uint64]

_STABLE = ((0x30, 0x39), (0x61, 0x7A), (0x3041, 0x3096), (0x30A1, 0x30FA), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3))
# Looked at one by one; what is neither in these nor known to be harmless sends its text to the slow road.
_LOOKED_AT = ((0x80, 0x33FF), (0xA4D0, 0xABFF), (0xF900, 0xFFFF), (0x1D400, 0x1D7FF), (0x1F000, 0x1F2FF))
_HARMLESS = ((0x0, 0x7F), (0x3400, 0x4DBF), (0xA000, 0xA4CF), (0xE000, 0xF8FF), (0x1F300, 0x1FAFF))
# Conjoining Hangul letters: two of them become one syllable.
_JAMO = ((0x1100, 0x11FF), (0xA960, 0xA97F), (0xD7B0, 0xD7FF))
_BLOCK = 1 << 17  # characters: what is computed from them stays in the second-level cache
_ODD = np.uint64(0x9E3779B97F4A7C15)
_OTHER = np.uint64(0xD6E8FEB86659FD93)


@dataclass(frozen=True, kw_only=True, eq=False)
class Fingerprints:
    """Texts of which only ``shared`` (positions) have a fingerprint that another text has too."""

    texts: Sequence[str]
    shared: Rows

    @classmethod
    def of(cls, texts: Sequence[str]) -> Fingerprints:
        """Take the fingerprints, a block of texts at a time."""
        prints = np.zeros(len(texts), np.uint64)
        for start, end in blocks(texts, characters=_BLOCK):
            prints[start:end] = _prints(texts[start:end])
        order = np.argsort(prints, kind="stable")
        same = np.flatnonzero(prints[order[1:]] == prints[order[:-1]])
        return cls(texts=texts, shared=np.unique(order[np.concatenate([same, same + 1])]).astype(np.int64))

    def groups(self, form: Callable[[str], str] = normalise) -> Rows:
        """As :func:`ratchet.data.duplicates.exact_groups`: a number for each text, equal for texts with equal ``form``.

        ``form`` must keep letters and digits of the normalised text in order, as ``normalise`` and ``wording`` do.
        """
        first: dict[str, int] = {}
        group = np.arange(len(self.texts), dtype=np.int64)
        for position in self.shared.tolist():
            group[position] = first.setdefault(form(self.texts[position]), position)
        return renumbered(group)


def _prints(texts: Sequence[str]) -> Words:
    stable, risky = _tables()
    points, lengths = _points(texts)
    odd = np.flatnonzero(_sums(risky[points].astype(np.uint64), lengths))
    if len(odd):
        texts = list(texts)
        for position in odd.tolist():
            texts[position] = normalise(texts[position])
        points, lengths = _points(texts)
    letters = stable[points]
    place = np.cumsum(letters > 0)
    bounds = np.concatenate(([0], np.cumsum(lengths)))
    before = np.concatenate(([0], place))[bounds[:-1]]
    words = letters.astype(np.uint64) | ((place - np.repeat(before, lengths)).astype(np.uint64) << np.uint64(16))
    words *= _ODD
    words ^= words >> np.uint64(29)
    words *= _OTHER
    words[letters == 0] = 0
    return _sums(words, lengths)


def _points(texts: Sequence[str]) -> tuple[npt.NDArray[np.uint32], Rows]:
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    return np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32), lengths


def _sums(words: Words, lengths: Rows) -> Words:
    """The sum of each text's words, modulo 2^64."""
    total = np.concatenate((np.zeros(1, np.uint64), np.cumsum(words, dtype=np.uint64)))
    ends = np.cumsum(lengths)
    return np.asarray(total[ends] - total[ends - lengths])


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
