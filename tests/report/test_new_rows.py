"""New rows beside their parents: what changed is marked, and every line fits 80 columns, Chinese too."""

from __future__ import annotations

import io

import pytest
from rich.cells import cell_len

from ratchet.report.new_rows import Beside, marked, sample, show


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("parent", "text", "before", "after"),
    [
        ("a good room", "a fine room", "a *good* room", "a *fine* room"),
        ("房间很干净", "房间干净", "房间*很*干净", "房间干净"),
        ("hello", "hello", "hello", "hello"),
        ("", "new", "", "*new*"),
        ("it works", "it works well", "it works", "it works *well*"),
    ],
)
def test_what_only_one_of_them_has_is_marked(parent: str, text: str, before: str, after: str) -> None:
    assert [one.plain for one in marked(parent, text, terminal=False)] == [before, after]


def test_a_terminal_shows_it_without_marks() -> None:
    before, after = marked("a good room", "a fine room", terminal=True)
    assert (before.plain, after.plain) == ("a good room", "a fine room")
    assert [(span.start, span.end) for span in after.spans] == [(2, 6)]


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_every_line_fits(stream: type[io.StringIO], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    out = stream()
    rows = [
        Beside(
            parent="房间很干净，服务员也很热情" * 9,
            text="房间干净，服务员很热情" * 40,
            label="好" * 30,
            operation="delete",
        ),
        Beside(parent="one\ntwo \x1b[31mred", text="x" * 500, label="a/b", operation="replace"),
    ]
    show(rows, stream=out)
    said = out.getvalue()
    assert "\x1b[31mred" not in said
    import re

    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in said.splitlines()]
    assert max(map(cell_len, lines)) <= 80
    assert sum("…" in line for line in lines) >= 1


def test_a_sample_is_spread_evenly() -> None:
    rows = [Beside(parent="", text=str(number), label="", operation="") for number in range(100)]
    assert [row.text for row in sample(rows, most=4)] == ["0", "25", "50", "75"]
    assert sample(rows[:3]) == rows[:3]
