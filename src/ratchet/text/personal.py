"""Personal data in text: what it looks like, how its check digits work, and the text with it masked."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from ratchet.forms import HAN, characters, legible

_AROUND = 600  # characters: no passage that is masked is longer
_LUHN_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_DIGITS = "10X98765432"
_REGIONS = (
    *range(11, 16),
    *range(21, 24),
    *range(31, 38),
    *range(41, 47),
    *range(50, 55),
    *range(61, 66),
    71,
    81,
    82,
    83,
    91,
)
_PROVINCES = frozenset(map(str, _REGIONS))
_ZH = characters(HAN)
_WAYS_ZH = "路|街|道|巷|弄|村|小区|花园"
_DOORS_ZH = "号|弄|栋|幢|室|单元"
_WAYS_EN = "Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Boulevard|Blvd"
_DIGITS = re.compile(r"\d")
PHONE = r"(?:(?:\+|00)?86[- ]?)?(?:\(1[3-9][0-9]\)|1[3-9][0-9])(?:[- ]?[0-9]{4}){2}"
"""A mainland mobile number, in a text or as a cell."""
_DIGIT, _LETTER, _GAP = "0-9０-９", "A-Za-zＡ-Ｚａ-ｚ", "-. －．\u3000\u00a0\u200b\u2010-\u2013"
_FULL = {0xFF01 + place: 0x21 + place for place in range(94)}  # full-width forms, one for one
_FULL |= dict.fromkeys((0x3000, 0xA0, 0x200B), 0x20) | dict.fromkeys(range(0x2010, 0x2014), 0x2D)
_NAMED = "A-Za-zÀ-ɏ0-9"
_NO_CODE = "".join(
    rf"(?<![0-9][A-Za-z]{{{letters}}})" for letters in range(1, 9)
)  # after letters, but in no code: a1b138...
_POINTED = r"(?<![0-9]\.)1[3-9][0-9]\.[0-9]{4}\.[0-9]{4}(?!\.)"  # no address and no version
_ACCOUNTS_2, _ACCOUNTS_3 = "QQ|qq|WX|wx|VX|vx", "tel|Tel|TEL"  # what people write before the next number of theirs


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of personal data.

    ``pattern`` finds it with Python's engine, in half-width characters; ``coarse`` finds every text that may hold it with RE2
    (no look-around), in half-width or full-width ones. ``sound`` is asked about each match, and ``mask`` hides one. Such a
    text has at least so many ``digits`` or, where that is 0, an @. What ``plain`` matches with RE2 surely is one and
    nothing else: in a column of them they are not looked at one by one.
    """

    name: str
    title: str
    pattern: re.Pattern[str]
    coarse: str
    mask: Callable[[str], str]
    sound: Callable[[str], bool] = bool
    digits: int = 0
    plain: str = ""


