from __future__ import annotations

import csv
import random

import pytest

from ratchet.errors import DataError
from ratchet.tables.csv_faults import header, quotes_are_in_order, refuse_faults


@pytest.mark.parametrize(
    ("data", "sound"),
    [
        (b'a,b\n"x, y",2\n', True),
        (b'a\n"say ""hi"""\n', True),
        (b'"a"\r\n"b"', True),
        (b"", True),
        (b'a\nx"y\n', False),
        (b'a\n"x"y\n', False),
        (b'a\n"open\n', False),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 100])
def test_quotes_in_order_however_the_data_are_cut(data: bytes, sound: bool, size: int) -> None:
    blocks = [data[start : start + size] for start in range(0, len(data), size)]
    assert quotes_are_in_order(blocks, delimiter=",") is sound


def test_what_is_called_in_order_is_read_alike_by_the_strict_reader() -> None:
    rng = random.Random(1)
    for _ in range(2_000):
        data = "".join(rng.choices('ab",\n', k=8))
        if quotes_are_in_order([data.encode()], delimiter=","):
            list(csv.reader(data.splitlines(keepends=True), strict=True))  # raises where a quote is out of order


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"a,b\n1,2\n\n3\n", r"Row 2 of t\.csv \(line 4\) must have 2 cells like the header but has 1"),
        (b'a,b\n"x\ny",2\n1,"2"3\n', r"Row 2 of t\.csv \(line 4\) must have its quotes in pairs"),
    ],
)
def test_the_first_fault_is_named_by_row_and_line(data: bytes, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        refuse_faults(data, delimiter=",", quoted=True, columns=2, name="t.csv")


def test_a_sound_table_has_no_fault_and_the_limit_of_the_csv_module_stays() -> None:
    before = csv.field_size_limit()
    cell = b"x" * (before + 1)
    refuse_faults(b"a,b\n" + cell + b",2\n", delimiter=",", quoted=True, columns=2, name="t.csv")
    assert csv.field_size_limit() == before
    with pytest.raises(DataError, match=r"Row 1 .* like the first row"):
        refuse_faults(b"1,2,3\n", delimiter=",", quoted=True, columns=2, headless=True, name="t.csv")


def test_the_header_is_the_first_row_that_is_not_blank() -> None:
    assert header(b'\n\n"a\nb",c\n1,2\n', delimiter=",", quoted=True, name="t.csv") == (["a\nb", "c"], 4)
    assert header(b'a"b\tc\n', delimiter="\t", quoted=False, name="t.tsv") == (['a"b', "c"], 1)
    with pytest.raises(DataError, match=r"The header of t\.csv must have its quotes in pairs"):
        header(b'"a"b,c\n', delimiter=",", quoted=True, name="t.csv")
