"""Validators: good and bad cells of every kind, and patterns that cannot hang."""

from __future__ import annotations

import pyarrow as pa
import pytest

from ratchet.checks.validators import KINDS, matching
from ratchet.errors import RecipeError

JUDGE = {kind.name: kind.judge for kind in KINDS}
MORE_DATES = ["31 Jan 2024", "Jan 31, 2024", "2024-01-31 12:00:00", "2024-01-31T12:00:00.5Z", "２０２４-01-02"]
CASES: dict[str, tuple[list[str], list[str]]] = {
    "phone": (
        ["13812345678", "19900000000", "１３８１２３４５６７８", " 13812345678 "],
        ["12812345678", "1381234567", "abc", ""],
    ),
    "phone_plain": (["02112345678", "13812345678"], ["1234567890", "1234567890a"]),
    "email": (["a@b.cn", "a.b+c@x-y.co.uk", "张@例子.中国"], ["a@b", "a b@c.de", "@c.de", "a@b@c.de"]),
    "url": (
        ["http://a.cn", "https://x.y.com:80/a?b=c#d", "ftp://localhost/x"],
        ["www.a.com", "http://", "http://a b.cn"],
    ),
    "ip": (["1.2.3.4", "255.255.255.255", "::1", "fe80::1", "10.0.0.0/8"], ["256.1.1.1", "1.2.3", "12:30:00", ":::"]),
    "date": (
        ["2024-02-29", "2024/1/5", "2024.01.05", "20240131", "2024年1月31日", "31/01/2024", "01/31/2024", *MORE_DATES],
        ["2023-02-29", "20241331", "2024-00-10", "32/01/2024", "1 2 3", "2024", "31 Foo 2024"],
    ),
    "time": (["12:30", "9:05:01", "23:59:59.999"], ["24:00", "9:5", "noon"]),
    "postcode": (["100000", "518000"], ["900000", "1000", "1000000"]),
    "id_card": (["11010519491231002X"], ["110105194912310021", "11010519491231002"]),
    "number": (
        ["1", "-3.5", "1,234.5", "1e5", ".5", "１２３", "1.5万", "¥1,000元", "12%"],
        ["abc", "1.2.3", "万", "", "-", "12,34"],
    ),
}


@pytest.mark.parametrize("name", sorted(JUDGE))
def test_every_kind(name: str) -> None:
    good, bad = CASES[name]
    assert JUDGE[name](pa.array(good, pa.large_string())).tolist() == [True] * len(good)
    assert JUDGE[name](pa.array(bad, pa.large_string())).tolist() == [False] * len(bad)
    assert JUDGE[name](pa.array([], pa.large_string())).tolist() == []


def test_a_pattern_must_match_the_whole_cell() -> None:
    assert matching(pa.array(["ab", "abc", "xab"]), "a|ab").tolist() == [True, False, False]


def test_a_catastrophic_pattern_is_answered_at_once() -> None:
    cells = pa.array(["a" * 50_000 + "!"] * 20)
    assert not matching(cells, r"(a+)+").any()


@pytest.mark.parametrize("pattern", ["(?=a)b", r"(a)\1", "(a{1000}){1000}", "["])
def test_patterns_that_re2_does_not_take_are_refused(pattern: str) -> None:
    with pytest.raises(RecipeError, match=r"check\.columns\.x\.pattern must be a regular expression of RE2"):
        matching(pa.array(["a"]), pattern, key="check.columns.x.pattern")
