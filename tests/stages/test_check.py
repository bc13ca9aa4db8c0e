from __future__ import annotations

import io
from dataclasses import replace

from ratchet.screen import Screen
from ratchet.stages.check import check
from ratchet.stages.job import Job
from ratchet.stages.read import read


def test_the_check_of_a_finished_run_is_read_back_and_told(job: Job) -> None:
    stream = io.StringIO()
    again = replace(job, screen=Screen(stream), stages={}, code=_code(job))
    health = check(again, read(again))
    assert again.stages["check"][1] == "skipped"  # type: ignore[index]
    assert health.facts.rows == 400
    assert health.facts.naive is not None
    said = stream.getvalue()
    assert "400 rows, 400 different texts, 0 texts with two labels or more; 2 labels; zh" in said
    assert f"it would promise {health.facts.naive.naive.value:.1%} [" in said  # type: ignore[union-attr]
    for finding in health.findings:
        assert finding.id in said


def _code(job: Job) -> str:
    return next(str(record.body["code"]) for record in job.ledger.records() if record.kind == "run-started")
