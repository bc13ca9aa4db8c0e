"""Rates: a token bucket for each name, in bounded memory, by a clock that cannot be set."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

MOST = 65_536


class Rates:
    """How often each name may do something.

    Args:
        most: names that are remembered; of more, the one that was not seen for longest begins anew.
        clock: seconds that only grow.
    """

    def __init__(self, *, most: int = MOST, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = most, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, name: str, *, rate: float, burst: int) -> float:
        """Take one token of the name; 0.0, or the seconds until there is one, and then none is taken.

        Args:
            name: whose bucket it is.
            rate: tokens that it gains a second, more than 0.
            burst: tokens that it holds when full, at least 1.
        """
        now = self._clock()
        tokens, since = self._buckets.pop(name, (float(burst), now))
        tokens = min(float(burst), tokens + (now - since) * rate)
        short = 1 - tokens
        self._buckets[name] = (tokens if short > 0 else tokens - 1, now)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return short / rate if short > 0 else 0.0

    def __len__(self) -> int:
        return len(self._buckets)
