from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from itertools import pairwise

import pytest

from ratchet.charts import charts
from ratchet.charts.charts import Bar, Dot, Gap, Line, Mark
from ratchet.charts.heatmap import heatmap
from ratchet.charts.staircase import staircase
from ratchet.charts.svg import Scale, percent_ticks, ticks, width_of
from ratchet.gate.ledger import Challenge

HOSTILE = "\"'><script>alert(1)</script>&amp;\u202e"
LONG = "退换货流程与售后客服态度以及快递包装质量的综合评价" * 4
Draw = Callable[[str, float], str]

DRAW: dict[str, Draw] = {
    "bars": lambda s, w: charts.bars(
        [Bar(label=s, value=3, shown=s), Bar(label=s, value=None)], title=s, key="k", width=w
    ),
    "histogram": lambda s, w: charts.histogram(
        [0, 10, 20], [5, 0], above=2, unit=s, marks=[Mark(at=4, label=s[:12])], title=s, key="k", width=w
    ),
    "dots": lambda s, w: charts.dots(
        [Dot(label=s, value=0.9, low=0.8, high=0.95, note=s[:9]), Dot(label=s, value=0.7)],
        gap=Gap(start=0, stop=1, label=s[:12]),
        title=s,
        key="k",
        width=w,
    ),
    "lines": lambda s, w: charts.lines(
        [Line(label=s[:8], values=(0.5, None, 0.3))], xs=[1, 2, 3], title=s, key="k", width=w
    ),
    "waffle": lambda s, w: charts.waffle(0.769, title=s, key="k", width=w),
    "interval": lambda s, w: charts.interval(0.01, 0.0, 0.02, span=0.02, tone="loss", key="k", title=s),
    "heatmap": lambda s, w: heatmap([s, "b"], [(0, 0, 5), (0, 1, 2), (1, 1, 9)], title=s, key="k", width=w),
    "compact heatmap": lambda s, w: heatmap(
        [s] * 77, [(i, i, 5) for i in range(77)] + [(3, 4, 2)], title=s, key="k", width=w
    ),
}


@pytest.fixture
def draw(judged: Callable[..., Challenge]) -> dict[str, Draw]:
    def stairs(words: str, width: float) -> str:
        step = judged(words, 0.01, half=0.008, outcome="better", promoted=True)
        return staircase(words, 0.8, [step], metric=words, key="k", width=width)

    return {**DRAW, "staircase": stairs}


def texts(svg: str) -> list[ET.Element]:
    return [node for node in ET.fromstring(svg).iter() if node.tag == "text"]


@pytest.mark.parametrize("width", [760.0, 340.0])
@pytest.mark.parametrize("words", [HOSTILE, LONG, "", "a", "مرحبا 👍🏽"])
@pytest.mark.parametrize("name", [*DRAW, "staircase"])
def test_every_chart_is_well_formed_accessible_and_escaped(
    name: str, words: str, width: float, draw: dict[str, Draw]
) -> None:
    root = ET.fromstring(draw[name](words, width))
    assert root.get("role") == "img"
    named = {node.get("id"): node for node in root if node.tag in ("title", "desc")}
    assert set((root.get("aria-labelledby") or "").split()) == set(named) == {"k-t", "k-d"}
    assert all(node.text for node in named.values())
    tags = {node.tag for node in root.iter()}
    assert tags <= {
        "svg",
        "title",
        "desc",
        "g",
        "text",
        "rect",
        "path",
        "line",
        "circle",
        "defs",
        "linearGradient",
        "stop",
    }
    assert not any(
        key.startswith("on") or key == "style" or "href" in key for node in root.iter() for key in node.attrib
    )
    assert "\u202e" not in ET.tostring(root, encoding="unicode")
    assert not re.search(r"\bnan\b|\binf\b", " ".join(v for n in root.iter() for v in n.attrib.values()))


@pytest.mark.parametrize("width", [760.0, 340.0])
@pytest.mark.parametrize("name", ["bars", "dots", "heatmap", "staircase"])
def test_long_chinese_labels_stay_inside_and_keep_the_whole_as_a_tooltip(
    name: str, width: float, draw: dict[str, Draw]
) -> None:
    svg = draw[name](LONG, width)
    assert f"<title>{LONG}</title>" in svg
    whole = [node for node in texts(svg) if (node.text or "").endswith("…")]
    assert whole
    for node in whole:
        x, wide = float(node.get("x", 0)), width_of(node.text or "")
        if node.get("text-anchor") == "middle":
            assert x - wide / 2 >= -1
            assert x + wide / 2 <= width + 1
        elif node.get("text-anchor") == "end":
            assert x - wide >= -1
        else:
            assert x + wide <= width + 1


