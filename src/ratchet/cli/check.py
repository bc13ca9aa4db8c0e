"""``ratchet check`` and ``ratchet data leaks``: arguments in, one call, and the result in the form that was asked for."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ratchet.cli import arguments
from ratchet.errors import RatchetError
from ratchet.forms import json_bytes
from ratchet.screen import Screen, echo

if TYPE_CHECKING:
    from ratchet.checks.finding import Severity
    from ratchet.checkup.checkup import Checkup
    from ratchet.checkup.fixes import Fixed
    from ratchet.checkup.target import Target

FORMATS = ("text", "json", "sarif", "junit", "html")
FOUND = 1
"""Exit code when there is what ``--fail-on`` names, or a leak; 2 is a user's mistake."""


@dataclass(frozen=True, kw_only=True)
class Tables:
    """What to look at beside the target, and how to read it."""

    test: tuple[Path, ...]
    columns: str | None
    overrides: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which checks to run."""

    only: tuple[str, ...]
    fast: bool


@dataclass(frozen=True, kw_only=True)
class Output:
    """The form of the result, and the files to write."""

    form: str | None
    as_json: bool
    out: Path | None
    queue: Path | None
    fix: bool
    force: bool


@click.command()
@click.argument("target", type=arguments.PATH, default="ratchet.yaml")
@arguments.roles(
    text="Column with the text; guessed when left out.",
    label='Column with the label; "" means that there is none.',
    group="Column whose equal values belong together.",
    time="Column with a date or time.",
    id="Column that names a row.",
)
@arguments.gathered(
    "tables",
    Tables,
    click.option(
        "--test", type=arguments.PATH, multiple=True, help="Table whose rows must not be in TARGET; may be given again."
    ),
    arguments.columns,
    click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key of the recipe."),
)
@arguments.gathered(
    "wanted",
    Wanted,
    click.option(
        "--only",
        multiple=True,
        metavar="ID",
        help="A check (duplicates) or finding (duplicates.exact); may be given again.",
    ),
    click.option("--fast", is_flag=True, help="Leave out the checks that fit a model."),
)
@click.option(
    "--fail-on", type=click.Choice(["error", "warning", "note"]), help="Exit 1 when there is one, or a more severe one."
)
@arguments.gathered(
    "output",
    Output,
    click.option(
        "--format", "form", type=click.Choice(FORMATS), help="text (default), or a form for programs and browsers."
    ),
    click.option("--json", "as_json", is_flag=True, help="The same as --format json."),
    click.option("--out", type=arguments.PATH, help="Write that form to this file, and text to the screen."),
    click.option(
        "--queue",
        type=arguments.PATH,
        help="Write the rows whose label is doubted to this CSV file, for people to review.",
    ),
    click.option("--fix", is_flag=True, help="Write the fixes of all findings as a recipe beside TARGET."),
    click.option("--force", is_flag=True, help="Let --fix replace a recipe that is there."),
)
def check(
    target: Path,
    roles: Mapping[str, str | None],
    tables: Tables,
    wanted: Wanted,
    fail_on: Severity | None,
    output: Output,
) -> None:
    """Look at TARGET before anything is trained on it: a table, or a recipe with its tables.

    Without a recipe the roles of the columns are guessed from their names and contents. Exit code 0: the check ran; 1: there
    is a finding as severe as --fail-on; 2: a mistake in the call or in a file.
    """
    from ratchet.checkup.fixes import require_place, write_fixes
    from ratchet.checkup.target import open_target

    form = _form(output.form, output.as_json)
    _require_queue(output, wanted)
    columns = arguments.listed(tables.columns)
    opened = open_target(target, test=tables.test, given=roles, columns=columns, overrides=tables.overrides)
    if output.fix:
        require_place(opened, force=output.force)
    checkup = _looked_at(opened, wanted)
    lines = _write(checkup, form, output.out, fail_on=fail_on)
    if output.queue is not None:
        lines.append(_write_queue(checkup, output.queue))
    if output.fix:
        lines += _write_fixes(write_fixes(opened, checkup.findings))
    for line in lines:
        echo(line, err=output.out is None and form in ("json", "sarif", "junit"))
    if fail_on is not None and checkup.fails(fail_on):
        sys.exit(FOUND)


def _require_queue(output: Output, wanted: Wanted) -> None:
    left_out = wanted.fast or (wanted.only and not {"noise", "labels.noise"} & set(wanted.only))
    if output.queue is not None and left_out:
        raise RatchetError(
            "--queue must have the check of labels to write but it is left out.",
            next_step="Leave out --fast and --only.",
        )


def _looked_at(target: Target, wanted: Wanted) -> Checkup:
    from ratchet.checkup.checkup import check_up

    with Screen(sys.stderr).bar("check") as advance:
        return check_up(
            target,
            only=wanted.only,
            cost="pairs" if wanted.fast else "model",
            progress=lambda title, done, total: advance(done, total, title),
        )


@click.group()
def data() -> None:
    """Tables and their versions."""


@data.command()
@click.argument("train", type=arguments.PATH)
@click.argument("test", type=arguments.PATH)
@arguments.roles(
    text="Column with the text; guessed when left out.",
    label="Column with the label.",
    group="Column whose equal values must not be in both tables.",
    time="Column with a date or time: training rows must not be later than the earliest test row.",
)
@arguments.columns
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Such as check.near_threshold=0.8.")
@arguments.as_json
def leaks(
    train: Path,
    test: Path,
    roles: Mapping[str, str | None],
    columns: str | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Count the rows of TEST that TRAIN gives away, and show them. Exit code 0: none; 1: there are some.

    exact: the same words; near: similar texts, verified; group: an equal value in the group column; time: training rows
    later than the earliest test row, when --time names a column.
    """
    from ratchet.check_report.leaks_terminal import tell_between
    from ratchet.checkup.target import open_pair
    from ratchet.drift.between import between
    from ratchet.report.terminal import Sheet

    pair = open_pair(train, test, given=roles, columns=arguments.listed(columns), overrides=overrides)
    near, time = pair.recipe.check, roles["time"]
    shared = between(pair.train, pair.test, ngram=near.near_ngram, threshold=near.near_threshold, timed=bool(time))
    if as_json:
        _print_bytes(_json_bytes(shared.to_dict()))
    else:
        unseen = pair.train.roles.time if time is None and pair.test.roles.time is not None else None
        tell_between(shared, to=Sheet(sys.stdout), notes=pair.notes, unseen_time=unseen)
    if shared.any:
        sys.exit(FOUND)


