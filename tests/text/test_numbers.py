"""Numbers of a table: units, currencies, full width, and what is none."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from ratchet.text.numbers import infinite, numbers


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("1.5万", 15_000),
        ("３.２亿", 320_000_000),
        ("2千万", 20_000_000),
        ("1万亿", 1e12),
        ("5k", 5_000),
        ("12%", 0.12),
        ("$5", 5),
        ("-¥1,200.50", -1200.5),
        ("3万元", 30_000),
    ],
)
def test_numbers_have_their_unit(cell: str, value: float) -> None:
    assert numbers(pa.array([cell], pa.large_string()))[0][0] == pytest.approx(value)


def test_which_numbers_have_a_unit() -> None:
    assert numbers(pa.array(["5", "5万", "x"], pa.large_string()))[1].tolist() == [False, True, False]


@pytest.mark.parametrize("cell", ["", " ", "abc", "1,23", "1-2", "nan", None])
def test_what_is_no_number(cell: str | None) -> None:
    column = pa.array([cell], pa.large_string())
    assert np.isnan(numbers(column)[0][0])
    assert not infinite(column)[0]


@pytest.mark.parametrize("cell", ["inf", " -Infinity", "＋∞", "INF"])
def test_what_is_infinite(cell: str) -> None:
    assert infinite(pa.array([cell], pa.large_string()))[0]
