"""A check-up as people read it in a terminal: severities in colour, figures, three examples, why, and the fix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath

from ratchet.checks.context import counted, percent
from ratchet.checks.finding import Example, Finding, Severity
from ratchet.checkup.checkup import Checkup
from ratchet.checkup.fixes import one_line
from ratchet.report.terminal import Piece, Sheet
from ratchet.tables.roles import ROLES

COLOURS: dict[Severity, str] = {"error": "bold red", "warning": "bold yellow", "note": "bold cyan"}
LANGUAGES = {"zh": "Chinese", "en": "English", "mixed": "Chinese and English"}
ALIKE = 5
"""Of more findings of one id, about one column each, the others are only named."""
_INDENT = 9
_SHORT_NOTE = 28


def tell(found: Checkup, *, to: Sheet) -> None:
    """The whole check-up."""
    _head(found, to=to)
    names = short_names(found.target.files)
    for alike in _by_id(found.findings):
        for finding in alike[:ALIKE]:
            to.line()
            _finding(finding, names=names, to=to)
        if more := alike[ALIKE:]:
            columns = ", ".join(finding.column for finding in more if finding.column)
            to.line()
            to.paragraph(
                (f"{more[0].severity:<{_INDENT}}", COLOURS[more[0].severity]),
                (more[0].id, "bold"),
                f"  {len(more):,} more: {columns}",
                hang=_INDENT,
            )
    to.line()
    _end(found, to=to)


def _by_id(findings: Sequence[Finding]) -> list[list[Finding]]:
    """Findings of one id and severity together, in the order of the first of each."""
    alike: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        alike.setdefault((finding.severity, finding.id), []).append(finding)
    return list(alike.values())


def short_names(files: Sequence[str]) -> dict[str, str]:
    """The files by the last part of their path, unless two share it."""
    short = {file: PurePath(file).name for file in files}
    return short if len(set(short.values())) == len(short) else {file: file for file in files}


def _head(found: Checkup, *, to: Sheet) -> None:
    facts, target = found.health.facts, found.target
    what = [
        counted(facts.rows, "row"),
        counted(facts.unique_rows, "different text"),
        counted(len(facts.columns), "column"),
    ]
    if target.test is not None:
        what.append(f"{counted(len(target.test), 'test row')} in {', '.join(target.test.files)}")
    if facts.language:
        what.append(LANGUAGES.get(facts.language, facts.language))
    to.paragraph((target.name, "bold"), ": ", ", ".join(what))
    for note in target.notes:
        to.paragraph((note, "dim"), indent=2)
    if target.guess is None:
        return
    rows: list[tuple[Piece | str, ...]] = []
    for role in ROLES:
        column = getattr(target.dataset.roles, role)
        if column is not None:
            rows.append((role, (column, "bold"), (target.guess.why.get(role, "as you said"), "dim")))
        elif role == "label":
            why = target.guess.why.get(role, "no column has few different values")
            rows.append((role, ("none", "dim"), (why, "dim")))
    to.cells(rows, indent=2, flexible=2)
    for note in target.guess.notes:
        to.paragraph((note, "dim"), indent=2)
    if target.guess.why:
        to.paragraph(("Wrong guess? Name the columns: --text, --label, --group, --time, --id.", "dim"), indent=2)


def _finding(finding: Finding, *, names: Mapping[str, str], to: Sheet) -> None:
    title: list[Piece | str] = [
        (f"{finding.severity:<{_INDENT}}", COLOURS[finding.severity]),
        (f"{finding.id:<24}", "bold"),
    ]
    if finding.rows:
        title.append(f"{counted(finding.rows, 'row'):>14}")
        if finding.share is not None:
            title.append(f"{percent(finding.share):>14}")
    to.line(*title)
    to.paragraph(finding.message, indent=_INDENT)
    _examples(finding.examples, names=names, to=to)
    to.paragraph(("why  ", "dim"), (finding.why, "dim"), indent=_INDENT, hang=5)
    if finding.fix:
        to.paragraph(("fix  ", "dim"), (one_line(finding.fix), "green"), indent=_INDENT, hang=5)


def _examples(examples: Sequence[Example], *, names: Mapping[str, str], to: Sheet) -> None:
    """Cells below each other; what is said about one stands behind it where that is short for all, else below."""
    behind = all(len(example.note) <= _SHORT_NOTE for example in examples)
    rows: list[tuple[Piece | str, ...]] = []
    for example in examples:
        place = f"{names.get(example.file, example.file)}:{example.row}" if len(names) > 1 else f"row {example.row}"
        cell = example.text or ("(missing)", "dim")
        rows.append(((place, "dim"), cell, (example.note if behind else "", "dim")))
        if example.note and not behind:
            rows.append(("", (example.note, "dim"), ""))
    to.cells(rows, indent=_INDENT, flexible=1)


def _end(found: Checkup, *, to: Sheet) -> None:
    line: list[Piece | str] = []
    for severity, number in found.counts.items():
        line += [(counted(number, severity), COLOURS[severity] if number else "dim"), ", "]
    line[-1] = f" in {found.seconds:.1f} s."
    if not found.findings:
        line.append(" Nothing was found that would make a model, or its score, lie.")
    to.paragraph(*line)
    fast = [step.check.title.lower() for step in found.steps if "--fast" in step.skipped]
    if fast:
        to.paragraph((f"Not looked at (--fast): {', '.join(fast)}.", "dim"))
    if any(finding.fix for finding in found.findings):
        to.paragraph(("Next: --fix writes the fixes as a recipe; --format html draws a page with pictures.", "dim"))
