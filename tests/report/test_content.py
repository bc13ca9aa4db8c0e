from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest

from ratchet.errors import RatchetError
from ratchet.report import Confusion, Curve, Environment, Epoch, Lengths, ReportData, Score


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
    assert Score(value=bad).value is None


def test_numpy_numbers_become_plain_ones() -> None:
    score = Score(value=np.float32(0.5), n=np.int64(7))  # type: ignore[arg-type]
    assert type(score.value) is float
    assert type(score.n) is int


def test_lists_become_tuples() -> None:
    assert Environment(stages=[]).stages == ()  # type: ignore[arg-type]


def test_confusion_counts_pairs() -> None:
    confusion = Confusion.of(["b", "a", "a", "c"], ["b", "b", "b", "d"])
    assert confusion.labels == ("a", "b", "c", "d")
    assert confusion.cells == ((0, 1, 2), (1, 1, 1), (2, 3, 1))


@pytest.mark.parametrize(
    "lengths", [[], [0], [5] * 100, list(range(1000)), [1, 2, 3] * 100 + [5_000_000], [3], [0, 1], list(range(25))]
)
def test_lengths_count_every_text_once(lengths: list[int]) -> None:
    drawn = Lengths.of(lengths)
    assert sum(drawn.counts) + drawn.above == len(lengths)
    assert len(drawn.edges) == len(drawn.counts) + 1
    assert list(drawn.edges) == sorted(set(drawn.edges))
    for low, high, count in zip(drawn.edges, drawn.edges[1:], drawn.counts, strict=False):
        if lengths:
            assert count == sum(
                low <= length < high for length in lengths if length <= sorted(lengths)[int(0.99 * len(lengths))]
            )


def test_one_giant_text_does_not_flatten_the_histogram() -> None:
    drawn = Lengths.of([10, 20, 30] * 100 + [5_000_000])
    assert drawn.edges[-1] < 40
    assert drawn.above == 1
    assert drawn.longest == 5_000_000
