"""Records of the ledger that were forged, or written by a newer version, are refused where they are read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ratchet.errors import LedgerError
from ratchet.gate.hash_chain import Chain
from ratchet.gate.ledger import ContenderRef, Ledger
from ratchet.runs import list_records, list_runs
from ratchet.shapes import misfit
from ratchet.versions.log import VersionFile, log, record
from ratchet.workspace.workspace import Workspace

CONTENDER = {"name": "a", "kind": "linear", "key": "k", "bytes": 1, "seconds": 1.5}
FILE = {"path": "t.csv", "bytes": 3, "sha256": "00", "object": "o", "source": "t.csv", "part": "rows"}


@pytest.mark.parametrize(
    ("value", "shape", "problem"),
    [
        (CONTENDER, ContenderRef, ""),
        ({**CONTENDER, "seconds": 2}, ContenderRef, ""),
        ({**CONTENDER, "bytes": True}, ContenderRef, "'bytes' must be int but is bool"),
        ({**CONTENDER, "price": 1}, ContenderRef, "a newer version wrote it"),
        ({"name": "a"}, ContenderRef, "has no 'kind'"),
        ([], ContenderRef, "must be an object but is a list"),
        (FILE, VersionFile, ""),
        ({name: cell for name, cell in FILE.items() if name != "part"}, VersionFile, ""),  # of an earlier version
        ({**FILE, "part": "valid"}, VersionFile, "must be one of rows, test"),
        ({"a": None}, {"a": int | None}, ""),
        ({"a": "1"}, {"a": int | None}, "'a' must be int or null but is str"),
        ({"a": [1, "2"]}, {"a": [int]}, "item 2 of 'a' must be int"),
        ({"a": 1, "more": 2}, {"a": int}, ""),
    ],
)
def test_misfit(value: object, shape: Any, problem: str) -> None:
    found = misfit(value, shape)
    assert problem in found
    assert bool(found) == bool(problem)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("champion-root", {}),
        ("champion-root", {"family": [], "run": "r", "contender": CONTENDER}),
        ("champion-root", {"family": "f", "run": "r", "contender": {**CONTENDER, "price": 3}}),
        ("round", {"family": "f", "run": "r"}),
        ("round", {"family": "f", "run": "r", "account": "mine", "challenges": [], "verdicts": [], "weights": []}),
        (
            "round",
            {
                "family": "f",
                "run": "r",
                "account": "copies",
                "challenges": [],
                "verdicts": [],
                "weights": [],
                "paid": [],
                "alpha": 0.05,
                "level": 0.05,
                "correlation": [[]],
                "winner": None,
            },
        ),
        ("challenge", {"family": {}, "challenger": 3}),
        ("run-started", {"run": 5, "name": "x"}),
        ("run-started", {}),
        ("run-finished", {"champion": "x"}),
        ("run-failed", {"run": []}),
        ("test-opened", {}),
        ("data-version", {}),
        ("data-version", {"version": "00", "message": "", "files": [{}], "rows": 1, "columns": [], "parent": None}),
        (
            "data-version",
            {
                "version": "00",
                "message": "",
                "files": [{**FILE, "owner": "x"}],
                "rows": 1,
                "columns": [],
                "parent": None,
            },
        ),
        ("data-tag", {"name": "v1"}),
        ("data-tag", {"name": ["v1"], "version": "00"}),
    ],
)
def test_every_reader_refuses_a_foreign_record_by_its_number(tmp_path: Path, kind: str, body: dict[str, Any]) -> None:
    workspace = Workspace(tmp_path / "ws")
    workspace.create()
    chain = Chain(workspace.ledger)
    chain.append("note", {"x": 1})
    chain.append(kind, body)
    table = tmp_path / "t.csv"
    table.write_text("text,label\na,b\n")
    if kind.startswith("data-"):
        readers: list[Callable[[], object]] = [
            lambda: log(workspace),
            lambda: list_runs(workspace.root),
            lambda: record([table], workspace=workspace),
        ]
    else:
        ledger = Ledger(workspace.ledger)
        readers = [ledger.verify, lambda: list_records(workspace.root), lambda: ledger.family("f")]
    for read in readers:
        with pytest.raises(LedgerError, match=f"Record 2 .* {kind}"):
            read()
