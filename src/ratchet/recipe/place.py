"""Keys that name a file, a folder or a model: in the file they are relative to it, in a checked recipe absolute."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from ratchet.recipe.section import Section

S = TypeVar("S", bound=Section)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+:")


@dataclass(frozen=True, kw_only=True)
class Place:
    """The mark of a key whose text, or whose texts, name a place; "", "-" and "scheme:rest" are none."""

    words: frozenset[str] = frozenset()
    """Values that are no places."""
    model: bool = False
    """Other texts may be hub ids: only what begins with a dot or is there is a place."""

    def holds(self, text: str) -> bool:
        """Whether the text may name a place."""
        return text not in ("", "-", *self.words) and not _SCHEME.match(text)

    def at(self, text: str, folder: Path) -> str:
        """The text, absolute where it is a place."""
        if not self.holds(text):
            return text
        found = os.path.normpath(folder.absolute() / Path(text).expanduser())
        return found if not self.model or text.startswith((".", "~")) or Path(found).exists() else text


File = Annotated[str, Place()]
"""A file or a folder."""
Files = Annotated[tuple[str, ...], Place()]
ModelSource = Annotated[str, Place(words=frozenset({"auto", "scratch"}), model=True)]
"""A directory of a model, ``package:NAME`` or a hub id."""


def located(section: S, folder: Path) -> S:
    """The section, and all sections in it, with their places absolute, as seen from the folder."""
    new: dict[str, Any] = {}
    for name, old, mark in _marked(section):
        value = _located(old, mark, folder)
        if value is not old and value != old:
            new[name] = value
    return section.model_copy(update=new) if new else section


def places(section: Section) -> Iterator[str]:
    """The places that the section, and all sections in it, name; some may be hub ids."""
    for _, value, mark in _marked(section):
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, Section):
                yield from places(item)
            elif mark is not None and isinstance(item, str) and mark.holds(item):
                yield item


def _marked(section: Section) -> Iterator[tuple[str, Any, Place | None]]:
    """Each key, its value and its mark."""
    for name, info in type(section).model_fields.items():
        yield name, getattr(section, name), next((mark for mark in info.metadata if isinstance(mark, Place)), None)


def _located(value: Any, mark: Place | None, folder: Path) -> Any:
    if isinstance(value, Section):
        return located(value, folder)
    if isinstance(value, tuple):
        return tuple(_located(item, mark, folder) for item in value)
    return mark.at(value, folder) if mark is not None and isinstance(value, str) else value
