from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratchet.scores.numbers import last_number, numeric_match


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("It is 42.", 42),
        ("first 1, then 2, so 3", 3),
        ("1,234,567.5 dollars", 1234567.5),
        ("1,23", 23),
        ("-$5", -5),
        ("10-5", 5),
        ("−7 °C", -7),
        ("共１２３个", 123),
        ("3万", 30000),
        ("3.5亿元", 3.5e8),
        ("1亿2000万人", 1.2e8),
        ("3万5千", 35000),
        ("两百万，即2百万", 2e6),
        ("5 million people", 5e6),
        ("12 %", 0.12),
        ("５０％", 0.5),
        ("百分之50", 0.5),
        ("3/4", 0.75),
        ("1 1/2", 1.5),
        ("1½", 1.5),
        (r"\boxed{\frac{1}{8}}", 0.125),
        ("2e3", 2000),
        (".5", 0.5),
        ("7/0", math.nan),
        ("no number", math.nan),
        ("9" * 400, math.nan),
    ],
)
def test_the_last_number_of_a_text(text: str, value: float) -> None:
    assert last_number(text) == pytest.approx(value, nan_ok=True)


def test_a_percentage_is_its_value_or_its_number() -> None:
    assert numeric_match(["50%", "50", "0.5", "5", "50%"], ["0.5", "50%", "50%", "50%", "50"]).tolist() == [
        1,
        1,
        1,
        0,
        1,
    ]
    assert numeric_match(["0.5%"], ["0.5%"]).tolist() == [1]
    assert numeric_match(["0.5%"], ["50%"]).tolist() == [0]


def test_tolerance_is_a_share() -> None:
    assert numeric_match(["101", "101", None, "?"], ["100"] * 4, tolerance=0.01).tolist() == [1, 1, 0, 0]
    assert numeric_match(["101"], ["100"]).tolist() == [0]


@given(st.integers(-(10**15), 10**15))
def test_a_number_is_found_however_it_is_grouped(number: int) -> None:
    assert numeric_match([f"so {number:,}"], [str(number)]).tolist() == [1]


@given(st.integers(0, 999), st.integers(1, 999))
def test_a_fraction_is_its_value(over: int, under: int) -> None:
    assert last_number(f"{over}/{under}") == pytest.approx(float(Fraction(over, under)))


@given(st.text(alphabet="0123456789,./ -+%e½万亿⁄", max_size=40))
def test_any_text_has_a_number_or_none(text: str) -> None:
    value = last_number(text)
    assert math.isnan(value) or math.isfinite(value)
