from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.trial import Row, Trial, trial

from ratchet.bundle.bundle import Bundle
from ratchet.bundle.predict import load_model
from ratchet.contenders.base import Contender
from ratchet.contenders.rows import PartedRows
from ratchet.errors import RecipeError
from ratchet.gate.selective import choose_threshold
from ratchet.models.calibration import row_losses
from ratchet.report import ReportData
from ratchet.serve import predict_file
from ratchet.tasks.registry import task_of
from ratchet.tasks.sureness import Reliability, Selection

__all__ = ["trial"]
Make = Callable[..., Trial]


def noisy(count: int = 700, *, task: str = "classification") -> list[Row]:
    """Rows of which some can be told at once and some not at all; one text begins as a spreadsheet's formula does."""
    dice, made = random.Random(4), []
    for number in range(count):
        good, clear = dice.random() < 0.5, dice.random() < 0.6
        words = dice.choices(["good", "fine"] if good else ["bad", "poor"], k=3) if clear else []
        text = " ".join([*words, *dice.choices(["the", "room", "was", "seen", "here", "now"], k=5), f"no{number}"])
        label = "good" if good else "bad"
        made.append(Row(f"r{number}", f"={text}" if number % 50 == 0 else text, label))
    return made


def parts(made: Trial, summary: dict[str, Any]) -> tuple[Path, Bundle, PartedRows, Contender]:
    folder = made.folder / "w" / "runs" / summary["run"]
    bundle = Bundle.open(summary["bundle"]["path"])
    best = Contender.load(made.folder / "w" / "models" / bundle.manifest.model["judged"])
    (data,) = (made.folder / "w" / "data").glob("rows-*")
    return folder, bundle, PartedRows.load(data), best


def test_a_promise_goes_from_the_recipe_to_predictions(trial: Make) -> None:
    made = trial(rows=noisy())
    summary = made.run("", "baseline.C=10", "answer.error=0.1", "compress.methods=[int8]")
    folder, bundle, rows, best = parts(made, summary)
    facts, answering = bundle.manifest.model, summary["answering"]
    promise = facts["abstain"]
    assert promise["below"] == answering["threshold"] > 0.5
    assert (promise["error"], promise["confidence"]) == (0.1, 0.95)
    assert answering["model"] == summary["champion"] == best.name

    confidence = best.answers.max(axis=1).astype(float)  # of the exported form, by its own recorded predictions
    places = best.placed(rows)
    right = best.answers.argmax(axis=1) == rows.truth[places]
    if "temperature" not in facts:
        again = choose_threshold(confidence, right, error=0.1, unit=rows.parts.unit[places], seed=7)
        assert again.threshold == promise["below"]
        assert answering["left_to_people"] == int((confidence < promise["below"]).sum())
    assert answering["chosen"]["error"]["value"] <= 0.1
    assert answering["log_loss"]["before"] == pytest.approx(row_losses(best.answers, rows.targets.take(places)).mean())

    left = list(csv.DictReader(io.StringIO((folder / "abstained.csv").read_bytes().decode("utf-8-sig"))))
    assert len(left) == answering["left_to_people"] > 50
    sure = [float(row["confidence"]) for row in left]
    assert sure == sorted(sure)
    assert max(sure) < promise["below"]
    assert not any(row["text"].startswith("=") for row in left), "what a spreadsheet would compute is quoted"
    assert all((row["right"] == "yes") == (row["label"] == row["prediction"]) for row in left)

    test, truth = rows.parts.test, rows.truth[rows.parts.test]
    shares = task_of("classification").served(load_model(bundle).predict(rows.inputs(test)), facts)
    taken = shares.max(axis=1) >= promise["below"]
    assert answering["test"]["answered"]["value"] == pytest.approx(taken.mean())
    assert answering["test"]["wrong"] == int((shares.argmax(axis=1) != truth)[taken].sum())
    assert made.lines("the rest is left to people")
    assert made.lines("at most 10% of what is answered wrong")

    found = predict_file(bundle, made.folder / "t.csv", made.folder / "o.csv")
    written = list(csv.DictReader(io.StringIO((made.folder / "o.csv").read_text("utf-8"))))
    assert {row["abstain"] for row in written} == {"true", "false"}
    assert found.abstained == sum(row["abstain"] == "true" for row in written)
    assert found.answered + found.abstained == found.rows
    assert sum(found.counts.values()) == found.answered


def test_the_report_shows_what_is_promised(trial: Make) -> None:
    made = trial(rows=noisy())
    summary = made.run("", "baseline.C=10", "answer.error=0.1")
    folder, *_ = parts(made, summary)
    report = ReportData.from_dict(json.loads((folder / "report.json").read_bytes()))
    assert report.answered is not None
    *_, reliability, selection = report.answered.views
    assert isinstance(reliability, Reliability)
    assert isinstance(selection, Selection)
    assert selection.left == summary["answering"]["left_to_people"]
    assert sum(one.rows for one in reliability.before) == selection.points[-1].answered.n
    assert report.sealed is not None
    assert report.sealed.promised == 0.1
    page = (folder / "report.html").read_text("utf-8")
    for words in (
        "What a probability is worth",
        "chosen: from",
        "usual: from 0.9",
        "Learn then Test",
        "promised are at most",
    ):
        assert words in page


