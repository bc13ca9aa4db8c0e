"""Lines of a terminal: cells of any script line up, and nothing is longer than the screen."""

from io import StringIO

import pytest
from rich.cells import cell_len

from ratchet.report.terminal import Sheet


@pytest.fixture
def sheet(monkeypatch: pytest.MonkeyPatch) -> Sheet:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("NO_COLOR", "1")
    return Sheet(StringIO())


def lines(sheet: Sheet) -> list[str]:
    return sheet._console.file.getvalue().splitlines()  # type: ignore[attr-defined, no-any-return]


def test_chinese_cells_line_up(sheet: Sheet) -> None:
    sheet.cells(
        [
            ("row 7", "优点：房间很好", "15 copies"),
            ("row 1203", "fine", "2 copies"),
            ("row 8", "很长" * 60, "3 copies"),
        ],
        indent=4,
        flexible=1,
    )
    found = lines(sheet)
    assert len({cell_len(line) - cell_len(line.split("  ")[-1].strip()) for line in found}) == 1  # where the last begin
    assert all(cell_len(line) <= 60 for line in found)
    assert "…" in found[2]
    assert "…" not in found[0]


def test_paragraphs_hang_and_never_pass_the_edge(sheet: Sheet) -> None:
    sheet.paragraph(
        "why  ", "一个模型如果见过测试文本，分数就只是记忆。" * 4 + " and some words in Latin letters", indent=9, hang=5
    )
    found = lines(sheet)
    assert found[0].startswith(" " * 9 + "why  ")
    assert all(line.startswith(" " * 14) for line in found[1:])
    assert all(cell_len(line) <= 60 and line == line.rstrip() for line in found)
    assert all(cell_len(line) >= 56 for line in found[:-1])  # broken between characters, not before the whole run
    assert not any(line.lstrip().startswith(("，", "。")) for line in found)
    assert "".join(found).replace(" ", "").startswith("why一个模型如果见过测试文本，分数就只是记忆。")


@pytest.mark.parametrize("text", ["a share of 10.1 %, or", "(lost: U+FFFD or 锟斤拷). Then"])
def test_a_line_does_not_begin_with_what_belongs_to_the_line_before(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for length in range(30, 60):
        monkeypatch.setenv("COLUMNS", "60")
        sheet = Sheet(StringIO())
        sheet.paragraph("x" * length + " " + text)
        assert not any(line.startswith(("%", ")")) for line in lines(sheet))


def test_markup_is_text(sheet: Sheet) -> None:
    sheet.line("[red]x[/red] :smile:", " \x07")
    assert lines(sheet)[0].startswith("[red]x[/red] :smile:")
