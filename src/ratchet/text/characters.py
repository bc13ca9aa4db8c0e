"""What the characters of each text are like: how many, of which kinds, of which script."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from ratchet.text.columns import Points, Rows

from ratchet.forms import HAN, HAN_MARKS, HANGUL, KANA, SOUTH_EAST_ASIAN
from ratchet.text.mojibake import LOST, MARKS

# Later ranges overwrite earlier ones.
_RANGES: tuple[tuple[str, tuple[tuple[int, int], ...]], ...] = (
    ("latin", ((0x41, 0x5A), (0x61, 0x7A), (0x100, 0x24F), (0x1E00, 0x1EFF), (0x2C60, 0x2C7F))),
    ("latin1", ((0xA0, 0xFF), (0x152, 0x153), (0x160, 0x161), (0x178, 0x178), (0x17D, 0x17E), (0x192, 0x192))),
    ("digit", ((0x30, 0x39),)),
    ("space", ((0x9, 0xA), (0xD, 0xD), (0x20, 0x20), (0x3000, 0x3000), (0xA0, 0xA0))),
    ("han", (*HAN_MARKS, *HAN)),
    ("kana", (*KANA, (0xFF66, 0xFF9F))),
    ("hangul", ((0x1100, 0x11FF), (0x3130, 0x318F), *HANGUL)),
    ("cyrillic", ((0x400, 0x52F), (0x1C80, 0x1C8F), (0x2DE0, 0x2DFF))),
    ("greek", ((0x370, 0x3FF), (0x1F00, 0x1FFF))),
    ("arabic", ((0x600, 0x6FF), (0x750, 0x77F), (0x8A0, 0x8FF), (0xFB50, 0xFDFF), (0xFE70, 0xFEFE))),
    ("hebrew", ((0x590, 0x5FF),)),
    ("indic", ((0x900, 0xDFF),)),
    ("thai", SOUTH_EAST_ASIAN),
    ("fullwidth", ((0xFF10, 0xFF19), (0xFF21, 0xFF3A), (0xFF41, 0xFF5A))),
    (
        "control",
        ((0x0, 0x8), (0xB, 0xC), (0xE, 0x1F), (0x7F, 0x7F), (0x81, 0x81), (0x8D, 0x8D), (0x8F, 0x90), (0x9D, 0x9D)),
    ),
    (
        "invisible",
        (
            (0xAD, 0xAD),
            (0x200B, 0x200B),
            (0x200E, 0x200F),
            (0x202A, 0x202E),
            (0x2060, 0x2060),
            (0x2065, 0x2069),
            (0xFEFF, 0xFEFF),
        ),
    ),
    ("replacement", ((0xFFFD, 0xFFFD),)),
    ("markup", ((0x26, 0x26), (0x3C, 0x3C))),
    ("at", ((0x40, 0x40), (0xFF20, 0xFF20))),
    ("han of mojibake", tuple((ord(mark), ord(mark)) for mark in MARKS + LOST[0])),
    ("space of mojibake", ((0xA0, 0xA0),)),
    ("byte", tuple((point, point) for point in range(0x80, 0xA0) if point not in (0x81, 0x8D, 0x8F, 0x90, 0x9D))),
)
_ALPHABETS = ("latin", "cyrillic", "greek", "arabic", "hebrew", "indic")
KINDS = ("other", *(name for name, _ in _RANGES))
SCRIPT_NAMES = {
    "latin": "Latin",
    "han": "Chinese",
    "kana": "Japanese",
    "hangul": "Korean",
    "cyrillic": "Cyrillic",
    "greek": "Greek",
    "arabic": "Arabic",
    "hebrew": "Hebrew",
    "indic": "Indic",
    "thai": "Thai and its neighbours",
}
SCRIPTS = tuple(SCRIPT_NAMES)
"""The kinds that tell a script; letters of Latin-1 and full-width ones count as Latin."""
_HAN, _KANA = SCRIPTS.index("han"), SCRIPTS.index("kana")

LOOK = np.dtype(
    [("length", np.int32), ("tokens", np.int32), ("kinds", np.uint32), ("digits", np.uint8), ("script", np.int8)]
)
"""What one look at its characters says of a text: their number, about how many tokens it has for a model, a bit for each of
the kinds that it has, its digits (255 for more), and the number of its script (-1: it has no letters).
"""
_MANY = 255


@dataclass(frozen=True, kw_only=True, eq=False)
class Characters:
    """What the characters of each text are like: an array of :data:`LOOK`."""

    look: npt.NDArray[Any]

    def having(self, *kinds: str) -> npt.NDArray[np.bool_]:
        """Which texts have a character of any of these kinds."""
        return np.asarray(self.look["kinds"] & np.uint32(sum(1 << KINDS.index(kind) for kind in kinds)) > 0)

    @property
    def maybe_mojibake(self) -> npt.NDArray[np.bool_]:
        """Which texts have a character without which there is no mojibake."""
        return self.having("han of mojibake", "space of mojibake", "byte", "latin1", "control", "invisible")

    @property
    def wordless(self) -> npt.NDArray[np.bool_]:
        """Which texts have no letter and no digit."""
        return ~self.having(*SCRIPTS, "han of mojibake", "latin1", "digit", "fullwidth")


def look_at(points: Points, lengths: Rows) -> npt.NDArray[Any]:
    """Look at the texts that these code points are of, as :data:`LOOK`."""
    counts = _counts(points, lengths)
    found = np.zeros(len(lengths), LOOK)
    han = counts[KINDS.index("han")] + counts[KINDS.index("han of mojibake")]
    dense = han + sum(counts[KINDS.index(kind)] for kind in ("kana", "hangul", "thai"))
    space = counts[KINDS.index("space")] + counts[KINDS.index("space of mojibake")]
    found["length"] = lengths
    # A Han or kana character is a token each, and so are four other letters.
    found["tokens"] = dense + -(-(lengths - dense - space) // 4)
    found["kinds"] = (counts > 0).T @ (1 << np.arange(len(KINDS)))
    found["digits"] = np.minimum(counts[KINDS.index("digit")], _MANY)
    # Letters of an alphabet count a third: a Han character is about three.
    letters = np.stack([counts[KINDS.index(script)] * (1 if script in _ALPHABETS else 3) for script in SCRIPTS])
    letters[0] += counts[KINDS.index("latin1")] + counts[KINDS.index("fullwidth")]
    letters[_HAN] = 3 * han
    total = letters.sum(axis=0)
    script = letters.argmax(axis=0)
    script[(script == _HAN) & (letters[_KANA] > 0.2 * total)] = _KANA  # Japanese is written in both
    found["script"] = np.where(total > 0, script, -1)
    return found


def _counts(points: Points, lengths: Rows) -> npt.NDArray[np.int64]:
    """Characters of each kind in each text: shape (kinds, texts)."""
    count = len(lengths)
    cells = _kinds()[points] * np.int32(count)
    cells += np.repeat(np.arange(count, dtype=np.int32), lengths)
    return np.bincount(cells, minlength=len(KINDS) * count).reshape(len(KINDS), count)


@cache
def _kinds() -> npt.NDArray[np.int32]:
    """The number of each code point's kind."""
    table = np.zeros(0x110000, np.int32)
    for number, (_, ranges) in enumerate(_RANGES, 1):
        for low, high in ranges:
            table[low : high + 1] = number
    return table
