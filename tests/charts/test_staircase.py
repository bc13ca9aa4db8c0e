from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from ratchet.charts.figures import Outcome
from ratchet.charts.staircase import Step, levels, look, staircase, window


def step(
    estimate: float | None,
    *,
    outcome: Outcome = "undecided",
    promoted: bool = False,
    half: float = 0.005,
    name: str = "s",
) -> Step:
    low, high = (None, None) if estimate is None else (estimate - half, estimate + half)
    return Step(name=name, estimate=estimate, low=low, high=high, outcome=outcome, promoted=promoted)


WIN = step(0.01, outcome="better", promoted=True)
LOSS = step(-0.02, outcome="worse")


def line(svg: str) -> list[tuple[float, float]]:
    (d,) = [
        node.get("d", "")
        for node in ET.fromstring(svg).iter("path")
        if node.get("class") == "step" and float(node.get("d", "M0")[1:].split()[0]) > 30
    ]
    points, x, y = [], 0.0, 0.0
    for command, arguments in re.findall(r"([MLH])([\d. -]+)", d):
        numbers = [float(n) for n in arguments.split()]
        x, y = (numbers[0], y) if command == "H" else (numbers[0], numbers[1])
        points.append((x, y))
    return points


def test_the_level_rises_only_by_promotions() -> None:
    assert levels(0.8, [LOSS, WIN, step(0.03), WIN]) == pytest.approx([0.8, 0.8, 0.81, 0.81, 0.82])


def test_the_line_steps_up_at_the_win_and_nowhere_else() -> None:
    heights = [y for _, y in line(staircase("base", 0.8, [LOSS, WIN, LOSS], metric="accuracy", key="k"))]
    assert len(set(heights)) == 2
    assert heights[0] > heights[-1]  # pixels run downwards


def test_the_line_is_flat_without_a_win() -> None:
    assert len({y for _, y in line(staircase("base", 0.8, [LOSS, step(0.001)], metric="accuracy", key="k"))}) == 1


def test_a_challenger_stands_at_the_champions_height_plus_its_difference() -> None:
    svg = staircase("base", 0.8, [WIN, step(-0.01, outcome="worse")], metric="accuracy", key="k")
    marks = {
        n.get("class"): float(n.get("cy", 0)) for n in ET.fromstring(svg).iter("circle") if float(n.get("cy", 0)) > 30
    }
    # Up one point, and down one point from there: back at the first champion's height.
    assert marks["edge-loss fill-paper"] == pytest.approx(marks["fill-champion ring"], abs=0.2)


@pytest.mark.parametrize(
    ("outcome", "promoted", "shape", "tone"),
    [
        ("better", True, "dot", "champion"),
        ("worse", False, "ring", "loss"),
        ("undecided", False, "ring", "open"),
        ("not_worse", True, "diamond", "equal"),
        ("not_worse", False, "open-diamond", "equal"),
    ],
)
def test_each_outcome_has_its_own_look(outcome: Outcome, promoted: bool, shape: str, tone: str) -> None:
    assert look(outcome, promoted)[1:] == (shape, tone)


def test_a_challenger_far_below_is_an_arrow_and_does_not_flatten_the_others() -> None:
    steps = [WIN, step(-0.6, outcome="worse", name="majority"), WIN]
    low, high = window(0.8, steps)
    assert high - low < 0.2
    svg = staircase("base", 0.8, steps, metric="accuracy", key="k")
    assert "−60.0" in svg
    assert svg.count("edge-loss") == 1  # the legend's; its mark is the arrow


@pytest.mark.parametrize("estimate", [-0.02, -0.03, -0.035, -0.04, -0.05, -0.06, -0.08])
def test_no_mark_stands_where_its_value_is_not(estimate: float) -> None:
    lost = step(estimate, outcome="worse", half=0.01)
    steps = [WIN, lost]
    low, _ = window(0.8, steps)
    svg = staircase("base", 0.8, steps, metric="accuracy", key="k")
    marks = [n for n in ET.fromstring(svg).iter("circle") if n.get("class") == "edge-loss fill-paper"]
    assert len(marks) == (2 if 0.81 + estimate >= low else 1)  # the legend has one


def test_a_first_champion_far_below_is_an_arrow_too() -> None:
    svg = staircase("majority", 0.02, [step(0.85, outcome="better", promoted=True), WIN], metric="accuracy", key="k")
    assert "2.0 %" in svg
    assert "88.0 %" in svg
    assert "fill-champion ring" not in svg


def test_wide_intervals_are_shown_whole() -> None:
    low, high = window(0.8, [step(-0.05, half=0.1), step(0.02, half=0.12)])
    assert low <= 0.65
    assert high >= 0.94


@pytest.mark.parametrize("count", [0, 1, 6, 50, 200])
@pytest.mark.parametrize("width", [760.0, 340.0])
def test_any_number_of_challengers_fits(count: int, width: float) -> None:
    svg = staircase(
        "base", 0.8, [WIN if i % 7 == 3 else LOSS for i in range(count)], metric="auc", key="k", width=width
    )
    for node in ET.fromstring(svg).iter("circle"):
        assert 0 <= float(node.get("cx", 0)) <= width


def test_an_unmeasured_challenger_is_a_question_mark() -> None:
    assert ">?<" in staircase("base", 0.8, [step(None), WIN], metric="auc", key="k").replace("?</text>", "?<")


def test_the_description_tells_the_whole_story() -> None:
    svg = staircase(
        "base", 0.8, [step(0.01, outcome="better", promoted=True, name="char-1-4"), LOSS], metric="macro_f1", key="k"
    )
    desc = next(n.text or "" for n in ET.fromstring(svg) if n.tag == "desc")
    assert desc.startswith("The first champion base has macro-F1 80.0 %.")
    assert "1. char-1-4: better, +1.0 [+0.5, +1.5] points, takes over." in desc
    assert "2. s: worse, −2.0 [−2.5, −1.5] points." in desc
