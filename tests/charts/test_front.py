from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from ratchet.charts.front import Place, front, front_of
from ratchet.metrics.metrics import Score


def place(
    name: str,
    value: float,
    takes: float,
    *,
    metric: str = "accuracy",
    champion: bool = False,
    upto: float | None = None,
) -> Place:
    score = Score(value=value, low=value - 0.02, high=value + 0.02, n=100, metric=metric)
    return Place(name=name, score=score, takes=takes, upto=upto, champion=champion)


def test_the_front_is_what_no_other_beats() -> None:
    own, small, bad, large = (
        place("own", 0.8, 0),
        place("small", 0.85, 1),
        place("bad", 0.84, 2),
        place("large", 0.9, 9),
    )
    assert [one.name for one in front_of([large, bad, small, own])] == ["own", "small", "large"]
    assert [one.name for one in front_of([own, place("dear", 0.8, 5)])] == ["own"]
    assert [one.name for one in front_of([own, place("same", 0.8, 0)])] == ["own", "same"]


def test_an_error_is_better_where_it_is_less() -> None:
    small, large = place("small", -3.0, 2, metric="rmse"), place("large", -7.0, 1, metric="rmse")
    assert [one.name for one in front_of([small, large, place("bad", -8.0, 3, metric="rmse")])] == ["large", "small"]
    svg = front([small, large], metric="rmse", x_name="x", title="t", key="k")
    assert ">3<" in svg
    assert "−3" not in svg
    marks = {n[0].text.split(":")[0]: n for n in ET.fromstring(svg).iter("g") if n[0].text}  # type: ignore[union-attr]
    assert "3 [" in marks["small"][0].text  # type: ignore[operator]


def test_no_share_beyond_one_is_on_the_axis() -> None:
    score = Score(value=1.0, low=1.0, high=1.0, n=9, metric="accuracy")
    places = [Place(name=name, score=score, takes=takes) for name, takes in (("a", 1.0), ("b", 3.0))]
    said = [
        node.text
        for node in ET.fromstring(front(places, metric="accuracy", x_name="x", title="t", key="k")).iter("text")
    ]
    assert "100.0" in said
    assert not [text for text in said if text and text.startswith(("101", "100.5"))]


@pytest.mark.parametrize("width", [760.0, 340.0])
def test_marks_and_names_stay_in_the_picture(width: float) -> None:
    names = ["a", "一个很长的名字的模型" * 5, "c" * 60, "d", "e"]
    places = [place(name, 0.8 + i / 50, 10.0 ** (2 * i), upto=10.0 ** (2 * i) * 3) for i, name in enumerate(names)]
    places.append(place("free", 0.5, 0.0, champion=True))
    root = ET.fromstring(front(places, metric="accuracy", x_name="x", title="t", key="k", width=width))
    assert all(0 <= float(node.get("cx", 0)) <= width for node in root.iter("circle"))
    said = [node.text for node in root.iter("text")]
    assert "free" in said
    assert root.find("desc").text.startswith("On the front: free, a, ")  # type: ignore[union-attr]


def test_the_champion_is_a_diamond_and_others_are_hollow_off_the_front() -> None:
    places = [place("best", 0.9, 1.0), place("champion", 0.8, 2.0, champion=True), place("other", 0.7, 3.0)]
    svg = front(places, metric="accuracy", x_name="x", title="t", key="k")
    groups = {n[0].text.split(":")[0]: ET.tostring(n).decode() for n in ET.fromstring(svg).iter("g")}  # type: ignore[union-attr]
    assert "l7.5 7.5" in groups["champion"]
    assert "fill-paper" in groups["other"]
    assert "fill-champion" in groups["best"]
