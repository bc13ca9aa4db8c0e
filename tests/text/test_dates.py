"""Times in many forms come out in the right order."""

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
import pytest

from ratchet.errors import DataError
from ratchet.text.dates import is_moment, moments


def seconds(*parts: int, zone: int = 0) -> float:
    return datetime(*parts, tzinfo=timezone(timedelta(hours=zone)) if zone else UTC).timestamp()  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("2024-03-05", seconds(2024, 3, 5)),
        ("2024/3/5", seconds(2024, 3, 5)),
        ("2024.03.05", seconds(2024, 3, 5)),
        ("20240305", seconds(2024, 3, 5)),
        ("2024年3月5日", seconds(2024, 3, 5)),
        ("２０２４－０３－０５", seconds(2024, 3, 5)),
        ("5 Mar 2024", seconds(2024, 3, 5)),
        ("March 5, 2024", seconds(2024, 3, 5)),
        ("05/03/2024", seconds(2024, 3, 5)),
        ("2024-03-05 07:08", seconds(2024, 3, 5, 7, 8)),
        ("2024-03-05T07:08:09.5Z", seconds(2024, 3, 5, 7, 8, 9) + 0.5),
        ("2024-03-05T07:08:09+08:00", seconds(2024, 3, 5, 7, 8, 9, zone=8)),
        ("2024-03-05 07:08:09-0330", seconds(2024, 3, 5, 7, 8, 9) + 3.5 * 3600),
        ("2024/3/5 下午3:05:00", seconds(2024, 3, 5, 15, 5)),
        ("2024/3/5下午3:05", seconds(2024, 3, 5, 15, 5)),
        ("2024年3月5日 15点05分", seconds(2024, 3, 5, 15, 5)),
        ("2024年3月5日 星期二 上午12:10", seconds(2024, 3, 5, 0, 10)),
        ("2024-03-05 晚上8:00", seconds(2024, 3, 5, 20)),
        ("2024-03-05 中午12:30", seconds(2024, 3, 5, 12, 30)),
        ("2024-03-05 08:30:00 PM", seconds(2024, 3, 5, 20, 30)),
        ("3/5/2024 12:10 a.m.", seconds(2024, 5, 3, 0, 10)),
        ("Tue Mar 05 14:22:01 +0000 2024", seconds(2024, 3, 5, 14, 22, 1)),
        ("Tue Mar 05 14:22:01 +0800 2024", seconds(2024, 3, 5, 14, 22, 1, zone=8)),
        ("Tue, 05 Mar 2024 14:22:01 +0800", seconds(2024, 3, 5, 14, 22, 1, zone=8)),
        ("Tue Mar 05 2024 14:22:01 GMT+0800 (China Standard Time)", seconds(2024, 3, 5, 14, 22, 1, zone=8)),
        ("2024-03", seconds(2024, 3, 1)),
        ("2024年3月", seconds(2024, 3, 1)),
        ("2024-03-05 13:00 AM", np.nan),
        ("2024-03-05 3:", np.nan),
        ("2024-03-05 下午", np.nan),
        ("1709600000", 1709600000.0),
        ("1709600000123", 1709600000.123),
        ("-5", -5.0),
        ("2023-02-29", np.nan),
        ("soon", np.nan),
        ("5 Xyz 2024", np.nan),
        ("2024-03-05 25:00", np.nan),
    ],
)
def test_a_cell(cell: str, expected: float) -> None:
    found = moments(pa.chunked_array([[cell, None]]))
    assert found.seconds[0] == pytest.approx(expected, rel=0, abs=1e-3, nan_ok=True)
    assert np.isnan(found.seconds[1])
    assert found.unreadable.tolist() == ([0] if np.isnan(expected) else [])


def test_one_cell_tells_the_order_of_day_and_month_for_all() -> None:
    found = moments(pa.chunked_array([["03/04/2024", "04/13/2024"]]))
    assert found.order == "month"
    assert found.seconds.tolist() == [seconds(2024, 3, 4), seconds(2024, 4, 13)]
    assert moments(pa.chunked_array([["03/04/2024"]])).seconds[0] == seconds(2024, 4, 3)


def test_cells_that_contradict_each_other_are_named() -> None:
    with pytest.raises(DataError, match="'13/04/2024' and '04/13/2024'"):
        moments(pa.chunked_array([["13/04/2024", "04/13/2024"]]))


def test_no_cells() -> None:
    assert moments(pa.chunked_array([], pa.string())).seconds.shape == (0,)


@pytest.mark.parametrize(
    "cell", ["2024-03-05", "20240305", "2024/1/5 下午3:05", "5 Mar 2024", "2024-01", "13/04/2024", "04/13/2024"]
)
def test_dates_are_told_from_numbers_and_words(cell: str) -> None:
    assert is_moment(cell)
    assert not is_moment("3.14")
    assert not is_moment("1709600000")
    assert not is_moment("2024-03-05 was a good day")
    assert not is_moment("version 2024-03")


@pytest.mark.parametrize(
    ("cell", "iso"),
    [
        ("2024-01-31 08:30:00-05:00", "2024-01-31T13:30:00"),
        ("2024-01-31T08:30+08:00", "2024-01-31T00:30:00"),
        ("2024-01-31 晚上1点", "2024-02-01T01:00:00"),
        ("2024-01-31 晚上8点半", "2024-01-31T20:30:00"),
        ("2024-1-31 深夜11点", "2024-01-31T23:00:00"),
        ("2024年1月31日 下午3时5分", "2024-01-31T15:05:00"),
        ("2024-01-31 15时", "2024-01-31T15:00:00"),
        ("20240131083000", "2024-01-31T08:30:00"),
        ("202401310830", "2024-01-31T08:30:00"),
        ("1706659200", "2024-01-31T00:00:00"),
        ("1706659200000", "2024-01-31T00:00:00"),
        ("1706659200000000", "2024-01-31T00:00:00"),
        ("1706659200000000000", "2024-01-31T00:00:00"),
        ("2024-01-31 08:30 GMT+8", "2024-01-31T00:30:00"),
        ("2024-01-31 10:00 GMT", "2024-01-31T10:00:00"),
        ("March 5th, 2024", "2024-03-05T00:00:00"),
        ("5 Sept 2024", "2024-09-05T00:00:00"),
        ("January 31, 2024 at 8:30 AM", "2024-01-31T08:30:00"),
        ("Mon, 31 Jan 2024", "2024-01-31T00:00:00"),
        ("2024-01-31 24:00:00", "2024-02-01T00:00:00"),
        ("Thu Oct  4 20:19:24 2018", "2018-10-04T20:19:24"),
        ("2024–01–31", "2024-01-31T00:00:00"),
        ("Wed 03/13/2024", "2024-03-13T00:00:00"),
        ("2024-01-31 08:30-09:30", None),
        ("2024-01-31 24:10", None),
        ("2024-01-31 13:00 AM", None),
        ("Marching 5 2024", None),
        ("Mayor 5, 2024", None),
        ("19991332", None),
    ],
)
def test_times_as_people_and_programs_write_them(cell: str, iso: str | None) -> None:
    found = moments(pa.chunked_array([[cell]])).seconds[0]
    assert np.isnan(found) if iso is None else found == datetime.fromisoformat(iso + "+00:00").timestamp()


def test_the_order_of_day_and_month_is_told_behind_a_weekday_too() -> None:
    found = moments(pa.chunked_array([["Mon 03/04/2024", "Wed 03/13/2024"]]))
    assert found.order == "month"
    assert np.diff(found.seconds)[0] == 9 * 86_400
