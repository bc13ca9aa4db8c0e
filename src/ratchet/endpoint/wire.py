"""One request over the wire: whatever the other side sends, it ends in bounded time and memory."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from ratchet.errors import ExtraMissing

if TYPE_CHECKING:
    import httpx

BODY_BYTES = 8 << 20
"""Longest body that is read, packed or unpacked; an answer of 100,000 tokens has about half a megabyte."""
NO_CONNECTION = "no connection"
_CONNECT = 10.0
_PACKED = {"gzip": 47, "x-gzip": 47, "deflate": 47}
"""zlib's window for what a server may send unasked; 47: gzip or zlib, told by the first bytes."""


@dataclass(frozen=True, kw_only=True)
class Response:
    """A whole response; ``after``: seconds that it asks to wait."""

    status: int
    body: bytes
    content_type: str
    after: float | None


@dataclass(frozen=True, kw_only=True)
class Lost:
    """No usable response. ``again``: another try may help. ``sent``: the endpoint may have done the work, and may bill it."""

    reason: str
    again: bool
    sent: bool


def client(*, headers: dict[str, str], timeout: float, connections: int) -> httpx.Client:
    """An HTTP client that follows no redirect, and takes neither proxies nor passwords from the environment.

    Raises:
        ExtraMissing: httpx is not installed.
    """
    try:
        import httpx
    except ImportError:
        raise ExtraMissing("httpx", extra="endpoint", why="Asking an endpoint") from None
    return httpx.Client(
        headers={**headers, "Content-Type": "application/json", "Accept-Encoding": "identity"},
        timeout=httpx.Timeout(timeout, connect=min(timeout, _CONNECT)),
        limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
        follow_redirects=False,
        trust_env=False,
    )


def post(client: httpx.Client, url: str, body: bytes, *, timeout: float, now: Callable[[], float]) -> Response | Lost:
    """Send one request and read its response.

    Args:
        client: as :func:`client` makes it.
        url: where to.
        body: JSON.
        timeout: seconds for all of it; a body that drips is cut off.
        now: a clock that never goes back, in seconds.
    """
    import httpx

    end = now() + timeout
    try:
        with client.stream("POST", url, content=body) as response:
            return _read(response, until=lambda: now() >= end)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
        return Lost(reason=NO_CONNECTION, again=True, sent=False)
    except httpx.TimeoutException:
        return Lost(reason="timeout", again=True, sent=True)
    except httpx.HTTPError:
        return Lost(reason="connection dropped", again=True, sent=True)


def _read(response: httpx.Response, *, until: Callable[[], bool]) -> Response | Lost:
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity", *_PACKED):
        return Lost(reason="the body is packed in a way that was not asked for", again=False, sent=True)
    content_type = response.headers.get("content-type", "")
    streamed = content_type.lower().startswith("text/event-stream")
    body = bytearray()
    for chunk in () if streamed else response.iter_raw():
        body += chunk
        if len(body) > BODY_BYTES:
            return _too_long()
        if until():
            return Lost(reason="timeout", again=True, sent=True)
    plain = bytes(body)
    if encoding in _PACKED and body:
        unpacking = zlib.decompressobj(_PACKED[encoding])
        try:
            plain = unpacking.decompress(plain, BODY_BYTES)
        except zlib.error:
            return Lost(reason="the body is damaged", again=False, sent=True)
        if unpacking.unconsumed_tail:
            return _too_long()
    after = waiting(response.headers.get("retry-after", ""), now=datetime.now(UTC))
    return Response(status=response.status_code, body=plain, content_type=content_type, after=after)


def waiting(header: str, *, now: datetime) -> float | None:
    """Seconds that a ``Retry-After`` header asks for, as a number or a date; ``None`` where it is neither.

    >>> waiting("2.5", now=datetime.now(UTC)), waiting("soon", now=datetime.now(UTC))
    (2.5, None)
    """
    try:
        seconds = float(header)
    except ValueError:
        try:
            moment = parsedate_to_datetime(header)
        except ValueError:
            return None
        seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _too_long() -> Lost:
    return Lost(reason=f"the body is longer than {BODY_BYTES >> 20} MiB", again=False, sent=True)
