"""Which waiting rows a free worker gets: a bounded queue with deadlines, pieces of requests in turn, no fixed wait."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from ratchet.models.model import Answers
from ratchet.serve.crew import Crew, Died, Worker

PIECE = 32
"""Rows of a request that a worker gets at once; between two pieces others have their turn, and its deadline is looked at."""
LIVES = 2
"""Workers that may die of the same rows before these are given up."""
LOOK = 0.05  # seconds that a request waits before it is asked whether its client is still there


class Expired(Exception):
    """The request's deadline passed before its rows were done."""


class Gone(Exception):
    """Nobody waits for the answer any more."""


class NoWorker(Exception):
    """All workers have died, or these rows have killed those that they were given to."""


class QueueFull(Exception):
    """No further request may wait."""


@dataclass(eq=False)
class _Request:
    """Rows that somebody waits for."""

    rows: Sequence[str]
    done: asyncio.Future[Answers]
    answers: list[Answers | None] = field(default_factory=list)
    given: int = 0
    """Pieces that were handed out."""
    missing: int = 0
    """Pieces without an answer."""
    again: list[int] = field(default_factory=list)
    """Pieces whose worker has died."""
    deaths: int = 0
    """Workers that have died of it, or beside it."""
    alone: bool = False
    """Whether it is computed in no call with others, as one of them failed."""

    @property
    def waits(self) -> bool:
        """Whether a piece of it has still to be handed out."""
        return not self.done.done() and (bool(self.again) or self.given < len(self.answers))

    def next(self) -> int:
        """The number of the next piece."""
        if self.again:
            return self.again.pop()
        self.given += 1
        return self.given - 1

    def piece(self, number: int) -> Sequence[str]:
        """Its rows."""
        return self.rows[number * PIECE : (number + 1) * PIECE]

    def put(self, number: int, answers: Answers) -> None:
        """A piece is answered."""
        if self.done.done():
            return
        self.answers[number] = answers
        self.missing -= 1
        if not self.missing:
            parts = [part for part in self.answers if part is not None]
            self.done.set_result(parts[0] if len(parts) == 1 else np.concatenate(parts))

    def fail(self, error: BaseException) -> None:
        """It gets no answer."""
        if not self.done.done():
            self.done.set_exception(error)


_Piece = tuple[_Request, int]


