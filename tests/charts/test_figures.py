from __future__ import annotations

import pytest

from ratchet.charts import figures
from ratchet.gate.metrics import Score


@pytest.mark.parametrize(
    ("write", "arguments", "shown"),
    [
        (figures.percent, (0.857,), "85.7 %"),
        (figures.percent, (None,), "–"),
        (figures.percent, (0.0,), "0.0 %"),
        (figures.percent, (0.0001,), "< 0.1 %"),
        (figures.percent, (1.0,), "100.0 %"),
        (figures.bounds, (0.843, 0.87), "[84.3, 87.0]"),
        (figures.bounds, (0.843, None), ""),
        (figures.signed, (0.011,), "+1.1"),
        (figures.signed, (-0.011,), "−1.1"),
        (figures.signed, (0.0004,), "+0.04"),
        (figures.signed, (0.0,), "+0.0"),
        (figures.points, (0.011, 0.005, 0.017), "+1.1 [+0.5, +1.7]"),
        (figures.points, (-0.0003, -0.0012, 0.0006), "−0.03 [−0.12, +0.06]"),
        (figures.points, (0.011, None, None), "+1.1"),
        (figures.points, (None, 0.1, 0.2), "–"),
        (figures.p_value, (0.00001,), "< 0.0001"),
        (figures.p_value, (0.0016,), "0.0016"),
        (figures.p_value, (0.66,), "0.66"),
        (figures.p_value, (None,), "–"),
        (figures.count, (17411,), "17,411"),
        (figures.size, (44,), "44 bytes"),
        (figures.size, (12_582_912,), "12.0 MiB"),
        (figures.size, (3 * 2**40,), "3072.0 GiB"),
        (figures.seconds, (0.04,), "40 ms"),
        (figures.seconds, (59.96,), "60.0 s"),
        (figures.seconds, (75,), "1 min 15 s"),
        (figures.seconds, (7260,), "2 h 1 min"),
        (figures.milliseconds, (0.31,), "0.31 ms"),
        (figures.when, ("2026-11-24T04:12:05Z",), "2026-11-24 04:12 UTC"),
        (figures.when, ("2026-11-24T04:12:05+08:00",), "2026-11-23 20:12 UTC"),
        (figures.when, ("2026-11-24T04:12:05",), "2026-11-24 04:12"),
        (figures.when, ("yesterday",), "yesterday"),
        (figures.metric, ("macro_f1",), "macro-F1"),
        (figures.metric, ("cost_weighted",), "cost weighted"),
    ],
)
def test_figures_are_written(write: object, arguments: tuple[object, ...], shown: str) -> None:
    assert callable(write)
    assert write(*arguments) == shown


def test_a_score_has_its_interval() -> None:
    assert figures.score(Score(value=0.5, low=0.4, high=0.6, n=9, metric="accuracy")) == "50.0 % [40.0, 60.0]"
    assert figures.score(None) == "–"
