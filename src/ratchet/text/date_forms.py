"""In which of the usual forms dates are written, over whole arrays at once; the same grammar as :mod:`ratchet.text.dates`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ratchet.text.dates import HALVES, LONGEST, is_moment

Mask = npt.NDArray[np.bool_]

DATE_HINTS = ("date", "日期", "_at", "时间")
"""Parts of the names that columns of dates usually have."""
_SHARE, _HINTED_SHARE = 0.8, 0.5
_CLOCK = r"(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:[.,]\d{1,9})?)?"
_ZONE = r"(?: ?(?:Z|UTC|[+-]\d{2}:?\d{2}))?"
_HALF = f"(?:{HALVES})"
TIME_OF_DAY = rf"(?:{_HALF} ?)?{_CLOCK}(?: ?[AaPp]\.?[Mm]\.?)?"
"""Pattern of a clock, with the half of the day before or behind it."""
_TAIL = rf"(?:(?:[T ,]+{TIME_OF_DAY}|{_HALF} ?{_CLOCK}){_ZONE})?"
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
_MAY_BE = (
    r"(?:^|[^\d])\d{1,2}[^\d]+.*(?:19|20)\d\d(?:[^\d]|$)|(?:^|[^\d])(?:19|20)\d\d(?:[-/.年]|[^\d].*\d)"
    rf"|^(?:19|20)\d{{6}}(?:[^\d]|\d{{4}})|\d{{4}}.*(?:星期|周|礼拜)|(?i:mon|tue|wed|thu|fri|sat|sun|{'|'.join(_MONTHS)}).*\d{{4}}"
)
"""What every date has that none of the patterns fits: a year with another number, a compact day with a clock, or a name."""


def is_date_column(name: str, share: float) -> bool:
    """Whether a column is one of dates: its name says so and half of its filled cells are dates, or four fifths are.

    Every room asks here: a column that is dates to the roles is dates to the checks and to a diff.

    >>> is_date_column("created_at", 0.6), is_date_column("note", 0.6)
    (True, False)
    """
    hinted = any(hint in name.lower() for hint in DATE_HINTS)
    return share >= (_HINTED_SHARE if hinted else _SHARE)


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
    short = _mask(pc.less_equal(pc.utf8_length(values), LONGEST))
    halves = _mask(pc.match_substring_regex(values, rf"\d ?[AaPp]\.?[Mm]|{_HALF}"))
    doubtful = np.where(form < 0, _mask(pc.match_substring_regex(values, _MAY_BE)), halves) & short
    for place in np.flatnonzero(doubtful).tolist():
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


def _mask(matches: pa.Array) -> Mask:
    return np.asarray(pc.fill_null(matches, False).to_numpy(zero_copy_only=False), bool)
