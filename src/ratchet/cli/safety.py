"""The options of ``ratchet serve`` that say who may ask, and its check of what is open."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ratchet.cli import arguments
from ratchet.errors import RatchetError
from ratchet.forms import json_bytes
from ratchet.screen import echo

if TYPE_CHECKING:
    from ratchet.recipe.sections import ServeConfig

OPEN = 1
"""Exit code of ``--check`` when something is open that should not be."""


@dataclass(frozen=True, kw_only=True)
class Safety:
    """What the options say; paths are as they were typed."""

    keys: Path | None
    audit: Path | None
    tls_cert: Path | None
    tls_key: Path | None
    origins: tuple[str, ...]
    check: bool
    as_json: bool

    def config(self, **others: Any) -> ServeConfig:
        """The configuration of the server, with what other options say.

        Raises:
            RatchetError: one of them is not usable.
        """
        from pydantic import ValidationError

        from ratchet.recipe.sections import ServeConfig

        paths: dict[str, Any] = {
            name: str(getattr(self, name) or "") for name in ("keys", "audit", "tls_cert", "tls_key")
        }
        try:
            return ServeConfig(**paths, origins=self.origins, **others)
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
            raise RatchetError(f"The server cannot be set up so: {problem}.") from None


safety_options = arguments.gathered(
    "safety",
    Safety,
    click.option("--keys", type=arguments.PATH, metavar="FILE", help="Ask for a key of this file; see `ratchet keys`."),
    click.option(
        "--audit", type=arguments.PATH, metavar="FILE", help="A line for each request: who, what, how it ended."
    ),
    click.option("--tls-cert", type=arguments.PATH, metavar="FILE", help="Speak TLS with this certificate (PEM)."),
    click.option("--tls-key", type=arguments.PATH, metavar="FILE", help="The key of the certificate."),
    click.option(
        "--origin", "origins", multiple=True, metavar="URL", help="A site whose pages may call it; repeatable."
    ),
    click.option("--check", is_flag=True, help="List what is open, and serve nothing; exit 1 if it should not be."),
    arguments.as_json,
)


def show_exposure(bundle: Path, *, config: ServeConfig, send_to: str, as_json: bool) -> None:
    """Print what is open; the exit code says whether that is as it should be."""
    from ratchet.serve.listen import exposed

    found = exposed(bundle, config=config, send_to=send_to)
    if as_json:
        items = [{"name": item.name, "value": item.value, "wrong": item.wrong} for item in found]
        click.echo(json_bytes({"items": items, "wrong": sum(bool(item.wrong) for item in found)}, indent=2).decode())
    else:
        for item in found:
            echo(f"{item.name:14}{item.value}")
            if item.wrong:
                echo(f"{'':14}! {item.wrong}")
    if any(item.wrong for item in found):
        sys.exit(OPEN)
