"""Cells that hold several labels: a list in JSON or as Python writes it, or names with a mark between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ratchet.bounds import json_value

MARKS = (";", "|", ",", "；", "，", "、")
FEWEST = 3
"""Different cells that a mark must cut, to be taken for one."""


def listed(cell: str) -> list[str] | None:
    """The names in a cell that is a list; ``None`` where it is none.

    >>> listed('["a", "b"]'), listed("['a']"), listed("a;b")
    (['a', 'b'], ['a'], None)
    """
    if not cell.strip().startswith("["):
        return None
    try:
        value = json_value(cell)
    except ValueError:
        if not cell.strip().endswith("]"):
            return None
        inner = cell.strip()[1:-1].strip()
        parts = [part.strip() for part in inner.split(",")] if inner else []
        quoted = all(len(part) >= 2 and part[0] == part[-1] and part[0] in "'\"" for part in parts)
        return [part[1:-1] for part in parts] if quoted else None
    return [str(name) for name in value] if isinstance(value, list) else None


def is_nested(cell: str) -> bool:
    """Whether a cell is a list in JSON that holds something else than names and numbers: lists, objects or null.

    >>> is_nested('[["a"]]'), is_nested('[null]'), is_nested('["a", 1]')
    (True, True, False)
    """
    if not cell.strip().startswith("["):
        return False
    try:
        value = json_value(cell)
    except ValueError:
        return False
    return isinstance(value, list) and any(name is None or isinstance(name, (list, dict)) for name in value)


def cut(cell: str, mark: str) -> list[str]:
    """The names in a cell, which this mark divides; one name where there is no mark."""
    return [part.strip() for part in cell.split(mark)] if mark else [cell.strip()]


def mark_of(cells: Sequence[str]) -> str:
    """The mark between the names of cells that are no lists; empty where no mark cuts names that stand elsewhere too.

    Each name that the mark cuts off is in another cell too: "Toys, games" is one name as long as no cell has "games".
    """
    plain = [cell for cell in cells if listed(cell) is None]
    for mark in MARKS:
        several = [parts for cell in plain if len(parts := cut(cell, mark)) > 1]
        if len(several) < FEWEST or not all(all(parts) for parts in several):
            continue
        uses = Counter(name for cell in plain for name in {*cut(cell, mark)})
        names = {name for parts in several for name in parts}
        if mark == "," and all(name.isdigit() for name in names):
            continue  # decimal commas
        if sum(uses[name] > 1 for name in names) * 2 > len(names):
            return mark
    return ""
