"""New rows beside their parents for people: what was changed is marked, and a Chinese character is two columns wide."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, TextIO

from ratchet.forms import SPACELESS, characters, legible

if TYPE_CHECKING:
    from rich.text import Text

PREVIEW = 20
"""Rows that are shown."""
WIDTH = 80
_LONGEST = 240
"""Characters of a text that are shown."""
_TOKEN = re.compile(rf"[{characters(SPACELESS)}]|[^\W{characters(SPACELESS)}]+|\s+|[^\w\s]")


@dataclass(frozen=True, kw_only=True)
class Beside:
    """A new text and the one that it was made from."""

    parent: str
    text: str
    label: str
    operation: str


def sample(rows: Sequence[Beside], *, most: int = PREVIEW) -> list[Beside]:
    """Some of the rows, evenly spread."""
    if len(rows) <= most:
        return [*rows]
    return [rows[number * len(rows) // most] for number in range(most)]


def show(rows: Sequence[Beside], *, stream: TextIO) -> None:
    """Print rows beside their parents, in 80 columns or those of the terminal if it has fewer.

    On a terminal the changed words are bold or struck out; else there is a ``*`` before and behind.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    terminal = stream.isatty()
    table = Table(show_edge=False, header_style="bold", width=None, expand=True)
    for name, ratio in (("label", 1), ("made from", 3), ("new text", 3)):
        table.add_column(name, overflow="fold", ratio=ratio)
    for row in rows:
        before, after = marked(row.parent, row.text, terminal=terminal)
        label = Text(legible(row.label))
        label.append(f"\n{row.operation}", style="dim")
        table.add_row(label, before, after)
    width = min(WIDTH, Console(file=stream).width) if terminal else WIDTH
    Console(file=stream, width=width, highlight=False).print(table)


def marked(parent: str, text: str, *, terminal: bool) -> tuple[Text, Text]:
    """Both texts, what only one of them has marked."""
    ours, theirs = _tokens(parent), _tokens(text)
    gone, new = _spans(ours, theirs)
    return (
        _styled(ours, gone, style="strike red" if terminal else None, cut=len(parent) > _LONGEST),
        _styled(theirs, new, style="bold green" if terminal else None, cut=len(text) > _LONGEST),
    )


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(legible(" ".join(text[:_LONGEST].split())))


def _spans(ours: Sequence[str], theirs: Sequence[str]) -> tuple[list[bool], list[bool]]:
    """Which tokens of each the other has not in that place."""
    gone, new = [False] * len(ours), [False] * len(theirs)
    for tag, first, end, begin, until in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        if tag != "equal":
            gone[first:end] = [True] * (end - first)
            new[begin:until] = [True] * (until - begin)
    return gone, new


def _styled(tokens: Sequence[str], changed: Sequence[bool], *, style: str | None, cut: bool) -> Text:
    from rich.text import Text

    found = Text()
    for run, odd in _runs(tokens, changed):
        inner = run.strip()
        if not odd or not inner:
            found.append(run)
        elif style is not None:
            found.append(run, style=style)
        else:
            found.append(run.replace(inner, f"*{inner}*", 1))
    if cut:
        found.append(" …")
    return found


def _runs(tokens: Sequence[str], changed: Sequence[bool]) -> Iterator[tuple[str, bool]]:
    """Neighbouring tokens that are alike in being changed, as one."""
    start = 0
    for place in range(1, len(tokens) + 1):
        if place == len(tokens) or changed[place] != changed[start]:
            yield "".join(tokens[start:place]), changed[start]
            start = place
