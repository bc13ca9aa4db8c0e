"""Runs that are judged by functions of the user's: tried before training, kept by their source, told as people read them."""

from __future__ import annotations

import csv
import io
import itertools
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.trial import Trial, trial

from ratchet.errors import RecipeError
from ratchet.pipeline import run
from ratchet.recipe.recipe import parse_recipe
from ratchet.report.run_terminal import tell
from ratchet.screen import Screen

__all__ = ["trial"]

NUMBERS = itertools.count()
GOOD = """
calls = 0

def cost(right, given):
    return float((right != given).mean() * 5)

def off(right, given):
    return float(abs(right - given).mean())

def missed(right, given):
    return sum(len(a - b) for a, b in zip(right, given)) / len(right)

def dice(right, given):
    global calls
    calls += 1
    return float(calls)

def broken(right, given):
    raise ValueError("no such thing")

def words(answers, references):
    return [len({*r.split()} - {*(a or "").split()}) for a, r in zip(answers, references)]
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"metrics_of_mine_{next(NUMBERS)}"
    (tmp_path / f"{name}.py").write_text(GOOD, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


@pytest.mark.parametrize(
    ("task", "function"),
    [("classification", "cost"), ("regression", "off"), ("multilabel", "missed"), ("generation", "words")],
)
def test_a_run_is_judged_by_it_and_told_in_its_own_unit(
    trial: Callable[..., Trial], module: str, task: str, function: str
) -> None:
    made = trial(task)
    name = f"{module}:{function}:min"
    summary = made.run("", f"gate.metrics=[{{metric: '{module}:{function}', goal: min}}]", "baseline.C=1.0")
    if task != "generation":
        (tried,) = made.lines(f"{module}:{function}: 0 for right answers")
        assert "for the first champion's" in tried
    assert summary["verdicts"][0]["metric"] == name
    assert summary["verdicts"][0]["outcome"] == "better"
    assert summary["scores"]["test"]["value"] <= 0
    page = (made.folder / "w" / "runs" / summary["run"] / "report.html").read_text("utf-8")
    assert f"{module}:{function}" in page
    assert f'"metric":"{name}"' in made.ledger().replace('": "', '":"')


def test_an_edited_function_judges_anew_and_says_so(trial: Callable[..., Trial], module: str) -> None:
    made = trial()
    metric = f"gate.metrics=['{module}:cost:min']"
    made.run("", metric, "baseline.C=1.0", until="train")
    first = made.ledger().count('"kind":"round"')
    made.run("", metric, "baseline.C=1.0", until="train")
    assert not made.lines("was edited since it judged")
    assert made.ledger().count('"kind":"round"') == first
    path = made.folder / f"{module}.py"
    path.write_text(path.read_text("utf-8") + "\n# another comment\n", encoding="utf-8")
    made.run("", metric, "baseline.C=1.0", until="train")
    assert made.lines(f"{module}:cost:min was edited since it judged: all contenders are judged by it anew")


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        ("MODULE:cost", "must be best for right answers but gives them 0, and .* where more is better"),
        ("MODULE:broken", "must give a number for 204 rows but failed: ValueError: no such thing"),
        ("MODULE:dice", "must give one number for the same rows but gave 1 and 2"),
        ("MODULE:absent", "must be a function of"),
        ("not_there_at_all:cost", "No module named 'not_there_at_all'"),
    ],
)
def test_a_wrong_function_ends_the_run_before_anything_is_trained(
    trial: Callable[..., Trial], module: str, metric: str, said: str
) -> None:
    made = trial()
    with pytest.raises(RecipeError, match=said) as caught:
        made.run("", f"gate.metrics=['{metric.replace('MODULE', module)}']")
    assert caught.value.next_step
    assert not [*(made.folder / "w" / "models").glob("*/contender.json")]


def test_perplexity_cannot_decide_alone(trial: Callable[..., Trial]) -> None:
    with pytest.raises(RecipeError, match="the first champion has no likelihood"):
        trial("generation").run("", "gate.metrics=[perplexity]")


def test_the_goal_of_a_metric_is_said_in_the_recipe(tmp_path: Path) -> None:
    def metrics(entry: str) -> tuple[str, ...]:
        return parse_recipe(f"data: {{files: [t.csv]}}\ngate: {{metrics: [{entry}]}}\n", folder=tmp_path).gate.metrics

    assert metrics("{metric: 'm:f', goal: min}, {metric: 'm:g'}, 'm:h:min', accuracy") == (
        "m:f:min",
        "m:g",
        "m:h:min",
        "accuracy",
    )
    assert metrics("{metric: rmse, goal: min}") == ("rmse",)
    for entry, said in {
        "{metric: accuracy, goal: min}": "must be max for accuracy, which is its own, but got 'min'",
        "{metric: 'm:f', goal: less}": r"must be max \(more is better\) or min \(less is better\) but got 'less'",
        "{metric: 'm:f', aim: min}": "must be the name of one, with goal alone beside it, but got aim",
        "{goal: min}": r"metrics.0.metric .* but is missing",
        "acuracy": "accuracy",
    }.items():
        with pytest.raises(RecipeError, match=said):
            metrics(entry)


def test_slices_are_those_of_the_recipe_and_one_that_is_worse_is_named(tmp_path: Path) -> None:
    dice = random.Random(2)
    rows = [("text", "label", "shop")]
    for number in range(400):
        shop, good = dice.choice(["north", "west"]), dice.random() < 0.5
        told = good if dice.random() > (0.45 if shop == "west" else 0.05) else not good
        rows.append((f"{'good' if told else 'bad'} parcel number {number}", "pos" if good else "neg", shop))
    with (tmp_path / "t.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    text = "task: classification\ndata: {files: [t.csv], text: text, label: label}\nworkspace: w\nchallengers: []\n"
    text += "split: {near: false}\nreport: {slices: [SHOP]}\n"
    stream = io.StringIO()
    summary = run(parse_recipe(text.replace("SHOP", "shop"), folder=tmp_path), screen=Screen(stream), until="train")
    assert "worse where shop is west: accuracy" in stream.getvalue()
    assert summary["slices"]["line"].startswith("worse where shop is west")
    assert summary["slices"]["groups"][0]["by"] == "shop"
    again = io.StringIO()
    tell(summary, screen=Screen(again))
    assert "worse where shop is west" in again.getvalue()
    with pytest.raises(RecipeError, match=r"report.slices must name columns of the table .* but got 'SHOP'"):
        run(parse_recipe(text, folder=tmp_path))
