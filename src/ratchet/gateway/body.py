"""Bodies of requests: JSON alone, only so many bytes each and together, and only for so long."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ratchet.gateway.refusal import Refusal, busy

if TYPE_CHECKING:
    from starlette.types import Receive, Scope

TOGETHER = 8
"""Bodies of the largest size that may be in memory at the same time."""
LINGER_BYTES = 32 << 20
LINGER_SECONDS = 2.0
_CLOSE = {"Connection": "close"}


class Gone(Exception):
    """The client is no longer there."""


@dataclass
class Body:
    """The bytes of one."""

    data: bytearray = field(default_factory=bytearray)


class Bodies:
    """Reads bodies, and counts their bytes until they are no longer needed."""

    def __init__(self, *, most: int, seconds: float) -> None:
        self._most, self._seconds = most, seconds
        self._held = 0

    async def read(self, scope: Scope, receive: Receive, body: Body) -> None:
        """Read into ``body``; give it to ``release`` afterwards, however this ends.

        Raises:
            Refusal: 415 when it does not say that it is JSON, 413 when it is too long, 408 when it comes too slowly, 503 when
                all bodies together are too much.
            Gone: the client went away.
        """
        headers = dict(scope["headers"])
        declared = headers.get(b"content-length", b"")
        size = int(declared) if declared.isdigit() else 0
        try:
            self._require(headers, size)
            try:
                async with asyncio.timeout(self._seconds):
                    await self._into(body.data, receive)
            except TimeoutError:
                raise Refusal(408, "too_slow", "The body came too slowly.", headers=_CLOSE) from None
        except Refusal as error:
            if error.status != 408 and size <= LINGER_BYTES and b"expect" not in headers:
                await _linger(receive)
            raise

    def release(self, body: Body) -> None:
        """Forget a body."""
        self._held -= len(body.data)
        body.data = bytearray()

    def _require(self, headers: dict[bytes, bytes], size: int) -> None:
        media = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if media != b"application/json":
            # A page of another site can send anything else to a server on this machine without asking.
            raise Refusal(415, "wrong_content_type", "The header Content-Type must be application/json.")
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise Refusal(415, "wrong_content_encoding", "The body must not be compressed.")
        if size > self._most:
            raise self._too_big()

    async def _into(self, body: bytearray, receive: Receive) -> None:
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Gone
            chunk, more = message.get("body", b""), message.get("more_body", False)
            if len(body) + len(chunk) > self._most:
                raise self._too_big()
            if self._held + len(chunk) > TOGETHER * self._most:
                raise busy("The requests in flight hold too many bytes already.", status=503, code="busy")
            body += chunk
            self._held += len(chunk)

    def _too_big(self) -> Refusal:
        return Refusal(413, "body_too_big", f"The body must have at most {self._most} bytes.", headers=_CLOSE)


async def _linger(receive: Receive) -> None:
    """Throw away the rest of a body, within bounds: a connection closed with unread bytes is reset, and the answer is lost."""
    seen = 0
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while seen < LINGER_BYTES:
                message = await receive()
                seen += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return
    except TimeoutError:
        return
