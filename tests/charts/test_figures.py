from __future__ import annotations

import pytest

from ratchet.charts import figures
from ratchet.metrics.metrics import Score


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


def shown(value: float, half: float, metric: str) -> Score:
    return Score(value=value, low=value - half, high=value + half, n=10, metric=metric)


@pytest.mark.parametrize(
    ("metric", "value", "half", "said", "gap"),
    [
        ("accuracy", 0.857, 0.01, "85.7 % [84.7, 86.7]", "+1.0 points"),
        ("rmse", -3.57, 0.5, "3.57 [3.07, 4.07]", "0.01 (better)"),
        ("log_loss", -0.4, 0.1, "0.4 [0.3, 0.5]", "0.01 (better)"),
        ("r2", -0.2, 0.1, "−0.2 [−0.3, −0.1]", "0.01 (better)"),
        ("cost", -0.002, 0.001, "0.002 [0.001, 0.003]", "0.01 (better)"),
        ("module:function", 7.25, 1.0, "7.25 [6.25, 8.25]", "0.01 (better)"),
    ],
)
def test_a_score_is_read_through_its_metric(metric: str, value: float, half: float, said: str, gap: str) -> None:
    score = shown(value, half, metric)
    assert figures.score(score) == said
    assert figures.value(value, metric) == said.partition(" [")[0]
    assert figures.gap(score, shown(value - 0.01, half, metric)) == gap


def test_marks_of_an_axis_are_read_as_the_metric() -> None:
    assert figures.scale([0.5, 0.75], "accuracy") == ["50", "75"]
    assert figures.scale([-15.0, -5.0, 0.0], "rmse") == ["15", "5", "0"]
    assert figures.scale([-20_000.0, 0.5], "r2") == ["−20k", "0.5"]
    assert figures.amount(0.0123, "accuracy") == "1.2 points"
    assert figures.amount(0.2225, "rmse") == "0.223"
    assert figures.amount(0.01, "log_loss") == "0.01 nats"
