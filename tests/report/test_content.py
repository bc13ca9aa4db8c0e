from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest

from ratchet.checks import Example, NaiveSplit
from ratchet.checks import Finding as Found
from ratchet.errors import RatchetError
from ratchet.metrics.metrics import Score
from ratchet.report import Curve, Environment, Epoch, Finding, Leak, ReportData

SCORE = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 7, "metric": "accuracy"}


@pytest.mark.parametrize("which", ["reviews", "intents"])
def test_a_report_survives_json(which: str, request: pytest.FixtureRequest) -> None:
    report: ReportData = request.getfixturevalue(which)
    plain = json.loads(json.dumps(report.to_dict(), ensure_ascii=False, allow_nan=False))
    assert ReportData.from_dict(plain) == report


def test_a_report_needs_only_its_name() -> None:
    report = ReportData(name="r", run_id="1", date="2026-11-24")
    assert ReportData.from_dict({"name": "r", "run_id": "1", "date": "2026-11-24"}) == report


def test_records_are_frozen(reviews: ReportData) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        reviews.name = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"champoin": "x"}, "champoin"),
        ({"leak": {"model": "m"}}, "leak.test_rows"),
        ({"challenges": {"baseline": "b", "baseline_score": {"value": "high"}}}, "challenges.baseline_score.value"),
        ({"name": None}, "name"),
        ({"sealed": {"model": "m", "scores": [SCORE | {"more": 1}]}}, "sealed.scores.0.more"),
    ],
)
def test_wrong_data_is_named_by_its_path(change: dict[str, object], named: str) -> None:
    with pytest.raises(RatchetError, match=named):
        ReportData.from_dict({"name": "r", "run_id": "1", "date": "d"} | change)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_become_not_measured(bad: float) -> None:
    curve = Curve(name="c", epochs=(Epoch(epoch=1, train_loss=bad),))
    report = ReportData(name="r", run_id="1", date="d", curves=(curve,))
    assert json.loads(json.dumps(report.to_dict(), allow_nan=False))["curves"][0]["epochs"][0]["train_loss"] is None


def test_numpy_numbers_become_plain_ones() -> None:
    epoch = Epoch(epoch=np.int64(7), accuracy=np.float32(0.5))  # type: ignore[arg-type]
    assert type(epoch.accuracy) is float
    assert type(epoch.epoch) is int


def test_lists_become_tuples() -> None:
    assert Environment(stages=[]).stages == ()  # type: ignore[arg-type]


def test_verdicts_are_read_through_the_gate(reviews: ReportData) -> None:
    plain = reviews.to_dict()
    finding = plain["challenges"]["verdicts"][0]["verdict"]["findings"][0]
    finding["p"] = 0.9
    with pytest.raises(RatchetError, match=r"challenges\.verdicts\.0: .*must follow from its figures"):
        ReportData.from_dict(plain)


@pytest.mark.parametrize("change", [{"verdict": None}, {"record": {"seq": 1}}, {"more": 1}, {"challenger": {}}])
def test_a_challenge_that_is_none_is_refused(reviews: ReportData, change: dict[str, object]) -> None:
    plain = reviews.to_dict()
    plain["challenges"]["verdicts"][2] |= change
    with pytest.raises(RatchetError, match=r"challenges\.verdicts\.2"):
        ReportData.from_dict(plain)


def test_a_finding_of_the_check_names_its_column_and_its_files() -> None:
    example = Example(file="/long/a.csv", row=3, column="t", text="x", note="n")
    found = Found(id="a.b", severity="note", message="M.", why="W.", rows=2, column="t", examples=(example,))
    assert Finding.of(found).examples == ("row 3: x (n)",)
    assert Finding.of(found).id == "a.b  t"
    named = Finding.of(found, names={"/long/a.csv": "a.csv", "/long/b.csv": "b.csv"})
    assert named.examples == ("a.csv, row 3: x (n)",)


def test_a_leak_is_the_naive_split_where_a_model_was_scored() -> None:
    score = Score(value=0.9, low=0.8, high=1.0, n=5, metric="accuracy")
    split = NaiveSplit(test_rows=5, leaked_rows=2, near_rows=1, model="m", naive=score, clean=score)
    leak = Leak.of(split)
    assert leak is not None
    assert (leak.test_rows, leak.leaked_rows, leak.naive, leak.honest) == (5, 2, score, None)
    assert Leak.of(NaiveSplit(test_rows=5, leaked_rows=2, near_rows=1)) is None
