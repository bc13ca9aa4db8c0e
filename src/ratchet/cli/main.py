"""The command line: it reads arguments, calls one function, and prints; nothing is computed here."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

import ratchet
from ratchet.cli import arguments, versions
from ratchet.cli.augment import augment
from ratchet.cli.check import check, data
from ratchet.cli.compare import compare
from ratchet.cli.deploy import deploy
from ratchet.cli.gateway import gateway
from ratchet.cli.guard import guard
from ratchet.cli.keys import keys
from ratchet.cli.labels import curve, queue
from ratchet.cli.safety import Safety, safety_options, show_exposure
from ratchet.errors import RatchetError
from ratchet.forms import json_bytes
from ratchet.screen import Screen, echo, survive_any_locale
from ratchet.stages.names import UNTIL

if TYPE_CHECKING:
    from ratchet.recipe.sections import Recipe
    from ratchet.serve.formats import Format

CRASHED = 70
_BROKEN_PIPE = 141
"""Exit code when the reader of the output has gone, as in ``| head``: that of a process ended by SIGPIPE."""

_set_flag = click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key of the recipe.")
_recipe = click.argument("recipe", type=arguments.PATH, default="ratchet.yaml")


@dataclass(frozen=True, kw_only=True)
class _Table:
    """What ``init`` is told of the tables."""

    files: tuple[str, ...]
    test_files: tuple[str, ...]
    text: str | None
    label: str | None
    features: tuple[str, ...]
    columns: str | None


@dataclass(frozen=True, kw_only=True)
class _Form:
    """What ``predict`` is told of the file."""

    text: str | None
    encoding: str
    kind: Format | None
    columns: str | None


class _Commands(click.Group):
    """Ends as SIGPIPE would where the reader has gone: Click and Rich end with 1 then, which says that there are findings."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (BrokenPipeError, SystemExit) as end:
            if not isinstance(end, BrokenPipeError) and not isinstance(end.__context__, BrokenPipeError):
                raise
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is flushed at the end
            sys.exit(_BROKEN_PIPE)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(ratchet.__version__, prog_name="ratchet")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """From a table of text to a model in production, one proven step at a time."""


@cli.command()
@_recipe
@_set_flag
@click.option("--wait", is_flag=True, help="Wait for a run that uses the workspace, instead of refusing.")
@click.option("--until", type=click.Choice([*UNTIL]), help="Stop after this stage.")
@arguments.as_json
def run(recipe: Path, overrides: tuple[str, ...], wait: bool, until: str | None, as_json: bool) -> None:
    """Go the whole road: check, prepare, baseline, challengers, compress, export, test, report.

    RECIPE is a ratchet.yaml (`ratchet init` writes one). What is finished and unchanged is skipped; an interrupted run goes
    on where it stopped.
    """
    from ratchet.pipeline import run as run_road

    summary = run_road(_load(recipe, overrides), screen=_screen(as_json), wait=wait, until=until)
    if as_json:
        _print_json(summary)


@cli.command()
@click.option("--file", "files", multiple=True, help="Table with the rows; may be given again.")
@click.option("--test-file", "test_files", multiple=True, help="Table with the sealed test rows.")
@click.option("--text", help="Column with the text, or several: title,body.")
@click.option("--label", help="Column with the label.")
@click.option("--feature", "features", multiple=True, help="Column to use beside the text; may be given again.")
@arguments.columns
@click.option("--name", help="Name of the run.")
@click.option("--out", type=arguments.PATH, default="ratchet.yaml", show_default=True)
@click.option("--yes", is_flag=True, help="Ask nothing; take what the flags and the table say.")
@click.option("--force", is_flag=True, help="Replace a recipe that is there.")
@arguments.gathered("table", _Table)
def init(table: _Table, name: str | None, out: Path, yes: bool, force: bool) -> None:
    """Write a commented recipe; what no flag tells is asked."""
    from ratchet.init import write_recipe

    ask = None if yes else lambda question, default: click.prompt(question, default=default, err=True)
    written = write_recipe(
        out,
        files=table.files,
        test_files=table.test_files,
        text=table.text,
        label=table.label,
        columns=arguments.listed(table.columns),
        features=table.features,
        name=name,
        force=force,
        ask=ask,
    )
    columns = _load(written, ()).data
    texts = ", ".join(columns.text) if isinstance(columns.text, tuple) else columns.text
    label = columns.label or "in the conversations"
    echo(f"Wrote {written} (text: {texts}; label: {label}). Next: ratchet run {written}")


