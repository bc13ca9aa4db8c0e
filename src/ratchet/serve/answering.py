"""From the bytes of a request to those of its answer: how much may be asked, and whom it is asked of."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from ratchet.models.model import Answers
from ratchet.recipe.sections import ServeConfig
from ratchet.serve.engine import Engine, Served
from ratchet.serve.limits import Intake, require_json
from ratchet.serve.served_bundle import ServedBundle

SMALL = 16 * 1024  # bytes of a body that is read while all others wait


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a request asks."""

    rows: Sequence[str]
    written: Callable[[Answers], bytes]
    """The body of the answer."""


Read = Callable[[bytearray, ServedBundle], Question]


class Answering:
    """Answers the requests of every REST interface to a bundle.

    Args:
        engine: is asked.
        config: limits and deadline.
    """

    def __init__(self, engine: Engine[ServedBundle], *, config: ServeConfig) -> None:
        self._engine, self._config = engine, config
        self.intake = Intake(config)

    async def answer(self, request: Request, read: Read) -> Response:
        """The answer to a request whose body ``read`` understands.

        Raises:
            Refused: it is refused by its headers, its size or its contents, or cannot be answered now.
            Gone: nobody waits for the answer any more.
        """
        since = time.monotonic()
        require_json(request)
        body = bytearray()
        try:
            await self.intake.read(request, body, admit=self._engine.require_room)
            served = self._engine.require_room()
            until, gone = since + self._config.deadline, partial(_gone, request)
            told = partial(self._told, request, body, read)
            answer = await answered(self._engine, served, told, size=len(body), until=until, gone=gone)
        finally:
            self.intake.release(body)
        return self.json(answer)

    def _told(self, request: Request, body: bytearray, read: Read, what: ServedBundle) -> Question:
        """What is asked; the front is told how many rows."""
        found = read(body, what)
        request.scope.setdefault("state", {})["rows"] = len(found.rows)
        return found

    def json(self, body: bytes, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
        """An answer with this body; one of a server that is about to stop asks the client to connect anew."""
        headers = dict(headers or {})
        if self._engine.draining:
            headers["Connection"] = "close"
        return Response(body, status, headers, media_type="application/json")


async def answered(
    engine: Engine[ServedBundle],
    served: Served[ServedBundle],
    read: Callable[[ServedBundle], Question],
    *,
    size: int,
    until: float,
    gone: Callable[[], Awaitable[object]] | None = None,
) -> bytes:
    """From the bytes of a request to those of its answer; large ones are read and written in a thread, beside the others.

    Args:
        engine: is asked.
        served: the bundle that ``require_room`` gave.
        read: what is asked of it.
        size: bytes of the request.
        until: its deadline, of `time.monotonic`.
        gone: ends when nobody waits for the answer any more.

    Raises:
        Refused: it is refused by its contents, or cannot be answered.
        Gone: nobody waits.
    """
    with served.used():
        what = served.what
        asked = read(what) if size <= SMALL else await asyncio.to_thread(read, what)
        if not len(asked.rows):
            return asked.written(what.no_answers)
        answers = await engine.ask(served, asked.rows, seconds=until - time.monotonic(), gone=gone)
        if what.live is not None:
            what.live.see(asked.rows, answers)
        if answers.size <= SMALL // 64:
            return asked.written(answers)
        return await asyncio.to_thread(asked.written, answers)


async def _gone(request: Request) -> None:
    """Ends when the client of a request whose body was read has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
