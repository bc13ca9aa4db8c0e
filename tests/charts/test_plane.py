from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise

from ratchet.charts.plane import Shade, plane

VOID = {"meta", "br", "hr", "link", "img"}


class Page(HTMLParser):
    """Tags, attributes and words of a page; a tag that is not closed in order is an error."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str]] = []
        self.said: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.said.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.said).split())


def test_a_curve_on_logarithmic_axes_falls_straight_where_it_is_a_power() -> None:
    points = [(10.0**n, 10.0 ** (4 - n)) for n in range(5)]
    drawn = plane(
        points,
        x_name="rank",
        y_name="texts",
        title="Zipf",
        key="k",
        logarithmic=True,
        shade=Shade(start=1_000, label="tail"),
    )
    (d,) = re.findall(r'd="M([^"]*)"', drawn)
    places = [tuple(map(float, pair.split())) for pair in d.split("L")]
    steps = {(round(b[0] - a[0]), round(b[1] - a[1])) for a, b in pairwise(places)}
    assert len(steps) == 1
    (begin,) = re.findall(r'<rect x="([\d.]+)"[^>]*class="gap"', drawn)
    assert float(begin) == places[3][0]


def test_a_straight_curve_and_one_point() -> None:
    for points in ([(0, 0), (10, 5)], [(1, 1)], []):
        Page(plane(points, x_name="x", y_name="y", title="t", key="k"))
