"""Disguises that a passage of a text may wear, and what it reads as without: encodings, escapes, spaced letters, leet."""

from __future__ import annotations

import base64
import binascii
import html
import re
import urllib.parse
from collections.abc import Callable

from ratchet.forms import SPACELESS, characters

Passage = tuple[int, int, str]
"""Where it begins and ends, and what it reads as."""
FAMILIAR = 2
"""So many words that everybody knows must appear before a text is taken to have been written backwards, or in rot13."""

_HAN = characters(SPACELESS)
_GAPS = r" \n._*|/~·-"
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}(?:\s[A-Za-z0-9+/_-]{16,}={0,2})*")
_HEX = re.compile(r"(?:0x|\\x)?[0-9A-Fa-f]{2}(?:[\s:,]{0,2}(?:0x|\\x)?[0-9A-Fa-f]{2}){7,}")
_NOT_HEX = re.compile(r"0x|\\x|[\s:,]")
_URL = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,8});")
_ESCAPE = re.compile(r"\\u\{?([0-9A-Fa-f]{4,6})\}?|\\x([0-9A-Fa-f]{2})")
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,80}>")
_SPACED = re.compile(
    rf"(?P<apart>(?<!\S)(?:\S\s{{1,7}}){{8,}}\S(?!\S))"
    rf"|(?<![^\W_])(?:[^\W_{_HAN}][{_GAPS}]{{1,3}}){{4,}}[^\W_{_HAN}](?![^\W_])"
    rf"|[{_HAN}](?:[{_GAPS}]{{1,2}}[{_HAN}]){{3,}}"
)
_WIDE_GAP = re.compile(rf"[{_GAPS}]{{2,}}")
_WIDE_SPACE = re.compile(r"\s{2,}")
_GAP = {ord(character): "" for character in " \n._*|/~·-"}
_LEET = re.compile(
    r"(?<![A-Za-z0-9@$!|+])[A-Za-z0-9@$!|+]*(?:[A-Za-z][0134579@$!|+]|[0134579@$|+][A-Za-z])[A-Za-z0-9@$!|+]*"
    r"|(?<!\S)[0134579]{1,3}(?!\S)"
)
_LEET_LETTERS = str.maketrans("0134579@$!|+", "oieastgasiit")


def _legible(data: bytes) -> str | None:
    """Bytes as text, if that is what they are: nearly everything in it can be shown."""
    for encoding in ("utf-8", "utf-16-le") if b"\0" in data else ("utf-8",):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        shown = sum(character.isprintable() or character.isspace() for character in text)
        if shown >= 0.95 * len(text) and any(character.isalpha() for character in text):
            return text
    return None


def _from_base64(match: re.Match[str]) -> str | None:
    packed = "".join(match[0].split()).replace("=", "").translate({ord("-"): "+", ord("_"): "/"})
    packed = packed[: len(packed) - (len(packed) % 4 == 1)]
    try:
        return _legible(base64.b64decode(packed + "=" * (-len(packed) % 4)))
    except (binascii.Error, ValueError):
        return None


def _from_hex(match: re.Match[str]) -> str | None:
    digits = _NOT_HEX.sub("", match[0])
    return _legible(bytes.fromhex(digits[: len(digits) // 2 * 2]))


def _from_escape(match: re.Match[str]) -> str:
    point = int(match[1] or match[2], 16)
    return chr(point) if point <= 0x10FFFF else "\ufffd"


def _unspaced(match: re.Match[str]) -> str:
    """Letters with a separator after each as words; where the separator is wider, a word ends."""
    if match["apart"]:
        return _WIDE_SPACE.sub("\0", match[0]).replace(" ", "").replace("\n", "").replace("\0", " ")
    return _WIDE_GAP.sub("\0", match[0]).translate(_GAP).replace("\0", " ")


def _reader(
    needs: str, pattern: re.Pattern[str], read: Callable[[re.Match[str]], str | None]
) -> Callable[[str], list[Passage]]:
    """The passages that match, in a text with one of the characters that each match ``needs`` (none named: in any text)."""

    def passages(text: str) -> list[Passage]:
        if needs and not any(character in text for character in needs):
            return []
        told = ((match, read(match)) for match in pattern.finditer(text))
        return [(*match.span(), said) for match, said in told if said is not None and said != match[0]]

    return passages


PASSAGES: tuple[tuple[str, Callable[[str], list[Passage]]], ...] = (
    ("base64", _reader("", _BASE64, _from_base64)),
    ("hex", _reader("0123456789", _HEX, _from_hex)),
    ("url", _reader("%", _URL, lambda match: urllib.parse.unquote(match[0]))),
    ("html", _reader("&", _ENTITY, lambda match: html.unescape(match[0]))),
    ("tags", _reader("<", _TAG, lambda _: "")),
    ("escapes", _reader("\\", _ESCAPE, _from_escape)),
    ("spacing", _reader("", _SPACED, _unspaced)),
)
"""Names of the disguises, and the passages of a text that wear each."""

leet = _reader("0134579@$!|+", _LEET, lambda match: match[0].translate(_LEET_LETTERS))
"""Words with digits and signs for letters; whether that is what they are, the words that come out tell."""
