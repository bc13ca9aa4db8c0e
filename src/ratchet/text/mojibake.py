"""Mojibake: text whose bytes were read in the wrong encoding, recognised, and read again in the right one."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from itertools import pairwise

from ratchet.forms import COMMON_HAN, characters

_ROUNDS = 3  # some texts were misread more than once
_CP1252 = {character: byte for byte in range(0x80, 0xA0) if (character := bytes([byte]).decode("cp1252", "ignore"))}
_BYTES = "\u0080-\u00ff" + "".join(_CP1252)
_BYTE_RUN = re.compile(f"[{_BYTES}]{{2,}}")
_WIDE_RUN = re.compile("[\u0080-\ufffc]{2,}")
_WINDOWS = re.compile("[" + "".join(map(chr, _CP1252.values())) + "]")
_CONTROL = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_PLAIN_HAN = characters(COMMON_HAN)
_CHINESE = re.compile("[\u3000-\u303f" + _PLAIN_HAN + "\uff00-\uffef“”‘’—…·]*")
_USUAL = re.compile("[\t\n\r -~\u00a0-\u00ff\u2010-\u2026\u20ac\u2122\u3000-\u303f" + _PLAIN_HAN + "\uff00-\uffef]*")
_PAGES = {"mac_roman": "Mac Roman", "cp437": "code page 437"}
_SPACE = 64  # characters around a run, at most, that is the whole of a text
_SHORT = 12
_TYPOGRAPHY = frozenset("”’“‘…–—®™»«²³¹±·¼½¾°•†‡")
_LENGTHS = {chr(lead): 3 if lead < 0xF0 else 4 for lead in range(0xE0, 0xF8)}
_HAN = re.compile("[" + _PLAIN_HAN + "]")
_ASCII = re.compile("[\0-\x7f]")
_SURE = 4  # Chinese characters in a row, read again from bytes of which some are lost
_COMMON = frozenset(
    "的一是不了人我在有他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后小么心多天而能好都然没日于起还发成事只作当"
    "想看文无开手十用主行方又如前所本见经头面公同三已老从动两长知民样现分将外但身些与高意进把法此实回二理美点月明其种声全工己话儿者向情部正名定女问力"
    "机给等几很业最间新什打便位因重被走电四第门相次东海口使教西再平真听世气信北少关并内加化由却代产入先山五太水万市眼体别处总才场师书比住员九笑性通目"
    "华报立马命张活难神数件安表原车白应路期叫死常提感金何更反合放做系计或司利受光王果亲界及今京务制解各任至清物台象记边共风干接它许八特觉望直服题建南度"
    "统色字请交爱让认算论百吃义科怎元社术结六指思非流每青管夫连远资队跟带花快条院变联言权往展该领传近留红决周保达办运半候七必城强步完深区求品转量空程告"
    "语英满式息写呢识极黄收钱倒未取设始双商片容像找友孩站广改议形早房音火则首单据影失拿网香似专若谁校读飞观包组造落视喜离坏评店酒质价格货差客卖买换退款"
    "颜尺码快递装图宝贝穿味早餐位置干净舒适环境态度推荐满值便宜错误系统屏幕电池充手机器软件版速慢卡顿"
)
"""Characters that make up most of any Chinese text."""
# A Chinese text in UTF-8 begins each character with E4-E9, so read as GBK every third character, about, is one of these.
MARKS = "".join(
    bytes([lead, trail]).decode("gbk", "ignore")
    for lead in range(0xE4, 0xEA)
    for trail in range(0x80, 0xC0)
    if trail != 0x7F
)
LOST = "锟斤拷"
"""What U+FFFD in UTF-8, twice, reads as in GBK: characters that cannot be had back."""
_WIDE = "[\u0080-\uffff]"
COARSE = (
    f"[\u00a0-\u00ff][{_BYTES}]|[{_BYTES}][\u00a0-\u00ff]|[\u0080-\u009f]|[{MARKS}]{_WIDE}{{1,4}}[{MARKS}]|"
    f"(?:^|[\0-\x7f])[{MARKS}]{_WIDE}{{1,5}}(?:[\0-\x7f]|$)"
)
"""RE2 pattern of every text that may be mojibake; each has one of ``MARKS`` or a character from U+0080 to U+00FF."""


@dataclass(frozen=True, kw_only=True)
class Repair:
    """The text as it was meant, and what had been done to its bytes: "UTF-8 read as Latin-1"."""

    text: str
    misread: str


def repaired(text: str) -> Repair | None:
    """The text read in the right encoding; ``None`` where it is no mojibake.

    Only runs that are whole, valid sequences of the other encoding are touched, and of a text that has no more than one
    accented capital before a quote or a sign, none.

    >>> repaired("cafÃ©").text, repaired("ÖÐÎÄÆÀÂÛ").text, repaired("café")
    ('café', '中文评论', None)
    """
    for page, name in _PAGES.items():
        if meant := _read_from(page, text):
            return Repair(text=meant, misread=f"UTF-8 read as {name}")
    misread = ""
    for _ in range(_ROUNDS):
        for name, run, read in _READINGS:
            if read is _utf8_as_latin1 and not any(map(_sure, run.finditer(text))):
                continue
            again = run.sub(read, text)
            if again != text:
                text, misread = (read is _gbk_as_latin1 and _all_gbk(text)) or again, misread or name
                break
        else:
            break
    return Repair(text=text, misread=misread) if misread else None


def _read_from(page: str, text: str) -> str:
    """The whole text as the UTF-8 that these characters of a code page are, empty where they are none: by accident French
    quotes before an accent are valid UTF-8, but of Armenian letters.
    """
    try:
        meant = text.encode(page).decode("utf-8")
    except UnicodeError:
        return ""
    short = _HAN.search(meant) and len(text) < _SHORT  # GBK read as Latin-1 may look the same
    return "" if text.isascii() or short or not _USUAL.fullmatch(meant) else meant


def _sure(match: re.Match[str]) -> bool:
    """Whether a run was meant as UTF-8, and is not an accented capital before a quote, a dash or a sign ("CAFÉ”", "10 Å²")."""
    meant = _utf8_as_latin1(match)
    if meant == match[0]:
        return False
    letters = [unicodedata.name(character, "").split(" ")[0] for character in meant if character.isalpha()]
    if len(meant) > 1 and any(first == second for first, second in pairwise(letters)):
        return True
    before = match.string[match.start() - 1] if match.start() else ""
    after = match.string[match.end() : match.end() + 1]
    at_the_end = not after.isalpha() and all(character in _TYPOGRAPHY for character in match[0][1:])
    lead = match[0][0]
    if len(meant) > 1 or len(match[0]) != _LENGTHS.get(lead, 2):
        return lead in "ÂÃÄÅâðãï" or not at_the_end
    if len(match[0]) == 2:
        if lead in "ÃÄÅ":
            return not at_the_end or before.islower() or (lead == "Ã" and not before.isupper())
        return lead == "Â"
    return lead in "âð" or not at_the_end


def _utf8_as_latin1(match: re.Match[str]) -> str:
    run = match[0]
    try:
        meant = _raw(run).decode("utf-8")
    except UnicodeError:
        return _with_losses(run)
    if _CONTROL.search(meant):  # misread twice, perhaps
        meant = _BYTE_RUN.sub(_utf8_as_latin1, meant)
    return run if _CONTROL.search(meant) else meant


def _with_losses(run: str) -> str:
    """Chinese of which some bytes are gone: cut off at the end, or dropped because Windows-1252 has no character for them.

    Each lost character leaves U+FFFD. Almost all of the rest must be Chinese: by accident nothing else is.
    """
    meant = _raw(run).decode("utf-8", "replace")
    kept = meant.replace("\ufffd", "")
    lost, han = len(meant) - len(kept), len(_HAN.findall(kept))
    sure = han >= _SURE and lost <= max(1, len(meant) // 3) and _CHINESE.fullmatch(_ASCII.sub("", kept))
    return meant if sure else run


def _gbk_as_latin1(match: re.Match[str]) -> str:
    run = match[0]
    raw = _raw(run)
    whole = len(match.string) <= len(run) + _SPACE and len(run) == len(match.string.strip())
    if len(raw) < (4 if whole else 6) or (len(raw) % 2 and len(raw) < 9):
        return run  # accented letters in a row are short
    meant, rest = raw[: len(raw) // 2 * 2], run[len(raw) // 2 * 2 :]
    leads, trails = meant[::2], meant[1::2]
    frequent = sum(0xB0 <= lead <= 0xD7 for lead in leads)
    marks = sum(0xA1 <= lead <= 0xA3 for lead in leads)
    if min(*leads, *trails) < 0xA1 or frequent + marks < 0.75 * len(leads) or frequent < 0.5 * len(leads):
        return run
    try:
        chinese = meant.decode("gb2312")
    except UnicodeError:
        return run
    common = sum(character in _COMMON for character in chinese)
    # Masks (××××), rules (····) and lists of accented letters are valid GB2312 too, but of rare characters, or of one.
    if len(set(meant)) < 4 or common < max(2, len(chinese) / 4):
        return run
    return chinese + rest


def _all_gbk(text: str) -> str:
    """The whole text read as GB18030, which also mends runs too short to be judged alone; empty where that fails."""
    try:
        return _raw(text).decode("gb18030")
    except (UnicodeError, ValueError):
        return ""


def _utf8_as_gbk(match: re.Match[str]) -> str:
    """Three bytes a character never fill pairs evenly, so some are lost for good: a quarter may be."""
    run = match[0]
    try:
        meant = run.encode("gb18030").decode("utf-8", "replace")
    except UnicodeError:
        return run
    kept = meant.replace("\ufffd", "")
    if len(meant) - len(kept) > max(2, len(meant) // 4) or not _CHINESE.fullmatch(kept):
        return run
    han = len(_HAN.findall(kept))
    return meant if han >= 2 or (han and len(kept) == len(meant)) else run


def _windows_as_latin1(match: re.Match[str]) -> str:
    return match[0].encode("latin-1").decode("cp1252")


def _raw(run: str) -> bytes:
    """The bytes behind characters of Windows-1252; the five that it leaves open are those of Latin-1."""
    return bytes(_CP1252.get(character) or ord(character) for character in run)


_READINGS = (
    ("UTF-8 read as Latin-1", _BYTE_RUN, _utf8_as_latin1),
    ("GBK read as Latin-1", _BYTE_RUN, _gbk_as_latin1),
    ("UTF-8 read as GBK", _WIDE_RUN, _utf8_as_gbk),
    ("Windows-1252 read as Latin-1", _WINDOWS, _windows_as_latin1),
)
