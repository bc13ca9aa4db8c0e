"""Moments: the cells of a time column as seconds, so that rows can be put in order."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ratchet.data.strings import coded
from ratchet.errors import DataError

Order = Literal["day", "month"]
_CLOCK = re.compile(
    r"[T ,]+(?P<h>[01]?\d|2[0-3]):(?P<mi>[0-5]\d)(?::(?P<s>[0-5]\d(?:[.,]\d+)?))?"
    r" ?(?:Z|UTC|GMT|(?P<zone>[+-]\d\d):?(?P<zone_minutes>\d\d)?)?"
)
_YEAR_FIRST = re.compile(r"(?P<y>\d{4}) ?[-/.年] ?(?P<m>\d{1,2}) ?[-/.月] ?(?P<d>\d{1,2})(?: ?[日号])?")
_COMPACT = re.compile(r"(?P<y>(?:19|20)\d\d)(?P<m>\d\d)(?P<d>\d\d)")
_YEAR_LAST = re.compile(r"(?P<a>\d{1,2})[-/.](?P<b>\d{1,2})[-/.](?P<y>\d{4})")
_DAY_NAMED = re.compile(r"(?P<d>\d{1,2})[- ](?P<name>[A-Za-z]{3})[A-Za-z]*\.?,?[- ](?P<y>\d{4})")
_MONTH_NAMED = re.compile(r"(?P<name>[A-Za-z]{3})[A-Za-z]*\.? (?P<d>\d{1,2}),? (?P<y>\d{4})")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")
_MILLISECONDS = 1e11
"""Numbers from here on are milliseconds: as seconds they would be after the year 5000."""
_SMALL = 1e8
"""Numbers below this (as seconds before March 1973) are no times beside others that are: a year, a serial day, a 0 for none."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Moments:
    """Of each cell the seconds since 1970 in UTC, shape (rows,), NaN where it is missing or can not be read.

    ``unreadable`` are positions of cells that are filled but no time; ``order`` says how "03/04/2024" was read.
    """

    seconds: npt.NDArray[np.float64]
    unreadable: npt.NDArray[np.int64]
    order: Order


def moments(column: pa.ChunkedArray) -> Moments:
    """Read dates and times: ISO 8601, with slashes or points, 2024年3月5日, 5 Mar 2024, 20240305, seconds or milliseconds.

    A time without a zone counts as UTC. Whether day or month comes first in "03/04/2024" is told by the other cells of the
    column: one with a second number above 12 makes all month first. Small numbers count as times only where all are small.

    Args:
        column: strings.

    Raises:
        DataError: cells of the column contradict each other in this ("13/04/2024" and "04/13/2024").
    """
    cells, member = coded(column)
    values = [unicodedata.normalize("NFKC", value).strip() for value in cells.to_pylist()]
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
                f"Dates of one column must be written in one order but there are {day!r} and {month!r}.",
                next_step="Write them as 2024-01-31.",
            )
    return "month" if month else "day"


def _drop_small(seconds: npt.NDArray[np.float64], values: Sequence[str]) -> None:
    """Make small numbers NaN where others are times."""
    if (np.abs(seconds) >= _SMALL).any():
        for place in np.flatnonzero(np.abs(seconds) < _SMALL).tolist():
            if _NUMBER.fullmatch(values[place]) and not _COMPACT.fullmatch(values[place]):
                seconds[place] = np.nan


def _seconds(value: str, *, order: Order) -> float:
    for pattern in (_YEAR_FIRST, _COMPACT, _YEAR_LAST, _DAY_NAMED, _MONTH_NAMED):
        found = pattern.match(value)
        if found is not None and (moment := _moment(found, rest=value[found.end() :], order=order)) is not None:
            return moment
    if _NUMBER.fullmatch(value):
        number = float(value)
        return number / 1000 if abs(number) >= _MILLISECONDS else number
    return np.nan


def _moment(date: re.Match[str], *, rest: str, order: Order) -> float | None:
    """The moment of a date and the clock behind it; ``None`` where either is not one."""
    parts = date.groupdict()
    clock = _CLOCK.fullmatch(rest)
    if rest and clock is None:
        return None
    if "a" in parts:
        parts["d"], parts["m"] = (parts["a"], parts["b"]) if order == "day" else (parts["b"], parts["a"])
    if "name" in parts:
        name = parts["name"].lower()
        if name not in _MONTHS:
            return None
        parts["m"] = str(_MONTHS.index(name) + 1)
    try:
        midnight = datetime(int(parts["y"]), int(parts["m"]), int(parts["d"]), tzinfo=UTC).timestamp()
    except ValueError:
        return None
    return midnight + (_clock(clock) if clock else 0.0)


def _clock(clock: re.Match[str]) -> float:
    """Seconds since midnight in UTC."""
    second = float((clock["s"] or "0").replace(",", "."))
    seconds = 3600 * int(clock["h"]) + 60 * int(clock["mi"]) + second
    if clock["zone"]:
        minutes = 60 * int(clock["zone"][1:]) + int(clock["zone_minutes"] or 0)
        seconds -= (-60 if clock["zone"][0] == "-" else 60) * minutes
    return seconds
