"""The guard before the backend: every text of a request is checked by where it comes from."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal, Protocol

from ratchet.gateway.refusal import Refusal
from ratchet.gateway.request import Piece, Source

logger = logging.getLogger("ratchet.serve")

Mode = Literal["off", "monitor", "flag", "block"]
SHORT = 2_000
"""Characters of a request that are checked at once; more of them in a thread, so that others do not wait."""
_THREADS, _WAITING = 2, 64


class Decision(Protocol):
    """What a guard found."""

    @property
    def flagged(self) -> bool:
        """Whether the text should not reach a model."""

    @property
    def reasons(self) -> Sequence[str]:
        """Why, in short words."""


class Watch(Protocol):
    """Whatever looks at texts."""

    def check(self, text: str, source: Source, /) -> Decision:
        """Look at a text. It is called in threads, several at a time."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What was found in a request; ``reasons`` is empty where nothing was flagged."""

    reasons: tuple[str, ...] = ()
    failed: bool = False

    @property
    def header(self) -> str:
        """What the answer says of it."""
        if self.failed:
            return "failed"
        return f"flagged; {', '.join(self.reasons)}" if self.reasons else "passed"


class Guard:
    """Asks a watch about requests, in bounded time, and acts by the mode."""

    def __init__(self, watch: Watch, *, mode: Mode, seconds: float) -> None:
        self._watch, self.mode, self._seconds = watch, mode, seconds
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="ratchet-guard")
        self._waiting = 0
        self.counts: Counter[str] = Counter()
        """Requests by what came of them: passed, flagged, blocked, failed."""

    async def check(self, pieces: Sequence[Piece]) -> Finding:
        """Look at the texts of a request.

        Raises:
            Refusal: 400 where one is flagged and the mode is to block; 503 where the guard itself fails then.
        """
        try:
            if sum(len(piece.text) for piece in pieces) <= SHORT:
                reasons = self._reasons(pieces)
            else:
                reasons = await self._in_thread(pieces)
        except Exception as error:  # noqa: BLE001  whatever a watch raises must not open the door, nor show the text
            return self._failed(type(error).__name__)
        blocked = bool(reasons) and self.mode == "block"
        self.counts["blocked" if blocked else "flagged" if reasons else "passed"] += 1
        if blocked:
            message = f"The guard flagged a text of the request: {', '.join(reasons)}."
            raise Refusal(400, "content_filter", message, param="messages")
        return Finding(reasons=reasons)

    def _reasons(self, pieces: Sequence[Piece]) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for piece in pieces:
            decision = self._watch.check(piece.text, piece.source)
            if decision.flagged:
                found.update(dict.fromkeys(_word(one) for one in decision.reasons or ("flagged",)))
        return tuple(found)

    async def _in_thread(self, pieces: Sequence[Piece]) -> tuple[str, ...]:
        if self._waiting >= _WAITING:
            raise TimeoutError
        self._waiting += 1
        running = self._pool.submit(self._reasons, pieces)
        running.add_done_callback(lambda _: self._leave())
        try:
            async with asyncio.timeout(self._seconds):
                return await asyncio.wrap_future(running)
        finally:
            running.cancel()

    def _leave(self) -> None:
        self._waiting -= 1

    def _failed(self, what: str) -> Finding:
        self.counts["failed"] += 1
        logger.warning("the guard failed: %s", what)
        if self.mode == "block":
            message = "The guard could not check the request; try again in a second."
            raise Refusal(503, "guard_failed", message, headers={"Retry-After": "1"})
        return Finding(failed=True)

    def close(self) -> None:
        """End its threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _word(reason: str) -> str:
    """A reason as it may stand in a header."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "._-: ") else "_" for c in reason)[:60]
