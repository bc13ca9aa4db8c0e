"""``ratchet compare`` of files: what is said where, in JSON, and in a narrow terminal."""

from __future__ import annotations

import csv
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import Ratchet


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    dice = np.random.default_rng(0)
    for name, share in (("new.csv", 0.9), ("old.csv", 0.7)):
        rows = [
            (f"q{n}", f"Question {n}", f"right {n}", f"right {n}" if dice.random() < share else "wrong", 1 + n % 3)
            for n in range(200)
        ]
        with Path(name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("id", "question", "target", "reply", "latency"), *rows])


@pytest.mark.usefixtures("files")
def test_the_verdict_is_on_standard_output_alone(ratchet: Ratchet) -> None:
    ended = ratchet("compare", "new.csv", "old.csv", "--answer", "reply")
    assert (ended.code, ended.out.count("\n")) == (0, 1)
    assert ended.out.startswith("new.csv against old.csv: better (exact_match +")
    said = ended.err.splitlines()
    assert said[0] == "task: generation, by the look of the answers; --task names another"
    assert said[1].startswith("new.csv: exact_match ")
    assert said[1].endswith("n=200")
    assert ratchet("compare", "old.csv", "new.csv", "--answer", "reply").code == 12


@pytest.mark.usefixtures("files")
def test_json_holds_the_verdict_and_all_beside_it(ratchet: Ratchet) -> None:
    ended = ratchet(
        "compare", "new.csv", "old.csv", "--answer", "reply", "--metric", "latency", "--seed", "3", "--json"
    )
    found = json.loads(ended.out)
    assert ended.code == 10
    assert (found["outcome"], found["task"]) == ("not_worse", None)
    assert found["scores"]["champion"][0]["metric"] == "latency"
    assert found["matching"]["challenger"]["matched_by"] == "id"


@pytest.mark.usefixtures("files")
def test_a_mistake_is_one_line_and_code_2(ratchet: Ratchet) -> None:
    for arguments, message in (
        (("new.csv", "none.csv"), "none.csv must be a file of answers, as new.csv is, but is not there."),
        (("new.csv", "old.csv"), "must have a column of answers, such as 'prediction' or 'output'"),
        (("new.csv", "old.csv", "--answer", "reply", "--times", "2"), "must be about cost or latency"),
        (("new.csv", "old.csv", "--answer", "reply", "--task", "genration"), "Did you mean generation?"),
        (("new.csv#x", "old.csv", "--answer", "reply"), "must have a column 'model' to name one by 'x'"),
    ):
        ended = ratchet("compare", *arguments)
        assert ended.code == 2
        assert message in ended.err
        assert ended.err.count("\n") == 1


@pytest.mark.usefixtures("files")
def test_lines_fit_a_terminal_of_80_columns() -> None:
    ours, theirs = pty.openpty()
    command = [
        sys.executable,
        "-m",
        "ratchet",
        "compare",
        "new.csv",
        "old.csv",
        "--answer",
        "reply",
        "--metric",
        "latency",
    ]
    done = subprocess.Popen(command, stdout=theirs, stderr=theirs, env={**os.environ, "COLUMNS": "80"})
    assert done.wait() == 10
    os.close(theirs)
    said = os.read(ours, 1 << 16).decode().splitlines()
    os.close(ours)
    assert len(said) > 3
    assert max(map(len, said)) <= 80
