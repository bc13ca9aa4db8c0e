"""The forest of slices: every value and name is there, at both widths, in the unit of the metric."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from ratchet.charts.forest import Branch, Twig, forest
from ratchet.metrics.metrics import Score


def score(value: float, *, metric: str = "accuracy") -> Score:
    return Score(value=value, low=value - 0.1, high=value + 0.05, n=40, metric=metric)


@pytest.mark.parametrize("width", [760.0, 340.0])
def test_names_values_and_the_worse_one_are_drawn(width: float) -> None:
    twigs = (Twig(label="north <b> (40)", score=score(0.8)), Twig(label="西 (20)", score=score(0.4), worse=True))
    drawn = forest([Branch(heading="by shop", twigs=twigs)], whole=score(0.7), title="Slices", key="k", width=width)
    tree = ElementTree.fromstring(drawn)
    words = " ".join(tree.itertext())
    for text in ("by shop", "north <b> (40)", "西 (20)", "80.0 %", "40.0 %"):
        assert text in words
    assert drawn.count("line-loss") == 1
    places = [float(x) for x in re.findall(r"M(\S+) \S+H", drawn)]
    assert max(places) < width


def test_an_error_is_read_as_it_is_and_better_is_to_the_right() -> None:
    twigs = (Twig(label="a", score=score(-3.0, metric="mae")), Twig(label="b", score=score(-1.0, metric="mae")))
    drawn = forest([Branch(heading="by", twigs=twigs)], whole=score(-2.0, metric="mae"), title="t", key="k")
    (left, right) = (float(x) for x in re.findall(r'<circle cx="(\S+)"', drawn))
    assert left < right
    words = " ".join(ElementTree.fromstring(drawn).itertext())
    assert " 3 " in f" {words} "
    assert "-3" not in words
