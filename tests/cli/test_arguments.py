from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from ratchet.cli import arguments


@dataclass(frozen=True, kw_only=True)
class Pace:
    fast: bool
    times: int


@click.command()
@click.argument("place", type=arguments.PATH)
@arguments.roles(text="The text.", label="The label.")
@arguments.gathered("pace", Pace, click.option("--fast", is_flag=True), click.option("--times", type=int, default=2))
@click.option("--loud", is_flag=True)
def command(place: Path, roles: Mapping[str, str | None], pace: Pace, loud: bool) -> None:
    """Say what came."""
    click.echo(f"{place} {dict(roles)} {pace} {loud}")


def test_options_come_together_as_one_value() -> None:
    plain = CliRunner().invoke(command, ["a"])
    assert plain.output == "a {'text': None, 'label': None} Pace(fast=False, times=2) False\n"
    every = CliRunner().invoke(command, ["a", "--text", "t", "--label", "", "--fast", "--times", "5", "--loud"])
    assert every.output == "a {'text': 't', 'label': ''} Pace(fast=True, times=5) True\n"


def test_help_lists_them_in_the_order_of_the_code() -> None:
    shown = CliRunner().invoke(command, ["--help"]).output
    places = [shown.index(option) for option in ("--text", "--label", "--fast", "--times", "--loud")]
    assert places == sorted(places)


@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_name_is_no_path(empty: str) -> None:
    ended = CliRunner().invoke(command, [empty])
    assert ended.exit_code == 2
    assert "must be the name of a file or folder but is empty" in ended.output


@pytest.mark.parametrize(("names", "found"), [(None, ()), ("", ()), ("a, b ,c", ("a", "b", "c"))])
def test_names_of_columns(names: str | None, found: tuple[str, ...]) -> None:
    assert arguments.listed(names) == found
