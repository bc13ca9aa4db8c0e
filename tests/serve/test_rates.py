"""Rates: what a bucket lets through, by a clock of our own, and how many are remembered."""

from __future__ import annotations

import pytest

from ratchet.serve.rates import Rates


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_burst_and_then_the_rate(clock: Clock) -> None:
    rates = Rates(clock=clock)
    assert [rates.wait("a", rate=2, burst=3) for _ in range(4)] == [0, 0, 0, 0.5]
    clock.now += 0.25
    assert rates.wait("a", rate=2, burst=3) == pytest.approx(0.25)
    clock.now += 0.25
    assert rates.wait("a", rate=2, burst=3) == 0
    assert rates.wait("b", rate=2, burst=1) == 0


@pytest.mark.parametrize("step", [0.013, 0.1, 0.7])
def test_over_a_long_time_it_is_the_rate(clock: Clock, step: float) -> None:
    rates = Rates(clock=clock)
    taken = 0
    while clock.now < 1100:
        taken += rates.wait("a", rate=5, burst=4) == 0
        clock.now += step
    offered = round(100 / step)
    assert taken == pytest.approx(min(offered, 4 + 5 * 100), abs=2)


def test_a_long_rest_fills_no_more_than_the_burst(clock: Clock) -> None:
    rates = Rates(clock=clock)
    rates.wait("a", rate=1, burst=2)
    clock.now += 1e9
    assert [rates.wait("a", rate=1, burst=2) > 0 for _ in range(3)] == [False, False, True]


def test_a_refused_try_costs_nothing(clock: Clock) -> None:
    rates = Rates(clock=clock)
    rates.wait("a", rate=1, burst=1)
    for _ in range(100):
        rates.wait("a", rate=1, burst=1)
    clock.now += 1
    assert rates.wait("a", rate=1, burst=1) == 0


def test_memory_is_bounded_and_who_asks_often_is_not_forgotten(clock: Clock) -> None:
    rates = Rates(most=10, clock=clock)
    rates.wait("busy", rate=0.001, burst=1)
    for number in range(1000):
        rates.wait(str(number), rate=1, burst=1)
        assert rates.wait("busy", rate=0.001, burst=1) > 0
    assert len(rates) == 10


def test_a_smaller_burst_holds_at_once(clock: Clock) -> None:
    rates = Rates(clock=clock)
    rates.wait("a", rate=1, burst=100)
    assert [rates.wait("a", rate=1, burst=2) > 0 for _ in range(3)] == [False, False, True]
