"""Is the last number of the answer the last number of the reference?"""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass

from ratchet.scores.rows import Floats, Texts, scored

_UNITS = {
    "thousand": 1e3,
    "million": 1e6,
    "billion": 1e9,
    "trillion": 1e12,
    "百": 1e2,
    "千": 1e3,
    "万": 1e4,
    "亿": 1e8,
    "萬": 1e4,
    "億": 1e8,
}
_WHOLE = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)"
_NUMBER = re.compile(
    r"(?P<sign>(?<![0-9A-Za-z)])[-+−])?[$€£¥]?"
    rf"(?:(?:(?P<mixed>[0-9]+) )?(?P<over>{_WHOLE})\s?[/⁄]\s?(?P<under>{_WHOLE})(?![0-9/])"
    rf"|(?P<plain>(?:{_WHOLE}(?:\.[0-9]+)?|\.[0-9]+)(?:e[-+]?[0-9]{{1,3}}(?![0-9a-z]))?))"
    r"(?:\s?(?P<unit>(?:[百千万亿萬億]+|(?:thousand|million|billion|trillion)\b)))?"
    r"(?:\s?(?P<percent>%|percent\b))?",
    re.IGNORECASE,
)
_FRACTION = re.compile(r"\\[dt]?frac\s?\{\s?([0-9]+)\s?\}\s?\{\s?([0-9]+)\s?\}")
_OF_100 = re.compile("百分之(?=[0-9.])")


@dataclass(frozen=True, kw_only=True)
class _Found:
    value: float
    percent: bool


def numeric_match(answers: Texts, references: Texts, *, tolerance: float = 1e-9) -> Floats:
    """1 where the last number of the answer is the last number of the reference, else 0.

    Read are, after NFKC (full-width digits become plain ones): thousands separators (1,234), decimals, exponents (1e3),
    fractions (3/4, 1 1/2, ½, LaTeX's ``frac``), percent (50%, 50 percent, 百分之50), units after a number (3万, 1亿2000万,
    5 million). A percentage equals both its value (50% and 0.5) and, where the other side has no percent sign, the number
    as it is written (50% and 50). Numbers in words (three, 三) are none.

    Args:
        answers: n texts; ``None`` and a text without a number score 0.
        references: n texts.
        tolerance: how far they may be apart, as a share of the reference or of 1, whichever is larger.

    Returns:
        Shape (n,).

    Raises:
        DataError: a row has no reference.

    >>> numeric_match(["1 + 1 = 2. So 1,200!", "约３.５万", "1/2"], ["1200", "35000", "50%"]).tolist()
    [1.0, 1.0, 1.0]
    """
    return scored(answers, references, lambda answer, reference: float(_same(answer, reference, tolerance=tolerance)))


def last_number(text: str) -> float:
    """The last number of a text, as :func:`numeric_match` reads it; NaN where there is none."""
    found = _last(text)
    return found.value if found else math.nan


def _same(answer: str, reference: str, *, tolerance: float) -> bool:
    said, right = _last(answer), _last(reference)
    if said is None or right is None:
        return False
    pairs = [(said.value, right.value)]
    if said.percent != right.percent:
        pairs.append((said.value * (100 if said.percent else 1), right.value * (100 if right.percent else 1)))
    return any(abs(a - b) <= tolerance * max(1.0, abs(b)) for a, b in pairs)


def _last(text: str) -> _Found | None:
    plain = _FRACTION.sub(r" \1/\2", unicodedata.normalize("NFKC", _apart(text)))
    of_100 = [match.end() for match in _OF_100.finditer(plain)]
    last: re.Match[str] | None = None
    total = 0.0
    for match in _NUMBER.finditer(plain):
        value = _value(match)
        together = last is not None and last.end() == match.start() and _unit(match) < _unit(last) and not match["sign"]
        total = total + value if together else value
        last = match
    if last is None or not math.isfinite(total):
        return None
    percent = bool(last["percent"]) or last.start() in of_100
    return _Found(value=total / 100 if percent else total, percent=percent)


def _apart(text: str) -> str:
    """The text with a space before fractions that are one character: 1½ is not 11/2."""
    return re.sub("(?=[¼½¾⅐-⅞])", " ", text)


def _unit(match: re.Match[str]) -> float:
    unit = (match["unit"] or "").casefold()
    return _UNITS[unit] if unit in _UNITS else math.prod(_UNITS[character] for character in unit)


def _value(match: re.Match[str]) -> float:
    if match["plain"] is not None:
        value = _float(match["plain"])
    else:
        under = _float(match["under"])
        value = _float(match["mixed"] or "0") + (_float(match["over"]) / under if under else math.nan)
    return (-1 if match["sign"] in ("-", "−") else 1) * value * _unit(match)


def _float(digits: str) -> float:
    return float(digits.replace(",", ""))
