"""Whole runs with a tuned challenger: killed and gone on with, and two machines at one study."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import generate
from tests.tuning.test_study_storage import postgres

from ratchet.pipeline import run
from ratchet.recipe.recipe import parse_recipe

__all__ = ["postgres"]
RECIPE = """
data: {{files: [t.csv]}}
threads: 1
split: {{near: false, folds: 2}}
baseline: {{features: [{{unit: char, low: 8, high: 8}}], C: 0.0001}}
compress: {{methods: []}}
challengers:
- {{kind: tune, name: mine, of: linear, trials: {trials}, folds: 2, space: {{C: {{low: 0.01, high: 30, log: true}}}}{more}}}
"""


def begin(folder: Path, *, trials: int, more: str = "") -> subprocess.Popen[str]:
    """A run in a workspace of its own."""
    folder.mkdir(exist_ok=True)
    texts, labels = generate(240, seed=5)
    with (folder / "t.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *zip(texts, labels, strict=True)])
    (folder / "ratchet.yaml").write_text(RECIPE.format(trials=trials, more=more))
    command = [sys.executable, "-m", "ratchet", "run", str(folder / "ratchet.yaml")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with (folder / "out.txt").open("a") as out:
        return subprocess.Popen(command, stdout=out, stderr=out, text=True, env=environment)


def tuning(folder: Path) -> list[Any]:
    """The studies of the tuned contender, without what times took."""
    cards = [
        path
        for path in (folder / ".ratchet" / "models").glob("*/contender.json")
        if '"kind": "tune"' in path.read_text()
    ]
    (found,) = [
        json.loads((card.parent / "tuning.json").read_bytes()) for card in cards if "refit" not in card.parent.name
    ]
    for study in found["studies"]:
        for trial in study["trials"]:
            del trial["seconds"]
    return list(found["studies"])


def line(folder: Path) -> str:
    (path,) = [*(folder / ".ratchet" / "runs").glob("*/summary.json")]
    verdicts = json.loads(path.read_bytes())["verdicts"]
    return str(next(verdict["line"] for verdict in verdicts if verdict["name"] == "mine"))


def journal_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in (folder / ".ratchet" / "models" / "studies").glob("*.log"))


@pytest.mark.slow
def test_a_run_killed_twice_ends_with_the_same_studies_and_the_same_verdict(tmp_path: Path) -> None:
    quiet, killed = tmp_path / "quiet", tmp_path / "killed"
    assert begin(quiet, trials=25).wait(300) == 0
    whole = journal_bytes(quiet)
    for share in (0.2, 0.6):
        process = begin(killed, trials=25)
        end = time.monotonic() + 120
        while journal_bytes(killed) < share * whole:
            assert time.monotonic() < end
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait(30) == -signal.SIGKILL
    assert begin(killed, trials=25).wait(300) == 0
    assert tuning(killed) == tuning(quiet)
    assert line(killed) == line(quiet)
    assert line(quiet).endswith("; best of 25 trials")


@pytest.mark.slow
def test_two_runs_in_two_workspaces_share_the_trials(postgres: str, tmp_path: Path) -> None:
    more = f", storage: '{postgres}', password: STUDY_PASSWORD"
    folders = [tmp_path / "here", tmp_path / "there"]
    runs = [begin(folder, trials=20, more=more) for folder in folders]
    assert [process.wait(300) for process in runs] == [0, 0]
    here, there = map(tuning, folders)
    assert here == there
    assert [len(study["trials"]) for study in here] == [20, 20]
    assert line(folders[0]) == line(folders[1])
    secret = os.environ["STUDY_PASSWORD"].encode()
    for folder in folders:
        assert not [path for path in folder.rglob("*") if path.is_file() and secret in path.read_bytes()]


@pytest.mark.slow
def test_a_tuned_encoder_begins_with_one_fold_and_each_that_is_bought_has_its_own_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ratchet.contenders.folded.SMALL", 50)
    texts, labels = generate(240, seed=5)
    with (tmp_path / "t.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *zip(texts, labels, strict=True)])
    of = "{kind: encoder, source: scratch, layers: 1, width: 16, heads: 2, vocabulary: 150, epochs: 1, max_tokens: 16}"
    tuned = f"{{kind: tune, name: mine, of: {of}, trials: 2, folds: 2, space: {{lr: [0.00001, 0.02], epochs: [1, 5]}}}}"
    text = f"data: {{files: [t.csv]}}\nthreads: 1\nsplit: {{near: false, folds: 3}}\nchallengers: [{tuned}]\n"
    plain = "baseline={features: [{unit: char, low: 8, high: 8}], C: 0.0001}"
    run(parse_recipe(text, folder=tmp_path, overrides=(plain, "gate.margin=0.2", "compress.methods=[]")))
    models = tmp_path / ".ratchet" / "models"
    cards = [json.loads(path.read_bytes()) for path in models.glob("*/contender.json")]
    folds = [(card["facts"]["folds"], len(card["facts"]["chosen"])) for card in cards if card["kind"] == "tune"]
    assert ([0], 1) in folds
    assert all(len(own) == studies for own, studies in folds)
    assert not [path.name for path in models.iterdir() if ".trial-" in path.name or ".inner" in path.name]
    assert not [*models.glob("*.fold-*")]
