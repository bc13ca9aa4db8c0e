"""Forms of a text: Unicode, encodings, and what may be shown; training, serving and the checks of a table share them."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

# None of these becomes another character together with a mark that follows it.
_PUNCTUATION = tuple(zip("，！？：；（）％～　", ",!?:;()%~ ", strict=True))
# Control, format and separator characters but for the two joiners, which emoji and Persian words are made with.
_UNSEEN = re.compile("[\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")
_ESCAPES = {"\n": "⏎", "\t": "\\t", "\r": "\\r", "\u3000": "\u3000"}


FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".txt": "",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".arrow": "arrow",
}
"""What a file holds by its extension; empty: its first bytes tell."""
HEAD_BYTES = 1 << 16
"""So much of a file tells its format, its encoding and its layout."""
FASTTEXT = "__label__"
"""What a label begins with in the lines that fastText reads."""
ENCODINGS = {
    "utf-8": "utf-8",
    "gb18030": "gb18030",
    "utf-16": "utf-16",
    "big5": "big5hkscs",
    "euc-kr": "cp949",
    "euc-jp": "euc_jp",
    "shift-jis": "cp932",
    "windows-1251": "cp1251",
    "windows-1252": "cp1252",
    "latin-1": "latin-1",
}
"""Encodings that may be named, with Python's name of each."""
_ALIASES = {
    "utf-8": ("utf8", "utf-8-sig"),
    "gb18030": ("gbk", "gb2312", "cp936"),
    "utf-16": ("utf16", "utf-16le", "utf-16be"),
    "big5": ("big5-hkscs", "cp950"),
    "euc-kr": ("euckr", "cp949", "ks_c_5601-1987"),
    "euc-jp": ("eucjp", "ujis"),
    "shift-jis": ("shift_jis", "sjis", "cp932"),
    "windows-1251": ("cp1251",),
    "windows-1252": ("cp1252", "ansi"),
    "latin-1": ("latin1", "iso-8859-1"),
}


Ranges = tuple[tuple[int, int], ...]
"""First and last code points."""
HAN: Ranges = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF))
COMMON_HAN: Ranges = ((0x4E00, 0x9FFF),)
"""What nearly every Chinese text is made of; bytes read in a wrong encoding often give the rarer ones."""
HAN_MARKS: Ranges = ((0x3005, 0x3007),)
"""々, 〆 and 〇, which stand for Han characters."""
KANA: Ranges = ((0x3040, 0x30FF), (0x31F0, 0x31FF))
HANGUL: Ranges = ((0xAC00, 0xD7AF),)
SOUTH_EAST_ASIAN: Ranges = ((0xE00, 0xEFF), (0x1000, 0x109F), (0x1780, 0x17FF))
"""Thai, Lao, Burmese and Khmer: words are not divided by spaces."""
SYLLABLES: Ranges = (*KANA, *HAN, *HANGUL)
"""Scripts in which one character carries about as much as a syllable or a word."""
SPACELESS: Ranges = (*HAN_MARKS, *KANA, *HAN)
"""Han and kana, written without spaces: to a model each of their characters is a word of its own."""


def characters(*ranges: Ranges) -> str:
    """The ranges as the inside of a regular expression's class.

    >>> import re
    >>> re.findall(f"[{characters(HAN)}]+", "a很好b")
    ['很好']
    """
    return "".join(f"{chr(first)}-{chr(last)}" for several in ranges for first, last in several)


def encoding_called(name: str) -> str | None:
    """The encoding that has this name or is also called so, whatever the case; ``None``: there is none.

    >>> encoding_called("GBK"), encoding_called("rot13")
    ('gb18030', None)
    """
    low = name.strip().lower()
    return next((known for known in ENCODINGS if low == known or low in _ALIASES[known]), None)


def plain_name(cell: str) -> str:
    """A cell of the header as the name of a column: without white space and byte-order marks around it."""
    return cell.strip("\ufeff").strip().strip("\ufeff")


def nfkc(text: str) -> str:
    """NFKC, ten times as fast where full-width punctuation is all that it changes, as in most Chinese texts."""
    for full, half in _PUNCTUATION:
        text = text.replace(full, half)
    return unicodedata.normalize("NFKC", text)


WHOLE = r"Write characters beyond U+FFFF as two \u escapes or as they are."
"""What to do about half a surrogate pair."""


def is_broken(text: str) -> bool:
    """Whether it holds half a surrogate pair, as a name in other bytes than UTF-8 does: such a text cannot be encoded.

    >>> is_broken("\\ud83d"), is_broken("😀")
    (True, False)
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def json_bytes(value: Any, *, indent: int | None = None) -> bytes:
    """JSON in UTF-8; what nobody sees, or what turns a line around, is written as an escape, as is half a surrogate pair.

    >>> json_bytes("好\u202e")
    b'"\xe5\xa5\xbd\\u202e"'
    """
    text = json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False)
    return _UNSEEN.sub(lambda found: json.dumps(found[0])[1:-1], text).encode("utf-8", "backslashreplace")


def legible(text: str) -> str:
    """One line for people: what a terminal would obey, or nobody sees, is written as an escape.

    >>> legible("a\x1b[31m b")
    'a\\u001b[31m b'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _ESCAPES.get(c) or f"\\u{ord(c):04x}" for c in text)
