"""``ratchet curve`` and ``ratchet queue``: arguments in, one call, and the result in the form that was asked for."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ratchet.cli import arguments
from ratchet.errors import RatchetError
from ratchet.forms import json_bytes
from ratchet.screen import Screen, echo

QUEUES = (".csv", ".html")

_set_flag = click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key of the recipe.")
_wait = click.option("--wait", is_flag=True, help="Wait for a run that uses the workspace, instead of refusing.")


@click.command()
@click.argument("target", type=arguments.PATH, default="ratchet.yaml")
@_set_flag
@click.option(
    "--more", multiple=True, type=click.IntRange(1), metavar="ROWS", help="So many more rows; may be given again."
)
@click.option("--draws", type=click.IntRange(3), default=5, show_default=True, help="How often samples are drawn.")
@click.option(
    "--augment", default="", metavar="KIND", help="Also the curve with rows made by this augmenter, such as eda."
)
@click.option("--out", type=arguments.PATH, help="Write the page to this file.")
@_wait
@arguments.as_json
def curve(
    target: Path,
    overrides: tuple[str, ...],
    more: tuple[int, ...],
    draws: int,
    augment: str,
    out: Path | None,
    wait: bool,
    as_json: bool,
) -> None:
    """What would more labels bring? A learning curve of the champion's procedure, and its extrapolation.

    TARGET is a recipe, or a table whose columns are guessed. Models are trained on 10, 20, 40, 70 and 100 % of the training
    rows and judged on rows that they had not seen, never on the sealed test. What is finished is kept in the workspace.
    """
    from ratchet.labels.curve_page import lines, render_curve
    from ratchet.stages.curve import learning_curve
    from ratchet.stages.rows import recipe_of
    from ratchet.workspace.workspace import write_named

    found = learning_curve(
        recipe_of(target, overrides=overrides),
        more=more,
        draws=draws,
        augment=augment,
        source=target.name,
        screen=Screen(sys.stderr),
        wait=wait,
    )
    if out is not None:
        write_named(out, render_curve(found).encode())
    if as_json:
        click.echo(json_bytes(found.to_dict(), indent=2).decode())
        return
    for line in lines(found):
        echo(line)
    if out is not None:
        echo(f"Wrote {out}.")


@click.command()
@click.argument("table", type=arguments.PATH)
@click.option("--recipe", type=arguments.PATH, default="ratchet.yaml", show_default=True, help="Of the labelled rows.")
@_set_flag
@click.option("--count", type=click.IntRange(1), default=100, show_default=True, help="Rows that are wanted.")
@click.option(
    "--out", type=arguments.PATH, default="queue.csv", show_default=True, help="A .csv to fill in, or a .html page."
)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@_wait
@arguments.as_json
def queue(
    table: Path,
    recipe: Path,
    overrides: tuple[str, ...],
    count: int,
    out: Path,
    force: bool,
    wait: bool,
    as_json: bool,
) -> None:
    """Which rows of TABLE, that have no label yet, should get one next?

    Those of which the champion is unsure, that stand for many others and differ from each other; copies and near-copies of
    labelled, valid and test rows are left out. Fill in the labels, and name the CSV file in data.files of the recipe.
    """
    from ratchet.labels.asked import queue_csv, render_queue, told
    from ratchet.stages.queue import rows_to_label
    from ratchet.stages.rows import recipe_of
    from ratchet.workspace.workspace import write_named

    if out.suffix.lower() not in QUEUES:
        raise RatchetError(
            f"--out must end in {' or '.join(QUEUES)} but got {out}.", next_step="Write CSV to fill it in."
        )
    if out.exists() and not force:
        raise RatchetError(
            f"{out} must not be there yet, since people may have filled in labels, but is.",
            next_step="Name another file with --out, or add --force.",
        )
    asked = rows_to_label(
        table, recipe_of(recipe, overrides=overrides), count=count, screen=Screen(sys.stderr), wait=wait
    )
    page = out.suffix.lower() == ".html"
    write_named(out, render_queue(asked).encode("utf-8", "surrogatepass") if page else queue_csv(asked))
    if as_json:
        click.echo(json_bytes({**asked.to_dict(), "out": str(out)}, indent=2).decode())
        return
    for line in told(asked):
        echo(line)
    done = "" if page else f" Fill in the column {asked.label}, then add the file to data.files of {recipe}."
    echo(f"Wrote {out}.{done}")
