"""``ratchet check`` and ``ratchet data leaks``: arguments in, one call, and the result in the form that was asked for."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ratchet.cli import arguments
from ratchet.errors import RatchetError
from ratchet.forms import json_bytes
from ratchet.screen import Screen, echo

if TYPE_CHECKING:
    from ratchet.checks.checkup import Checkup
    from ratchet.checks.finding import Severity
    from ratchet.checks.fixes import Fixed

FORMATS = ("text", "json", "sarif", "junit", "html")
FOUND = 1
"""Exit code when there is what ``--fail-on`` names, or a leak; 2 is a user's mistake."""


@click.command()
@click.argument("target", type=arguments.PATH, default="ratchet.yaml")
@click.option(
    "--test", type=arguments.PATH, multiple=True, help="Table whose rows must not be in TARGET; may be given again."
)
@click.option("--text", help="Column with the text; without it, guessed.")
@click.option("--label", help='Column with the label; "" means that there is none.')
@click.option("--group", help="Column whose equal values belong together.")
@click.option("--time", help="Column with a date or time.")
@click.option("--id", help="Column that names a row.")
@arguments.columns
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key of the recipe.")
@click.option(
    "--only", multiple=True, metavar="ID", help="A check (duplicates) or finding (duplicates.exact); again for more."
)
@click.option("--fast", is_flag=True, help="Leave out the checks that fit a model.")
@click.option(
    "--fail-on", type=click.Choice(["error", "warning", "note"]), help="Exit 1 when there is one, or a more severe one."
)
@click.option(
    "--format", "form", type=click.Choice(FORMATS), help="text (default), or a form for programs and browsers."
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--out", type=arguments.PATH, help="Write that form to this file, and text to the screen.")
@click.option(
    "--queue",
    type=arguments.PATH,
    help="Write the rows whose label is doubted to this CSV file, for people to look through.",
)
@click.option("--fix", is_flag=True, help="Write the fixes of all findings as a recipe beside TARGET.")
@click.option("--force", is_flag=True, help="Let --fix replace a recipe that is there.")
def check(
    target: Path,
    test: tuple[Path, ...],
    text: str | None,
    label: str | None,
    group: str | None,
    time: str | None,
    id: str | None,
    columns: str | None,
    overrides: tuple[str, ...],
    only: tuple[str, ...],
    fast: bool,
    fail_on: Severity | None,
    form: str | None,
    as_json: bool,
    out: Path | None,
    queue: Path | None,
    fix: bool,
    force: bool,
) -> None:
    """Look at TARGET before anything is trained on it: a table, or a recipe with its tables.

    Without a recipe the roles of the columns are guessed from their names and contents. Exit code 0: looked at; 1: there is
    what --fail-on names; 2: a mistake in the call or in a file.
    """
    from ratchet.checks.checkup import check_up
    from ratchet.checks.fixes import require_place, write_fixes
    from ratchet.checks.target import open_target

    form = _form(form, as_json)
    if queue is not None and (fast or (only and not {"noise", "labels.noise"} & set(only))):
        raise RatchetError(
            "--queue must have the check of labels to write but it is left out.",
            next_step="Leave out --fast and --only.",
        )
    given = {"text": text, "label": label, "group": group, "time": time, "id": id}
    opened = open_target(target, test=test, given=given, columns=arguments.listed(columns), overrides=overrides)
    if fix:
        require_place(opened, force=force)
    with Screen(sys.stderr).bar("check") as advance:
        found = check_up(
            opened,
            only=only,
            cost="pairs" if fast else "model",
            progress=lambda title, done, total: advance(done, total, title),
        )
    said = _write(found, form, out, fail_on=fail_on)
    if queue is not None:
        said.append(_write_queue(found, queue))
    if fix:
        said += _write_fixes(write_fixes(opened, found.findings))
    for line in said:
        echo(line, err=out is None and form in ("json", "sarif", "junit"))
    if fail_on is not None and found.fails(fail_on):
        sys.exit(FOUND)


@click.group()
def data() -> None:
    """Tables and their versions."""


@data.command()
@click.argument("train", type=arguments.PATH)
@click.argument("test", type=arguments.PATH)
@click.option("--text", help="Column with the text; without it, guessed.")
@click.option("--label", help="Column with the label.")
@click.option("--group", help="Column whose equal values must not be in both tables.")
@click.option("--time", help="Column with a date or time: training rows must not be later than the earliest test row.")
@arguments.columns
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Such as check.near_threshold=0.8.")
@arguments.as_json
def leaks(
    train: Path,
    test: Path,
    text: str | None,
    label: str | None,
    group: str | None,
    time: str | None,
    columns: str | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Count the rows of TEST that TRAIN gives away, and show them. Exit code 0: none; 1: there are some.

    exact: the same words; near: similar texts, verified; group: an equal value in the group column; time: training rows
    later than the earliest test row, when --time names a column.
    """
    from ratchet.checks.target import open_pair
    from ratchet.drift.between import between
    from ratchet.report.leaks_terminal import tell_between
    from ratchet.report.terminal import Sheet

    given = {"text": text, "label": label, "group": group, "time": time}
    pair = open_pair(train, test, given=given, columns=arguments.listed(columns), overrides=overrides)
    near = pair.recipe.check
    found = between(pair.train, pair.test, ngram=near.near_ngram, threshold=near.near_threshold, timed=bool(time))
    if as_json:
        _print_bytes(_json_bytes(found.to_dict()))
    else:
        unseen = pair.train.roles.time if time is None and pair.test.roles.time is not None else None
        tell_between(found, to=Sheet(sys.stdout), notes=pair.notes, unseen_time=unseen)
    if found.any:
        sys.exit(FOUND)


def _form(form: str | None, as_json: bool) -> str:
    if as_json and form not in (None, "json"):
        raise RatchetError(
            f"--json must go without --format but got --format {form}.", next_step="Leave one of them out."
        )
    return "json" if as_json else form or "text"


def _write(found: Checkup, form: str, out: Path | None, *, fail_on: Severity | None) -> list[str]:
    """Print or write the check-up; what is to be said about it."""
    from ratchet.report.check_terminal import tell
    from ratchet.report.terminal import Sheet
    from ratchet.workspace.workspace import write_named

    if form == "html" and out is None:
        out = Path("check.html")
    if form == "text":
        if out is None:
            tell(found, to=Sheet(sys.stdout))
            return []
        from io import StringIO

        sink = StringIO()
        tell(found, to=Sheet(sink))
        written = sink.getvalue().encode("utf-8", "surrogatepass")
    else:
        written = _rendered(found, form, fail_on=fail_on)
    if out is None:
        _print_bytes(written)
        return []
    tell(found, to=Sheet(sys.stdout))
    write_named(out, written)
    return [f"Wrote {out}."]


def _rendered(found: Checkup, form: str, *, fail_on: Severity | None) -> bytes:
    if form == "json":
        lines = b",\n".join(json_bytes(finding.to_dict()) for finding in found.findings)
        return b"[\n" + lines + b"\n]\n" if lines else b"[]\n"
    if form == "sarif":
        from ratchet.report.sarif import sarif

        return _json_bytes(sarif(found))
    if form == "junit":
        from ratchet.report.junit import junit

        return junit(found, least=fail_on or "error")
    from ratchet.report.check_page import render_check

    return render_check(found).encode()


def _write_queue(found: Checkup, queue: Path) -> str:
    from ratchet.checks.context import counted
    from ratchet.checks.label_noise import write_queue

    write_queue(found.health.suspects, queue)
    return f"Wrote {queue}: {counted(len(found.health.suspects), 'doubted label')} to look through."


def _write_fixes(written: Fixed | None) -> list[str]:
    if written is None:
        return ["No finding has a fix that --fix applies: no recipe was written."]
    said = f"Wrote {written.path} with the fixes of {', '.join(written.mended)}. Next: ratchet run {written.path}"
    left = f"Texts are masked only on request ({', '.join(written.left)}): add mask to prepare.text."
    return [said, left] if written.left else [said]


def _json_bytes(value: dict[str, Any]) -> bytes:
    return json_bytes(value, indent=1) + b"\n"


def _print_bytes(data: bytes) -> None:
    """Print what is UTF-8, whatever the terminal speaks: these are files for programs."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
