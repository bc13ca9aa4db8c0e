from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable

import pytest

from ratchet.charts.staircase import levels, look, opposite, staircase, told, window
from ratchet.gate.ledger import Challenge
from ratchet.gate.verdict import Outcome

Judged = Callable[..., Challenge]


@pytest.fixture
def win(judged: Judged) -> Challenge:
    return judged("s", 0.01, outcome="better", promoted=True)


@pytest.fixture
def loss(judged: Judged) -> Challenge:
    return judged("s", -0.02, outcome="worse")


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


def test_the_level_rises_only_by_promotions(judged: Judged, win: Challenge, loss: Challenge) -> None:
    assert levels(0.8, [loss, win, judged("s", 0.03, half=0.05), win]) == pytest.approx([0.8, 0.8, 0.81, 0.81, 0.82])


def test_the_line_steps_up_at_the_win_and_nowhere_else(win: Challenge, loss: Challenge) -> None:
    heights = [y for _, y in line(staircase("base", 0.8, [loss, win, loss], metric="accuracy", key="k"))]
    assert len(set(heights)) == 2
    assert heights[0] > heights[-1]  # pixels run downwards


def test_the_line_is_flat_without_a_win(judged: Judged, loss: Challenge) -> None:
    assert (
        len({y for _, y in line(staircase("base", 0.8, [loss, judged("s", 0.001)], metric="accuracy", key="k"))}) == 1
    )


def test_a_challenger_stands_at_the_champions_height_plus_its_difference(judged: Judged, win: Challenge) -> None:
    svg = staircase("base", 0.8, [win, judged("s", -0.01, outcome="worse")], metric="accuracy", key="k")
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


def test_a_challenger_far_below_is_an_arrow_and_does_not_flatten_the_others(judged: Judged, win: Challenge) -> None:
    steps = [win, judged("majority", -0.6, outcome="worse"), win]
    low, high = window(0.8, steps)
    assert high - low < 0.2
    svg = staircase("base", 0.8, steps, metric="accuracy", key="k")
    assert "−60.0" in svg
    assert svg.count("edge-loss") == 1  # the legend's; its mark is the arrow


@pytest.mark.parametrize("estimate", [-0.02, -0.03, -0.035, -0.04, -0.05, -0.06, -0.08])
def test_no_mark_stands_where_its_value_is_not(estimate: float, judged: Judged, win: Challenge) -> None:
    lost = judged("s", estimate, outcome="worse", half=0.01)
    steps = [win, lost]
    low, _ = window(0.8, steps)
    svg = staircase("base", 0.8, steps, metric="accuracy", key="k")
    marks = [n for n in ET.fromstring(svg).iter("circle") if n.get("class") == "edge-loss fill-paper"]
    assert len(marks) == (2 if 0.81 + estimate >= low else 1)  # the legend has one


def test_a_first_champion_far_below_is_an_arrow_too(judged: Judged, win: Challenge) -> None:
    steps = [judged("s", 0.85, outcome="better", promoted=True), win]
    svg = staircase("majority", 0.02, steps, metric="accuracy", key="k")
    assert "2.0 %" in svg
    assert "88.0 %" in svg
    assert "fill-champion ring" not in svg


def test_wide_intervals_are_shown_whole(judged: Judged) -> None:
    low, high = window(0.8, [judged("a", -0.05, half=0.1), judged("b", 0.02, half=0.12)])
    assert low <= 0.65
    assert high >= 0.94


@pytest.mark.parametrize("count", [0, 1, 6, 50, 200])
@pytest.mark.parametrize("width", [760.0, 340.0])
def test_any_number_of_challengers_fits(count: int, width: float, win: Challenge, loss: Challenge) -> None:
    steps = [win if i % 7 == 3 else loss for i in range(count)]
    svg = staircase("base", 0.8, steps, metric="auc", key="k", width=width)
    for node in ET.fromstring(svg).iter("circle"):
        assert 0 <= float(node.get("cx", 0)) <= width


