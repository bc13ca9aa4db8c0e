from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ratchet.drift.diff import Diff, diff
from ratchet.drift.examples import examples, to_dict
from ratchet.drift.sides import Sides, open_sides
from ratchet.report.diff_page import render_diff
from ratchet.workspace.workspace import Workspace

HOSTILE = "<img src=x onerror=alert(1)>"


class Reader(HTMLParser):
    """Counts tags, and complains about one that is not closed."""

    VOID = frozenset(("meta", "link", "br", "img", "input", "hr"))

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: dict[str, int] = {}
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] = self.tags.get(tag, 0) + 1
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def table(path: str, rows: int, *, start: int = 0, positive: int = 2, extra: str = "") -> str:
    lines = [f"第{i}条评论{i * 7919 % 1009},{'好' if i % positive else '差'}" for i in range(start, start + rows)]
    Path(path).write_text("\n".join(["text,label", *lines, extra]), encoding="utf-8")
    return path


def compared(a: str, b: str, *, test: str | None = None) -> tuple[Diff, Sides]:
    sides = open_sides(a, b, workspace=Workspace(".ratchet"), test=Path(test) if test else None)
    return diff(sides.a, sides.b, test=sides.test), sides


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    assert len(set(reader.ids)) == len(reader.ids)
    return reader


def test_the_page_of_a_shift() -> None:
    found, sides = compared(
        table("a.csv", 200),
        table("b.csv", 220, start=20, positive=9, extra=f"{HOSTILE},差\n"),
        test=table("t.csv", 9, start=215),
    )
    page = render_diff(found, sides)
    reader = read(page)
    assert reader.tags["svg"] >= 7  # the sign of the page, and three pictures at two widths
    assert "Shifted: label" in page
    assert "in the test part" in page
    assert HOSTILE not in page
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", page)
    assert page.count("shifted</span>") == len(found.alarms)


def test_the_page_of_no_change() -> None:
    found, sides = compared(table("a.csv", 40), table("b.csv", 40))
    page = render_diff(found, sides)
    read(page)
    assert "hold the same rows and columns" in page
    assert "Not tested: nothing changed." in page


def test_the_page_of_tables_without_labels_and_with_other_columns() -> None:
    Path("a.csv").write_text("text,n\n" + "".join(f"text number {i},{i % 3}\n" for i in range(40)), encoding="utf-8")
    Path("b.csv").write_text("text,m\n" + "".join(f"text number {i},{i % 3}\n" for i in range(30)), encoding="utf-8")
    sides = open_sides("a.csv", "b.csv", workspace=Workspace(".ratchet"), given={"label": ""})
    page = render_diff(diff(sides.a, sides.b), sides)
    read(page)
    assert "no label column in common" in page
    assert "Added: <code>m</code>" in page


def test_examples_show_where_long_cells_differ_and_mask_people() -> None:
    lead = "".join(chr(0x4E00 + 7 * i) for i in range(150))
    Path("a.csv").write_text(f"text,label\n{lead}房间干净 13812345678,好\n其他,差\n", encoding="utf-8")
    Path("b.csv").write_text(f"text,label\n{lead}房间很脏 13812345678,好\n其他,差\n", encoding="utf-8")
    found, sides = compared("a.csv", "b.csv")
    (change,) = examples(found)
    before, after = change.cells["text"]
    assert before.startswith("…")
    assert "房间干净" in before
    assert "房间很脏" in after
    assert "13812345678" not in str(to_dict(found, sides))
    assert (change.old, change.new) == ("row 1 of a.csv", "row 1 of b.csv")
