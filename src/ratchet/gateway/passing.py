"""How the answer of a backend reaches the client: a stream event by event, another answer whole, and errors in one form."""

from __future__ import annotations

import msgspec

from ratchet.gateway.backend import Reply
from ratchet.gateway.events import Stream, usage_of
from ratchet.gateway.exchange import BYTES_PER_TOKEN, Exchange, Out
from ratchet.gateway.refusal import Refusal

_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


async def pass_on(reply: Reply, *, exchange: Exchange, out: Out, most: int) -> None:
    """Send an answer on.

    Args:
        reply: of the backend.
        exchange: gets what was used.
        out: the way to the client.
        most: bytes that an answer may have.

    Raises:
        Refusal: it is an error of the backend's own, or nothing that a client could read.
    """
    if reply.status == 200 and reply.streamed and exchange.asked.stream:
        await _stream(reply, exchange=exchange, out=out, most=most)
        return
    body = await _read(reply, most=most)
    again = {"Retry-After": reply.retry_after} if reply.retry_after else {}
    status = reply.status
    if status == 200 and not reply.streamed and _is_object(body):
        exchange.usage, exchange.guess = usage_of(body), len(body) // BYTES_PER_TOKEN
        await out.whole(200, body)
    elif status in (401, 403):
        message = "The backend does not take the gateway's key; this is for whoever runs the gateway to mend."
        raise Refusal(502, "backend_unauthorized", message)
    elif 400 <= status < 500 and _is_object(body):
        exchange.code = f"backend_{status}"
        await out.whole(status, body, again)
    elif 400 <= status < 500:
        raise Refusal(status, f"backend_{status}", f"The backend refused it with status {status}.", headers=again)
    elif status >= 500:
        passed = status if status in (503, 504) else 502
        raise Refusal(passed, "backend_failed", f"The backend failed with status {status}.", headers=again)
    else:
        raise Refusal(502, "backend_garbage", f"The backend gave no usable answer: status {status}, {len(body)} bytes.")


async def _stream(reply: Reply, *, exchange: Exchange, out: Out, most: int) -> None:
    """Send events on as they come. Where they break off, the last event says so, and nothing says that it was all."""
    stream, size = Stream(), 0
    kind = (b"content-type", reply.content_type.encode("latin-1"))
    await out.begin(200, [kind, (b"cache-control", b"no-cache")])
    try:
        async for chunk in reply.chunks():
            size += len(chunk)
            if size > most:
                raise Refusal(502, "answer_too_long", f"The answer of the backend has more than {most} bytes.")
            if whole := stream.feed(chunk):
                await out.send(whole)
        if reply.cut and not stream.done:
            raise Refusal(502, "backend_disconnected", "The backend closed the connection in the middle of its answer.")
        if rest := stream.rest():
            await out.send(rest)
        exchange.code = "backend_failed" if stream.failed else ""
    except Refusal as error:
        exchange.code = error.code
        await out.send(error.event)
    finally:
        exchange.usage, exchange.guess = stream.usage, max(stream.events - stream.done, 0)
    await out.send(b"", more=False)


async def _read(reply: Reply, *, most: int) -> bytes:
    """The whole body.

    Raises:
        Refusal: it is too long, or breaks off.
    """
    body = bytearray()
    async for chunk in reply.chunks():
        body += chunk
        if len(body) > most:
            raise Refusal(502, "answer_too_long", f"The answer of the backend has more than {most} bytes.")
    return bytes(body)


def _is_object(body: bytes) -> bool:
    try:
        _object(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True
