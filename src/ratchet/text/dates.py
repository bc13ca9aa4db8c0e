"""Moments: the cells of a time column as seconds, so that rows can be put in order."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ratchet.errors import DataError
from ratchet.text.columns import coded
from ratchet.text.personal import brief

Order = Literal["day", "month"]
_MORNING, _NOON, _EVENING = ("上午", "早上", "早晨", "凌晨", "清晨", "am"), ("中午",), ("下午", "晚上", "傍晚", "pm")
_NIGHT = ("深夜", "夜里", "半夜")
HALVES = "|".join((*_MORNING[:-1], *_NOON, *_EVENING[:-1], *_NIGHT))
"""Words before a clock that say which half of the day it is, as a pattern."""
_CLOCK = re.compile(
    rf"(?:[T ,]+(?:at )?|(?=[^\d ]))(?P<before>{HALVES}|[AaPp][Mm](?= ?\d))? ?(?P<h>[01]?\d|2[0-4])[:点时]"
    r"(?:(?P<mi>[0-5]\d|\d(?=分)|半))?(?:分|(?!\d))"
    r"(?::?(?P<s>[0-5]?\d(?=秒)|[0-5]\d(?:[.,]\d+)?)秒?)? ?(?P<after>[AaPp]\.?[Mm]\.?)?"
    r" ?(?:Z|(?:UTC|GMT)(?P<hours>[+-]\d)|(?:UTC|GMT)?(?P<zone>[+-]\d\d):?(?P<zone_minutes>\d\d)?|UTC|GMT)?(?: \([\w ]+\))?"
)
_WEEKDAY = re.compile(
    r"^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? +|[ (（]*(?:星期|周|礼拜)[一二三四五六日天][)）]?", re.IGNORECASE
)
_POSTED = re.compile(
    r"(?P<day>[A-Za-z]{3} {1,2}\d{1,2}) (?P<clock>\d\d:\d\d:\d\d)(?: (?P<zone>[+-]\d{4}))? (?P<y>\d{4})"
)
"""As tweets, Weibo's posts and C programs say when: Wed Oct 10 20:19:24 +0000 2018."""
_RANGE = re.compile(r" +\d?\d:\d\d ?- ?\d?\d:\d\d")
"""From one clock to another: what follows the first is no zone, since where people write a zone they write the seconds too."""
_MONTH_ALONE = re.compile(r"(?P<y>(?:19|20)\d\d)(?:[-/](?P<m>\d{1,2})|年(?P<m2>\d{1,2})月?)")
_YEAR_FIRST = re.compile(r"(?P<y>\d{4}) ?[-/.年] ?(?P<m>\d{1,2}) ?[-/.月] ?(?P<d>\d{1,2})(?: ?[日号])?")
_COMPACT = re.compile(r"(?P<y>(?:19|20)\d\d)(?P<m>\d\d)(?P<d>\d\d)")
_COMPACT_CLOCK = re.compile(r"((?:19|20)\d{6})([01]\d|2[0-3])([0-5]\d)([0-5]\d)?")
_YEAR_LAST = re.compile(r"(?P<a>\d{1,2})[-/.](?P<b>\d{1,2})[-/.](?P<y>\d{4})")
_DAY_NAMED = re.compile(r"(?P<d>\d{1,2})(?:st|nd|rd|th)?[- ](?P<name>[A-Za-z]{3,9})\.?,?[- ](?P<y>\d{4})")
_MONTH_NAMED = re.compile(r"(?P<name>[A-Za-z]{3,9})\.? {1,2}(?P<d>\d{1,2})(?:st|nd|rd|th)?,? (?P<y>\d{4})")
_MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2212", "-"))
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")
LONGEST = 60
"""Characters of the longest cell that is taken for a date."""
_SMALL_HOURS = 5
_FINER = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))
"""Numbers from the first on are nanoseconds, microseconds, milliseconds: else they would be after the year 5000."""
_SMALL = 1e8
"""Numbers below this (as seconds before March 1973) are no times beside others that are: a year, a serial day, a 0 for none."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Moments:
    """For each cell, the seconds since 1970 in UTC, shape (rows,), NaN where it is missing or cannot be read.

    ``unreadable`` are positions of cells that are filled but no time; ``order`` says how "03/04/2024" was read.
    """

    seconds: npt.NDArray[np.float64]
    unreadable: npt.NDArray[np.int64]
    order: Order


def moments(column: pa.ChunkedArray) -> Moments:
    """Read dates and times: ISO 8601, with slashes or points, 2024年3月5日, 5 Mar 2024, 20240305, seconds since 1970 or finer.

    Clocks may be written as 15:05, 3:05 PM, 下午3:05 or 15点05分; a day of the week is passed over; a month is its first day.

    A time without a zone counts as UTC. Whether day or month comes first in "03/04/2024" is told by the other cells of the
    column: one with a second number above 12 makes all month first. Small numbers count as times only where all are small.

    Args:
        column: strings.

    Raises:
        DataError: cells of the column contradict each other in this ("13/04/2024" and "04/13/2024").
    """
    cells, member = coded(column)
    values = [_plain(value) for value in cells.to_pylist()]
    used = _order(values)
    seconds = np.array([_seconds(value, order=used) for value in values] + [np.nan])
    _drop_small(seconds, values)
    found = seconds[member]
    return Moments(seconds=found, unreadable=np.flatnonzero(np.isnan(found) & (member >= 0)), order=used)


def _order(values: Sequence[str]) -> Order:
    day = month = ""
    for value in values:
        found = _YEAR_LAST.match(value)
        if found is None or min(int(found["a"]), int(found["b"])) > 12:
            continue
        if int(found["a"]) > 12:
            day = value
        if int(found["b"]) > 12:
            month = value
        if day and month:
            raise DataError(
                f"Dates of one column must be written in one order but there are {brief(day, most=LONGEST)!r} and "
                f"{brief(month, most=LONGEST)!r}.",
                next_step="Write them as 2024-01-31.",
            )
    return "month" if month else "day"


def together(*columns: pa.ChunkedArray) -> list[Moments]:
    """The moments of columns that are written alike: one order of day and month for all of them.

    Raises:
        DataError: as of :func:`moments`.
    """
    chunks = [chunk for column in columns for chunk in column.cast(pa.large_string()).chunks]
    every = moments(pa.chunked_array(chunks, pa.large_string()))
    bounds = np.cumsum([0, *map(len, columns)])
    return [
        Moments(
            seconds=every.seconds[start:end],
            unreadable=every.unreadable[(every.unreadable >= start) & (every.unreadable < end)] - start,
            order=every.order,
        )
        for start, end in pairwise(bounds.tolist())
    ]


def _drop_small(seconds: npt.NDArray[np.float64], values: Sequence[str]) -> None:
    """Make small numbers NaN where others are times."""
    if (np.abs(seconds) >= _SMALL).any():
        for place in np.flatnonzero(np.abs(seconds) < _SMALL).tolist():
            if _NUMBER.fullmatch(values[place]) and not _COMPACT.fullmatch(values[place]):
                seconds[place] = np.nan


def is_moment(cell: str) -> bool:
    """Whether a cell is a date, or a date with a clock; a bare number is none here, unless it is a day as 20240305."""
    if len(cell) > LONGEST:
        return False
    value = _plain(cell)
    if _NUMBER.fullmatch(value) and not _COMPACT.fullmatch(value):
        return False
    return not (np.isnan(_seconds(value, order="day")) and np.isnan(_seconds(value, order="month")))


def _plain(cell: str) -> str:
    """The cell in half-width characters, without the day of the week in front."""
    return _WEEKDAY.sub("", unicodedata.normalize("NFKC", cell).translate(_DASHES).strip())


def _seconds(value: str, *, order: Order) -> float:
    if posted := _POSTED.fullmatch(value):
        value = f"{posted['day']} {posted['y']} {posted['clock']}{posted['zone'] or ''}"
    if compact := _COMPACT_CLOCK.fullmatch(value):
        value = f"{compact[1]} {compact[2]}:{compact[3]}:{compact[4] or '00'}"
    if month := _MONTH_ALONE.fullmatch(value):
        value = f"{month['y']}-{month['m'] or month['m2']}-1"
    for pattern in (_YEAR_FIRST, _COMPACT, _YEAR_LAST, _DAY_NAMED, _MONTH_NAMED):
        found = pattern.match(value)
        if found is not None and (moment := _moment(found, rest=value[found.end() :], order=order)) is not None:
            return moment
    if _NUMBER.fullmatch(value):
        number = float(value)
        whole = _COMPACT.fullmatch(value) is None  # 20241332 is no day, and no second of 1970 either
        return number / next((unit for least, unit in _FINER if abs(number) >= least), 1) if whole else np.nan
    return np.nan


def _moment(date: re.Match[str], *, rest: str, order: Order) -> float | None:
    """The moment of a date and the clock behind it; ``None`` where either is not one."""
    parts = date.groupdict()
    clock = _CLOCK.fullmatch(rest)
    if rest and (clock is None or _RANGE.fullmatch(rest)):
        return None
    if "a" in parts:
        parts["d"], parts["m"] = (parts["a"], parts["b"]) if order == "day" else (parts["b"], parts["a"])
    if "name" in parts:
        name = parts["name"].lower()
        months = [number for number, month in enumerate(_MONTHS, 1) if name in (month, month[:3], month[:4])]
        if not months:
            return None
        parts["m"] = str(months[0])
    try:
        midnight = datetime(int(parts["y"]), int(parts["m"]), int(parts["d"]), tzinfo=UTC).timestamp()
    except ValueError:
        return None
    seconds = _clock(clock) if clock else 0.0
    return None if seconds is None else midnight + seconds


def _clock(clock: re.Match[str]) -> float | None:
    """Seconds since midnight in UTC; ``None`` for a 13th hour of the morning, or minutes that are not there."""
    second = float((clock["s"] or "0").replace(",", "."))
    hour, half = int(clock["h"]), (clock["before"] or clock["after"] or "").lower().replace(".", "")
    minute = 30 if clock["mi"] == "半" else int(clock["mi"] or 0)
    if (clock["mi"] is None and ":" in clock[0]) or (hour == 24 and minute + second > 0):
        return None
    if half in _MORNING:
        if hour > 12:
            return None
        hour %= 12
    elif half in _EVENING and hour <= 12:
        hour = hour % 12 + (24 if half == "晚上" and (hour == 12 or hour < _SMALL_HOURS) else 12)
    elif (half in _NIGHT and _SMALL_HOURS <= hour < 12) or (half in _NOON and hour < 10):
        hour += 12
    seconds = 3600 * hour + 60 * minute + second
    if clock["hours"]:
        seconds -= 3600 * int(clock["hours"])
    if clock["zone"]:
        minutes = 60 * int(clock["zone"][1:]) + int(clock["zone_minutes"] or 0)
        seconds -= (-60 if clock["zone"][0] == "-" else 60) * minutes
    return seconds