def test_a_promise_that_cannot_be_kept_leaves_everything_to_people(trial: Make) -> None:
    made = trial(rows=noisy(200))
    summary = made.run("", "baseline.C=10", "answer.error=0.001")
    folder, bundle, _, best = parts(made, summary)
    answering = summary["answering"]
    assert bundle.manifest.model["abstain"]["below"] is None
    assert answering["left_to_people"] == len(best.rows)
    assert answering["rows_needed"] is None or answering["rows_needed"] > 1_000
    assert answering["test"]["answered"]["value"] == 0.0
    assert made.lines("every answer is for people")
    assert "No threshold keeps this promise" in (folder / "report.html").read_text("utf-8")
    answers = load_model(bundle).predict(["good", "bad"])
    found = task_of("classification").predictions(answers, names=bundle.labels, facts=bundle.manifest.model)
    assert all(one["abstain"] for one in found)


def test_without_a_promise_everything_is_answered(trial: Make) -> None:
    made = trial(rows=noisy(240))
    summary = made.run("", "baseline.C=10")
    folder, bundle, *_ = parts(made, summary)
    assert "abstain" not in bundle.manifest.model
    assert "line" not in summary["answering"]
    assert not (folder / "abstained.csv").exists()
    assert predict_file(bundle, made.folder / "t.csv", made.folder / "o.csv").abstained is None
    assert "so every answer goes out" in (folder / "report.html").read_text("utf-8")


def test_an_underconfident_model_is_served_at_its_temperature(trial: Make) -> None:
    """A strong penalty makes a model too unsure: it is served surer, with the same labels, and the parity is of the model."""
    made = trial(rows=noisy())
    summary = made.run("", "baseline.C=0.05", "gate.metrics=[log_loss]", "answer.error=0.3")
    folder, bundle, rows, best = parts(made, summary)
    facts, task = bundle.manifest.model, task_of("classification")
    assert facts["temperature"] == summary["answering"]["temperature"] < 0.8
    assert facts["parity_max_difference"] < 1e-6
    assert made.lines(f"probabilities are served at the temperature {facts['temperature']:.3g}")
    sure = task.served(best.answers, facts).max(axis=1) >= facts["abstain"]["below"]
    alike, right = (
        summary["answering"]["at_one_temperature"],
        best.answers.argmax(axis=1) == rows.truth[best.placed(rows)],
    )
    assert 0 < sure.mean() <= 1
    assert (alike["answered"]["value"], alike["wrong"]) == (pytest.approx(sure.mean()), int((sure & ~right).sum()))
    assert made.lines("the promise is about each fold at the temperature of the others; at the one that is served")
    assert "each fold at that of the others" in (folder / "report.html").read_text("utf-8")
    losses = summary["answering"]["log_loss"]
    assert losses["after"] < losses["before"]
    test = rows.parts.test
    raw = load_model(bundle).predict(rows.inputs(test))
    served = task.predictions(raw, names=bundle.labels, facts=facts)
    assert [one["label"] for one in served] == [bundle.labels[top] for top in raw.argmax(axis=1)]
    own = [one["probabilities"][label] for one, label in zip(served, rows.names(test), strict=True)]
    assert -summary["scores"]["test"]["value"] == pytest.approx(-np.log(own).mean(), abs=1e-5), "scored as it is served"
    plain = made.run("", "baseline.C=0.05", "gate.metrics=[log_loss]", "answer.calibrate=false")
    again = Bundle.open(plain["bundle"]["path"])
    assert "temperature" not in again.manifest.model
    assert again.path != bundle.path


def test_several_labels_are_answered_or_left_together(trial: Make) -> None:
    made = trial("multilabel")
    summary = made.run("{kind: linear, name: linear}", "answer.error=0.4")
    folder, bundle, rows, best = parts(made, summary)
    answering = summary["answering"]
    assert answering["threshold"] is not None
    right = ((best.answers >= 0.5) == rows.targets.take(best.placed(rows)).values).all(axis=1)
    naive = answering["naive"]["answered"]
    assert naive["n"] == len(right)
    left = list(csv.DictReader(io.StringIO((folder / "abstained.csv").read_bytes().decode("utf-8-sig"))))
    assert len(left) == answering["left_to_people"]
    (one,) = task_of("multilabel").predictions(
        load_model(bundle).predict(["card delivery"]), names=bundle.labels, facts=bundle.manifest.model
    )
    assert isinstance(one["abstain"], bool)


@pytest.mark.parametrize("task", ["regression", "generation"])
def test_a_promise_is_for_tasks_with_labels(trial: Make, task: str) -> None:
    with pytest.raises(RecipeError, match=rf"answer\.error must be for a task with labels but the task is {task}"):
        trial(task).run("", "answer.error=0.01")


def test_a_file_of_answers_has_no_probabilities_but_may_promise(trial: Make) -> None:
    """All answers are equally sure, and a row without one is wrong: nothing breaks, and it promises for all or for none."""
    made = trial()
    made.write("gpt.jsonl", [{"id": row.id, "prediction": row.answer} for row in made.rows[6:]])
    summary = made.run("{kind: answers, name: gpt, file: gpt.jsonl}", "answer.error=0.1", until="train")
    assert summary["champion"] == "gpt"
    answering = summary["answering"]
    assert answering["temperature"] == 1.0
    assert answering["chosen"]["answered"]["value"] == 1.0
    assert answering["left_to_people"] == 0