class Scheduler:
    """Hands rows to workers.

    Args:
        crew: the workers.
        queue: requests that may wait while all workers are busy.
        together: whether pieces of several waiting requests are computed in one call, up to ``PIECE`` rows; where that was
            measured to be no faster they are computed one after the other.
    """

    def __init__(self, crew: Crew, *, queue: int, together: bool = False) -> None:
        self._crew, self._queue, self.together = crew, queue, together
        self._waiting: deque[_Request] = deque()
        self.busy = 0
        """Workers that compute."""
        crew.freed = self._hand_out

    @property
    def waiting(self) -> int:
        """Requests with rows that no worker has yet."""
        return sum(request.waits for request in self._waiting)

    @property
    def full(self) -> bool:
        """Whether a further request would have to be refused."""
        if len(self._waiting) >= max(self._queue, 1):
            self._waiting = deque(request for request in self._waiting if request.waits)
        return self.busy >= max(self._crew.alive, 1) and len(self._waiting) >= self._queue

    async def ask(
        self, rows: Sequence[str], *, seconds: float, gone: Callable[[], Awaitable[object]] | None = None
    ) -> Answers:
        """(n, k) answers to n rows, at least one.

        Args:
            rows: what is asked.
            seconds: from now until its deadline.
            gone: ends when nobody waits for the answer any more.

        Raises:
            QueueFull: too many wait already.
            Expired: the deadline passed. What no worker has yet is dropped.
            Gone: nobody waits. The same.
            NoWorker: there is none that could answer.
            Exception: the model failed.
        """
        if self.full:
            raise QueueFull
        pieces, loop = -(-len(rows) // PIECE), asyncio.get_running_loop()
        request = _Request(rows, loop.create_future(), [None] * pieces, missing=pieces)
        self._waiting.append(request)
        self._hand_out()
        waits = _Wait(request, until=loop.time() + seconds, gone=gone)
        try:
            return await request.done
        finally:
            waits.end()
            request.done.cancel()

    def _hand_out(self) -> None:
        """Give waiting pieces to workers that are free."""
        while self._waiting:
            if not self._waiting[0].waits:
                self._waiting.popleft()
                continue
            worker = self._crew.take()
            if worker is None:
                return
            self._compute(worker, self._next())

    def _next(self) -> list[_Piece]:
        """What the next worker gets: the first waiting piece, and with ``together`` those behind it while there is room."""
        found: list[_Piece] = []
        room = PIECE
        while self._waiting:
            request = self._waiting.popleft()
            if not request.waits:
                continue
            number = request.next()
            found.append((request, number))
            room -= len(request.piece(number))
            if request.waits:
                self._waiting.append(request)
            if request.alone or not self._fits(room):
                break
        return found

    def _fits(self, room: int) -> bool:
        """Whether the first waiting piece may be computed in the call of those before it; what failed is alone."""
        if not self.together or not self._waiting or self._waiting[0].alone:
            return False
        request = self._waiting[0]
        return len(request.piece(request.given)) <= room

    def _compute(self, worker: Worker, pieces: list[_Piece]) -> None:
        rows = [request.piece(number) for request, number in pieces]
        self.busy += 1
        work = worker.predict(rows[0] if len(rows) == 1 else _joined(rows))
        work.add_done_callback(partial(self._computed, worker, pieces))

    def _computed(self, worker: Worker, pieces: list[_Piece], work: asyncio.Future[Answers]) -> None:
        self.busy -= 1
        error = Died() if work.cancelled() else work.exception()
        if error is None:
            found, place = work.result(), 0
            for request, number in pieces:
                size = len(request.piece(number))
                request.put(number, found[place : place + size])
                place += size
        elif isinstance(error, Died):
            self._once_more(pieces)
        elif len(pieces) == 1:
            pieces[0][0].fail(error)
        else:  # one of them fails: the others are no worse for it
            self._alone(pieces)
        self._crew.give(worker)
        self._hand_out()

    def _alone(self, pieces: list[_Piece]) -> None:
        """Compute each by itself, before all that wait."""
        for request, number in reversed(pieces):
            waits = request.waits
            request.alone = True
            request.again.append(number)
            if not waits:
                self._waiting.appendleft(request)

    def _once_more(self, pieces: list[_Piece]) -> None:
        """Their worker has died: another gets them, if these are not the rows that kill."""
        for request, _ in pieces:
            request.deaths += 1
            if request.deaths >= LIVES or not self._crew.alive:
                request.fail(NoWorker())
        self._alone([piece for piece in pieces if not piece[0].done.done()])


class _Wait:
    """Somebody's wait for a request: it ends at the deadline, or when that somebody has gone."""

    def __init__(self, request: _Request, *, until: float, gone: Callable[[], Awaitable[object]] | None) -> None:
        self._request, self._until, self._gone = request, until, gone
        self._left: asyncio.Future[object] | None = None
        self._loop = asyncio.get_running_loop()
        first = until if gone is None else min(until, self._loop.time() + LOOK)
        self._timer = self._loop.call_at(first, self._look)

    def _look(self) -> None:
        if self._loop.time() >= self._until:
            self._request.fail(Expired())
            return
        self._timer = self._loop.call_at(self._until, self._look)
        assert self._gone is not None
        self._left = asyncio.ensure_future(self._gone())
        self._left.add_done_callback(self._went)

    def _went(self, left: asyncio.Future[object]) -> None:
        if not left.cancelled():
            self._request.fail(left.exception() or Gone())

    def end(self) -> None:
        """Nobody waits any more, for whatever reason."""
        self._timer.cancel()
        if self._left is not None:
            self._left.cancel()


def _joined(rows: list[Sequence[str]]) -> Sequence[str]:
    """The rows of several pieces, with their features."""
    from ratchet.models.inputs import Inputs

    whole = Inputs.of(rows[0])
    for further in rows[1:]:
        whole = whole.followed_by(Inputs.of(further))
    return whole
