from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from ratchet.gate.ledger import Challenge
from ratchet.report import ReportData, render
from ratchet.report.ended import Ended
from ratchet.report.run_report import report_of


def test_a_run_that_only_checked_has_a_report_of_its_data(checked: Ended) -> None:
    report, facts = report_of(checked), checked.health.facts
    assert report.data is not None
    assert (report.data.rows, report.data.lengths, report.data.parts) == (240, facts.lengths, ())
    assert [finding.message for finding in report.data.findings] == [one.message for one in checked.health.findings]
    assert report.leak is not None
    assert facts.naive is not None
    assert (report.leak.naive, report.leak.honest) == (facts.naive.naive, facts.naive.honest)
    assert (report.champion, report.challenges, report.sealed, report.mistakes) == ("", None, None, None)
    assert "The run ended before the stage &#39;export&#39;." in render(report)


def test_the_report_survives_json(checked: Ended) -> None:
    report = report_of(checked)
    assert ReportData.from_dict(json.loads(json.dumps(report.to_dict(), allow_nan=False))) == report


def test_the_environment_is_that_of_the_runs_folder(checked: Ended) -> None:
    found = report_of(checked).environment
    assert found is not None
    assert (found.recipe, found.seeds) == ("name: shop\n", {"run": 7})
    assert found.data_version == "15f3f25fa6e3 [raw]"
    assert (found.ledger_records, found.ledger_head) == (3, "5d41")
    assert found.stages == checked.stages


def test_verdicts_of_earlier_runs_are_not_shown_where_this_run_judged_nobody(
    checked: Ended, judged: Callable[..., Challenge]
) -> None:
    assert report_of(replace(checked, judged=(judged("wide", 0.01, outcome="better"),))).challenges is None