def _form(form: str | None, as_json: bool) -> str:
    if as_json and form not in (None, "json"):
        raise RatchetError(
            f"--json must go without --format but got --format {form}.", next_step="Leave one of them out."
        )
    return "json" if as_json else form or "text"


def _write(checkup: Checkup, form: str, out: Path | None, *, fail_on: Severity | None) -> list[str]:
    """Print or write the check-up; the lines to print about it."""
    from ratchet.check_report.check_terminal import tell
    from ratchet.report.terminal import Sheet
    from ratchet.workspace.workspace import write_named

    if form == "html" and out is None:
        out = Path("check.html")
    if form == "text":
        if out is None:
            tell(checkup, to=Sheet(sys.stdout))
            return []
        from io import StringIO

        sink = StringIO()
        tell(checkup, to=Sheet(sink))
        written = sink.getvalue().encode("utf-8", "surrogatepass")
    else:
        written = _rendered(checkup, form, fail_on=fail_on)
    if out is None:
        _print_bytes(written)
        return []
    tell(checkup, to=Sheet(sys.stdout))
    write_named(out, written)
    return [f"Wrote {out}."]


def _rendered(checkup: Checkup, form: str, *, fail_on: Severity | None) -> bytes:
    if form == "json":
        lines = b",\n".join(json_bytes(finding.to_dict()) for finding in checkup.findings)
        return b"[\n" + lines + b"\n]\n" if lines else b"[]\n"
    if form == "sarif":
        from ratchet.check_report.sarif import sarif

        return _json_bytes(sarif(checkup))
    if form == "junit":
        from ratchet.check_report.junit import junit

        return junit(checkup, least=fail_on or "error")
    from ratchet.check_report.check_page import render_check

    return render_check(checkup).encode()


def _write_queue(checkup: Checkup, queue: Path) -> str:
    from ratchet.checks.context import counted
    from ratchet.checks.label_noise import write_queue

    write_queue(checkup.health.suspects, queue)
    return f"Wrote {queue}: {counted(len(checkup.health.suspects), 'doubted label')} to look through."


def _write_fixes(written: Fixed | None) -> list[str]:
    if written is None:
        return ["No finding has a fix that --fix applies: no recipe was written."]
    said = f"Wrote {written.path} with the fixes of {', '.join(written.mended)}. Next: ratchet run {written.path}"
    left = f"Texts are masked only on request ({', '.join(written.left)}): add mask to prepare.text."
    return [said, left] if written.left else [said]


def _json_bytes(value: dict[str, Any]) -> bytes:
    return json_bytes(value, indent=1) + b"\n"


def _print_bytes(data: bytes) -> None:
    """Print UTF-8 whatever the encoding of the terminal is: this is output for programs."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
