"""The page of a check: self-contained, escaped, and with every picture that its table has something for."""

from __future__ import annotations

import base64
import csv
import hashlib
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ratchet.check_report.check_page import render_check
from ratchet.check_report.check_pictures import cluster_sizes, copies, largest_clusters
from ratchet.check_report.clusters import Cluster, Clusters
from ratchet.checks import Suspect
from ratchet.checkup.checkup import check_up
from ratchet.checkup.target import open_target

VOID = {"meta", "br", "hr", "link", "img"}
HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'--></style></svg>{{ 7 * 7 }}"
Make = Callable[..., str]


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


def table(path: Path, rows: int, *, seed: int = 1, poison: str = "") -> Path:
    """Reviews with copies, near-copies, contradicting labels and missing cells."""
    dice = random.Random(seed)
    words = ["房间", "服务", "早餐", "位置", "前台", "屏幕", "电池", "价格", "很好", "太差", "一般", "refund"]
    texts = [f"{''.join(dice.choices(words, k=8))}{dice.randrange(10**6)}{poison}" for _ in range(rows)]
    texts[rows // 2 :] = [dice.choice(texts[: rows // 2]) + dice.choice(["", "", "。"]) for _ in texts[rows // 2 :]]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label", f"note{poison}"])
        for row, text in enumerate(texts):
            writer.writerow([text, dice.choice(["好", "差"]) + poison, "" if row % 3 else f"{row}{poison}"])
    return path


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    monkeypatch.chdir(tmp_path)

    def page(*names: str, only: Sequence[str] = (), rows: int = 240, poison: str = "", label: str | None = None) -> str:
        paths = [table(Path(name), rows, seed=seed, poison=poison) for seed, name in enumerate(names)]
        target = open_target(paths[0], test=paths[1:], given={"label": label})
        return render_check(check_up(target, only=only, cost="model" if rows < 100 else "pairs"))

    return page


def test_the_page_shows_the_table(make: Make) -> None:
    page = Page(make("评论.csv"))
    for said in (
        "评论.csv",
        "are further copies of another row's text",
        "duplicates.exact",
        "Missing cells",
        "row 240",
        "thin tail:",
        "Growth of the vocabulary",
        "Of a hundred rows, the filled ones say what an earlier row says.",
        "cut into train, valid and test at random",
        "left out by --fast",
        "No label is doubted, or no model was asked.",
    ):
        assert said in page.words, said
    assert "评论.csv · Ratchet report" in page.words
    assert page.tags["section"] == 9


def test_the_page_asks_nothing_of_the_network(make: Make) -> None:
    html = make("t.csv", rows=60)
    page = Page(html)
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!#)", html)
    assert not {"link", "img", "iframe", "object", "embed", "form", "base"} & set(page.tags)
    (policy,) = [value for name, value in page.attributes if name == "content" and "default-src" in value]
    for element in ("style", "script"):
        (source,) = re.findall(rf"<{element}>(.*?)</{element}>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in policy
    assert not [name for name, _ in page.attributes if name == "style" or name.startswith("on")]
    assert len(html.encode()) < 200_000
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))


def test_no_text_of_the_table_can_become_markup(make: Make) -> None:
    html = make("t.csv", rows=60, poison=HOSTILE)
    page = Page(html)
    assert page.tags["script"] == page.tags["style"] == page.tags["main"] == 1
    assert not {"img", "iframe", "form", "input"} & set(page.tags)
    assert "alert(1)" in page.words
    assert "{{ 7 * 7 }}" in page.words


def test_several_files_have_their_matrix(make: Make) -> None:
    words = Page(make("train.csv", "valid.csv", "test.csv", rows=120)).words
    assert "Between the files" in words
    for name in ("train.csv", "valid.csv", "test.csv"):
        assert name in words


def test_what_was_not_asked_for_is_said(make: Make) -> None:
    words = Page(make("t.csv", only=["completeness"], label="")).words
    assert "The table has no label column." in words
    assert words.count("Not looked") >= 3
    assert "not asked for by --only" in words


def test_a_model_that_was_asked_is_shown(make: Make) -> None:
    words = Page(make("t.csv", rows=96)).words
    assert "What a random split would have claimed" in words


def test_doubted_labels_are_shown_and_counted(tmp_path: Path) -> None:
    found = check_up(open_target(table(tmp_path / "t.csv", 60)), cost="cheap")
    suspects = tuple(
        Suspect(
            file="t.csv",
            row=row,
            text=f"文本{row}",
            label="好",
            suggested="差",
            probability=0.02,
            suggested_probability=0.98,
            copies=1,
        )
        for row in range(1, 41)
    )
    words = Page(render_check(replace(found, health=replace(found.health, suspects=suspects)))).words
    assert "The first 30 of 40" in words
    assert "文本30" in words
    assert "文本31" not in words


def test_clusters_by_size_and_the_largest() -> None:
    one = Cluster(rows=60, texts=2, labels=(("a", 40), ("b", 20)), file="t", row=1, members=("优点：", "优点:"))
    found = Clusters(sizes=((1, 100), (2, 10), (3, 1), (7, 2), (60, 1)), largest=(one,))
    sizes = cluster_sizes(found)
    assert sizes is not None
    for said in ("10 clusters, 20 rows", "1 cluster, 3 rows", "2 clusters, 14 rows", "1 cluster, 60 rows"):
        assert said in sizes.wide
    largest = largest_clusters(found)
    assert largest is not None
    assert "60 rows, 2 texts, 2 labels" in largest.wide
    assert "fill-loss" in largest.wide
    nothing = Clusters(sizes=((1, 5),), largest=())
    assert cluster_sizes(nothing) is None
    assert largest_clusters(nothing) is None
    assert copies(5, nothing) is None
    filled = copies(197, found)
    assert filled is not None
    assert "42.1 % of the rows say what an earlier row says" in filled.wide
