from __future__ import annotations

import pytest

from ratchet.labels.extrapolate import Gain
from ratchet.labels.forecast import Forecast


def forecast(metric: str) -> Forecast:
    return Forecast(
        name="run",
        metric=metric,
        now=100,
        draws=5,
        fractions=(1.0,),
        measured=(),
        notes=(),
        source="a.csv",
        seconds=1.0,
    )


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("accuracy", "500 more rows: +2.1 [+1.0, +3.3] points"),
        ("mae", "500 more rows: -0.0214 [-0.033, -0.01]"),
    ],
)
def test_gains_are_told_as_the_metric_is_read(metric: str, expected: str) -> None:
    assert forecast(metric).told(Gain(rows=500, estimate=0.0214, low=0.01, high=0.033)) == expected


def test_what_cannot_be_told_comes_first() -> None:
    gain = Gain(rows=5_000, estimate=0.02, low=-0.01, high=0.1, reason="it is far")
    assert forecast("accuracy").told(gain) == "5,000 more rows: cannot be told: it is far (+2.0 [-1.0, +10.0] points)"
