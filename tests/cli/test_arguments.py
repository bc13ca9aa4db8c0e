from __future__ import annotations

from dataclasses import dataclass

import click
from click.testing import CliRunner

from ratchet.cli.arguments import gathered, listed


@dataclass(frozen=True, kw_only=True)
class Table:
    text: str
    label: str | None


@click.command()
@click.argument("name")
@click.option("--text", default="text")
@click.option("--label")
@gathered("table", Table)
def command(name: str, table: Table) -> None:
    """Says what it was given."""
    click.echo(f"{name} {table}")


def test_options_reach_a_command_as_one_value() -> None:
    found = CliRunner().invoke(command, ["a", "--label", "b"])
    assert found.output == "a Table(text='text', label='b')\n"
    assert "Says what it was given." in CliRunner().invoke(command, ["--help"]).output


def test_names_are_listed() -> None:
    assert listed(" a, b") == ("a", "b")
    assert listed(None) == ()
