from __future__ import annotations

from typing import Any

import pytest
from tests.tables.workbook import STRINGS, STYLES, one

from ratchet.tables.xlsx_cells import as_date, date_kind, letters, shortest

STRICT = "http://purl.oclc.org/ooxml/spreadsheetml/main"


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ('<c r="B2" t="s"><v>0</v></c>', "plain"),
        ('<c r="B2" t="s"><v>1</v></c>', "rich text"),
        ('<c r="B2" t="s"><v>2</v></c>', "東京"),
        ('<c r="B2" t="s"><v>3</v></c>', "a\rb_x"),
        ('<c r="B2" t="s"><v>4</v></c>', ""),
        ('<c r="B2" t="inlineStr"><is><r><t>in</t></r><r><t>line</t></r><rPh><t>no</t></rPh></is></c>', "inline"),
        ('<c t="str"><f>A1&amp;"x"</f><v>x</v></c>', "x"),
        ('<c r="B2" t="str"><f>""</f><v></v></c>', ""),
        ('<c r="B2"><v>1</v></c>', "1"),
        ('<c r="B2"><v>0.10000000000000001</v></c>', "0.1"),
        ('<c r="B2"><v>1.3800138E10</v></c>', "13800138000"),
        ('<c r="B2"><v>-2.50</v></c>', "-2.5"),
        ('<c r="B2"><v>007</v></c>', "007"),
        ('<c r="B2" s="6"><v>0.125</v></c>', "0.125"),
        ('<c r="B2"><f>1+1</f><v>2</v></c>', "2"),
        ('<c r="B2" t="b"><v>1</v></c>', "true"),
        ('<c r="B2" t="b"><v>0</v></c>', "false"),
        ('<c r="B2" t="e"><v>#REF!</v></c>', "#REF!"),
        ('<c r="B2" t="e"><v>#N/A</v></c>', None),
        ('<c r="B2" t="d"><v>2024-02-29T00:00:00</v></c>', "2024-02-29T00:00:00"),
        ('<c r="B2" s="1"/>', None),
        ('<c r="B2" s="1"><v>45351</v></c>', "2024-02-29"),
        ('<c r="B2" s="1"><v>45351.5</v></c>', "2024-02-29 12:00:00"),
        ('<c r="B2" s="2"><v>45351</v></c>', "2024-02-29"),
        ('<c r="B2" s="3"><v>1.5</v></c>', "36:00:00"),
        ('<c r="B2" s="4"><v>45351</v></c>', "2024-02-29 00:00:00"),
        ('<c r="B2" s="5"><v>0.999988425925926</v></c>', "23:59:59"),
        ('<c r="B2" s="1"><v>-1</v></c>', "-1"),
        ('<c r="B2" s="99"><v>3</v></c>', "3"),
    ],
)
def test_cells(cell: str, expected: str | None) -> None:
    assert one(cell, strings=STRINGS, styles=STYLES) == expected
    assert one(cell, strings=STRINGS, styles=STYLES, ns=STRICT) == expected


@pytest.mark.parametrize(
    ("number", "kind", "in_1904", "expected"),
    [
        (1, "date", False, "1900-01-01"),
        (59, "date", False, "1900-02-28"),
        (61, "date", False, "1900-03-01"),
        (0, "date", True, "1904-01-01"),
        (0.25, "time", False, "06:00:00"),
        (0.0000000116, "time", False, "00:00:00.001"),
        (0.9999999999, "datetime", False, "1900-01-01 00:00:00"),
        (3_000_000, "date", False, None),
        (1, "", False, None),
    ],
)
def test_days(number: float, kind: Any, in_1904: bool, expected: str | None) -> None:
    assert as_date(number, kind=kind, in_1904=in_1904) == expected


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("General", ""),
        ("0.00%", ""),
        ('#,##0 "days"', ""),
        ("[Red]0.0;[Blue]-0.0", ""),
        ("_-* #,##0_-", ""),
        ("@", ""),
        ("yyyy-mm-dd", "date"),
        ("mmm", "date"),
        ('[$-804]yyyy"年"m"月"d"日"', "date"),
        ("d/m/yy h:mm AM/PM", "datetime"),
        ("hh:mm:ss.000", "time"),
        ("mm:ss", "time"),
        ("[mm]:ss", "elapsed"),
        ('0" d;s"', ""),
        ('"a;b"yyyy;0', "date"),
    ],
)
def test_number_formats(code: str, kind: str) -> None:
    assert date_kind(code) == kind


def test_numbers_and_letters() -> None:
    assert [shortest(number) for number in (1e15, 0.1 + 0.2, 1e300, -0.0)] == [
        "1000000000000000",
        "0.30000000000000004",
        "1e+300",
        "0",
    ]
    assert [letters(place) for place in (1, 26, 27, 702, 703)] == ["A", "Z", "AA", "ZZ", "AAA"]
