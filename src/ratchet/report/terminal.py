"""Lines for a terminal: paragraphs and rows of cells that line up, whatever the script, with no spaces at their ends."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TextIO

from ratchet.forms import legible

if TYPE_CHECKING:
    from rich.console import Console

WIDTH = 100
"""Columns where the output is no terminal."""
WIDEST = 120
"""Columns on a wide terminal: longer lines are hard to read."""

# Kana, Han, Hangul and full-width forms, which may stand at the end of any line; what closes, and a %, stays with what is
# before it.
_WIDE = "\u2e80-\u2fff\u3003-\u3007\u3012-\u30ff\u3100-\uabff\uac00-\ud7af\uf900-\ufaff\uff10-\uff19\uff21-\uff3a\uff41-\uff5a"
_CLOSING = "\u3001\u3002\u3009\u300b\u300d\u300f\u3011\uff01\uff09\uff0c\uff1a\uff1b\uff1f\u201d\u2026).,;"
_WORD = re.compile(f"(?:[{_WIDE}]|[^{_WIDE}\\s]+(?: %[^{_WIDE}\\s]*)?|(?=\\s))[{_CLOSING}]*\\s*")

Piece = tuple[str, str]
"""A text and its style; an empty style is plain."""


class Sheet:
    """Where lines are printed; colours only on a terminal (and not with NO_COLOR)."""

    def __init__(self, stream: TextIO | None = None) -> None:
        from rich.console import Console

        self._console: Console = Console(
            file=stream or sys.stdout, highlight=False, markup=False, emoji=False, force_jupyter=False
        )
        wide = self._console.width if self._console.is_terminal or "COLUMNS" in os.environ else WIDTH
        self.width = max(30, min(wide, WIDEST))

    def line(self, *pieces: Piece | str) -> None:
        """One line as it is."""
        from rich.text import Text

        made = Text.assemble(*map(_plain, pieces))
        made.rstrip()
        self._console.print(made, soft_wrap=True)

    def paragraph(self, *pieces: Piece | str, indent: int = 0, hang: int = 0) -> None:
        """Text broken between words and between Chinese characters; lines after the first stand ``hang`` further in."""
        from rich.cells import cell_len

        line: list[Piece] = []
        used, start = 0, indent
        for text, style in _words(pieces):
            wide = cell_len(text.rstrip())
            if used and start + used + wide > self.width:
                self.line(" " * start, *line)
                line, used, start = [], 0, indent + hang
            line.append((text, style))
            used += cell_len(text)
        self.line(" " * start, *line)

    def cells(self, rows: Sequence[Sequence[Piece | str]], *, indent: int = 0, flexible: int, gap: int = 2) -> None:
        """Rows of cells in columns as wide as their widest cell; the column ``flexible`` is cut to what is left."""
        from rich.cells import cell_len, set_cell_size

        if not rows:
            return
        plain = [[_plain(cell) for cell in row] for row in rows]
        widths = [max(cell_len(row[i][0]) for row in plain) for i in range(len(plain[0]))]
        used = indent + sum(width + gap for i, width in enumerate(widths) if i != flexible and width)
        widths[flexible] = min(widths[flexible], max(12, self.width - used))
        for row in plain:
            pieces: list[Piece | str] = [" " * indent]
            for (text, style), width in zip(row, widths, strict=True):
                if width:
                    shown = text if cell_len(text) <= width else set_cell_size(text, width - 1).rstrip() + "…"
                    pieces += [(shown, style), " " * (width - cell_len(shown) + gap)]
            self.line(*pieces)


def _plain(piece: Piece | str) -> Piece:
    """A text and its style, with what a terminal would obey written as an escape."""
    text, style = piece if isinstance(piece, tuple) else (piece, "")
    return legible(text), style


def _words(pieces: Sequence[Piece | str]) -> Iterator[Piece]:
    """The words of styled texts, each with the spaces behind it; a Chinese character is a word, with its punctuation."""
    for text, style in map(_plain, pieces):
        yield from ((word, style) for word in _WORD.findall(text))
