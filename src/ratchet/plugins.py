"""Registries: what Ratchet brings itself, and what other installed packages add through an entry point group."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from importlib.metadata import entry_points
from typing import Any, Protocol, TypeVar, cast

from ratchet.errors import RatchetError


class Named(Protocol):
    """Anything that is registered under a name."""

    @property
    def name(self) -> str:
        """The name, unique in its registry."""


T = TypeVar("T", bound=Named)


def registered(built_in: Iterable[T], *, group: str, base: type[object]) -> dict[str, T]:
    """Everything in a registry, by name: what is built in first, then what other packages bring.

    Args:
        built_in: what comes with Ratchet.
        group: the entry point group, such as ``ratchet.contenders``.
        base: the class that every entry must be an instance of.

    Raises:
        RatchetError: an entry point cannot be loaded, is of another class, or takes a name that is there.
    """
    entries: dict[str, T] = {entry.name: entry for entry in built_in}
    repair = "Repair or uninstall the package that brings it."
    for point in sorted(entry_points(group=group), key=lambda point: point.name):
        where = f"The entry point {point.name!r} of the group {group} ({point.value})"
        try:
            loaded: Any = point.load()
        except (ImportError, AttributeError) as problem:
            raise RatchetError(f"{where} must be importable but got: {problem}.", next_step=repair) from problem
        if not isinstance(loaded, base):
            raise RatchetError(f"{where} must be a {base.__name__} but is {type(loaded).__name__}.", next_step=repair)
        entry: T = cast(Any, loaded)
        if entry.name in entries:
            raise RatchetError(f"{where} must have a name of its own but got {entry.name!r}.", next_step=repair)
        entries[entry.name] = entry
    return entries


def chosen(name: str, entries: dict[str, T], *, noun: str) -> T:
    """The entry of this name.

    Raises:
        RatchetError: there is none; the message has the nearest name.
    """
    if name in entries:
        return entries[name]
    close = difflib.get_close_matches(name, entries, n=1)
    step = f"Did you mean {close[0]}?" if close else "Install the package that brings it."
    raise RatchetError(f"{noun} must be one of {', '.join(entries)} but got {name!r}.", next_step=step)
