"""Which kinds of characters each text has, counted in one pass over all of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ratchet.data.engine import LOCAL, Engine
from ratchet.data.strings import blocks
from ratchet.data.table import Rows

# Later ranges overwrite earlier ones.
_RANGES: tuple[tuple[str, tuple[tuple[int, int], ...]], ...] = (
    ("latin", ((0x41, 0x5A), (0x61, 0x7A), (0x100, 0x24F), (0x1E00, 0x1EFF), (0x2C60, 0x2C7F))),
    ("latin1", ((0xA0, 0xFF), (0x152, 0x153), (0x160, 0x161), (0x178, 0x178), (0x17D, 0x17E), (0x192, 0x192))),
    ("digit", ((0x30, 0x39),)),
    ("space", ((0x9, 0xA), (0xD, 0xD), (0x20, 0x20), (0x3000, 0x3000), (0xA0, 0xA0))),
    ("han", ((0x3005, 0x3007), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF))),
    ("kana", ((0x3040, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F))),
    ("hangul", ((0x1100, 0x11FF), (0x3130, 0x318F), (0xAC00, 0xD7AF))),
    ("cyrillic", ((0x400, 0x52F), (0x1C80, 0x1C8F), (0x2DE0, 0x2DFF))),
    ("greek", ((0x370, 0x3FF), (0x1F00, 0x1FFF))),
    ("arabic", ((0x600, 0x6FF), (0x750, 0x77F), (0x8A0, 0x8FF), (0xFB50, 0xFDFF), (0xFE70, 0xFEFE))),
    ("hebrew", ((0x590, 0x5FF),)),
    ("indic", ((0x900, 0xDFF),)),
    ("thai", ((0xE00, 0xEFF), (0x1000, 0x109F), (0x1780, 0x17FF))),
    ("fullwidth", ((0xFF10, 0xFF19), (0xFF21, 0xFF3A), (0xFF41, 0xFF5A))),
    (
        "control",
        ((0x0, 0x8), (0xB, 0xC), (0xE, 0x1F), (0x7F, 0x7F), (0x81, 0x81), (0x8D, 0x8D), (0x8F, 0x90), (0x9D, 0x9D)),
    ),
    (
        "invisible",
        ((0xAD, 0xAD), (0x200B, 0x200B), (0x200E, 0x200F), (0x202A, 0x202E), (0x2060, 0x2069), (0xFEFF, 0xFEFF)),
    ),
    ("replacement", ((0xFFFD, 0xFFFD),)),
    ("markup", ((0x26, 0x26), (0x3C, 0x3C))),
    ("at", ((0x40, 0x40),)),
)
KINDS = ("other", *(name for name, _ in _RANGES))
SCRIPTS = ("latin", "han", "kana", "hangul", "cyrillic", "greek", "arabic", "hebrew", "indic", "thai")
"""The kinds that tell a script; those of Latin-1 count as Latin."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Characters:
    """Characters of each kind in each text: ``counts`` has the shape (kinds, texts)."""

    counts: npt.NDArray[np.int32]

    @classmethod
    def of(cls, texts: pa.Array, *, engine: Engine = LOCAL) -> Characters:
        """Count; none of the texts may be missing."""
        return cls(counts=engine.map(_counts, texts, axis=1))

    def of_kind(self, *kinds: str) -> Rows:
        """Characters of any of these kinds in each text."""
        return np.asarray(sum(self.counts[KINDS.index(kind)] for kind in kinds), np.int64)

    @property
    def lengths(self) -> Rows:
        """Characters of each text."""
        return self.of_kind(*KINDS)

    @property
    def tokens(self) -> Rows:
        """About how many tokens a text has for a model: a Han or kana character each, four of other letters each."""
        dense = self.of_kind("han", "kana", "hangul", "thai")
        return dense + -(-(self.lengths - dense - self.of_kind("space")) // 4)

    def scripts(self) -> npt.NDArray[np.int64]:
        """Letters of each script, Latin letters at a third (a Han character is about three): shape (texts, scripts)."""
        letters = np.stack([3 * self.of_kind(script) for script in SCRIPTS], axis=1)
        letters[:, 0] = self.of_kind("latin", "latin1", "fullwidth")
        for alphabet in ("cyrillic", "greek", "arabic", "hebrew", "indic"):
            letters[:, SCRIPTS.index(alphabet)] //= 3
        return letters


def _counts(texts: pa.Array) -> npt.NDArray[np.int32]:
    table, kinds = _kinds(), len(KINDS)
    counts = np.zeros((kinds, len(texts)), np.int32)
    for start, end, points, lengths in blocks(texts):
        count = end - start
        cells = table[points] * np.int32(count)
        cells += np.repeat(np.arange(count, dtype=np.int32), lengths)
        counts[:, start:end] = np.bincount(cells, minlength=kinds * count).reshape(kinds, count)
    return counts


@cache
def _kinds() -> npt.NDArray[np.int32]:
    """The number of each code point's kind."""
    table = np.zeros(0x110000, np.int32)
    for number, (_, ranges) in enumerate(_RANGES, 1):
        for low, high in ranges:
            table[low : high + 1] = number
    return table