def luhn(number: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1)."""
    digits = [int(digit) for digit in _DIGITS.findall(number)]
    total = sum(digits[-1::-2]) + sum(_LUHN_DOUBLED[digit] for digit in digits[-2::-2])
    return total % 10 == 0 and len(set(digits)) > 1


def id_card(number: str) -> bool:
    """Whether this is a mainland ID number of 18 digits: province, date of birth and check digit (GB 11643-1999)."""
    if not re.fullmatch(r"[1-9][0-9]{16}[0-9Xx]", number) or number[:2] not in _PROVINCES:
        return False
    year, month, day = int(number[6:10]), int(number[10:12]), int(number[12:14])
    if not (1850 <= year <= 2100 and 1 <= month <= 12 and 1 <= day <= 31):
        return False
    total = sum(weight * int(digit) for weight, digit in zip(_ID_WEIGHTS, number, strict=False))
    return _ID_DIGITS[total % 11] == number[-1].upper()


def hidden(text: str) -> str:
    """All letters and digits but the first three and last two become stars: for a cell that may be personal data."""
    return _middle(text, head=3, tail=2)


def _middle(text: str, *, head: int, tail: int) -> str:
    """All letters and digits but the first ``head`` and last ``tail`` become stars; separators stay."""
    places = [i for i, character in enumerate(text) if character.isalnum()]
    hidden = set(places[head : len(places) - tail])
    return "".join("*" if i in hidden else character for i, character in enumerate(text))


def _email(text: str) -> str:
    name, at, domain = text.partition("@")
    return name[:1] + "***" + at + domain


def _card(text: str) -> bool:
    return 13 <= len(_DIGITS.findall(text)) <= 19 and luhn(text)


KINDS: tuple[Kind, ...] = (
    Kind(
        name="email",
        title="e-mail addresses",
        pattern=re.compile(
            rf"(?:(?<![{_NAMED}._%+-])(?=[._%+-]*[{_NAMED}])[{_NAMED}._%+-]{{1,64}}|[{_ZH}]{{2,4}})"
            rf"@(?:[{_NAMED}-]{{1,63}}\.){{1,6}}[A-Za-z]{{2,24}}(?![A-Za-z])"
        ),
        coarse=rf"\S[@＠][{_LETTER}À-ɏ{_DIGIT}－-]+[.．][{_LETTER}À-ɏ{_DIGIT}－-]",
        mask=_email,
    ),
    Kind(
        name="id_card",
        title="ID card numbers",
        pattern=re.compile(rf"(?<![0-9]){_NO_CODE}[1-9][0-9]{{16}}[0-9Xx](?![0-9])(?![A-Za-z]{{1,8}}[0-9])"),
        coarse=rf"[{_DIGIT}]{{17}}[{_DIGIT}XxＸｘ]",
        digits=17,
        mask=lambda text: _middle(text, head=6, tail=2),
        sound=id_card,
    ),
    Kind(
        name="card",
        title="bank card numbers",
        pattern=re.compile(r"(?<![0-9A-Za-z.-])[2-6](?:[ -]?[0-9]){12,18}(?![0-9A-Za-z])"),
        coarse=rf"[2-6２-６](?:[{_GAP}]?[{_DIGIT}]){{12}}",
        digits=13,
        mask=lambda text: _middle(text, head=4, tail=4),
        sound=_card,
    ),
    Kind(
        name="phone",
        title="mainland mobile numbers",
        pattern=re.compile(
            rf"(?<![0-9])(?:(?<={_ACCOUNTS_2})|(?<={_ACCOUNTS_3})|{_NO_CODE})(?:{PHONE}|{_POINTED})"
            rf"(?![0-9])(?!(?!{_ACCOUNTS_2}|{_ACCOUNTS_3})[A-Za-z]{{1,8}}[0-9])"
        ),
        coarse=rf"[1１][3-9３-９][{_DIGIT}][)）]?(?:[{_GAP}]?[{_DIGIT}]{{4}}){{2}}",
        plain=r"\A1[3-9][0-9]{9}\z",
        digits=11,
        mask=lambda text: _middle(text, head=len(_DIGITS.findall(text)) - 8, tail=4),
    ),
    Kind(
        name="address",
        title="street addresses",
        pattern=re.compile(
            rf"[{_ZH}]{{2,8}}(?:省|市|自治区)[{_ZH}]{{1,8}}(?:市|区|县|镇|乡)[{_ZH}0-9]{{1,16}}"
            rf"(?:{_WAYS_ZH})[{_ZH}0-9]{{0,10}}?[0-9]{{1,5}}(?:{_DOORS_ZH})"
            rf"|(?<![A-Za-z0-9£$€¥,.])[0-9]{{1,5}}(?: [A-Z][a-z]{{1,20}}){{1,3}} (?:{_WAYS_EN})(?![A-Za-z])"
        ),
        coarse=rf"(?:{_WAYS_ZH}).{{0,14}}[{_DIGIT}](?:{_DOORS_ZH})|[{_DIGIT}][{_GAP}][A-ZＡ-Ｚ].{{1,70}}[{_GAP}](?:{_WAYS_EN}|[Ａ-Ｚ])",
        mask=lambda text: _middle(text, head=3, tail=0),
        digits=1,
    ),
)
"""The order is that of masking: what an earlier kind has masked, a later one no longer sees."""


def mask(text: str, *, kinds: tuple[str, ...] | None = None) -> str:
    """The text with personal data masked: ``13812345678`` becomes ``138****5678``.

    Args:
        text: any text.
        kinds: names out of ``email``, ``id_card``, ``card``, ``phone``, ``address``; all when absent.

    >>> mask("call 13812345678 or a.b@example.com")
    'call 138****5678 or a***@example.com'
    """
    places = _masked(text, kinds=kinds)
    return text if places is None else "".join(places)


def part(text: str, start: int = 0, *, most: int) -> str:
    """As many characters of the text from ``start`` on, masked as they are in the whole: nothing is cut before it is masked."""
    first = max(0, start - _AROUND)
    near = text[first : start + most + _AROUND]
    places = _masked(near, kinds=None)
    shown = near if places is None else places
    return "".join(shown[start - first : start - first + most])


def brief(text: str, start: int = 0, *, most: int) -> str:
    """:func:`part` for people: one line, an ellipsis where something is left out, nothing that a terminal would obey."""
    shown = part(text, start, most=most)
    more = len(text) > start + most or len(shown) > most
    return legible(("…" if start else "") + (shown[: most - 1] + "…" if more else shown))


def _masked(text: str, *, kinds: tuple[str, ...] | None) -> list[str] | None:
    """What is shown for each character, all of a masked passage for its first one; ``None``: nothing is masked."""
    places: list[str] | None = None
    for kind in KINDS:
        if kinds is None or kind.name in kinds:
            for match in [*kind.pattern.finditer(_half(text))]:
                if kind.sound(match[0]):
                    places = list(text) if places is None else places
                    (start, end), kept = match.span(), text[match.start() : match.end()]
                    shown = kind.mask(match[0])
                    if len(shown) == len(kept):  # separators stay as they were written
                        shown = "".join(k if m in "- " else m for m, k in zip(shown, kept, strict=True))
                    # What is shown of it, before and behind, stays character for character: a later kind may see it.
                    head = _alike(shown, kept)
                    tail = _alike(shown[head:][::-1], kept[head:][::-1])
                    if head + tail == len(kept) and shown != kept:  # something is put in between
                        head, tail = (head - 1, tail) if head else (head, tail - 1)
                    middle = len(kept) - head - tail
                    if middle:
                        places[start + head : end - tail] = [shown[head : len(shown) - tail], *[""] * (middle - 1)]
                        text = text[: start + head] + "*" * middle + text[end - tail :]
    return places


def _alike(first: str, second: str) -> int:
    """How many characters both begin with."""
    return next(
        (n for n, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second))
    )


def _half(text: str) -> str:
    """The text with full-width forms as half-width ones, character for character."""
    return text if text.isascii() else text.translate(_FULL)


def matches(text: str, kind: Kind) -> list[str]:
    """What in the text is of this kind."""
    return [match[0] for match in kind.pattern.finditer(_half(text)) if kind.sound(match[0])]
