"""How many connections there may be, how long each may be silent, and what is owed to one that has asked."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

logger = logging.getLogger("ratchet.serve")

HEAD_SECONDS = 10.0  # from the first byte of a request, or the connection, to the end of its head
SEND_SECONDS = 30.0  # on top of the deadlines of body and answer, until a client has taken its answer
SPARE_FILES = 128  # descriptors that are no connections: the model, the log, the libraries
FEWEST = 16
FULL_EVERY = 60.0  # seconds between two lines that say the same


def most_connections() -> int:
    """As many connections as the limit on open files leaves room for."""
    try:
        import resource
    except ImportError:  # no such limit on Windows
        return 512
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft in (resource.RLIM_INFINITY, -1):
        return 65_536
    return max(FEWEST, min(65_536, soft - SPARE_FILES if soft >= 4 * SPARE_FILES else soft // 2))


@dataclass(frozen=True, kw_only=True, eq=False)
class Room:
    """What the connections of a server share: how many there may be, and which of them are silent, the longest first."""

    most: int
    exchange: float
    """Seconds from the head of a request until its client has taken the answer."""
    silent: dict[Connection, None] = field(default_factory=dict)

    @property
    def is_awaited(self) -> bool:
        """Whether somebody has connected who has not asked anything yet."""
        return any(not connection.has_asked for connection in self.silent)


class Connection(H11Protocol):  # type: ignore[misc]
    """One connection. One too many takes the place of the one that has been silent longest, if there is one."""

    room: ClassVar[Room]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._timer: asyncio.TimerHandle | None = None
        self._busy = self._half_closed = self.has_asked = False

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Make room for it, and wait for the head of its first request."""
        super().connection_made(transport)
        if len(self.connections) > self.room.most:
            longest = next(iter(self.room.silent), None)
            if longest is None:
                transport.abort()
                return
            self.room.silent.pop(longest)
            longest.transport.abort()
        self.room.silent[self] = None
        self._expect(HEAD_SECONDS)

    def data_received(self, data: bytes) -> None:
        """The rest of a head must follow in time, however many bytes come; a request must be over in time."""
        super().data_received(data)
        self._look()

    def eof_received(self) -> bool | None:
        """A client that has asked and will say no more still gets its answer; half a request never becomes one."""
        if self.scheme == "https":  # TLS has no half of a connection
            return None
        self._half_closed = self._busy and self.conn.their_state is not h11.SEND_BODY
        return self._half_closed or None

    def _unsupported_upgrade_warning(self) -> None:
        """Uvicorn would tell whoever asks for a web socket's sake to install something."""

    def on_response_complete(self) -> None:
        """An answer is out: the keep-alive timeout counts from now on, unless the next request is here already."""
        self._busy = False
        self._expect(None)
        super().on_response_complete()
        if self.cycle.response_complete:
            self.room.silent[self] = None
            if self._half_closed:
                self.transport.close()
        else:
            self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._expect(None)
        self.room.silent.pop(self, None)
        super().connection_lost(exc)

    def _look(self) -> None:
        """Which of the two deadlines holds after some bytes came."""
        busy = self.cycle is not None and not self.cycle.response_complete
        if busy and not self._busy:
            self._busy = self.has_asked = True
            self.room.silent.pop(self, None)
            self._expect(self.room.exchange)
        elif not busy and self._timer is None:
            self._expect(HEAD_SECONDS)

    def _expect(self, seconds: float | None) -> None:
        """Abort the connection unless this is called again in time."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None else self.loop.call_later(seconds, self.transport.abort)


def protocol(room: Room) -> type[Connection]:
    """The protocol of one server's connections."""
    return type("ServerConnection", (Connection,), {"room": room})


class Seldom(logging.Filter):
    """Lets a warning through once a minute, however often it is said: anybody can make a server say it."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is more severe than a warning, or was not said in the last minute."""
        return record.levelno >= logging.ERROR or self.is_due(str(record.msg))

    def is_due(self, message: str) -> bool:
        """Whether it was not said in the last minute; then it counts as said."""
        now = time.monotonic()
        if now - self._said.get(message, -FULL_EVERY) < FULL_EVERY:
            return False
        self._said[message] = now
        return True


def told_once(say: Callable[[str], None]) -> Callable[[asyncio.AbstractEventLoop, dict[str, Any]], None]:
    """An exception handler of the loop that says once a minute, not at each try, that no descriptor is left."""
    seldom = Seldom()

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if "accept()" not in context.get("message", ""):
            loop.default_exception_handler(context)
        elif seldom.is_due("accept"):
            say(f"No connection can be taken: {context.get('exception')}.")

    return handle