@cli.command()
def schema() -> None:
    """Print the JSON Schema of a recipe."""
    from ratchet.recipe.recipe import schema as recipe_schema

    _print_json(recipe_schema())


@cli.command()
@arguments.workspace
@arguments.as_json
def runs(workspace: Path, as_json: bool) -> None:
    """List the runs of a workspace, the newest last."""
    from ratchet.runs import list_runs
    from ratchet.versions.log import version_label

    found = list_runs(workspace)
    if as_json:
        return _print_json(found)
    keys = ("run", "name", "data", "status", "champion", "test", "seconds")
    labelled = [run | {"data": version_label(run["version"], run["tags"])} for run in found]
    rows = [tuple(str(run[key]) for key in keys) for run in labelled]
    Screen(sys.stdout).table("Runs", ("run", "recipe", "data", "status", "champion", "sealed test", "seconds"), rows)
    if not rows:
        echo("No run yet.")
    return None


@cli.command()
@click.argument("run_id", metavar="RUN", default="last")
@arguments.workspace
@arguments.as_json
def show(run_id: str, workspace: Path, as_json: bool) -> None:
    """Show one run: RUN is its id, the beginning of it, or `last`."""
    from ratchet.report.run_terminal import tell
    from ratchet.runs import load_summary

    summary = load_summary(workspace, run_id)
    if as_json:
        _print_json(summary)
    else:
        tell(summary, screen=Screen(sys.stdout))


@cli.command()
@arguments.workspace
@arguments.as_json
def ledger(workspace: Path, as_json: bool) -> None:
    """Verify the ledger's chain of hashes and list its records."""
    from ratchet.runs import list_records

    records = list_records(workspace)
    if as_json:
        return _print_json(records)
    rows = [tuple(str(record[key]) for key in ("seq", "time", "kind", "text")) for record in records]
    Screen(sys.stdout).table(f"Ledger: {len(rows)} records, chain intact", ("no.", "time", "kind", "what"), rows)
    return None


@cli.command()
@click.argument("run_id", metavar="RUN", default="last")
@arguments.workspace
@click.option("--out", type=arguments.PATH, help="File to write; default: the run's own report.html.")
def report(run_id: str, workspace: Path, out: Path | None) -> None:
    """Draw the report of a run again and print where it is."""
    from ratchet.runs import draw_report

    echo(str(draw_report(workspace, run_id, out=out)))


@cli.command()
@click.argument("bundle", type=arguments.PATH)
@click.argument("file", type=arguments.PATH)
@click.option("--out", type=arguments.PATH, help="Where to write; `-` is standard output.")
@click.option("--text", help="Text column; default: as in training.")
@click.option("--encoding", default="auto", show_default=True)
@arguments.send_to
@click.option("--each-label", is_flag=True, help="Also a column with the probability of each label.")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["csv", "tsv", "jsonl", "parquet", "text"]),
    help="What FILE is; default: by its extension, for `-` and .txt by their first line.",
)
@arguments.columns
@arguments.as_json
@arguments.gathered("form", _Form)
def predict(
    bundle: Path, file: Path, out: Path | None, form: _Form, send_to: str, each_label: bool, as_json: bool
) -> None:
    """Add the column `prediction`, and others as its task has them, to FILE (a table, plain lines, or `-`)."""
    from ratchet.serve import predict_file

    screen = _screen(as_json, to=sys.stderr)
    with screen.bar("predict") as advance:
        found = predict_file(
            bundle,
            file,
            out,
            text=form.text,
            format=form.kind,
            encoding=form.encoding,
            columns=arguments.listed(form.columns),
            each_label=each_label,
            send_to=send_to,
            progress=lambda rows, share: advance(int(1000 * (share or 0)), 1000, f"{rows:,} rows"),
        )
    facts = {
        "target": str(found.target),
        "rows": found.rows,
        "answered": found.answered,
        "without_text": found.without_text,
        "without_answer": found.without_answer,
        "counts": found.counts,
        "abstained": found.abstained,
        "first_without_text": found.first_without_text,
        "first_without_answer": found.first_without_answer,
        "notes": list(found.notes),
    }
    for note in found.notes:
        echo(note, err=True)
    if as_json:
        click.echo(json_bytes(facts).decode(), err=str(found.target) == "-")
    else:
        echo(found.line, err=True)


