from __future__ import annotations

import pytest

from ratchet.train.schedule import Schedule, Shape


@pytest.mark.parametrize(("shape", "last"), [("cosine", 0.02), ("linear", 0.12), ("constant", 1.0)])
def test_it_rises_to_the_peak_and_then_follows_its_shape(shape: Shape, last: float) -> None:
    schedule = Schedule(shape=shape, peak=1.0, warmup=0.2, steps=10)
    rates = [schedule.rate(step) for step in range(10)]
    assert rates[:3] == [pytest.approx(1 / 3), pytest.approx(2 / 3), 1.0]
    assert rates[3:] == sorted(rates[3:], reverse=True)
    assert rates[-1] == pytest.approx(last, abs=0.02)


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("warmup", [0.0, 0.5, 0.99])
def test_a_short_training_has_positive_rates(steps: int, warmup: float) -> None:
    schedule = Schedule(peak=1.0, warmup=warmup, steps=steps)
    assert all(0 < schedule.rate(step) <= 1 for step in range(steps))
