from __future__ import annotations

import random
import re
import xml.etree.ElementTree as ET

import pytest

from ratchet.charts.tuning import Shot, history, piece

HOSTILE = "\"'><script>alert(1)</script>&amp;\u202e"


def shots(seed: int, *, value: str = "number") -> list[Shot]:
    dice = random.Random(seed)
    made = []
    for number in range(20):
        state = dice.choice(["complete", "complete", "pruned", "failed", "left"]) if number else "complete"
        at = {"number": 10 ** dice.uniform(-2, 2), "whole": dice.randint(1, 4), "word": dice.choice("ab")}[value]
        score = dice.uniform(0.5, 0.9) if state in ("complete", "pruned") else None
        made.append(Shot(number=number, score=score, state=state, value=at))  # type: ignore[arg-type]
    return made


def with_best(made: list[Shot]) -> list[Shot]:
    top = max((one for one in made if one.state == "complete"), key=lambda one: one.score or 0)
    return [Shot(**{**vars(one), "best": one is top}) for one in made]


def marks(svg: str, class_: str) -> list[ET.Element]:
    return [node for node in ET.fromstring(svg).iter() if node.get("class", "").startswith(class_)]


@pytest.mark.parametrize("width", [760.0, 340.0])
@pytest.mark.parametrize("studies", [0, 1, 5])
def test_the_history_shows_every_trial_and_never_goes_down(width: float, studies: int) -> None:
    made = [with_best(shots(seed)) for seed in range(studies)]
    svg = history(made, metric="accuracy", title="t", key="k", width=width)
    every = [one for study in made for one in study]
    assert len(marks(svg, "speck")) == sum(one.state == "complete" and not one.best for one in every)
    assert len(marks(svg, "edge-open")) == sum(one.state == "pruned" for one in every)
    assert len(marks(svg, "cap line-loss")) == sum(one.state == "failed" for one in every)
    assert len(marks(svg, "edge-champion")) == studies
    assert len(marks(svg, "course")) == (studies if studies > 1 else 0)
    for line in [*marks(svg, "course"), *marks(svg, "step")]:
        heights = [float(up) for up in re.findall(r"V(-?[\d.]+)", line.get("d", ""))]
        assert heights == sorted(heights, reverse=True), "up on the screen is a smaller number"
    height = float(ET.fromstring(svg).get("height", 0))
    for node in ET.fromstring(svg).iter("path"):
        for x, y in re.findall(r"M(-?[\d.]+) (-?[\d.]+)", node.get("d", "")):
            assert 0 <= float(x) <= width
            assert 0 <= float(y) <= height


@pytest.mark.parametrize("width", [370.0, 340.0])
@pytest.mark.parametrize(("value", "log"), [("number", True), ("number", False), ("whole", False), ("word", False)])
def test_a_slice_shows_every_trial_with_a_value(width: float, value: str, log: bool) -> None:
    made = with_best(shots(3, value=value))
    svg = piece(made, name="C", metric="accuracy", log=log, title="t", key="k", width=width)
    assert len(marks(svg, "speck")) == sum(one.state == "complete" and not one.best for one in made)
    assert len(marks(svg, "edge-champion")) == 1
    words = [node.text or "" for node in ET.fromstring(svg).iter("text")]
    if value == "word":
        assert {"a", "b"} <= {*words}
    if value == "whole":
        assert {"1", "2", "3", "4"} <= {*words}
        assert not [word for word in words if word in ("1.5", "2.5")]
    for node in ET.fromstring(svg).iter("path"):
        for x, _ in re.findall(r"M(-?[\d.]+) (-?[\d.]+)", node.get("d", "")):
            assert 0 <= float(x) <= width


def test_on_a_logarithmic_axis_a_tenth_and_ten_are_as_far_from_one() -> None:
    made = [Shot(number=n, score=0.5 + n / 10, state="complete", value=10.0 ** (n - 1)) for n in range(3)]
    places = [
        float(re.findall(r"M([\d.]+)", node.get("d", ""))[0])
        for node in marks(piece(made, name="C", metric="accuracy", log=True, title="t", key="k"), "speck")
    ]
    assert places[1] - places[0] == pytest.approx(places[2] - places[1], abs=0.2)


def test_an_error_is_not_negated() -> None:
    made = [Shot(number=n, score=-2.0 - n, state="complete", value=float(n)) for n in range(3)]
    words = "".join(ET.fromstring(history([made], metric="rmse", title="t", key="k")).itertext())
    assert "RMSE" in words
    assert "−" not in words
    assert "-2" not in words


def test_texts_are_escaped_and_nothing_is_drawn_of_nothing() -> None:
    made = [Shot(number=0, score=0.5, state="complete", value=HOSTILE, best=True)]
    for svg in (
        piece(made, name=HOSTILE, metric="accuracy", log=False, title=HOSTILE, key="k"),
        piece([], name="C", metric="accuracy", log=True, title="t", key="k"),
        history([], metric="accuracy", title=HOSTILE, key="k"),
    ):
        ET.fromstring(svg)
        assert "<script" not in svg
