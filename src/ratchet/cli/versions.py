"""The commands of ``ratchet data`` about versions: arguments in, one call, and its result printed."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ratchet.cli import arguments
from ratchet.errors import DataError
from ratchet.forms import json_bytes
from ratchet.screen import echo

if TYPE_CHECKING:
    from ratchet.versions.log import Version
    from ratchet.workspace.workspace import Workspace

FOUND = 1
"""Exit code of ``diff --fail-on-shift`` when something shifted, and of ``verify`` when something is damaged."""
"""Hex digits of an id that are shown."""


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("-m", "--message", default="", help="Why: one line for the log.")
@click.option("--test", "tests", multiple=True, help="File with the sealed test rows; may be given again.")
@click.option("--tag", "name", help="Name the version, too.")
@click.option("--dvc/--no-dvc", "dvc", default=None, help="Write FILE.dvc; default: in a DVC project.")
@click.option("--dvc-stage", type=arguments.PATH, metavar="RECIPE", help="Also write a dvc.yaml that runs this recipe.")
@arguments.workspace
@arguments.as_json
def add(
    files: tuple[str, ...],
    message: str,
    tests: tuple[str, ...],
    name: str | None,
    dvc: bool | None,
    dvc_stage: Path | None,
    workspace: Path,
    as_json: bool,
) -> None:
    """Record what the files hold now as a version. Nothing happens when nothing has changed.

    Equal lines are stored once, whatever the file and the version.
    """
    from ratchet.versions.log import record, require_tag, tag

    place = _open(workspace)
    if name is not None:
        require_tag(name)  # before anything is recorded
    version = record(files, workspace=place, message=message, test_sources=tests)
    if name is not None:
        tag(name, version, workspace=place)
        version = _newest(version.id, place)
    said = _with_dvc([Path(file) for file in (*files, *tests)], dvc, dvc_stage)
    if as_json:
        _print_json(version.to_dict())
    else:
        echo(_line(version))
    for line in said:
        echo(line, err=as_json)


@click.command()
@arguments.workspace
@arguments.as_json
def log(workspace: Path, as_json: bool) -> None:
    """List the versions of the data, the newest last."""
    from ratchet.versions.log import log as log_of

    versions = log_of(_open(workspace))
    if as_json:
        return _print_json([version.to_dict() for version in versions])
    for version in versions:
        echo(_line(version))
    if not versions:
        echo("No version yet. Record one: ratchet data add FILE")
    return None


@click.command()
@click.argument("name")
@click.argument("version", default="latest")
@click.option("--move", is_flag=True, help="Take the name away from the version that has it.")
@arguments.workspace
def tag(name: str, version: str, move: bool, workspace: Path) -> None:
    """Name a version: VERSION is an id or the beginning of one, another tag, or `latest`."""
    from ratchet.versions.log import find
    from ratchet.versions.log import tag as tag_it

    place = _open(workspace)
    named = find(version, workspace=place)
    tag_it(name, named, workspace=place, move=move)
    echo(_line(_newest(named.id, place)))


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How two tables are read and compared."""

    test: Path | None
    encoding: str
    alpha: float
    seed: int
    fast: bool


@dataclass(frozen=True, kw_only=True)
class Shown:
    """Where the result goes, and whether a shift is a failure."""

    html: Path | None
    fail_on_shift: bool
    as_json: bool


@click.command()
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@arguments.roles(
    text="Column with the text; as in ratchet.yaml, or guessed, when left out.",
    label='Column with the label; "" means that there is none.',
    group="Column whose equal values belong together.",
    time="Column with a date or time; its values are not compared.",
    id="Column that names a row.",
)
@arguments.gathered(
    "how",
    Comparison,
    click.option(
        "--test", type=arguments.PATH, help="Table with the test rows: which of them do the new rows give away?"
    ),
    click.option("--encoding", default="auto", show_default=True),
    click.option(
        "--alpha",
        type=click.FloatRange(0.0001, 0.5),
        default=0.05,
        show_default=True,
        help="Chance of any false alarm.",
    ),
    click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the random permutations."),
    click.option("--fast", is_flag=True, help="Do not look for near-duplicates."),
)
@arguments.gathered(
    "output",
    Shown,
    click.option("--html", type=arguments.PATH, metavar="FILE", help="Also write a page with pictures."),
    click.option("--fail-on-shift", is_flag=True, help="Exit 1 when a distribution has shifted."),
    arguments.as_json,
)
@arguments.workspace
def diff(a: str, b: str, roles: Mapping[str, str | None], how: Comparison, output: Shown, workspace: Path) -> None:
    """What changed from A to B: rows, columns, distributions, copies and leaks.

    A and B are versions (an id, a tag or `latest`) or tables. Distributions are compared by permutation tests, corrected
    together: two tables from one population raise an alarm in at most 5 % of diffs.
    """
    from ratchet.drift.diff import diff as compare
    from ratchet.drift.sides import open_sides
    from ratchet.near.copies import THRESHOLD
    from ratchet.report.diff_terminal import tell_diff
    from ratchet.report.terminal import Sheet

    sides = open_sides(a, b, workspace=_open(workspace), test=how.test, given=roles, encoding=how.encoding)
    near = None if how.fast else THRESHOLD
    changes = compare(sides.a, sides.b, seed=how.seed, alpha=how.alpha, test=sides.test, near=near)
    if output.as_json:
        from ratchet.drift.examples import to_dict

        _print_json(to_dict(changes, sides))
    else:
        tell_diff(changes, sides, to=Sheet(sys.stdout))
    if output.html is not None:
        from ratchet.report.diff_page import render_diff
        from ratchet.workspace.workspace import write_named

        write_named(output.html, render_diff(changes, sides).encode())
        echo(f"Wrote {output.html}.", err=output.as_json)
    if output.fail_on_shift and changes.alarms:
        sys.exit(FOUND)


