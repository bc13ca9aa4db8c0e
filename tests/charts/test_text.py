from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratchet.charts import text

FAMILY = "👨‍👩‍👧‍👦"


def test_full_width_text_is_wider() -> None:
    assert text.em_width("情感分类") > 2 * text.em_width("iiii")
    assert text.em_width("e\u0301") == text.em_width("e")
    assert text.em_width("") == 0


@given(st.text(max_size=60), st.floats(2, 20))
def test_a_cut_text_fits(value: str, ems: float) -> None:
    short = text.cut(value, ems=ems)
    assert text.em_width(short) <= ems + 1e-9
    assert short == value or (short.endswith("…") and value.startswith(short[:-1]))


@given(st.text(max_size=60), st.integers(0, 40))
def test_a_head_is_the_start(value: str, limit: int) -> None:
    start = text.head(value, limit=limit)
    assert value.startswith(start)
    assert len(start) <= max(limit, 0)


@pytest.mark.parametrize(
    ("value", "limit", "start"),
    [(f"ab{FAMILY}", 5, "ab"), ("abe\u0301", 3, "ab"), ("ab👍🏽", 3, "ab"), ("中文字符", 2, "中文")],
)
def test_a_cut_never_parts_a_character_from_its_marks(value: str, limit: int, start: str) -> None:
    assert text.head(value, limit=limit) == start


def test_any_text_encodes_after_cleaning() -> None:
    hostile = "a\x00\x1b[31m\ud800\x7f\x85\ufffe\tb\n"
    shown = text.clean(hostile)
    assert shown == "a␀␛[31m\ufffd␡\ufffd\ufffd\tb\n"
    shown.encode("utf-8")


def test_a_chart_label_is_one_line_without_direction_overrides() -> None:
    assert text.label("a\n  b\u202ec\u2066") == "a bc"
    assert text.label(" \n") == "(empty)"


def test_what_turns_the_direction_of_its_neighbours_is_shown() -> None:
    assert text.clean("a\u202egpj.exe\u202c b") == "a\ufffdgpj.exe\u202c b"
    assert text.clean("שלום \u200fעולם") == "שלום \u200fעולם"
