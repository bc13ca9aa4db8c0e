"""Validators: what the cells of a column may have to be, each over a whole array of different values at once.

Every pattern runs in RE2, Arrow's regular-expression engine, whose time is linear in the text whatever the pattern: no
user's regex can hang a check.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ratchet.checks.context import Mask
from ratchet.errors import RecipeError
from ratchet.text.dates import HALVES, LONGEST, is_moment
from ratchet.text.numbers import numbers
from ratchet.text.personal import PHONE, id_card

Judge = Callable[[pa.Array], Mask]

_CLOCK = r"(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:[.,]\d{1,9})?)?"
_ZONE = r"(?: ?(?:Z|UTC|[+-]\d{2}:?\d{2}))?"
_HALF = f"(?:{HALVES})"
_TIME = rf"(?:{_HALF} ?)?{_CLOCK}(?: ?[AaPp]\.?[Mm]\.?)?"
_TAIL = rf"(?:(?:[T ,]+{_TIME}|{_HALF} ?{_CLOCK}){_ZONE})?"
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = f"(?P<m>(?i:{'|'.join(_MONTHS)}))[a-z]*\\.?"
DATES: Mapping[str, str] = {
    "2024-01-31": rf"^(?P<y>\d{{4}})-(?P<m>\d{{1,2}})-(?P<d>\d{{1,2}}){_TAIL}$",
    "2024/01/31": rf"^(?P<y>\d{{4}})/(?P<m>\d{{1,2}})/(?P<d>\d{{1,2}}){_TAIL}$",
    "2024.01.31": rf"^(?P<y>\d{{4}})\.(?P<m>\d{{1,2}})\.(?P<d>\d{{1,2}}){_TAIL}$",
    "20240131": r"^(?P<y>(?:19|20)\d{2})(?P<m>\d{2})(?P<d>\d{2})$",
    "2024年1月31日": rf"^(?P<y>\d{{4}}) ?年 ?(?P<m>\d{{1,2}}) ?月 ?(?P<d>\d{{1,2}}) ?[日号]?{_TAIL}$",
    "31/01/2024": rf"^(?P<d>\d{{1,2}})[/.-](?P<m>\d{{1,2}})[/.-](?P<y>\d{{4}}){_TAIL}$",
    "01/31/2024": rf"^(?P<m>\d{{1,2}})[/.-](?P<d>\d{{1,2}})[/.-](?P<y>\d{{4}}){_TAIL}$",
    "31 Jan 2024": rf"^(?P<d>\d{{1,2}})[ -]{_MONTH}[ -](?P<y>\d{{4}}){_TAIL}$",
    "Jan 31, 2024": rf"^{_MONTH} (?P<d>\d{{1,2}}),? (?P<y>\d{{4}}){_TAIL}$",
    "another form": "",
}
"""Forms of a date, named by an example. A cell that fits day first and month first counts as the former; the last form has no
pattern, and is what else :mod:`ratchet.text.dates` can read."""
_MAY_BE = r"(?:^|[^\d])\d{1,2}[^\d]+.*(?:19|20)\d\d(?:[^\d]|$)|(?:^|[^\d])(?:19|20)\d\d(?:[-/.年]|[^\d].*\d)"
"""A year, and another number."""


@dataclass(frozen=True, kw_only=True)
class CellKind:
    """A kind of cell: its name in the recipe, what people call it, and the judge of an array of different values.

    ``needs`` stands in every such cell; ``hints`` are parts of column names that make it likely; ``private`` cells are shown
    masked.
    """

    name: str
    noun: str
    judge: Judge
    needs: str = ""
    hints: tuple[str, ...] = ()
    guessed: bool = True
    private: bool = False


def matching(values: pa.Array, pattern: str, *, key: str = "") -> Mask:
    """Which values the whole pattern matches.

    Raises:
        RecipeError: RE2 does not take the pattern; ``key`` is where the recipe has it.
    """
    try:
        found = pc.match_substring_regex(values, rf"^(?:{pattern})$")
    except pa.ArrowInvalid as problem:
        reason = str(problem).removeprefix("Invalid regular expression: ")
        raise RecipeError(
            f"{key} must be a regular expression of RE2 but got {pattern!r}: {reason}.",
            next_step="RE2 has no look-around and no back-references, so that no pattern can hang; write it without.",
        ) from None
    return _mask(found)


def date_forms(values: pa.Array) -> npt.NDArray[np.int64]:
    """The number of the first form of :data:`DATES` in which each value is a day of the calendar; -1 where none is."""
    plain = pc.utf8_trim_whitespace(pc.utf8_normalize(values, form="NFKC"))
    form = np.full(len(values), -1, np.int64)
    for number, pattern in enumerate([*DATES.values()][:-1]):
        open_ = np.flatnonzero(form < 0)
        if not len(open_):
            break
        parts = pc.extract_regex(plain.take(pa.array(open_)), pattern)
        hit = np.flatnonzero(_mask(pc.is_valid(parts)))
        if len(hit):
            parts = parts.take(pa.array(hit))
            form[open_[hit[_on_calendar(parts)]]] = number
    return _otherwise(plain, form)


def _otherwise(values: pa.Array, form: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The forms, where what no pattern can tell is asked of the one grammar that also puts rows in order."""
    years = _mask(pc.match_substring_regex(values, _MAY_BE))
    doubtful = years & (_mask(pc.less_equal(pc.utf8_length(values), LONGEST)))
    halves = _mask(pc.match_substring_regex(values, rf"\d ?[AaPp]\.?[Mm]|{_HALF}"))
    for place in np.flatnonzero(doubtful & ((form < 0) | halves)).tolist():
        moment = is_moment(values[place].as_py())
        form[place] = (form[place] if form[place] >= 0 else len(DATES) - 1) if moment else -1
    return form


