"""What a person sees while a run goes on: one line per step, and a bar under long work."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from ratchet.forms import legible

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

Advance = Callable[[int, int, str], None]
"""Called with work done, all work, and a few words about it."""


class Screen:
    """Lines for people on ``stream``; bars only where it is a terminal, so that logs stay readable.

    Args:
        stream: where to write; ``None``: nowhere.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._terminal = stream is not None and stream.isatty()

    def say(self, stage: str, text: str) -> None:
        """One line: the stage in the margin, then the text."""
        if self._stream is None:
            return
        line = f"{stage:<10} {legible(text)}"
        print(line, file=self._stream, flush=True)

    def table(self, title: str, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
        """A small table; the first column, by which a row is named, is never broken."""
        if self._stream is None or not rows:
            return
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(title=title, title_justify="left", title_style="bold", header_style="bold", show_edge=False)
        for place, column in enumerate(columns):
            table.add_column(column, overflow="fold", no_wrap=place == 0)
        for row in rows:
            table.add_row(*(Text(legible(cell)) for cell in row))
        width = None if self._terminal else 140
        Console(file=self._stream, width=width, highlight=False).print(table)

    @contextmanager
    def bar(self, description: str) -> Iterator[Bar]:
        """A bar for long work; it is gone when the work is done."""
        if not self._terminal:
            yield Bar()
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[words]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=Console(file=self._stream), transient=True) as progress:
            task = progress.add_task(f"{description:<10}", total=None, words="")
            yield Bar(progress, task, terminal=self._stream)


class Bar:
    """An `Advance` that moves a bar of rich's, where there is one, and can step aside for another view of the terminal."""

    def __init__(
        self, progress: Progress | None = None, task: TaskID | None = None, *, terminal: TextIO | None = None
    ) -> None:
        self._progress, self._task, self._terminal = progress, task, terminal

    def __call__(self, done: int, total: int, words: str) -> None:
        """As `Advance`."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=done, total=total or None, words=words)

    @contextmanager
    def aside(self) -> Iterator[TextIO | None]:
        """The terminal, without the bar inside the block; ``None`` where there is none that can be drawn on."""
        if self._progress is None or self._progress.console.is_dumb_terminal:
            yield None
            return
        self._progress.stop()
        try:
            yield self._terminal
        finally:
            self._progress.start()


def survive_any_locale() -> None:
    """Let messages through on a terminal whose encoding has no Chinese, or no dashes, instead of failing on them."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def echo(line: str, *, err: bool = False) -> None:
    """Print a line for people: what a terminal would obey, such as the name of a file, is written as an escape."""
    import click

    click.echo(legible(line), err=err)
