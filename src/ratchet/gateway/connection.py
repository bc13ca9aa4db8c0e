"""Connections to a backend: HTTP/1.1 over asyncio, one request at a time on each, kept open between requests.

An own client, because the gateway's promise is the time that it adds: on the same machine a request costs .12 ms of CPU time
through this and 1 ms through httpx, each alone in a loop. h11, the parser, is the one that the server uses.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from dataclasses import dataclass
from urllib.parse import urlsplit

import h11

HIGH_WATER = 64 * 1024
"""Bytes that may wait for whoever reads the answer; the backend is held back beyond."""
IDLE_SECONDS = 4.0
"""An idle connection is used again until then: most servers close one after five seconds."""


class Lost(Exception):
    """The connection was closed or spoke something else than HTTP."""


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where a backend is."""

    host: str
    port: int
    tls: bool
    base: str
    """The path that all others are put behind."""

    @classmethod
    def of(cls, url: str) -> Address:
        """That of a URL, which was checked before."""
        parts = urlsplit(url)
        tls = parts.scheme == "https"
        return cls(
            host=parts.hostname or "", port=parts.port or (443 if tls else 80), tls=tls, base=parts.path.rstrip("/")
        )

    @property
    def authority(self) -> str:
        """What the header Host says."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == (443 if self.tls else 80) else f"{name}:{self.port}"


class Connection(asyncio.Protocol):
    """One connection: a request goes out, and the events of its answer come in, no faster than they are asked for."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HIGH_WATER)
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[None] | None = None
        self._unread = 0
        self._paused = False
        self._may_write: asyncio.Future[None] | None = None
        self.lost = self.idle = False
        self.used = 0
        self.idle_since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Bytes have come; to a question that nobody asked they are no answer."""
        if self.idle:
            self.abort()
            return
        self._http.receive_data(data)
        self._unread += len(data)
        if self._unread > HIGH_WATER and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        """The backend will say no more."""
        if not self.lost:
            self._http.receive_data(b"")
        self.lost = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        del exc
        self.eof_received()
        self._pool.forget(self)
        self.resume_writing()

    def pause_writing(self) -> None:
        """The backend takes the request more slowly than it comes."""
        self._may_write = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        """It takes more."""
        if self._may_write is not None and not self._may_write.done():
            self._may_write.set_result(None)
        self._may_write = None

    async def send(self, request: h11.Request, body: bytes) -> None:
        """Send a request.

        Raises:
            Lost: the backend has closed the connection.
        """
        if self.lost or self._transport is None:
            raise Lost
        self.used += 1
        head = self._http.send(request)
        assert head is not None
        self._http.send(h11.Data(data=body))
        self._http.send(h11.EndOfMessage())
        self._transport.write(head + body)
        if self._may_write is not None:
            await self._may_write

    async def event(self) -> h11.Event:
        """The next part of the answer.

        Raises:
            Lost: there is no end of the answer, or it is no HTTP.
        """
        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                raise Lost from error
            if event is h11.NEED_DATA or event is h11.PAUSED:
                if self.lost:
                    raise Lost
                await self._more()
                continue
            if isinstance(event, h11.ConnectionClosed):
                raise Lost
            assert not isinstance(event, type)
            return event

    async def _more(self) -> None:
        self._unread = 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        self._waiting = asyncio.get_running_loop().create_future()
        try:
            await self._waiting
        finally:
            self._waiting = None

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def renew(self) -> bool:
        """Get ready for another request, if the last answer was read to its end and the connection stays open."""
        if self.lost or self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        if self._http.trailing_data[0]:
            return False  # bytes that nobody asked for
        self._http.start_next_cycle()
        return True

    def abort(self) -> None:
        """Close it at once."""
        self.lost = True
        if self._transport is not None:
            self._transport.abort()


class Pool:
    """The connections to one backend. How many there are follows from how many requests are answered at the same time."""

    def __init__(self, address: Address, *, connect_seconds: float) -> None:
        self.address = address
        self._seconds = connect_seconds
        self._idle: deque[Connection] = deque()
        self._open: set[Connection] = set()
        self._tls: ssl.SSLContext | None = ssl.create_default_context() if address.tls else None

    async def take(self, *, fresh: bool = False) -> Connection:
        """A connection that is free, the one that was used last; or a new one.

        Raises:
            OSError: the backend takes none; a TimeoutError among them.
        """
        loop = asyncio.get_running_loop()
        while self._idle and not fresh:
            found = self._idle.pop()
            if not found.lost and loop.time() - found.idle_since < IDLE_SECONDS:
                found.idle = False
                return found
            found.abort()
        async with asyncio.timeout(self._seconds):
            _, made = await loop.create_connection(
                lambda: Connection(self), self.address.host, self.address.port, ssl=self._tls
            )
        self._open.add(made)
        return made

    def give(self, connection: Connection) -> None:
        """Take a connection back: it is kept where its last answer was read to the end."""
        if connection.renew():
            connection.idle = True
            connection.idle_since = asyncio.get_running_loop().time()
            self._idle.append(connection)
            while self._idle and connection.idle_since - self._idle[0].idle_since > IDLE_SECONDS:
                self._idle.popleft().abort()
        else:
            connection.abort()

    def forget(self, connection: Connection) -> None:
        """One is closed."""
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    def close(self) -> None:
        """Close them all."""
        for connection in [*self._open]:
            connection.abort()
