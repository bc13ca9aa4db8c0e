"""Validators: what the cells of a column may have to be, each over a whole array of different values at once.

Every pattern runs in RE2, Arrow's regular-expression engine, whose time is linear in the text whatever the pattern: no
user's regex can hang a check.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ratchet.checks.context import Mask
from ratchet.errors import RecipeError
from ratchet.text.date_forms import DATE_HINTS, TIME_OF_DAY, date_forms
from ratchet.text.numbers import numbers
from ratchet.text.personal import PHONE, id_card

Judge = Callable[[pa.Array], Mask]


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
    CellKind(name="date", noun="date", judge=lambda values: date_forms(values) >= 0, hints=DATE_HINTS),
    CellKind(name="time", noun="time of day", judge=_regex(TIME_OF_DAY), hints=("time", "时间")),
    CellKind(
        name="postcode",
        noun="mainland postcode",
        judge=_regex(r"[0-8]\d{5}"),
        hints=("postcode", "zip", "邮编", "邮政"),
        guessed=False,
    ),
    CellKind(name="number", noun="number", judge=lambda values: ~np.isnan(numbers(values)[0]), hints=()),
)
