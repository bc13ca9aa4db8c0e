"""Lines for a terminal: paragraphs and rows of cells that line up, whatever the script, with no spaces at their ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

WIDTH = 100
"""Columns where the output is no terminal."""
WIDEST = 120
"""Columns on a wide terminal: longer lines are hard to read."""

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

        made = Text.assemble(*pieces)
        made.rstrip()
        self._console.print(made, soft_wrap=True)

    def paragraph(self, *pieces: Piece | str, indent: int = 0, hang: int = 0) -> None:
        """Text broken between words, or between Chinese characters; lines after the first stand ``hang`` further in."""
        from rich.text import Text

        whole = Text.assemble(*pieces)
        lines = whole.wrap(self._console, max(20, self.width - indent - hang))
        for number, one in enumerate(lines):
            one.rstrip()
            self._console.print(Text(" " * (indent + (hang if number else 0))) + one, soft_wrap=True)

    def cells(self, rows: Sequence[Sequence[Piece | str]], *, indent: int = 0, flexible: int, gap: int = 2) -> None:
        """Rows of cells in columns as wide as their widest cell; the column ``flexible`` is cut to what is left."""
        from rich.cells import cell_len, set_cell_size

        if not rows:
            return
        plain = [[cell if isinstance(cell, tuple) else (cell, "") for cell in row] for row in rows]
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
