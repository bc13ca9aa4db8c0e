from __future__ import annotations

import json

from ratchet.report import ReportData
from ratchet.stages.job import Job
from ratchet.tasks.views import Confusion


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
    assert [type(view) for view in report.answered.views] == [Confusion]
    assert report.not_run == {
        "bundle": "The run ended before the stage 'export'.",
        "sealed": "The run ended before the stage 'test'.",
    }


def test_the_report_is_whole_in_json(job: Job) -> None:
    plain = json.loads((job.folder / "report.json").read_bytes())
    assert ReportData.from_dict(plain).to_dict() == plain
    verdicts = {(one.key, one.verdict) for one in ReportData.from_dict(plain).challenges.verdicts}  # type: ignore[union-attr]
    family = next(iter(verdicts))[1].family
    assert verdicts == {(one.key, one.verdict) for one in job.ledger.challenges(family)}


def test_stages_are_timed_in_their_order(job: Job) -> None:
    summary = json.loads((job.folder / "summary.json").read_bytes())
    assert [*summary["stages"]] == ["read", "check", "prepare", "baseline", "challengers", "compress", "report"]
