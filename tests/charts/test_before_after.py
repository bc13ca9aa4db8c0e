from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable

import pytest

from ratchet.charts import before_after
from ratchet.charts.before_after import Move
from ratchet.charts.svg import width_of

HOSTILE = "\"'><script>alert(1)</script>&amp;\u202e"
LONG = "退换货流程与售后客服态度以及快递包装质量的综合评价" * 4

DRAW: dict[str, Callable[[str, float], str]] = {
    "pairs": lambda s, w: before_after.pairs(
        [Move(label=s, old=0.4, new=0.6), Move(label=s, old=None), Move(label="b", old=0.0, new=0.0)],
        names=(s, s),
        title=s,
        key="k",
        width=w,
    ),
    "overlaid": lambda s, w: before_after.overlaid(
        (0, 5, 10), (9, 1), (0, 0), names=(s, s), unit=s, title=s, key="k", width=w
    ),
    "moves": lambda s, w: before_after.moves(
        [Move(label=s, old=0.1, new=0.3), Move(label="b", old=0.3, new=0.0)], names=(s, s), title=s, key="k", width=w
    ),
}


@pytest.mark.parametrize("width", [760.0, 340.0])
@pytest.mark.parametrize("words", [HOSTILE, LONG, "", "a"])
@pytest.mark.parametrize("name", DRAW)
def test_every_chart_is_well_formed_accessible_and_inside(name: str, words: str, width: float) -> None:
    root = ET.fromstring(DRAW[name](words, width))
    assert root.get("role") == "img"
    named = {node.get("id"): node for node in root if node.tag in ("title", "desc")}
    assert set((root.get("aria-labelledby") or "").split()) == set(named) == {"k-t", "k-d"}
    assert {node.tag for node in root.iter()} <= {"svg", "title", "desc", "text", "rect", "path", "line", "circle"}
    assert not re.search(r"\bnan\b|\binf\b", " ".join(v for n in root.iter() for v in n.attrib.values()))
    for node in root.iter("text"):
        x, wide = float(node.get("x", 0)), width_of(node.text or "")
        start = {"end": x - wide, "middle": x - wide / 2}.get(node.get("text-anchor", ""), x)
        assert start >= -1
        assert start + wide <= width + 1


def test_bars_of_a_pair_are_proportional_and_the_old_one_is_above() -> None:
    svg = before_after.pairs([Move(label="neg", old=0.25, new=0.5)], names=("a", "b"), title="t", key="k")
    old, new = [node for node in ET.fromstring(svg).iter("rect") if node.get("height") == "13"]
    assert float(new.get("width", 0)) == pytest.approx(2 * float(old.get("width", 0)), abs=0.2)
    assert float(old.get("y", 0)) < float(new.get("y", 0))
    assert "25.0 %" in svg
    assert "50.0 %" in svg


def test_a_short_label_is_not_cut() -> None:
    assert ">neg<" in before_after.pairs([Move(label="neg", old=0.2, new=0.3)], names=("a", "b"), title="t", key="k")


def test_histograms_are_shares_of_their_own_rows() -> None:
    svg = before_after.overlaid((0, 1, 2), (10, 10), (1, 1), names=("a", "b"), unit="u", title="t", key="k")
    bars = [float(node.get("y", 0)) for node in ET.fromstring(svg).iter("rect") if "x" in node.attrib][-2:]
    steps = [float(value) for value in re.findall(r"V([\d.]+)", svg)]
    assert steps[0] == pytest.approx(bars[0], abs=0.1)
    assert "0 to 1 u: 50.0 %, then 50.0 %" in svg


def test_what_rose_and_what_fell_differ_in_more_than_place() -> None:
    svg = before_after.moves(
        [Move(label="up", old=0.1, new=0.3), Move(label="down", old=0.3, new=0.1)], names=("a", "b"), title="t", key="k"
    )
    filled = [node.get("class") for node in ET.fromstring(svg).iter("circle") if node.get("r") == "5"]
    assert filled == ["fill-champion", "fill-loss"]
