from __future__ import annotations

from xml.etree import ElementTree

import pytest

from ratchet.charts.svg import Scale, chart, number, percent_ticks, tag, ticks, tooltip, width_of, write


@pytest.mark.parametrize(("value", "shown"), [(3.0, "3"), (-0.04, "0"), (2.25, "2.2"), (-1.5, "-1.5")])
def test_numbers_are_short(value: float, shown: str) -> None:
    assert number(value) == shown


def test_attributes_are_escaped_and_content_is_markup() -> None:
    assert tag("rect", x=1.0, class_='a"b', fill_opacity="0.5") == '<rect x="1" class="a&quot;b" fill-opacity="0.5"/>'
    assert tag("g", tag("path", d="M0 0")) == '<g><path d="M0 0"/></g>'


def test_a_text_without_room_is_cut_and_whole_in_its_tooltip() -> None:
    text = "a label <b> that is far too long"
    assert "title" not in write(0, 0, text)
    node = ElementTree.fromstring(write(0, 0, text, room=60.0, anchor="end", class_="t1"))
    assert node.text is not None
    assert width_of(node.text) <= 60.0
    assert node.text.endswith("…")
    (title,) = node
    assert title.text == text
    assert dict(node.attrib)["text-anchor"] == "end"
    assert ElementTree.fromstring(tooltip("<x>")).text == "<x>"


def test_a_chart_has_a_name_and_a_description() -> None:
    root = ElementTree.fromstring(chart([], width=10, height=5, title="T & t", desc="", key="k"))
    assert root.attrib["aria-labelledby"] == "k-t k-d"
    assert [(node.attrib["id"], node.text) for node in root] == [("k-t", "T & t"), ("k-d", "T & t")]
    assert root.attrib["viewBox"] == "0 0 10 5"


def test_a_scale_stays_within_its_ends() -> None:
    scale = Scale(0, 10, 100, 0)
    assert [scale(value) for value in (-5, 0, 5, 10, 20)] == [100, 100, 50, 0, 0]
    assert Scale(3, 3, 0, 8)(3) == 4


@pytest.mark.parametrize(
    ("low", "high", "most", "found"),
    [
        (0, 1, 5, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0, 7, 3, [0, 5]),
        (-3, 4, 4, [-2, 0, 2, 4]),
        (5, 5, 5, [5]),
        (0, 1, 0, [0]),
    ],
)
def test_ticks_are_round_and_within(low: float, high: float, most: int, found: list[float]) -> None:
    assert ticks(low, high, most=most) == pytest.approx(found)


@pytest.mark.parametrize(
    ("values", "shown"),
    [([0, 0.5, 1], ["0", "50", "100"]), ([0, 0.005], ["0.0", "0.5"]), ([0, 0.0005], ["0.00", "0.05"]), ([], [])],
)
def test_percent_ticks_have_the_decimals_that_tell_them_apart(values: list[float], shown: list[str]) -> None:
    assert percent_ticks(values) == shown
