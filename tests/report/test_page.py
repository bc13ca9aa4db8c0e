from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
import xml.etree.ElementTree as ET
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ratchet.charts.charts import waffle
from ratchet.errors import WorkspaceError
from ratchet.metrics.metrics import Score
from ratchet.report import (
    Answered,
    Compression,
    Count,
    Curve,
    DataHealth,
    Leak,
    Mistake,
    ReportData,
    SealedTest,
    render,
    save,
    staircase_picture,
    standalone,
)
from ratchet.report.frame import FULL, cut, emphasised
from ratchet.tasks.views import Confusion

VOID = {"meta", "br", "img", "input", "link", "hr", "col", "source", "wbr"}
HOSTILE = (
    '"><script>alert(1)</script>',
    "'\"--></style></title></svg></textarea><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }}{% raw %}${x}",
    "]]><svg/onload=alert(1)>&lt;b&gt;\x00\x1b[31m\ud800\u202e",
    " onmouseover=alert(1) x=",
)
LITERALS = {"outcome", "severity", "claim"}
MANY = Confusion(labels=tuple(map(str, range(250))), cells=tuple((i, i, 1) for i in range(250)))
SCORE = Score(value=0.8, low=0.7, high=0.9, n=10, metric="accuracy")


class Page(HTMLParser):
    """Tags, attributes and text of a page; fails on a tag that is not closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.text: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._count(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._count(tag, attrs)

    def _count(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("script", "style"):
            self.text.append(data)

    def all(self, name: str) -> list[str]:
        return [value for _, attribute, value in self.attributes if attribute == name]

    @property
    def words(self) -> str:
        return " ".join("".join(self.text).split())


def empty() -> ReportData:
    return ReportData(name="r", run_id="1", date="2026-11-24T00:00:00Z")


def poisoned(value: Any, poison: str, key: str = "") -> Any:
    """The same plain data with every text replaced."""
    if isinstance(value, dict):
        return {
            (k if key not in ("packages", "seeds", "not_run") else k + poison): poisoned(v, poison, k)
            for k, v in value.items()
        }
    if isinstance(value, list | tuple):
        return [poisoned(item, poison, key) for item in value]
    return poison if isinstance(value, str) and key not in LITERALS else value


@pytest.fixture(params=["reviews", "intents", "empty"])
def page(request: pytest.FixtureRequest) -> str:
    return render(empty() if request.param == "empty" else request.getfixturevalue(request.param))


def test_the_page_is_balanced_with_unique_ids_and_links_that_lead_somewhere(page: str) -> None:
    parsed = Page(page)
    ids = Counter(parsed.all("id"))
    assert not [name for name, times in ids.items() if times > 1]
    assert all(link.startswith("#") and link[1:] in ids for link in parsed.all("href"))
    for name in ("aria-labelledby", "aria-describedby"):
        assert all(part in ids for value in parsed.all(name) for part in value.split())


def test_the_page_asks_the_network_for_nothing(page: str) -> None:
    parsed = Page(page)
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!#)", page)
    assert parsed.all("src") == parsed.all("srcset") == parsed.all("data") == []
    assert not {"link", "img", "iframe", "object", "embed", "form", "base"} & set(parsed.tags)


def test_the_policy_forbids_everything_but_our_own_style_and_script(page: str) -> None:
    parsed = Page(page)
    (policy,) = [value for value in parsed.all("content") if "default-src" in value]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    for element in ("style", "script"):
        (source,) = re.findall(rf"<{element}>(.*?)</{element}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in policy
    assert parsed.tags["style"] == parsed.tags["script"] == 1
    # Inline styles and handlers would be blocked by the policy, and must not be there at all.
    assert not [name for _, name, _ in parsed.attributes if name == "style" or name.startswith("on")]


def test_a_usual_page_is_small(reviews: ReportData, intents: ReportData) -> None:
    assert len(render(reviews).encode()) < 200_000
    assert len(render(intents).encode()) < 400_000


def test_pictures_and_tables_are_accessible(page: str) -> None:
    parsed = Page(page)
    assert ("html", "lang", "en") in parsed.attributes
    charts = re.findall(r"<svg [^>]*>", page)
    assert all('role="img"' in svg or 'aria-hidden="true"' in svg for svg in charts)
    assert parsed.tags["h1"] == 1
    headings = [int(level) for level in re.findall(r"<h([1-6])", page)]
    assert all(after <= before + 1 for before, after in pairwise(headings) if after != 4)
    assert all("scope=" in th for th in re.findall(r"<th\b[^>]*>", page))


@pytest.mark.parametrize("poison", HOSTILE)
@pytest.mark.parametrize("which", ["reviews", "intents"])
def test_no_text_of_the_report_can_become_markup(which: str, poison: str, request: pytest.FixtureRequest) -> None:
    report: ReportData = request.getfixturevalue(which)
    html = render(ReportData.from_dict(poisoned(report.to_dict(), poison)))
    html.encode("utf-8")
    parsed = Page(html)
    assert parsed.tags["script"] == parsed.tags["style"] == 1
    assert not {"img", "textarea", "iframe", "form", "input", "object"} & set(parsed.tags)
    assert parsed.tags["html"] == parsed.tags["body"] == parsed.tags["main"] == 1
    assert not [name for _, name, _ in parsed.attributes if name == "style" or name.startswith("on") or name == "src"]
    assert "49" not in re.findall(r"<h1>(.*?)</h1>", html)[0]


def test_control_characters_become_visible() -> None:
    html = render(dataclasses.replace(empty(), name="a\x00b\x1b"))
    assert "a␀b␛" in html
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", html)


def test_what_was_not_run_is_said_with_its_reason(intents: ReportData) -> None:
    words = Page(render(intents)).words
    assert "Compression Not run. `compress.methods` is empty in the recipe." in words
    assert "The bundle Not run. The run was stopped before export." in words
    assert "The sealed test Not run. The sealed part is still closed." in words
    assert "Learning curves Not run. No network was trained in this run." in words


def test_an_empty_report_names_every_section_as_not_run() -> None:
    html = render(empty())
    assert html.count('class="absent" aria-labelledby') == 10
    assert html.count("(not run)") == 10


def test_the_reviews_tell_their_story(reviews: ReportData) -> None:
    words = Page(render(reviews)).words
    for said in (
        "76.9 % of this table's test rows (5,402 of 7,025) have an exact copy in the train part",
        "9.6 points better than it is",
        "overstated by 9.6 points",
        "2 better, 1 not worse, 1 undecided, 2 worse",
        "+0.6 [+0.3, +0.9]",
        "took over from char-1-4",
        "macro-F1 +0.4 [+0.1, +0.7], p 0.0031",
        "41,200",
        "Opened once, at 2026-11-24 04:17 UTC",
        "35,124, of which 17,411 are unique (49.6 %)",
        "5,252 text.html",
        "47 texts carry both labels.",
        "<script>alert('1')</script> 好评",
        "neg.txt row 812",
        "3.9×",
        "ratchet serve .ratchet/bundles/blend-int8-7f3a",
        "93fd906c0ffee, clean",
        "情感",
    ):
        assert said in words


def test_many_classes_are_listed_but_folded(intents: ReportData) -> None:
    html = render(intents)
    assert "All 77 classes" in html
    assert "65 more classes" in html
    assert "Mixed up most" in html


def test_a_repeated_opening_of_the_test_is_a_warning(reviews: ReportData) -> None:
    sealed = dataclasses.replace(
        reviews.sealed or SealedTest(model="m", scores=()), opened=("2026-11-24", "2026-11-25")
    )
    assert "opened 2 times" in Page(render(dataclasses.replace(reviews, sealed=sealed))).words
    assert "times in this workspace" not in render(reviews)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"leak": Leak(model="m", test_rows=10, leaked_rows=0, naive=SCORE)},
            "none of this table's 10 test rows",
        ),
        (
            {"leak": Leak(model="m", test_rows=0, leaked_rows=0, naive=SCORE)},
            "none of this table's 0 test rows",
        ),
        ({"mistakes": ()}, "There was no mistake on these rows."),
        ({"data": DataHealth(rows=0)}, "The check found nothing to report."),
        ({"data": DataHealth(rows=1, classes=(Count(name="", rows=0),))}, "(empty)"),
        ({"answered": Answered(views=(Confusion(labels=(), cells=()),))}, "0 classes"),
        (
            {"answered": Answered(views=(MANY,))},
            "too many for a picture",
        ),
        ({"curves": (Curve(name="c", epochs=()),)}, "Nothing was recorded."),
        ({"compression": Compression(forms=())}, "Compression"),
        ({"sealed": SealedTest(model="m", scores=())}, "not recorded"),
    ],
)
def test_thin_sections_render(change: dict[str, Any], said: str) -> None:
    assert said in Page(render(dataclasses.replace(empty(), **change))).words


def test_a_huge_text_is_cut_and_the_loss_is_counted() -> None:
    mistake = Mistake(text="长" * 5_000_000, true="a", predicted="b", probability=0.9)
    html = render(dataclasses.replace(empty(), mistakes=(mistake,)))
    assert len(html.encode()) < 100_000
    assert f"{5_000_000 - FULL:,} more characters are not shown." in html


@pytest.mark.parametrize("length", [0, 1, 240, 300, 301, 4000, 4001])
def test_a_cut_loses_no_character_uncounted(length: int) -> None:
    text = "字" * length
    parts = cut(text)
    assert len(parts.start) + len(parts.rest) + parts.missing == length
    assert text.startswith(parts.start + parts.rest)


def test_right_to_left_text_is_isolated(reviews: ReportData) -> None:
    assert '<bdi dir="auto">المنتج ممتاز' in render(reviews)


def test_percentages_stand_out() -> None:
    assert emphasised("From 94.2 % to 84 %.") == [
        ("From ", False),
        ("94.2 %", True),
        (" to ", False),
        ("84 %", True),
        (".", False),
    ]


def test_the_same_report_renders_to_the_same_bytes(reviews: ReportData) -> None:
    assert render(reviews) == render(ReportData.from_dict(reviews.to_dict()))


def test_a_chart_stands_alone_with_its_colours() -> None:
    root = ET.fromstring(standalone(waffle(0.5, title="t", key="k")))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    style = root.findtext("{http://www.w3.org/2000/svg}style") or ""
    assert "--champion:" in style
    assert "prefers-color-scheme:dark" in style


def test_the_staircase_is_a_picture_of_its_own(reviews: ReportData) -> None:
    root = ET.fromstring(staircase_picture(reviews) or "")
    assert "char-1-4" in "".join(root.itertext())
    assert staircase_picture(empty()) is None


def test_save_writes_whole_files(reviews: ReportData, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    size = save(reviews, path=path)
    assert path.stat().st_size == size
    assert path.read_text(encoding="utf-8") == render(reviews)
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


def test_save_names_a_place_that_cannot_be_written(reviews: ReportData, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match="file"):
        save(reviews, path=tmp_path / "file" / "report.html")
