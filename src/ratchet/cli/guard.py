"""``ratchet guard``: arguments in, one call, and the decision in the form that was asked for."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ratchet.cli import arguments
from ratchet.cli.compare import EXIT_CODES
from ratchet.errors import DataError
from ratchet.forms import json_bytes
from ratchet.screen import echo

if TYPE_CHECKING:
    from ratchet.guard.decision import Decision, Mode
    from ratchet.guard.guard import Guard

FLAGGED = 1
"""Exit code when a text is flagged, unless the mode is ``monitor``; 2 is a user's mistake."""


class _Guard(click.Group):
    """What is no command of it is a text or a file to check."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        named = {"-h", "--help", *self.commands}
        return super().parse_args(ctx, args if not args or args[0] in named else ["check", *args])


@dataclass(frozen=True, kw_only=True)
class _Setting:
    """How the guard is set."""

    mode: Mode
    threshold: float | None
    allow: Path | None
    model: Path | None


_setting = arguments.gathered(
    "setting",
    _Setting,
    click.option("--mode", type=click.Choice(["monitor", "flag", "block"]), default="flag", show_default=True),
    click.option("--threshold", type=click.FloatRange(0, 1, min_open=True), help="Instead of that of the model card."),
    click.option("--allow", type=arguments.PATH, help="File of phrases, one a line, that are not looked at."),
    click.option("--model", type=arguments.PATH, help="Folder of a classifier of your own."),
)
_column = click.option("--column", default="", metavar="NAME", help="Column with the text; guessed when left out.")
_rate = click.option("--rate", type=float, default=0.01, show_default=True, help="False positives: 0.01 is 1 %.")


@click.group(cls=_Guard)
def guard() -> None:
    """Find prompt injections: `ratchet guard TEXT`, `ratchet guard FILE`.

    What is no command below is checked: see `ratchet guard check --help`.
    """


@guard.command()
@click.argument("target", metavar="TEXT|FILE|-")
@_column
@click.option("--out", type=arguments.PATH, help="Write the table with the decisions to this CSV file.")
@_setting
@arguments.as_json
def check(target: str, column: str, out: Path | None, setting: _Setting, as_json: bool) -> None:
    """Check a text, a file with one text, a table with one in each row, or standard input (-).

    Exit code 0: nothing was flagged, or the mode is monitor; 1: a text was flagged; 2: a mistake in the call or in a file.
    """
    from ratchet.guard.files import check_table, is_table

    judge, path = _made(setting), _path(target, wanted=bool(column or out))
    if path is not None and is_table(path):
        checked = check_table(judge, path, column=column, out=out)
        facts = {"rows": checked.rows, "flagged": checked.flagged, "unread": checked.unread, "reasons": checked.reasons}
        click.echo(json_bytes(facts).decode()) if as_json else echo(checked.line)
        flagged = checked.flagged > 0
    else:
        if column or out is not None:
            raise DataError(f"--column and --out are for tables but got {target!r}.", next_step="Name a CSV file.")
        decision = judge.check(_text(target, path))
        _say(decision, as_json=as_json)
        flagged = decision.flagged
    sys.exit(FLAGGED if flagged and setting.mode != "monitor" else 0)


@guard.command()
@click.argument("file", type=arguments.PATH)
@_column
@_rate
@click.option("--level", type=float, default=0.95, show_default=True, help="Probability with which the rate is kept.")
@_setting
@arguments.as_json
def calibrate(file: Path, column: str, rate: float, level: float, setting: _Setting, as_json: bool) -> None:
    """The threshold that keeps a rate of false positives on FILE, a table of benign texts of your own traffic.

    Exit code 0: the rate is promised; 1: the rows are too few to promise it, and what they promise is said.
    """
    from dataclasses import asdict

    from ratchet.guard.files import calibrate_on

    found = calibrate_on(_made(setting), file, column=column, rate=rate, level=level)
    click.echo(json_bytes(asdict(found)).decode()) if as_json else echo(found.line)
    sys.exit(0 if found.kept else FLAGGED)


@guard.command()
@click.argument("new", metavar="A", type=arguments.PATH)
@click.argument("old", metavar="B", type=arguments.PATH)
@click.option("--label", default="label", show_default=True, help="Column that says attack or benign.")
@click.option("--score", default="score", show_default=True, help="Column with the score of the guard.")
@_rate
@arguments.as_json
def compare(new: Path, old: Path, label: str, score: str, rate: float, as_json: bool) -> None:
    """Is the guard that wrote A better than that of B, at the same rate of false positives?

    A and B are tables with the scores of two guards for the same rows: of `ratchet guard check FILE --out`, or of any other.
    Half of the benign rows set both thresholds. A takes the place when it is proven to find more of the attacks and, on the
    other half, to flag no more of the benign rows by one point. Exit code 0: it takes the place; 10: not worse, 11:
    undecided, 12: worse.
    """
    from ratchet.guard.files import compare_files

    verdict = compare_files(new, old, label=label, score=score, rate=rate)
    told = f"{verdict.line} -> {verdict.challenger} takes the place" if verdict.promotes else verdict.line
    click.echo(json_bytes(verdict.to_dict(), indent=2).decode()) if as_json else echo(told)
    sys.exit(0 if verdict.promotes else EXIT_CODES[verdict.outcome])


def _made(setting: _Setting) -> Guard:
    from ratchet.guard.classifier import SHIPPED
    from ratchet.guard.guard import Guard

    allow = setting.allow.read_text(encoding="utf-8").splitlines() if setting.allow else ()
    return Guard(mode=setting.mode, threshold=setting.threshold, allow=allow, model=setting.model or SHIPPED)


def _path(target: str, *, wanted: bool) -> Path | None:
    """The file that is meant; what looks like the name of a table but is not there is a mistake, not a text."""
    from ratchet.guard.files import is_table

    try:
        path = Path(target)
        there = target != "-" and path.is_file()
    except (OSError, ValueError):  # too long for a name, or with a NUL in it
        return None
    if there:
        return path
    if wanted or (is_table(path) and not any(character.isspace() for character in target)):
        raise DataError(f"{target} must be a file but is not there.", next_step="Check the path.")
    return None


def _text(target: str, path: Path | None) -> str:
    if target == "-":
        return sys.stdin.buffer.read().decode("utf-8", "replace")
    return target if path is None else path.read_bytes().decode("utf-8", "replace")


def _say(decision: Decision, *, as_json: bool) -> None:
    if as_json:
        click.echo(json_bytes(decision.to_dict()).decode())
        return
    word = "blocked" if decision.blocked else "flagged" if decision.flagged else "passed"
    echo(f"{word}: score {decision.score:.2f}, threshold {decision.threshold:.2f}")
    for reason in decision.reasons if decision.flagged else ():
        echo(f"  {reason.line}")
    if decision.unread:
        echo(f"  {decision.unread:,} characters in the middle were not read")
