"""``ratchet keys``: make, list, rotate and revoke keys. A secret is printed once, alone on standard output."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ratchet.cli import arguments
from ratchet.forms import json_bytes
from ratchet.screen import echo

if TYPE_CHECKING:
    from ratchet.serve.keys import Issued, Key

_UNITS = {"m": 60, "h": 3600, "d": 86_400, "y": 365 * 86_400}


def _span(_: click.Context, __: click.Parameter, value: str | None) -> timedelta | None:
    """A length of time, such as 90d."""
    found = re.fullmatch(r"([0-9]{1,6})([mhdy])", value or "0d")
    if found is None:
        raise click.BadParameter(f"must be a number and m, h, d or y, such as 90d, but got {value!r}.")
    try:
        span = timedelta(seconds=int(found[1]) * _UNITS[found[2]])
        _now() + span
    except OverflowError:
        raise click.BadParameter(f"must end before the year 10000 but got {value!r}.") from None
    return None if value is None else span


_file = click.option(
    "--keys", "path", type=arguments.PATH, default="keys.json", show_default=True, help="The key file."
)
_expires = click.option("--expires", callback=_span, metavar="SPAN", help="It ends after 90d, 12h, 30m or 1y.")


@click.group()
def keys() -> None:
    """The keys of `ratchet serve --keys FILE`; a server that is running takes changes within two seconds."""


@keys.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(("predict", "chat", "metrics", "admin")),
    default=("predict",),
    show_default=True,
    help="What it may do; may be given again.",
)
@_expires
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Requests a second; absent: no limit.")
@click.option("--burst", type=click.IntRange(1), help="Requests at once; absent: those of two seconds.")
@_file
def add(
    name: str, scopes: tuple[str, ...], expires: timedelta | None, rate: float | None, burst: int | None, path: Path
) -> None:
    """Make a key for NAME and print it: it is shown this once, the file holds its sha256 alone."""
    from ratchet.serve.keys import add_key

    end = None if expires is None else _now() + expires
    _show(add_key(path, name, scopes=scopes, expires=end, rate=rate, burst=burst), path)


@keys.command(name="list")
@_file
@arguments.as_json
def list_(path: Path, as_json: bool) -> None:
    """List the keys: id, name, scopes, limit, end."""
    from ratchet.serve.exposure import described
    from ratchet.serve.keys import read_keys

    found = read_keys(path)
    if as_json:
        click.echo(json_bytes([_facts(key) for key in found], indent=2).decode())
        return
    for key in found:
        echo(f"{key.id}  {described(key, now=_now())}")
    if not found:
        echo(f"{path} has no key. Run: ratchet keys add NAME")


@keys.command()
@click.argument("key_id", metavar="ID")
@click.option(
    "--overlap", callback=_span, default="7d", show_default=True, metavar="SPAN", help="The old secret lives on."
)
@_expires
@_file
def rotate(key_id: str, overlap: timedelta, expires: timedelta | None, path: Path) -> None:
    """Give the key ID a new secret and print it; the old one stays right for a while (--overlap 0d: not at all)."""
    from ratchet.serve.keys import rotate_key

    end = None if expires is None else _now() + expires
    _show(rotate_key(path, key_id, overlap=overlap, expires=end), path)


@keys.command()
@click.argument("key_id", metavar="ID")
@_file
def revoke(key_id: str, path: Path) -> None:
    """Remove the key ID."""
    from ratchet.serve.keys import revoke_key

    echo(f"{revoke_key(path, key_id).name} has no key {key_id} any more.")


def _show(issued: Issued, path: Path) -> None:
    from ratchet.serve.exposure import described

    echo(f"{issued.key.id} in {path}. {described(issued.key, now=_now())}. The key is not shown again:", err=True)
    click.echo(issued.token)


def _facts(key: Key) -> dict[str, Any]:
    return {**key.model_dump(mode="json", exclude={"secrets"}), "secrets": len(key.secrets)}


def _now() -> datetime:
    return datetime.now(UTC)
