"""A run of each task: what is said on the way, the summary, and the report."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from ratchet.checkup.checkup import check_up
from ratchet.checkup.target import open_target
from ratchet.pipeline import run
from ratchet.recipe.recipe import load_recipe
from ratchet.report import ReportData
from ratchet.report.run_terminal import tell
from ratchet.runs import list_runs
from ratchet.screen import Screen

WORDS = {"excellent": 2.0, "good": 1.0, "fine": 0.5, "bad": -1.0, "terrible": -2.0, "room": 0.0, "hotel": 0.0}
TOPICS = {"price": ["cheap", "cost"], "speed": ["fast", "slow"], "taste": ["salty", "sweet"]}
ANSWERS = {
    "hours": "We are open from nine to six on every day.",
    "return": "You can return any article within thirty days.",
}
APART = ("balance.", "labels.many", "labels.lists", "labels.noise", "leaks.")


def values(dice: random.Random) -> Iterable[tuple[str, str]]:
    for number in range(300):
        words = dice.choices([*WORDS], k=9)
        yield f"{' '.join(words)} {number}", f"{50 + 5 * sum(WORDS[word] for word in words) + dice.gauss(0, 3):.2f}"


def lists(dice: random.Random) -> Iterable[tuple[str, str]]:
    for number in range(300):
        topics = [topic for topic in TOPICS if dice.random() < 0.5]
        words = [dice.choice(TOPICS[topic]) for topic in topics] + dice.choices(
            ["the", "a", "we", "had", "it", "was"], k=8
        )
        dice.shuffle(words)
        yield f"{' '.join(words)} {number}", json.dumps(topics)


def texts(dice: random.Random) -> Iterable[tuple[str, str]]:
    for number in range(200):
        key = dice.choice([*ANSWERS])
        yield f"{dice.choice(['hi', 'hello', 'hey'])} what about {key} {number}", f"{ANSWERS[key]} ({number % 3})"


TABLES = {"regression": values, "multilabel": lists, "generation": texts}


@pytest.fixture(scope="module", params=TABLES)
def done(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path, dict[str, Any], str]:
    folder = tmp_path_factory.mktemp(request.param)
    with (folder / "t.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *TABLES[request.param](random.Random(1))])
    text = f"task: {request.param}\ndata: {{files: [t.csv], text: text, label: label}}\nworkspace: w\nchallengers: []\n"
    (folder / "r.yaml").write_text(text + "split: {near: false}\n", encoding="utf-8")
    said = io.StringIO()
    summary = run(load_recipe(folder / "r.yaml"), screen=Screen(said))
    return request.param, folder, summary, said.getvalue()


def test_the_check_says_nothing_of_classes(done: tuple[str, Path, dict[str, Any], str]) -> None:
    task, folder, _, said = done
    checked = [line for line in said.splitlines() if line.startswith("check ")]
    assert not [word for word in APART if any(word in line for line in checked)]
    assert ("3 labels" in checked[0]) == (task == "multilabel")
    assert "labels;" not in checked[0] or task == "multilabel"
    found = check_up(open_target(folder / "r.yaml", overrides=["task=auto"] if task == "regression" else []))
    assert not [finding.id for finding in found.findings if finding.id.startswith(APART)]
    assert {step.skipped for step in found.steps if step.check.id == "leaks"} == {f"does not apply to {task}"}


def test_the_report_shows_the_views_of_the_task(done: tuple[str, Path, dict[str, Any], str]) -> None:
    task, folder, summary, _ = done
    (path,) = (folder / "w" / "runs").glob("*/report.json")
    report = ReportData.from_dict(json.loads(path.read_bytes()))
    assert report.answered is not None
    assert [type(view).__name__ for view in report.answered.views] == {
        "regression": ["Scatter", "Residuals"],
        "multilabel": ["LabelTable", "Reliability", "Selection"],
        "generation": ["RowScores", "Examples", "AnswerLengths"],
    }[task]
    assert report.leak is None
    assert report.not_run["leak"] == f"No random split is scored for {task}."
    assert [one.champion for one in report.offers].count(True) == 1
    assert {offer["name"] for offer in summary["offers"]} == {offer.name for offer in report.offers}
    assert report.data is not None
    assert {one.name for one in report.data.classes} == ({*TOPICS} if task == "multilabel" else set())


def test_figures_are_told_in_the_unit_of_the_metric(done: tuple[str, Path, dict[str, Any], str]) -> None:
    task, folder, summary, _ = done
    out = io.StringIO()
    tell(summary, screen=Screen(out))
    said, (listed,) = out.getvalue(), list_runs(folder / "w")
    assert not listed["test"].startswith("-")
    if task == "regression":
        assert "score      the champion tfidf-lr" in said
        assert f": rmse {-summary['scores']['test']['value']:.4g} [" in said
        assert "+ is better, also of rmse" in said
        assert "difference, rmse" in said
        assert " points" not in said
        assert " %" not in said.partition("bundle")[0]
        assert f"of the margin of {summary['gate']['margin']:.3g} is used" in said
    else:
        assert "difference, points" in said
        assert "of the margin of 1 points is used" in said