@cli.command()
@click.argument("bundle", type=arguments.PATH)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 picks a free one.")
@click.option("--grpc-port", type=click.IntRange(0, 65535), help="Serve gRPC, too; 0 picks a free one.")
@click.option("--workers", type=click.IntRange(0), default=0, help="Requests computed at once; 0: by cores.")
@click.option("--name", "names", multiple=True, help="A further name by which clients may call it without a key.")
@arguments.send_to
@safety_options
def serve(bundle: Path, send_to: str, safety: Safety, **chosen: Any) -> None:
    """Serve BUNDLE over REST: /predict, /v2 (the Open Inference Protocol), /healthz, /metrics, /docs; and over gRPC.

    Beyond this machine (another --host than loopback) clients must send a key: of the file --keys, or the one in the
    environment variable RATCHET_API_KEY.
    """
    config = safety.config(**chosen)
    if safety.check:
        show_exposure(bundle, config=config, send_to=send_to, as_json=safety.as_json)
        return
    from ratchet.serve import serve as serve_bundle

    serve_bundle(bundle, config=config, send_to=send_to)


@cli.command()
@click.argument("folder", type=arguments.PATH, default=".ratchet")
@click.option("--once", is_flag=True, help="Show how it stands now, and end.")
def watch(folder: Path, once: bool) -> None:
    """Watch the training that was written last in FOLDER: a workspace, the folder of a training, or its steps.jsonl.

    It may run in another process, or have ended. Without a terminal a plain line is written every ten seconds.
    """
    from ratchet.monitoring.follow import watch as follow

    follow(folder, stream=sys.stdout, once=once)


cli.add_command(augment)
cli.add_command(check)
cli.add_command(compare)
cli.add_command(curve)
cli.add_command(gateway)
cli.add_command(deploy)
cli.add_command(queue)
cli.add_command(guard)
cli.add_command(data)
cli.add_command(keys)
for _name in ("add", "log", "tag", "diff", "restore", "verify"):
    data.add_command(getattr(versions, _name))


def _load(recipe: Path, overrides: tuple[str, ...]) -> Recipe:
    from ratchet.recipe.recipe import load_recipe

    return load_recipe(recipe, overrides=overrides)


def _screen(as_json: bool, *, to: Any = None) -> Screen:
    """Where the story goes: to standard output, or to standard error when that carries JSON."""
    return Screen(to or (sys.stderr if as_json else sys.stdout))


def _print_json(value: object) -> None:
    click.echo(json_bytes(value, indent=2).decode())


def _end_interrupted() -> NoReturn:
    echo("error: Interrupted. What was finished is kept; run the same command again to go on.", err=True)
    sys.exit(2)


def main(*, interrupted: Callable[[], bool] = lambda: False) -> None:
    """The ``ratchet`` command: a user's mistake is one line on standard error and exit code 2, never a traceback.

    Args:
        interrupted: whether Ctrl-C came: a compiled module that is interrupted while it is imported tells of another error.
    """
    survive_any_locale()
    debug = "--debug" in sys.argv[1:]
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except RatchetError as error:
        if debug:
            raise
        echo(f"error: {error}", err=True)
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        _end_interrupted()
    except OSError as error:  # what no command foresees: a name too long, a disk that fails while it is read
        if debug:
            raise
        what = f"{error.filename}: " if error.filename is not None else ""
        echo(f"error: {what}{error.strerror or error}. Check the path; --debug shows where it came up.", err=True)
        sys.exit(2)
    except Exception:  # noqa: BLE001 - a fault of Ratchet's own; `check` uses 1 for findings, so a crash has its own code
        if interrupted():
            _end_interrupted()
        traceback.print_exc()
        echo("error: This is a fault of Ratchet's own. Please report it with the lines above.", err=True)
        sys.exit(CRASHED)
