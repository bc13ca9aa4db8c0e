"""An OpenAI-compatible server as a backend: vLLM, llama.cpp, a provider, or a gateway again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import h11

from ratchet.endpoint.key import Key
from ratchet.gateway.backend import Call
from ratchet.gateway.config import Timeouts
from ratchet.gateway.connection import Address, Connection, Lost, Pool
from ratchet.gateway.refusal import Refusal
from ratchet.gateway.request import Asked

EVENTS = "text/event-stream"
_ASKED_NOTHING = Asked()
_READY_SECONDS = 2.0


class Upstream:
    """A backend behind an address.

    Args:
        url: base of the backend; ``/chat/completions`` is put behind it.
        key: goes with each request, and nowhere else.
        timeouts: how long to wait.

    No header of a client reaches the backend, redirects are not followed, and no proxy is taken from the environment.
    """

    def __init__(self, url: str, *, key: Key, timeouts: Timeouts) -> None:
        self._address = Address.of(url)
        self._pool = Pool(self._address, connect_seconds=timeouts.connect)
        self._timeouts = timeouts
        self._headers = [
            ("Host", self._address.authority),
            ("User-Agent", "ratchet-gateway"),
            ("Accept-Encoding", "identity"),
            *key.headers.items(),
        ]
        self._ready: tuple[float, bool] = (float("-inf"), False)

    @property
    def authority(self) -> str:
        """Its host, and its port where it is not the usual one."""
        return self._address.authority

    async def open(self, call: Call) -> Answer:
        """Begin a call.

        Raises:
            Refusal: 503 where there is no connection, 502 where it is closed before the answer, 504 where it comes too late.
        """
        request = self._request(call)
        whole = asyncio.get_running_loop().time() + self._timeouts.whole
        for fresh in (False, True):
            connection = await self._connection(fresh=fresh)
            again = connection.used > 0  # the backend may have closed it in the meantime
            seconds = self._timeouts.first_byte if call.asked.stream else self._timeouts.whole
            try:
                async with asyncio.timeout(seconds):
                    await connection.send(request, call.body)
                    event = await connection.event()
                    while isinstance(event, h11.InformationalResponse):
                        event = await connection.event()
            except Lost:
                connection.abort()
                if again and not fresh:
                    continue
                message = "The backend closed the connection before its answer."
                raise Refusal(502, "backend_disconnected", message) from None
            except TimeoutError:
                connection.abort()
                message = f"The backend did not begin its answer within {seconds:g} seconds."
                raise Refusal(504, "backend_timeout", message) from None
            except BaseException:
                connection.abort()
                raise
            assert isinstance(event, h11.Response)
            return Answer(event, connection, self._pool, between=self._timeouts.between, until=whole)
        raise AssertionError

    async def ready(self) -> bool:
        """Whether it answers to a question about its models; asked again after two seconds at the earliest."""
        now = asyncio.get_running_loop().time()
        if now - self._ready[0] >= _READY_SECONDS:
            self._ready = (now, self._ready[1])
            self._ready = (now, await self._is_there())
        return self._ready[1]

    async def _is_there(self) -> bool:
        try:
            async with asyncio.timeout(_READY_SECONDS):
                reply = await self.open(Call(path="/models", asked=_ASKED_NOTHING))
                try:
                    return reply.status < 500
                finally:
                    reply.close()
        except (Refusal, TimeoutError):
            return False

    async def close(self) -> None:
        """Close its connections."""
        self._pool.close()

    async def _connection(self, *, fresh: bool) -> Connection:
        try:
            return await self._pool.take(fresh=fresh)
        except TimeoutError:
            message = f"No connection to the backend was made within {self._timeouts.connect:g} seconds."
            raise Refusal(504, "backend_unreachable", message, headers={"Retry-After": "1"}) from None
        except OSError:
            message = "The backend cannot be reached."
            raise Refusal(503, "backend_unreachable", message, headers={"Retry-After": "1"}) from None

    def _request(self, call: Call) -> h11.Request:
        own = [("X-Request-ID", call.request_id)] if call.request_id else []
        if call.body:
            accept = EVENTS if call.asked.stream else "application/json"
            own += [("Content-Type", "application/json"), ("Accept", accept), ("Content-Length", str(len(call.body)))]
        return h11.Request(
            method="POST" if call.body else "GET",
            target=f"{self._address.base}{call.path}",
            headers=[*self._headers, *own],
        )


class Answer:
    """The answer of a backend, still coming."""

    def __init__(self, head: h11.Response, connection: Connection, pool: Pool, *, between: float, until: float) -> None:
        self.status = head.status_code
        headers = {name.lower(): value.decode("latin-1") for name, value in head.headers}
        self.content_type = headers.get(b"content-type", "")
        self.retry_after = headers.get(b"retry-after", "")
        self.streamed = self.content_type.partition(";")[0].strip().lower() == EVENTS
        self.cut = head.http_version == b"1.0" or not (
            b"content-length" in headers or "chunked" in headers.get(b"transfer-encoding", "").lower()
        )
        self._connection, self._pool = connection, pool
        self._between, self._until = between, until
        self._packed = headers.get(b"content-encoding", "identity").lower() != "identity"

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes."""
        if self._packed:
            raise Refusal(502, "backend_garbage", "The backend packed its answer, which nobody asked for.")
        loop = asyncio.get_running_loop()
        while True:
            try:
                async with asyncio.timeout_at(min(loop.time() + self._between, self._until)):
                    event = await self._connection.event()
            except Lost:
                message = "The backend closed the connection in the middle of its answer."
                raise Refusal(502, "backend_disconnected", message) from None
            except TimeoutError:
                late = loop.time() >= self._until
                message = "The answer took too long." if late else "The backend became silent in its answer."
                raise Refusal(504, "backend_timeout", message) from None
            if isinstance(event, h11.Data):
                yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return

    def close(self) -> None:
        """Keep the connection where the body has ended; else close it, and the backend stops writing."""
        self._pool.give(self._connection)
