from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from ratchet.charts.heatmap import heatmap


def test_every_cell_tells_its_count_and_share() -> None:
    svg = heatmap(["负面", "正面"], [(0, 0, 90), (0, 1, 10), (1, 1, 100)], title="t", key="k")
    titles = {node.text for node in ET.fromstring(svg).iter("title")}
    assert {"负面 → 负面: 90 (90.0 %)", "负面 → 正面: 10 (10.0 %)", "正面 → 正面: 100 (100.0 %)"} <= titles
    assert svg.count("heat-wrong") == 1
    assert svg.count("heat-right") == 2


def test_rare_mistakes_are_lifted_by_the_root() -> None:
    svg = heatmap(["a", "b"], [(0, 0, 99), (0, 1, 1)], title="t", key="k")
    (wrong,) = [n for n in ET.fromstring(svg).iter("rect") if n.get("class") == "heat-wrong"]
    assert float(wrong.get("fill-opacity", 1)) == pytest.approx(0.1)


def test_seventy_seven_classes_stay_small_and_name_the_worst() -> None:
    cells = [(i, i, 40) for i in range(77)] + [
        (i, j, 1) for i in range(77) for j in range(77) if i != j and (i * j) % 5 == 0
    ]
    svg = heatmap([f"class_{i}" for i in range(77)], [*cells, (7, 9, 12)], title="t", key="k")
    assert len(svg) < 80_000
    assert "class_7 → class_9: 12" in svg


@pytest.mark.parametrize("count", [1, 2, 5, 20, 21, 150])
@pytest.mark.parametrize("width", [760.0, 340.0])
def test_the_picture_stays_within_its_width(count: int, width: float) -> None:
    svg = heatmap(["long label name"] * count, [(i, i, 1) for i in range(count)], title="t", key="k", width=width)
    for node in ET.fromstring(svg).iter("rect"):
        assert float(node.get("x", 0)) + float(node.get("width", 0)) <= width + 0.5


def test_an_empty_matrix_draws() -> None:
    ET.fromstring(heatmap(["a"], [], title="t", key="k"))
