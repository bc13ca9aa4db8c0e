from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from ratchet.charts.sureness import Held, Kept, Named, Series, reliability, selection

BINS = [Held(confidence=c, right=c - 0.05, low=c - 0.1, high=min(1.0, c), rows=100) for c in (0.5, 0.7, 0.9, 0.99)]
POINTS = [
    Kept(threshold=1 - n / 20, answered=n / 20, error=n / 200, low=n / 300, high=min(1.0, n / 100))
    for n in range(1, 21)
]
WIDTHS = (760.0, 340.0)


def inside(svg: str, width: float) -> None:
    """Well-formed, and nothing is placed beyond the sides."""
    ET.fromstring(svg)
    assert "nan" not in svg
    assert "inf" not in svg.replace("info", "")
    for x in re.findall(r'(?:cx|x|x1|x2)="(-?[\d.]+)"', svg):
        assert -0.1 <= float(x) <= width, svg


@pytest.mark.parametrize("width", WIDTHS)
def test_both_series_are_drawn_and_told(width: float) -> None:
    series = [Series(label="as the model says", bins=BINS, quiet=True), Series(label="as served", bins=BINS[:3])]
    svg = reliability(series, title="Right", key="k", width=width)
    inside(svg, width)
    assert svg.count("<circle") == 4 + 3 + 2, "a mark a bin, and the legend's"
    assert "as served" in svg
    assert "100 rows at 50.0 %: right 45.0 % [40.0, 50.0]" in svg


@pytest.mark.parametrize("width", WIDTHS)
def test_one_bin_and_none(width: float) -> None:
    inside(reliability([Series(label="a", bins=BINS[:1])], title="t", key="k", width=width), width)
    inside(reliability([], title="t", key="k", width=width), width)
    certain = [Held(confidence=1.0, right=1.0, low=0.9, high=1.0, rows=10)]
    inside(reliability([Series(label="a", bins=certain)], title="t", key="k", width=width), width)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_chosen_threshold_lies_on_the_curve(width: float) -> None:
    named = [
        Named(at=POINTS[8], label="chosen: from 0.55", shape="diamond", tone="champion"),
        Named(at=POINTS[9], label="usual: from 0.5", shape="ring", tone="loss"),
    ]
    svg = selection(POINTS, named=named, wanted=0.05, title="Errors", key="k", width=width)
    inside(svg, width)
    for words in ("chosen: from 0.55", "usual: from 0.5", "promised 5.0 %", "from 0.55 on: 45.0 % answered"):
        assert words in svg
    curve = re.search(r'd="M([^"]+)" class="curve', svg)
    ring = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)" r="6"', svg)
    assert curve is not None
    assert " ".join(ring[0]) in curve[1]


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_wrong_and_everything_wrong(width: float) -> None:
    for error in (0.0, 1.0):
        one = Kept(threshold=0.0, answered=1.0, error=error, low=0.0, high=1.0)
        inside(selection([one], named=[], wanted=None, title="t", key="k", width=width), width)
        inside(selection([one, one], named=[], wanted=0.01, title="t", key="k", width=width), width)
