from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from ratchet.charts.scatter import Box, Cell, boxes, scatter


def numbers(d: str) -> list[float]:
    return [float(n) for n in re.findall(r"-?\d+\.?\d*", d)]


@pytest.mark.parametrize("width", [760.0, 340.0])
@pytest.mark.parametrize("band", [None, 0.5, 3.0, 1e9])
def test_points_band_and_squares_stay_in_the_plane(width: float, band: float | None) -> None:
    svg = scatter(
        [(0.0, 0.0), (0.5, 0.4), (1.0, 1.0)],
        ends=(-2.0, 8.0),
        cells=[Cell(x=0.975, y=0.0, side=0.025, rows=9), Cell(x=0.0, y=0.0, side=0.025, rows=1)],
        band=band,
        title="t",
        key="k",
        width=width,
    )
    root = ET.fromstring(svg)
    (speck,) = [node for node in root.iter("path") if node.get("class") == "speck"]
    assert speck.get("d", "").count("M") == 3
    height = float(root.get("height", 0))
    for node in root.iter("path"):
        places = numbers(node.get("d", "").replace("h0", ""))
        assert all(0 <= x <= width for x in places[::2])
        assert all(0 <= y <= height for y in places[1::2])
    shades = [node.get("class") for node in root.iter("rect") if str(node.get("class")).startswith("shade")]
    assert shades == ["shade-4", "shade-2"]
    assert any(node.get("class") == "strip" for node in root.iter("path")) == (band is not None)


def test_a_right_prediction_lies_on_the_dashed_line() -> None:
    root = ET.fromstring(scatter([(0.25, 0.25)], ends=(0.0, 4.0), title="t", key="k"))
    (mark,) = [node for node in root.iter("line") if node.get("class") == "mark"]
    x1, y1, x2, y2 = (float(mark.get(name, 0)) for name in ("x1", "y1", "x2", "y2"))
    x, y = numbers(next(n.get("d", "") for n in root.iter("path") if n.get("class") == "speck"))[:2]
    assert (x - x1) / (x2 - x1) == pytest.approx(0.25, abs=0.01)
    assert (y - y1) / (y2 - y1) == pytest.approx(0.25, abs=0.01)


def box(middle: float, reach: float) -> Box:
    return Box(
        low=0,
        at=1,
        high=2,
        rows=10,
        ends=(middle - reach, middle + reach),
        middle=(middle - reach / 2, middle + reach / 2),
        median=middle,
    )


def test_one_wild_group_does_not_flatten_the_others() -> None:
    svg = boxes([box(0, 1), box(0, 1), box(0, 1e9)], title="t", key="k", x_name="x", y_name="y", band=1.5)
    heights = [float(n.get("height", 0)) for n in ET.fromstring(svg).iter("rect") if n.get("class") == "fill-champion"]
    assert heights[0] > 20
    assert heights[2] < 300


@pytest.mark.parametrize("groups", [[], [box(0, 0)]])
def test_few_groups_have_a_picture(groups: list[Box]) -> None:
    ET.fromstring(boxes(groups, title="t", key="k", x_name="x", y_name="y", width=340))
