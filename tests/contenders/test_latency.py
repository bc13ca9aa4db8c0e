"""Latency: interleaved rounds, one text a call, the same number of calls for all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from ratchet.contenders import latency as module
from ratchet.contenders.latency import latency


class Counted:
    labels = ("a", "b")

    def __init__(self, name: str, log: list[tuple[str, tuple[str, ...]]], *, cost: float, clock: list[float]) -> None:
        self.name, self.log, self.cost, self.clock = name, log, cost, clock

    def predict(self, texts: Sequence[str], /) -> np.ndarray:
        self.log.append((self.name, tuple(texts)))
        self.clock[0] += self.cost * len(texts[0])
        return np.full((len(texts), 2), 0.5, np.float32)


def test_rounds_are_interleaved_and_seconds_are_those_of_a_text(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, log = [0.0], list[tuple[str, tuple[str, ...]]]()
    monkeypatch.setattr(module.time, "perf_counter", lambda: clock[0])
    models = [Counted("slow", log, cost=2.0, clock=clock), Counted("fast", log, cost=0.5, clock=clock)]
    slow, fast = latency(models, ["a", "bbb"], rounds=4)
    assert slow.tolist() == [[2.0, 6.0]] * 4
    assert fast.tolist() == [[0.5, 1.5]] * 4
    assert log[:2] == [("slow", ("a",)), ("fast", ("a",))], "each is warm before it is measured"
    asked = [name for name, _ in log[2:]]
    assert asked == (["slow"] * 2 + ["fast"] * 2 + ["fast"] * 2 + ["slow"] * 2) * 2, "neither always goes first"
    assert all(len(texts) == 1 for _, texts in log)


@pytest.mark.parametrize(("most", "shape"), [(1e9, (9, 40)), (120.0, (3, 40)), (10.0, (1, 10)), (0.1, (1, 1))])
def test_slow_models_are_asked_fewer_times(
    monkeypatch: pytest.MonkeyPatch, most: float, shape: tuple[int, int]
) -> None:
    clock, log = [0.0], list[tuple[str, tuple[str, ...]]]()
    monkeypatch.setattr(module.time, "perf_counter", lambda: clock[0])
    models = [Counted("slow", log, cost=0.9, clock=clock), Counted("fast", log, cost=0.1, clock=clock)]
    found = latency(models, ["a"] * 40, most=most)
    assert [one.shape for one in found] == [shape, shape]
    assert clock[0] <= most + 2
