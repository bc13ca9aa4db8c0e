"""A value is computed once, whichever thread asks first."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ratchet.workspace.lazy import once


class Slow:
    def __init__(self) -> None:
        self.calls: list[str] = []

    @once
    def base(self) -> int:
        """The base."""
        self.calls.append("base")
        time.sleep(0.01)
        return 20

    @once
    def total(self) -> int:
        self.calls.append("total")
        return self.base + 1

    @once
    def broken(self) -> int:
        self.calls.append("broken")
        raise ValueError("no")


def test_threads_that_ask_at_the_same_time_wait_for_one_computation() -> None:
    slow = Slow()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: slow.total if i % 2 else slow.base, range(40)))
    assert set(found) == {20, 21}
    assert sorted(slow.calls) == ["base", "total"]
    assert Slow().base == 20  # of each object its own
    assert Slow.base.__doc__ == "The base."


def test_what_raised_is_tried_again() -> None:
    slow = Slow()
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            assert slow.broken
    assert slow.calls == ["broken"] * 2