def _on_calendar(parts: pa.Array) -> Mask:
    month_text = pc.struct_field(parts, "m")
    if pc.any(pc.utf8_is_alpha(month_text)).as_py():
        month_text = pc.utf8_slice_codeunits(pc.utf8_lower(month_text), 0, 3)
        month = pc.add(pc.index_in(month_text, value_set=pa.array(_MONTHS, month_text.type)), 1).to_numpy(
            zero_copy_only=False
        )
    else:
        month = _integers(month_text)
    year, day = _integers(pc.struct_field(parts, "y")), _integers(pc.struct_field(parts, "d"))
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    days = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
    longest = days[np.clip(month, 0, 12)] + ((month == 2) & leap)
    sound: Mask = (month >= 1) & (month <= 12) & (day >= 1) & (day <= longest) & (year >= 1)
    return sound


def _integers(column: pa.Array) -> npt.NDArray[np.int64]:
    return np.asarray(pc.cast(column, pa.int64()).to_numpy(zero_copy_only=False), np.int64)


def _mask(found: pa.Array) -> Mask:
    return np.asarray(pc.fill_null(found, False).to_numpy(zero_copy_only=False), bool)


def _regex(pattern: str, *, width: bool = True) -> Judge:
    """A judge by pattern, on the value without outer white space and, with ``width``, in half width."""

    def judge(values: pa.Array) -> Mask:
        plain = pc.utf8_normalize(values, form="NFKC") if width else values
        return matching(pc.utf8_trim_whitespace(plain), pattern)

    return judge


def _is_id_card(values: pa.Array) -> Mask:
    plain = pc.utf8_trim_whitespace(values)
    found = matching(plain, r"[1-9][0-9]{16}[0-9Xx]")
    hit = np.flatnonzero(found)
    found[hit] = [id_card(number) for number in plain.take(pa.array(hit)).to_pylist()]
    return found


def _is_ip(values: pa.Array) -> Mask:
    octet = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
    plain = pc.utf8_trim_whitespace(values)
    found = matching(plain, rf"{octet}(?:\.{octet}){{3}}(?:/(?:3[0-2]|[12]?\d))?")
    colons = np.flatnonzero(_mask(pc.match_substring_regex(plain, r"^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*$")))
    found[colons] = [_is_ip6(cell) for cell in plain.take(pa.array(colons)).to_pylist()]
    return found


def _is_ip6(cell: str) -> bool:
    try:
        ipaddress.IPv6Address(cell)
    except ValueError:
        return False
    return True


_HOST = r"(?:[\p{L}\p{N}][\p{L}\p{N}-]*\.)+\p{L}\p{L}+"

KINDS: tuple[CellKind, ...] = (
    CellKind(
        name="id_card",
        noun="ID card number",
        judge=_is_id_card,
        hints=("身份证", "id_card", "idcard", "idno"),
        private=True,
    ),
    CellKind(
        name="email",
        noun="e-mail address",
        judge=_regex(rf"[\p{{L}}\p{{N}}._%+'-]+@{_HOST}", width=False),
        needs="@",
        hints=("mail", "邮箱", "邮件"),
        private=True,
    ),
    CellKind(
        name="url",
        noun="URL",
        judge=_regex(
            rf"(?i:https?|ftp)://(?:[^\s/@]+@)?(?:{_HOST}|localhost|\d{{1,3}}(?:\.\d{{1,3}}){{3}}|\[[0-9A-Fa-f:.]+\])"
            r"(?::\d{1,5})?(?:[/?#]\S*)?",
            width=False,
        ),
        needs="://",
        hints=("url", "link", "href", "网址", "链接"),
    ),
    CellKind(name="ip", noun="IP address", judge=_is_ip, hints=("ip_", "_ip", "ip地址")),
    CellKind(
        name="phone",
        noun="mainland mobile number",
        judge=_regex(PHONE),
        hints=("phone", "mobile", "tel", "手机", "电话"),
        private=True,
    ),
    CellKind(name="phone_plain", noun="number of 11 digits", judge=_regex(r"\d{11}"), guessed=False, private=True),
    CellKind(
        name="date", noun="date", judge=lambda values: date_forms(values) >= 0, hints=("date", "日期", "_at", "时间")
    ),
    CellKind(name="time", noun="time of day", judge=_regex(_TIME), hints=("time", "时间")),
    CellKind(
        name="postcode",
        noun="mainland postcode",
        judge=_regex(r"[0-8]\d{5}"),
        hints=("postcode", "zip", "邮编", "邮政"),
        guessed=False,
    ),
    CellKind(name="number", noun="number", judge=lambda values: ~np.isnan(numbers(values)[0]), hints=()),
)