@click.command()
@click.argument("version")
@click.option(
    "--to", "target", type=arguments.PATH, help="Folder, or file of a version with one; default: where the files were."
)
@click.option("--force", is_flag=True, help="Also replace files that no version holds; they are recorded first.")
@arguments.workspace
def restore(version: str, target: Path | None, force: bool, workspace: Path) -> None:
    """Bring the files of VERSION back, byte for byte."""
    from ratchet.versions.log import SHORT, find
    from ratchet.versions.restore import restore as restore_it

    place = _open(workspace)
    wanted = find(version, workspace=place)
    written = restore_it(wanted, target, workspace=place, force=force)
    for path in written:
        echo(f"Restored {path}")
    if not written:
        echo(f"The files are already as in version {wanted.id[:SHORT]}.")


@click.command()
@arguments.workspace
@arguments.as_json
def verify(workspace: Path, as_json: bool) -> None:
    """Read every stored byte and name what is damaged. Exit code 0: all is well; 1: something is damaged."""
    from dataclasses import asdict

    from ratchet.versions.log import log as log_of
    from ratchet.versions.restore import REPAIR
    from ratchet.versions.restore import verify as verify_it

    place = _open(workspace)
    damaged = verify_it(place)
    if as_json:
        _print_json([asdict(damage) for damage in damaged])
    elif damaged:
        for damage in damaged:
            echo(str(damage))
        echo(REPAIR)
    else:
        echo(f"All files of {len({version.id for version in log_of(place)})} versions can be restored.")
    if damaged:
        sys.exit(FOUND)


COMMANDS = (add, log, tag, diff, restore, verify)
"""Commands of the group ``ratchet data``."""


def _open(workspace: Path) -> Workspace:
    from ratchet.workspace.workspace import Workspace

    return Workspace(workspace)


def _newest(id: str, workspace: Workspace) -> Version:
    from ratchet.versions.log import find

    return find(id, workspace=workspace)


def _line(version: Version) -> str:
    """A version in one line: id, time, rows, files, tags and message."""
    from ratchet.versions.log import SHORT

    rows = f"{'no table':>14}  " if version.rows is None else f"{version.rows:>9,} rows  "
    files = list(dict.fromkeys(file.source for file in version.files))
    named = ", ".join(files[:3]) + (f" and {len(files) - 3} more" if len(files) > 3 else "")
    tags = f"  [{', '.join(version.tags)}]" if version.tags else ""
    message = f"  {' '.join(version.message.split())}" if version.message else ""
    return f"{version.id[:SHORT]}  {version.time[:16].replace('T', ' ')}  {rows}{named}{tags}{message}"


def _with_dvc(files: list[Path], wanted: bool | None, stage: Path | None) -> list[str]:
    """Write DVC's files where they are wanted; the lines to print about it."""
    from ratchet.versions.dvc import dvc_root, owner_of, track, write_stage

    said = []
    if wanted is None:
        roots = [dvc_root(file) if file.is_file() else None for file in files]
        owned = [
            f"{file} is {owner}: DVC tracks it, and no pointer was written."
            for file, root in zip(files, roots, strict=True)
            if root is not None and (owner := owner_of(file, root=root))
        ]
        wanted = all(root is not None for root in roots) and not owned
        said += owned
    if wanted:
        folders = [file for file in files if not file.is_file()]
        if folders:
            raise DataError(
                f"--dvc must go with files but {folders[0]} is not one.", next_step="Track it with `dvc add`."
            )
        tracked = track(files)
        names = ", ".join(map(str, tracked.pointers))
        said.append(
            f"Wrote {names}; in DVC's cache, ready for `dvc push`."
            if tracked.cached
            else f"Wrote {names}. DVC is not installed: run `dvc commit` once it is, before `dvc push`."
        )
    if stage is not None:
        said.append(f"Wrote {write_stage(stage, files=files)}.")
    return said


def _print_json(value: Any) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(json_bytes(value, indent=1) + b"\n")
    sys.stdout.buffer.flush()
