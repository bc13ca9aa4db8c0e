"""Fold a text, character for character: what nobody sees goes, look-alikes and other forms become plain letters."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

_TAGS = range(0xE0020, 0xE007F)  # tag characters: an invisible copy of ASCII
_SELECTORS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))
_BLANK = frozenset("\u115f\u1160\u17b4\u17b5\u3164\uffa0\u2800")  # letters and symbols that show nothing
_LETTERS = {
    "а": "a", "в": "b", "г": "r", "е": "e", "ѐ": "e", "з": "3", "и": "u", "к": "k", "м": "m", "н": "h", "о": "o",
    "п": "n", "р": "p", "с": "c", "т": "t", "у": "y", "х": "x", "ѕ": "s", "і": "i", "ї": "i", "ј": "j", "ԁ": "d",
    "ԛ": "q", "ԝ": "w", "һ": "h", "ь": "b", "ӏ": "l", "ү": "y", "ѵ": "v", "ё": "e", "ґ": "r", "є": "e", "ⅼ": "l",
    "α": "a", "β": "b", "ε": "e", "η": "n", "ι": "i", "κ": "k", "ν": "v", "ο": "o", "ρ": "p", "τ": "t", "υ": "u",
    "χ": "x", "γ": "y", "ω": "w", "ϲ": "c", "ϳ": "j", "σ": "o", "ς": "c", "μ": "u", "ı": "i", "ɑ": "a", "ɡ": "g",
    "ɩ": "i", "ʟ": "l", "ɪ": "i", "ʏ": "y", "ʀ": "r", "ɴ": "n", "ʙ": "b", "ɢ": "g", "ʜ": "h", "ᴀ": "a", "ᴄ": "c",
    "ᴅ": "d", "ᴇ": "e", "ᴊ": "j", "ᴋ": "k", "ᴍ": "m", "ᴏ": "o", "ᴘ": "p", "ꜱ": "s", "ᴛ": "t", "ᴜ": "u", "ᴠ": "v",
    "ᴡ": "w", "ᴢ": "z", "ꜰ": "f", "ǫ": "q", "ø": "o", "đ": "d", "ħ": "h", "ł": "l", "ŧ": "t", "ɐ": "a", "ɔ": "c",
    "ǝ": "e", "ɟ": "f", "ƃ": "g", "ɥ": "h", "ɾ": "j", "ʞ": "k", "ɯ": "m", "ɹ": "r", "ʇ": "t", "ʌ": "v", "ʍ": "w",
    "ʎ": "y", "օ": "o", "ս": "u", "ո": "n", "հ": "h", "ց": "g", "զ": "q", "ք": "p", "յ": "j", "ℓ": "l",
}  # fmt: skip
_CAPITALS = {"Η": "H", "Ν": "N", "Ρ": "P", "Χ": "X", "Υ": "Y", "В": "B", "Н": "H", "Р": "P", "С": "C", "Т": "T"}
_MARKS = {"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "−": "-", "‐": "-", "。": ".", "、": ","}


@lru_cache(maxsize=1 << 16)
def fold(character: str) -> str:
    """What one character counts as, its case kept; empty where nobody sees it; a lone surrogate becomes U+FFFD.

    NFKC, then accents are taken off Latin letters, and letters of other scripts that look like Latin ones become those. The
    tables are our own selection; Unicode's list of confusables (UTS 39) is far longer.

    >>> "".join(map(fold, "Ｉgn\\u200bоrе"))
    'Ignore'
    """
    point = ord(character)
    if point in _TAGS:
        return chr(point - 0xE0000)
    if 0xD800 <= point <= 0xDFFF:
        return "\ufffd"
    if character in _BLANK or any(point in selectors for selectors in _SELECTORS):
        return ""
    if character in "\t\n\r\x0b\x0c\x85\u2028\u2029":
        return "\n" if character != "\t" else " "
    if unicodedata.category(character) in ("Cf", "Cc", "Mn", "Me"):
        return ""
    if character in _CAPITALS:
        return _CAPITALS[character]
    return "".join(_letter(part) for part in unicodedata.normalize("NFKC", character))


def _letter(character: str) -> str:
    if character.isspace():
        return " "
    low = _MARKS.get(character) or character.lower()
    base = unicodedata.normalize("NFD", low)[0]
    plain = _LETTERS.get(low) or _LETTERS.get(base) or (base if "a" <= base <= "z" else low)
    return plain.upper() if character.isupper() and len(plain.upper()) == 1 else plain
