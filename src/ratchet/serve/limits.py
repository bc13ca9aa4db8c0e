"""Take in request bodies: only JSON, only so many bytes each and together, only for so long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container

from starlette.requests import Request

from ratchet.forms import legible
from ratchet.recipe.sections import ServeConfig
from ratchet.serve.messages import Refused, body_limit

TOGETHER = 8  # bodies of the largest size that may be in memory at the same time
LINGER_BYTES = 32 * 1024 * 1024
LINGER_SECONDS = 2.0
_CLOSE = {"Connection": "close"}


class Intake:
    """Reads bodies and counts their bytes until they are released, so that memory has a bound whatever clients do."""

    def __init__(self, config: ServeConfig) -> None:
        self.limit = body_limit(config)
        self._deadline = config.deadline
        self._held = 0

    async def read(self, request: Request, body: bytearray, *, admit: Callable[[], object]) -> None:
        """Read into ``body``; give it to ``release`` afterwards, however this ends.

        Args:
            request: whose body it is.
            body: gets the bytes.
            admit: raises Refused when no request can be taken now; a body is thrown away then, not kept.

        Raises:
            Refused: 413 when the body is too big, 408 when it comes too slowly, 503 when all bodies together are.
        """
        declared = request.headers.get("content-length", "")
        try:
            admit()
        except Refused:
            await linger(request, declared)
            raise
        if not (declared.isdecimal() and int(declared) > self.limit):
            try:
                async with asyncio.timeout(self._deadline):
                    if await self._read(request, body):
                        return
            except TimeoutError:
                raise Refused(408, "too_slow", "The body came too slowly.", headers=_CLOSE) from None
        await linger(request, declared)
        raise Refused(413, "body_too_big", f"The body must have at most {self.limit} bytes.", headers=_CLOSE)

    async def _read(self, request: Request, body: bytearray) -> bool:
        """Whether the whole body fits."""
        async for chunk in request.stream():
            if len(body) + len(chunk) > self.limit:
                return False
            if self._held + len(chunk) > TOGETHER * self.limit:
                message = "The requests in flight hold too many bytes already; try again in a second."
                raise Refused(503, "busy", message, headers={"Retry-After": "1", **_CLOSE})
            body += chunk
            self._held += len(chunk)
        return True

    def release(self, body: bytearray) -> None:
        """Forget a body that was answered."""
        self._held -= len(body)


def require_json(request: Request) -> None:
    """Refuse a body that does not call itself JSON in UTF-8.

    A page of another site can send anything else to a server on this machine without asking; JSON it cannot.
    """
    media, _, parameters = request.headers.get("content-type", "").partition(";")
    charset = parameters.lower().replace(" ", "").replace('"', "")
    if media.strip().lower() != "application/json" or (charset and charset != "charset=utf-8"):
        got = request.headers.get("content-type") or "none"
        message = f"The header Content-Type must be application/json but got {got[:80]}."
        raise Refused(415, "wrong_content_type", message)
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused(415, "wrong_content_encoding", "The body must not be compressed.")


def require_host(host: str, *, names: Container[str]) -> None:
    """Refuse a request that calls this server by a name that is not its own.

    A page whose name was made to point at this machine (DNS rebinding) is no other site to the browser, and may send JSON.
    """
    name = host[: host.find("]") + 1] if host.startswith("[") else host.partition(":")[0]
    if name.strip("[]").lower().rstrip(".") not in names:
        shown = legible(host[:80])
        message = f"The header Host must name this server but got {shown!r}; serve --name NAME allows a further name."
        raise Refused(421, "wrong_host", message)


async def linger(request: Request, declared: str) -> None:
    """Read and throw away the rest of a body that is not wanted, within bounds.

    A connection closed with unread bytes is reset, and most clients then lose the answer that says why.
    """
    if "expect" in request.headers or (declared.isdecimal() and int(declared) > LINGER_BYTES):
        return
    seen = 0
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while seen < LINGER_BYTES:
                message = await request.receive()
                seen += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return
    except TimeoutError:
        return