def test_bars_are_proportional() -> None:
    svg = charts.bars([Bar(label="a", value=10), Bar(label="b", value=5), Bar(label="c", value=0)], title="t", key="k")
    widths = [float(node.get("width", 0)) for node in ET.fromstring(svg).iter("rect")]
    assert widths[0] == pytest.approx(2 * widths[1], abs=0.2)
    assert widths[2] == 0


def test_a_bar_may_have_an_interval() -> None:
    svg = charts.bars(
        [Bar(label="a", value=10, ends=(5, 20)), Bar(label="b", value=20, ends=(20, 20))], title="t", key="k"
    )
    widths = [float(node.get("width", 0)) for node in ET.fromstring(svg).iter("rect")]
    ends = [tuple(map(float, found)) for found in re.findall(r' d="M([\d.]+) [\d.]+H([\d.]+)"', svg)]
    assert len(ends) == 2
    (low, high), (same, also) = ends
    assert high - low == pytest.approx(1.5 * widths[0], abs=0.3), "from 5 to 20, of a bar of 10"
    assert same == also == pytest.approx(high, abs=0.2)


@pytest.mark.parametrize(("share", "filled"), [(0, 0), (0.0001, 1), (0.769, 77), (0.9999, 99), (1, 100)])
def test_the_waffle_never_says_none_or_all_when_it_is_not(share: float, filled: int) -> None:
    svg = charts.waffle(share, title="t", key="k")
    assert svg.count("fill-loss") == filled
    assert svg.count("<rect") == 100


def test_a_dot_stands_at_its_value_and_the_interval_around_it() -> None:
    svg = charts.dots([Dot(label="a", value=0.5, low=0.4, high=0.7), Dot(label="b", value=0.9)], title="t", key="k")
    circles = [float(node.get("cx", 0)) for node in ET.fromstring(svg).iter("circle")]
    low, high = map(float, re.findall(r"M([\d.]+) [\d.]+H([\d.]+)", svg)[0])
    per = (circles[1] - circles[0]) / 0.4
    assert circles[0] - low == pytest.approx(0.1 * per, abs=0.3)
    assert high - circles[0] == pytest.approx(0.2 * per, abs=0.3)


def test_a_gap_in_a_curve_is_not_bridged() -> None:
    svg = charts.lines([Line(label="a", values=(1.0, math.nan, 0.5, 0.4))], xs=[1, 2, 3, 4], title="t", key="k")
    (curve,) = [node.get("d", "") for node in ET.fromstring(svg).iter("path")]
    assert curve.count("M") == 2
    assert svg.count("<circle") == 3


def test_names_at_the_ends_of_curves_do_not_overlap() -> None:
    series = [Line(label=f"s{i}", values=(0.5, 0.4 + i / 1000)) for i in range(4)]
    heights = sorted(
        float(n.get("y", 0))
        for n in texts(charts.lines(series, xs=[1, 2], title="t", key="k"))
        if n.text in {"s0", "s1", "s2", "s3"}
    )
    assert all(b - a > 12 for a, b in pairwise(heights))
    assert heights[-1] < 190


def test_no_epoch_at_all_still_draws() -> None:
    ET.fromstring(charts.lines([Line(label="a", values=(None,))], xs=[1], title="t", key="k"))
    ET.fromstring(charts.lines([], xs=[], title="t", key="k"))
    ET.fromstring(charts.bars([], title="t", key="k"))
    ET.fromstring(charts.dots([], title="t", key="k"))


def test_an_estimate_beyond_the_span_is_an_arrow() -> None:
    assert "<circle" in charts.interval(0.01, None, None, span=0.02, tone="loss", key="k", title="t")
    assert "<circle" not in charts.interval(-0.9, None, None, span=0.02, tone="loss", key="k", title="t")


@pytest.mark.parametrize(
    ("lo", "hi", "most"), [(0, 1, 5), (0.843, 0.871, 6), (-3, 17_411, 4), (1e-9, 2e-9, 5), (5, 5, 3)]
)
def test_ticks_are_round_few_and_inside(lo: float, hi: float, most: int) -> None:
    made = ticks(lo, hi, most=most)
    assert 1 <= len(made) <= most + 1
    assert all(lo - 1e-12 <= value <= hi + 1e-12 for value in made)


def test_percent_ticks_have_the_decimals_they_need() -> None:
    assert percent_ticks([0.84, 0.85]) == ["84", "85"]
    assert percent_ticks([0.84, 0.845]) == ["84.0", "84.5"]
    assert percent_ticks([0.9]) == ["90"]


def test_a_scale_keeps_to_its_edges() -> None:
    scale = Scale(0, 10, 100, 0)
    assert (scale(-5), scale(0), scale(5), scale(99)) == (100, 100, 50, 0)
    assert Scale(3, 3, 0, 10)(3) == 5
