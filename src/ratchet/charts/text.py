"""Text as it is shown: measured, cut, and made safe to print."""

from __future__ import annotations

import unicodedata

_JOINERS = frozenset("\u200d\ufe0e\ufe0f\u20e3\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff")
_BIDI = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C])
_PICTURES = {code: chr(0x2400 + code) for code in range(32) if chr(code) not in "\n\t"} | {0x7F: "\u2421"}
_OVERRIDES = (0x202D, 0x202E)  # they turn what stands around them, such as the end of a file's name
_UNSAFE = _PICTURES | dict.fromkeys([*range(0x80, 0xA0), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF, *_OVERRIDES], "\ufffd")
_NARROW, _WIDE = frozenset("fijlrtI.,:;'|!()[]/- "), frozenset("mwMW%@+")


def clean(text: str) -> str:
    """Control characters become visible pictures; lone surrogates and overrides of direction U+FFFD. Any text encodes then."""
    return text.translate(_UNSAFE)


def em_width(text: str) -> float:
    """Estimated width in em of the system sans-serif; full-width characters count 1, marks and joiners 0."""
    return sum(_advance(char) for char in text)


def _advance(char: str) -> float:
    if char in _JOINERS or unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0.0
    if unicodedata.east_asian_width(char) in "WF":
        return 1.05
    if char in _NARROW:
        return 0.36
    if char in _WIDE:
        return 0.9
    return 0.66 if char.isupper() else 0.57


def cut(text: str, *, ems: float) -> str:
    """The start of ``text`` that fits in ``ems``, with an ellipsis where something was left out."""
    if em_width(text) <= ems:
        return text
    used, end = 1.0, 0
    for index, char in enumerate(text):
        used += _advance(char)
        if used > ems:
            break
        end = index + 1
    return text[: _boundary(text, end)].rstrip() + "…"


def head(text: str, *, limit: int) -> str:
    """At most ``limit`` characters, never ending inside an emoji or before its accents."""
    return text if len(text) <= limit else text[: _boundary(text, limit)]


def _boundary(text: str, end: int) -> int:
    """The last place at or before ``end`` which does not part a character from its marks or joiners."""
    while 0 < end < len(text) and (
        text[end] in _JOINERS or text[end - 1] == "\u200d" or unicodedata.category(text[end]) in ("Mn", "Me")
    ):
        end -= 1
    return end


def label(text: str) -> str:
    """One line for a chart: white space folded, direction overrides removed (a chart has no isolating element)."""
    return " ".join(text.translate(_BIDI).split()) or "(empty)"
