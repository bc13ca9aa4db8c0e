from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.trial import Trial, trial

from ratchet.recipe.track import TrackConfig
from ratchet.recipe.watch import AlertSpec
from ratchet.report import ReportData
from ratchet.stages import finish
from ratchet.stages.job import Job
from ratchet.tasks.sureness import Reliability, Selection
from ratchet.tasks.views import Confusion

__all__ = ["trial"]


def test_a_run_that_ended_before_its_export_shows_its_verdicts(job: Job) -> None:
    summary = json.loads((job.folder / "summary.json").read_bytes())
    report = ReportData.from_dict(json.loads((job.folder / "report.json").read_bytes()))
    assert report.challenges is not None
    judged = [one.verdict.challenger for one in report.challenges.verdicts]
    assert judged == [verdict["name"] for verdict in summary["verdicts"]]
    assert judged[:2] == ["tfidf-lr", "blend"]
    assert summary["scores"]["champion"]["value"] > 0.5
    assert report.answered is not None
    assert report.answered.model == summary["champion"]
    assert [type(view) for view in report.answered.views] == [Confusion, Reliability, Selection]
    assert report.not_run == {
        "bundle": "The run ended before the stage 'export'.",
        "sealed": "The run ended before the stage 'test'.",
    }


def test_every_figure_and_every_slice_are_in_the_summary_and_the_report(job: Job) -> None:
    summary = json.loads((job.folder / "summary.json").read_bytes())
    report = ReportData.from_dict(json.loads((job.folder / "report.json").read_bytes()))
    assert report.answered is not None
    names = ["accuracy", "macro_f1", "weighted_f1", "mcc", "auc", "log_loss"]
    assert [one["metric"] for one in summary["metrics"]] == [one.metric for one in report.answered.scores] == names
    assert all(one["low"] <= one["value"] <= one["high"] for one in summary["metrics"])
    assert report.answered.slices is not None
    assert [group["by"] for group in summary["slices"]["groups"]] == ["length of the text"]
    (group,) = report.answered.slices.groups
    assert sum(one.rows for one in group.slices) == report.answered.rows
    assert report.answered.slices.whole.value == summary["scores"]["champion"]["value"]
    page = (job.folder / "report.html").read_text("utf-8")
    assert "Slice by slice" in page
    assert "All figures" in page
    assert ">MCC<" in page


def test_the_report_is_whole_in_json(job: Job) -> None:
    plain = json.loads((job.folder / "report.json").read_bytes())
    assert ReportData.from_dict(plain).to_dict() == plain
    verdicts = {(one.key, one.verdict) for one in ReportData.from_dict(plain).challenges.verdicts}  # type: ignore[union-attr]
    family = next(iter(verdicts))[1].family
    assert verdicts == {(one.key, one.verdict) for one in job.ledger.challenges(family)}


def test_stages_are_timed_in_their_order(job: Job) -> None:
    summary = json.loads((job.folder / "summary.json").read_bytes())
    assert [*summary["stages"]] == ["read", "check", "prepare", "baseline", "challengers", "compress", "report"]


def test_the_verdicts_go_to_the_tracking_server_without_the_alerts(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: dict[str, Any] = {}
    monkeypatch.setattr(finish, "track_run", lambda config, **what: sent.update(what, config=config))
    url = "https://hooks.example.com/s3cr3t"
    changed = {
        "track": TrackConfig(uri="http://127.0.0.1:9", experiment="mine"),
        "alerts": (AlertSpec(metric="train/loss", above=1, action="webhook", url=url),),
    }
    figures = json.loads((job.folder / "summary.json").read_bytes())
    finish._track(replace(job, recipe=job.recipe.model_copy(update=changed)), figures)
    assert sent["config"].experiment == "mine"
    assert sent["metrics"]["score/champion"] == figures["scores"]["champion"]["value"]
    assert sent["metrics"]["verdict/tfidf-lr"] == figures["verdicts"][0]["estimate"]
    assert sent["tags"]["ratchet.verdict.tfidf-lr"] == figures["verdicts"][0]["line"]
    assert sent["parameters"]["seed"] == job.recipe.seed
    assert "hooks.example.com" not in str(sent)


def test_another_metric_and_a_champion_that_cannot_be_served_are_told(trial: Callable[..., Trial]) -> None:
    made = trial("generation")
    made.write("gpt.jsonl", [{"id": row.id, "prediction": row.answer} for row in made.rows])
    gpt = "{kind: answers, name: gpt, file: gpt.jsonl}"
    made.run(gpt, "gate.metrics=[exact_match]", until="train")
    summary = made.run(gpt, "gate.metrics=[chrf]")
    folder = made.folder / "w" / "runs" / summary["run"]
    report = json.loads((folder / "report.json").read_bytes())
    assert (summary["champion"], report["sealed"]["model"]) == ("gpt", "nearest")
    page = (folder / "report.html").read_text("utf-8")
    assert "he champion is gpt, which has no model to serve; nearest, the best that has one, " in page
    assert "Served model, sealed-test" in page
    assert "that of the best contender that has a model as it is served" in page


def test_what_noise_does_to_the_answers_is_in_the_summary_and_the_report(job: Job) -> None:
    summary = json.loads((job.folder / "summary.json").read_bytes())
    report = ReportData.from_dict(json.loads((job.folder / "report.json").read_bytes()))
    assert report.answered is not None
    found = report.answered.robustness
    assert found is not None
    assert summary["robustness"]["line"] == found.line
    assert [one["operation"] for one in summary["robustness"]["kinds"]] == [one.operation for one in found.kinds]
    assert "With noise in the texts" in (job.folder / "report.html").read_text("utf-8")
    off = job.recipe.report.model_copy(update={"robustness": False})
    assert (job.recipe.report.robustness, off.robustness) == (True, False)
