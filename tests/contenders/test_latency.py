"""Latency: interleaved rounds, one text a call, the same rows for all, and no longer than was said."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from ratchet.contenders import latency as module
from ratchet.contenders.latency import Timed, latency


class Counted:
    labels = ("a", "b")

    def __init__(self, name: str, log: list[tuple[str, tuple[str, ...]]], *, cost: float, clock: list[float]) -> None:
        self.name, self.log, self.cost, self.clock = name, log, cost, clock

    def predict(self, texts: Sequence[str], /) -> np.ndarray:
        self.log.append((self.name, tuple(texts)))
        self.clock[0] += self.cost * len(texts[0])
        return np.full((len(texts), 2), 0.5, np.float32)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(module.time, "perf_counter", lambda: now[0])
    return now


def two(
    clock: list[float], log: list[tuple[str, tuple[str, ...]]], texts: Sequence[str], *, slow: float = 2.0
) -> list[Timed]:
    rows = np.arange(len(texts))
    return [
        Timed(model=Counted("slow", log, cost=slow, clock=clock), rows=rows, texts=texts),
        Timed(model=Counted("fast", log, cost=0.5, clock=clock), rows=rows, texts=texts),
    ]


def test_rounds_are_interleaved_and_seconds_are_those_of_a_text(clock: list[float]) -> None:
    log = list[tuple[str, tuple[str, ...]]]()
    steps: list[tuple[int, int]] = []
    models = two(clock, log, ["a", "bbb"])
    slow, fast = latency(models, rounds=4, advance=lambda done, total, words: steps.append((done, total)))
    assert slow.tolist() == [[2.0, 6.0]] * 4
    assert fast.tolist() == [[0.5, 1.5]] * 4
    assert log[:2] == [("slow", ("a",)), ("fast", ("a",))], "each is warm before it is measured"
    asked = log[2:]
    pairs = list(zip(asked[::2], asked[1::2], strict=True))
    assert all({one[0], other[0]} == {"slow", "fast"} and one[1] == other[1] for one, other in pairs)
    assert [one[0] for one, _ in pairs].count("slow") == 4, "neither always goes first"
    assert all(len(texts) == 1 for _, texts in asked)
    assert steps == [(done, 8) for done in range(1, 9)]


@pytest.mark.parametrize(
    ("most", "rounds", "rows"),
    [
        (1e9, 5, 40),
        (220.0, 5, 40),
        (160.0, 3, 40),
        (90.0, 3, 26),
        (61.0, 3, 20),
        (30.0, 1, 29),
        (10.0, 1, 9),
        (0.1, 1, 1),
    ],
)
def test_slow_models_are_asked_fewer_times_and_then_about_fewer_rows(
    clock: list[float], most: float, rounds: int, rows: int
) -> None:
    models = two(clock, [], ["a"] * 40, slow=0.5)
    found = latency(models, most=most, seed=3)
    for one in found:
        assert one.shape == (rounds, 40)
        assert np.isfinite(one).all(axis=0).sum() == rows
        assert np.isnan(one).all(axis=0).sum() == 40 - rows
    assert (np.isfinite(found[0]) == np.isfinite(found[1])).all(), "the same rows of both"
    assert clock[0] <= max(most, 1) + 1, "a row more, and one to be warm"


@pytest.mark.parametrize("seed", range(5))
def test_rounds_that_differ_a_little_in_time_are_three(clock: list[float], seed: int) -> None:
    dice = np.random.default_rng(seed)

    class Uneven(Counted):
        def predict(self, texts: Sequence[str], /) -> np.ndarray:
            self.cost = 1.0 + 0.5 * (dice.random() - 0.5)
            return super().predict(texts)

    one = Timed(model=Uneven("uneven", [], cost=1.0, clock=clock), rows=np.arange(900), texts=["a"] * 900)
    (found,) = latency([one], most=300.0)
    assert len(found) == 3
    assert clock[0] <= 300
    assert np.isfinite(found[0]).sum() > 80


def test_the_rows_that_are_measured_are_a_random_sample_of_those_that_all_have(clock: list[float]) -> None:
    log = list[tuple[str, tuple[str, ...]]]()
    texts = ["a"] * 400
    wide = Timed(model=Counted("wide", log, cost=0.5, clock=clock), rows=np.arange(400), texts=texts)
    half = Timed(model=Counted("half", log, cost=0.5, clock=clock), rows=np.arange(200, 400), texts=texts[:200])
    drawn = []
    for seed in (1, 2):
        first, second = latency([wide, half], most=90.0, seed=seed)
        rows = np.flatnonzero(np.isfinite(first[0]))
        assert rows.tolist() == (200 + np.flatnonzero(np.isfinite(second[0]))).tolist()
        assert len(rows) < 40
        assert rows.max() - rows.min() > 100
        drawn.append({*rows.tolist()})
    assert drawn[0] != drawn[1]


def test_a_machine_that_becomes_slow_does_not_make_it_longer(clock: list[float]) -> None:
    class Tired(Counted):
        def predict(self, texts: Sequence[str], /) -> np.ndarray:
            self.cost = 1.0 if self.clock[0] < 30 else 10.0
            return super().predict(texts)

    one = Timed(model=Tired("tired", [], cost=1.0, clock=clock), rows=np.arange(25), texts=["a"] * 25)
    (found,) = latency([one], most=100.0)
    assert found.tolist() == [[1.0] * 25], "the round that took too long is left out"
    assert clock[0] <= 110
