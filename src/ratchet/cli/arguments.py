"""Arguments and options that several commands have."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import click


class _Path(click.Path):
    """A path with a name: the empty text, as an unset variable of a shell gives, is not the folder that one is in."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not str(value).strip():
            self.fail("must be the name of a file or folder but is empty.", param, ctx)
        return super().convert(value, param, ctx)


PATH = _Path(path_type=Path)
workspace = click.option("--workspace", type=PATH, default=".ratchet", show_default=True, help="Folder of the runs.")
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
columns = click.option(
    "--columns", metavar="NAME,NAME,...", help="Names of the first columns of a table without a header."
)


def listed(names: str | None) -> tuple[str, ...]:
    """The names of ``--columns``."""
    return tuple(name.strip() for name in names.split(",")) if names else ()


def gathered(name: str, kind: type[Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Hand a command those of its options that are fields of the dataclass ``kind`` as one value called ``name``."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def call(**given: Any) -> Any:
            options = {field.name: given.pop(field.name) for field in fields(kind)}
            return command(**given, **{name: kind(**options)})

        return call

    return decorate