def test_the_description_tells_the_whole_story(judged: Judged, loss: Challenge) -> None:
    steps = [judged("char-1-4", 0.01, outcome="better", promoted=True), loss]
    svg = staircase("base", 0.8, steps, metric="macro_f1", key="k")
    desc = next(n.text or "" for n in ET.fromstring(svg) if n.tag == "desc")
    assert desc.startswith("The first champion base has macro-F1 80.0 %.")
    assert "1. char-1-4: better, +1.0 [+0.5, +1.5] points, takes over." in desc
    assert "2. s: worse, −2.0 [−2.5, −1.5] points." in desc


def test_a_copy_that_took_over_is_told_as_smaller(judged: Judged) -> None:
    copy = judged("blend-int8", -0.001, outcome="not_worse", promoted=True, saved=0.74)
    assert told(copy) == "blend-int8: not worse and smaller, −0.1 [−0.6, +0.4] points"


def test_a_challenger_of_the_same_round_stands_where_its_comparison_put_it(judged: Judged) -> None:
    wide = judged("wide", 0.30, outcome="better", promoted=True, against="majority", round=3)
    blend = judged("blend", 0.29, outcome="better", against="majority", round=3)
    later = judged("eda", -0.01, outcome="worse", against="wide", round=4)
    small = judged("wide-int8", -0.002, outcome="not_worse", promoted=True, against="wide", saved=0.5, round=5)
    last = judged("new", 0.01, half=0.02, against="wide", round=6)
    steps = [wide, blend, later, small, last]
    assert opposite(0.5, steps) == pytest.approx([0.5, 0.5, 0.8, 0.8, 0.8])
    assert levels(0.5, steps) == pytest.approx([0.5, 0.8, 0.8, 0.8, 0.798, 0.798])


@pytest.mark.parametrize("width", [760.0, 340.0])
def test_an_error_is_drawn_as_it_is_and_up_is_less(judged: Judged, width: float) -> None:
    win = judged("wide", 13.7, half=1.0, outcome="better", promoted=True, metric="rmse")
    worse = judged("eda", -0.16, half=0.05, outcome="worse", metric="rmse")
    svg = staircase("majority", -17.6, [win, worse], metric="rmse", key="k", width=width)
    root = ET.fromstring(svg)
    said = {node.text for node in root.iter("text")}
    marks = [(float(n.text or 0), float(n.get("y", 0))) for n in root.iter("text") if n.get("text-anchor") == "end"]
    assert len(marks) > 2
    assert sorted(marks) == sorted(marks, key=lambda mark: mark[1])  # pixels run downwards
    assert {"17.6", "3.9", "+13.7", "RMSE; less is better, up is less"} <= said
    desc = next(node.text or "" for node in root if node.tag == "desc")
    assert "has RMSE 17.6." in desc
    assert "wide: better, +13.7 [+12.7, +14.7] better, takes over." in desc
    assert "%" not in "".join(filter(None, said))


def test_a_saving_moves_by_its_share(judged: Judged) -> None:
    win = judged("cheap", 0.25, half=0.05, outcome="better", promoted=True, metric="cost", test="ratio of means, t")
    assert levels(-8.0, [win]) == pytest.approx([-8.0, -6.0])
    assert told(win) == "cheap: better, +25.00 [+20.00, +30.00] % saved"
    low, high = window(-8.0, [win], metric="cost")
    assert low < -8.0 < -6.0 < high < 0


def test_the_copy_of_a_copy_is_measured_from_where_both_began(judged: Judged) -> None:
    wide = judged("wide", 0.30, outcome="better", promoted=True, against="majority")
    small = judged("prune", -0.002, outcome="not_worse", promoted=True, against="wide", saved=0.5)
    smaller = judged(
        "prune-int8", -0.003, outcome="not_worse", promoted=True, against="prune", anchor="wide", saved=0.5
    )
    assert levels(0.5, [wide, small, smaller]) == pytest.approx([0.5, 0.8, 0.798, 0.797])
    later = judged("new", 0.01, outcome="better", promoted=True, against="wide")
    assert levels(0.5, [wide, small, smaller, later])[-1] == pytest.approx(0.81)
