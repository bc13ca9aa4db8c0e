"""One request and its answer: what is known of it for the accounts, the way to the client, and whether it is still there."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ratchet.gateway.accounts import Used, now
from ratchet.gateway.body import Gone
from ratchet.gateway.events import Usage
from ratchet.gateway.refusal import Refusal
from ratchet.gateway.request import Asked

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

GONE = 499
"""The status in the accounts of a request whose client went away."""
BYTES_PER_TOKEN = 4
"""How tokens are estimated where nobody counts them."""
Headers = list[tuple[bytes, bytes]]


@dataclass(kw_only=True)
class Exchange:
    """What is known of a request so far."""

    request_id: str
    client: str
    since: float = field(default_factory=time.perf_counter)
    asked: Asked = field(default_factory=Asked)
    arm: str = ""
    status: int = GONE
    code: str = ""
    usage: Usage | None = None
    guess: int = 0
    """Tokens of the answer, where the backend did not count."""
    first: float = 0.0
    guard: str = ""

    @classmethod
    def of(cls, scope: Scope) -> Exchange:
        """The request of a scope, in which the front has written who asks, and an id."""
        state = scope.get("state", {})
        client = getattr(state.get("client"), "id", "anonymous")
        return cls(request_id=state.get("request_id") or secrets.token_hex(16), client=client)

    @property
    def headers(self) -> Headers:
        """What every answer says beside itself."""
        own = {b"x-ratchet-arm": self.arm, b"x-ratchet-guard": self.guard}
        return [(name, value.encode("ascii", "replace")) for name, value in own.items() if value]

    def used(self) -> Used:
        """What the accounts get, without what it cost."""
        answered = bool(self.arm) and (self.status == 200 or self.status == GONE)
        guessed = answered and self.usage is None and bool(self.asked.size)
        usage = self.usage or (Usage(self.asked.size // BYTES_PER_TOKEN, self.guess) if guessed else Usage())
        return Used(
            time=now(),
            request=self.request_id,
            client=self.client,
            model=self.asked.model,
            arm=self.arm,
            status=self.status,
            code=self.code,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            estimated=guessed,
            milliseconds=round(1000 * (time.perf_counter() - self.since), 2),
            first=round(1000 * self.first, 2),
            guard=self.guard,
        )


class Out:
    """The way to the client.

    Args:
        exchange: gets the status, and when it was sent.
        send: of ASGI.
        seconds: that a client may take nothing.
    """

    def __init__(self, exchange: Exchange, send: Send, *, seconds: float) -> None:
        self._exchange, self._send, self._seconds = exchange, send, seconds
        self.begun = False

    async def begin(self, status: int, headers: Headers) -> None:
        """Send the head."""
        exchange = self._exchange
        exchange.status, self.begun = status, True
        exchange.first = time.perf_counter() - exchange.since
        await self._send({"type": "http.response.start", "status": status, "headers": [*headers, *exchange.headers]})

    async def send(self, body: bytes, *, more: bool = True) -> None:
        """Send bytes; waits while the client takes none.

        Raises:
            Gone: it took none for too long.
        """
        try:
            async with asyncio.timeout(self._seconds):
                await self._send({"type": "http.response.body", "body": body, "more_body": more})
        except TimeoutError:
            self._exchange.code = "client_stalled"
            raise Gone from None

    async def whole(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Send an answer of JSON."""
        size = (b"content-length", b"%d" % len(body))
        further = [(name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
        await self.begin(status, [(b"content-type", b"application/json"), size, *further])
        await self.send(body, more=False)

    async def refuse(self, error: Refusal) -> None:
        """Send an error, unless an answer is under way."""
        self._exchange.code = error.code
        if not self.begun:
            await self.whole(error.status, error.body, error.headers)


@asynccontextmanager
async def while_there(receive: Receive) -> AsyncIterator[None]:
    """What is done in here is given up when the client goes away.

    Raises:
        Gone: it went away.
    """
    task = asyncio.current_task()
    assert task is not None
    gone = False

    async def listen() -> None:
        nonlocal gone
        while (await receive())["type"] != "http.disconnect":
            pass
        gone = True
        task.cancel()

    listening = asyncio.create_task(listen())
    try:
        yield
    except asyncio.CancelledError:
        if not gone:
            raise
        task.uncancel()
        raise Gone from None
    finally:
        listening.cancel()
