from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser

import pytest

from ratchet.charts.missing_map import Strip, missing_map

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


@pytest.mark.parametrize("width", [760.0, 340.0])
def test_the_missing_map_has_a_strip_a_column(width: float) -> None:
    strips = [Strip(name="备注", share=0.5, blocks=(1.0, 0.0)), Strip(name="x", share=0.001, blocks=(0.0, 0.002))]
    drawn = missing_map(strips, rows=1_000, title="Missing", key="k", width=width)
    Page(drawn)
    assert drawn.count('class="heat-none"') == 2
    assert re.findall(r'class="fill-loss" fill-opacity="([^"]*)"', drawn) == ["1.00", "0.19"]
    assert "row 1,000" in drawn
    assert "备注: 50.0 % missing; x: 0.1 % missing" in drawn
