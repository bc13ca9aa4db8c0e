"""Times in many forms come out in the right order."""

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
import pytest

from ratchet.data.moments import is_moment, moments
from ratchet.errors import DataError


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
