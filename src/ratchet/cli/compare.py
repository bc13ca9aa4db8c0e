"""``ratchet compare``: arguments in, one call, the verdict on standard output and what is said beside it on the other."""

from __future__ import annotations

import shutil
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ratchet.cli import arguments
from ratchet.forms import json_bytes, legible

if TYPE_CHECKING:
    from ratchet.compare.question import Comparison
    from ratchet.gate.claim import Kind

EXIT_CODES = {"better": 0, "not_worse": 10, "undecided": 11, "worse": 12}
"""Exit codes of ``ratchet compare``; 2 is a user's mistake everywhere."""


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What is asked of A and B."""

    metrics: tuple[str, ...]
    kind: Kind
    margin: float
    times: float
    task: str
    most_missing: float
    seed: int


@dataclass(frozen=True, kw_only=True)
class _Named:
    """How the columns and the parts of files are called."""

    label: str
    answer: str
    id: str
    labels: str | None
    rows: Path | None
    parts: tuple[str, ...]


@click.command()
@click.argument("challenger", metavar="A")
@click.argument("champion", metavar="B")
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="NAME",
    help="A metric, a score that both files have, module:function, cost or latency; may be given again. Default: the first "
    "of the task, such as accuracy.",
)
@click.option("--task", default="auto", show_default=True, help="Of files: classification, generation ...")
@click.option(
    "--claim",
    "kind",
    type=click.Choice(["superior", "noninferior", "equivalent"]),
    default="superior",
    show_default=True,
)
@click.option("--margin", type=float, default=0.01, show_default=True, help="Margin of the claim; 0.01 is one point.")
@click.option("--times", type=float, default=1.0, help="How many times less the cost or latency must be.")
@click.option("--label", default="", metavar="COLUMN", help="The right answers, in a file or in --rows.")
@click.option("--answer", default="", metavar="COLUMN", help="The answers, when a table calls them unusually.")
@click.option("--id", default="", metavar="COLUMN", help="Match rows by these ids alone, whatever their texts are.")
@click.option("--labels", metavar="NAME,NAME,...", help="Labels that no row of the files has.")
@click.option("--rows", type=arguments.PATH, metavar="TABLE", help="The rows that count, with their right answers.")
@click.option("--part", "parts", multiple=True, metavar="NAME", help="Part of the files; twice: of A, then of B.")
@click.option(
    "--most-missing", type=float, default=0.05, show_default=True, help="Share of the rows that may lack an answer."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the resampling.")
@arguments.workspace
@arguments.as_json
@arguments.gathered("asked", _Asked)
@arguments.gathered("named", _Named)
def compare(challenger: str, champion: str, asked: _Asked, named: _Named, workspace: Path, as_json: bool) -> None:
    """Is A better than B? Exit code 0: better, 10: not worse, 11: undecided, 12: worse.

    A and B are models of the workspace (a name, or the id of a run for its champion), or files of answers to the same rows:
    tables, samples of lm-evaluation-harness, logs of Inspect, results of promptfoo, in any mixture; FILE#PART where a file
    has several. Rows are matched by id, or by their content. The ledger is not touched.
    """
    from ratchet.compare.question import Question
    from ratchet.runs import compare_named

    question = Question(
        metrics=asked.metrics,
        kind=asked.kind,
        margin=asked.margin,
        times=asked.times,
        task=asked.task,
        most_missing=asked.most_missing,
        seed=asked.seed,
        label=named.label,
        answer=named.answer,
        id=named.id,
        labels=arguments.listed(named.labels),
        rows=named.rows,
        parts=named.parts,
    )
    found = compare_named(challenger, champion, workspace=workspace, question=question)
    for line in _beside(found):
        _say(line, err=True)
    if as_json:
        click.echo(json_bytes(found.to_dict(), indent=2).decode())
    else:
        _say(found.verdict.line)
    sys.exit(EXIT_CODES[found.verdict.outcome])


def _beside(found: Comparison) -> list[str]:
    """The lines that are said beside the verdict: the task, the scores, the notes."""
    guess = f"task: {found.task}, by the look of the answers; --task names another"
    lines = [guess] if found.guessed else []
    for name, scores in zip((found.verdict.challenger, found.verdict.champion), found.scores, strict=True):
        lines += [f"{name}: {one.line}, n={one.n:,}" for one in scores]
    return [*lines, *(f"note: {note}" for note in found.notes)]


def _say(line: str, *, err: bool = False) -> None:
    """Print a line, broken between words where a person reads it; a program gets it whole."""
    plain = legible(line)
    if (sys.stderr if err else sys.stdout).isatty():
        width = max(shutil.get_terminal_size().columns, 40)
        plain = textwrap.fill(plain, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    click.echo(plain, err=err)
