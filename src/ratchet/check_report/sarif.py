"""A check-up as SARIF 2.1.0, which code hosts show beside the lines of a pull request (OASIS Standard, 27 March 2020)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import ratchet
from ratchet.checks.finding import Example, Finding
from ratchet.checkup.checkup import Checkup
from ratchet.checkup.fixes import one_line
from ratchet.checkup.target import Target

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def sarif(found: Checkup) -> dict[str, Any]:
    """The log as plain JSON values: one result a finding, at its first row; the examples are related locations.

    The line of a row is a good guess: line breaks inside cells and blank lines are not counted, and a Parquet file has
    no lines.
    """
    rules = list(dict.fromkeys(finding.id for finding in found.findings))
    first = {finding.id: finding for finding in reversed(found.findings)}
    run = {
        "tool": {
            "driver": {
                "name": "Ratchet",
                "semanticVersion": ratchet.__version__,
                "version": ratchet.__version__,
                "rules": [_rule(first[rule]) for rule in rules],
            }
        },
        "invocations": [{"executionSuccessful": True}],
        "originalUriBaseIds": {"%SRCROOT%": {"description": {"text": "The folder in which the check was run."}}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, found.target, rules) for finding in found.findings],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.id,
        "name": "".join(word.capitalize() for word in finding.id.replace("_", ".").split(".")),
        "shortDescription": {"text": finding.id.replace(".", ": ").replace("_", " ")},
        "fullDescription": {"text": finding.why},
        "defaultConfiguration": {"level": finding.severity},
    }


def _result(finding: Finding, target: Target, rules: Sequence[str]) -> dict[str, Any]:
    fix = f" Fix, in the recipe: {one_line(finding.fix)}" if finding.fix else ""
    places = [(file, int(rows[0])) for file, rows in finding.row_numbers.items() if len(rows)]
    places = places or [(example.file, example.row) for example in finding.examples[:1]]
    file, row = places[0] if places else (target.dataset.files[0], None)
    result = {
        "ruleId": finding.id,
        "ruleIndex": rules.index(finding.id),
        "level": finding.severity,
        "message": _message(f"{finding.message} {finding.why}{fix}"),
        "locations": [{"physicalLocation": _place(target, file, row)}],
        "partialFingerprints": {"ratchetFinding/v1": f"{finding.id}:{finding.column}:{file}"},
        "properties": {"rows": finding.rows, "share": finding.share, "column": finding.column, "fix": finding.fix},
    }
    if finding.examples:
        result["relatedLocations"] = [_related(target, example, n) for n, example in enumerate(finding.examples, 1)]
    return result


def _message(text: str) -> dict[str, str]:
    """A message; its braces are doubled, since single ones stand for arguments (section 3.11.5)."""
    return {"text": text.replace("{", "{{").replace("}", "}}")}


def _related(target: Target, example: Example, number: int) -> dict[str, Any]:
    place = _place(target, example.file, example.row)
    return {"id": number, "physicalLocation": place, "message": _message(str(example))}


def _place(target: Target, file: str, row: int | None) -> dict[str, Any]:
    """A file, and the line of a row; of a finding about the whole table the first line."""
    place: dict[str, Any] = {"artifactLocation": _artifact(file)}
    line = 1 if row is None else target.line(file, row)
    if line is not None and target.line(file, 1) is not None:
        place["region"] = {"startLine": line}
    return place


def _artifact(file: str) -> dict[str, str]:
    """Where a file is: below the folder in which the check was run, or anywhere."""
    path = Path(file)
    if path.is_absolute() or ".." in path.parts:
        return {"uri": f"file://{_quoted(os.path.normpath(Path.cwd() / path))}"}
    return {"uri": _quoted(os.path.normpath(path)), "uriBaseId": "%SRCROOT%"}


def _quoted(path: str) -> str:
    return quote(Path(path).as_posix().encode("utf-8", "surrogateescape"))
