"""Arguments and options that several commands have."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Command = TypeVar("Command", bound=Callable[..., Any])
Option = Callable[[Callable[..., Any]], Callable[..., Any]]


class _Path(click.Path):
    """A path with a name: the empty text, as an unset variable of a shell gives, is not the folder that one is in."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not str(value).strip():
            self.fail("must be the name of a file or folder but is empty.", param, ctx)
        return super().convert(value, param, ctx)


PATH = _Path(path_type=Path)
workspace = click.option("--workspace", type=PATH, default=".ratchet", show_default=True, help="Folder of the runs.")
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
send_to = click.option(
    "--send-to",
    metavar="ADDRESS",
    default="",
    help="Agree that texts are sent there, by a bundle that asks an endpoint.",
)
columns = click.option(
    "--columns", metavar="NAME,NAME,...", help="Names of the first columns of a table without a header."
)


def listed(names: str | None) -> tuple[str, ...]:
    """The names of ``--columns``."""
    return tuple(name.strip() for name in names.split(",")) if names else ()


def gathered(name: str, kind: type[DataclassInstance], *options: Option) -> Callable[[Command], Command]:
    """Options that reach the command together, in its argument ``name``: a ``kind``, which has a field for each of them."""

    def decorate(command: Command) -> Command:
        @wraps(command)
        def call(**values: Any) -> Any:
            own = {field.name: values.pop(field.name) for field in fields(kind)}
            return command(**values, **{name: kind(**own)})

        return _with_options(call, options)  # type: ignore[return-value]

    return decorate


def roles(**helps: str) -> Callable[[Command], Command]:
    """An option for each role, with its help; the command gets ``roles``: the column of each role, ``None`` for a guess."""

    def decorate(command: Command) -> Command:
        @wraps(command)
        def call(**values: Any) -> Any:
            given: Mapping[str, str | None] = {role: values.pop(role) for role in helps}
            return command(**values, roles=given)

        return _with_options(call, [click.option(f"--{role}", help=text) for role, text in helps.items()])  # type: ignore[return-value]

    return decorate


def _with_options(command: Callable[..., Any], options: Sequence[Option]) -> Callable[..., Any]:
    for option in reversed(options):
        command = option(command)
    return command
