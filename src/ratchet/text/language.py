"""Which way the words of some texts are written: without spaces as in Chinese, with spaces as in English, or both."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from ratchet.forms import SOUTH_EAST_ASIAN, SPACELESS, characters

Language = Literal["zh", "en", "mixed"]
OneLanguage = Literal["zh", "en", "mixed", "none"]

_DENSE = re.compile(f"[{characters(SPACELESS, SOUTH_EAST_ASIAN)}]")
_LETTER = re.compile(r"[^\W\d_]")
_SAMPLE = 2000


def guess_language(texts: Sequence[str]) -> Language:
    """``zh`` for texts without spaces between words, ``en`` for texts with, ``mixed`` where a fifth or more is either.

    >>> guess_language(["房间很干净", "不错 nice"]), guess_language(["a good room"])
    ('zh', 'en')
    """
    spaceless = spaced = 0
    for text in texts[:: max(1, len(texts) // _SAMPLE)]:
        letters = len(_LETTER.findall(text[:2000]))
        if letters:
            # A Han character carries about as much as two or three Latin letters.
            dense = len(_DENSE.findall(text[:2000])) * 3 >= letters
            spaceless, spaced = spaceless + dense, spaced + (not dense)
    share = spaceless / max(1, spaceless + spaced)
    return "zh" if share > 0.8 else "en" if share < 0.2 else "mixed"


def language_of(text: str) -> OneLanguage:
    """As `guess_language`, of one text: ``mixed`` where a fifth or more of what it says is written either way, ``none``
    where it has no letter.

    >>> language_of("房间很干净"), language_of("a good room"), language_of("iPhone 手机壳"), language_of("123")
    ('zh', 'en', 'mixed', 'none')
    """
    letters = len(_LETTER.findall(text[:2000]))
    if not letters:
        return "none"
    dense = len(_DENSE.findall(text[:2000]))
    share = 3 * dense / (3 * dense + letters - dense)
    return "zh" if share > 0.8 else "en" if share < 0.2 else "mixed"
