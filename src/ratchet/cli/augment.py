"""``ratchet augment``: new training rows as a table, with a look at twenty of them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from ratchet.cli import arguments
from ratchet.forms import json_bytes
from ratchet.screen import Screen


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """Which augmenter, and with which settings."""

    kind: str | None
    settings: tuple[str, ...]
    overrides: tuple[str, ...]


@click.command()
@click.argument("target", type=arguments.PATH, default="ratchet.yaml")
@arguments.roles(
    text="Column with the text; guessed when left out.",
    label="Column with the label; guessed when left out.",
)
@arguments.gathered(
    "wanted",
    _Wanted,
    click.option(
        "--kind", metavar="KIND", help="The augmenter, or the name of a challenger. Default: the recipe's, or eda."
    ),
    click.option(
        "-s", "--setting", "settings", multiple=True, metavar="KEY=VALUE", help="Override a key of it: copies=2."
    ),
    click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key of the recipe."),
)
@click.option("--out", type=arguments.PATH, help="Write the rows to this file: .jsonl, .csv or .tsv.")
@click.option("--wait", is_flag=True, help="Wait for a run that uses the workspace, instead of refusing.")
@arguments.as_json
def augment(
    target: Path,
    roles: Mapping[str, str | None],
    wanted: _Wanted,
    out: Path | None,
    wait: bool,
    as_json: bool,
) -> None:
    """Make more training rows of TARGET, a table or a recipe, and show twenty of them beside their parents.

    The rows are prepared and divided as `ratchet run` does it: rows are made of the train part alone, and none is a copy or
    a near-copy of a valid or a test row. Nothing is trained on them; a challenger of the same kind does that, and must win.
    """
    from ratchet.checkup.target import open_target
    from ratchet.recipe.recipe import RECIPES, load_recipe
    from ratchet.report.new_rows import Beside, sample, show
    from ratchet.stages.make_rows import augmenting, make_rows, require_form, write_rows

    screen, is_recipe = Screen(sys.stderr), target.suffix.lower() in RECIPES
    if is_recipe:
        named = [f"data.{role}={column}" for role, column in roles.items() if column is not None]
        recipe = load_recipe(target, overrides=[*wanted.overrides, *named])
    else:
        recipe = open_target(target, given=roles, overrides=wanted.overrides).recipe
    spec = augmenting(recipe, kind=wanted.kind, settings=wanted.settings)
    if out is not None:
        require_form(out, recipe)
    found = make_rows(recipe, spec=spec, screen=screen, kept=is_recipe, wait=wait)
    made, rejected = found.made, {reason: count for reason, count in found.made.rejected.items() if count}
    tried = len(made.texts) + sum(rejected.values())
    counts = ", ".join(f"{count:,} {reason}" for reason, count in rejected.items())
    screen.say(
        "augment", f"{len(made.texts):,} of {tried:,} new rows kept" + (f"; rejected: {counts}" if counts else "")
    )
    if out is not None:
        write_rows(out, found)
        screen.say("augment", f"written to {out}")
    if as_json:
        facts = {"augmenter": found.augmenter, "seed": found.seed, "tried": tried, "kept": len(made.texts)}
        click.echo(json_bytes({**facts, "rejected": rejected, "out": None if out is None else str(out)}).decode())
        return
    texts = zip(found.parents, made.texts, made.labels, made.operation, strict=True)
    beside = [Beside(parent=p, text=t, label=label, operation=what) for p, t, label, what in texts]
    show(sample(beside), stream=sys.stdout)
