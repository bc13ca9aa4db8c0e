"""The purse: what may still be spent and sent, asked before each request."""

from __future__ import annotations

from threading import Condition

from ratchet.recipe.endpoint import EndpointLimit

_ROUNDING = 1e-9


class Purse:
    """Keeps a limit for all threads of a run; use one purse for several calls that share a limit.

    Each request is counted at its worst case before it is sent. What was paid replaces the worst case afterwards; where
    nobody knows what was paid, the worst case stays, in ``unsure``.
    """

    def __init__(self, limit: EndpointLimit) -> None:
        self._limit = limit
        self._changed = Condition()
        self._held = 0.0
        self._out = 0
        self.spent = 0.0
        self.unsure = 0.0
        self.requests = 0

    def take(self, worst: float) -> bool:
        """Set the worst case aside; False where the limit does not allow it, even when all that is under way is settled."""
        with self._changed:
            while not self._fits(worst):
                if not self._out or self._used_up():
                    return False
                self._changed.wait()
            self._held += worst
            self._out += 1
            self.requests += 1
            return True

    def settle(self, worst: float, *, paid: float | None) -> None:
        """Put what was really paid in the place of the worst case; ``None``: nobody knows."""
        with self._changed:
            self._held -= worst
            self._out -= 1
            if paid is None:
                self.unsure += worst
            else:
                self.spent += paid
            self._changed.notify_all()

    def _used_up(self) -> bool:
        return self._limit.requests is not None and self.requests >= self._limit.requests

    def _fits(self, worst: float) -> bool:
        if self._used_up():
            return False
        most = self._limit.cost
        # A sum of thousands of prices is not exact to the last bit.
        return most is None or self.spent + self.unsure + self._held + worst <= most * (1 + _ROUNDING)
