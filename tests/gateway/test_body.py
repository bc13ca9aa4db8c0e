from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from starlette.types import Message, Receive, Scope

from ratchet.gateway.body import TOGETHER, Bodies, Body, Gone
from ratchet.gateway.refusal import Refusal

SCOPE: Scope = {"type": "http", "headers": [(b"content-type", b"application/json; charset=utf-8")]}


def _from(chunks: Sequence[bytes], *, end: bool = True) -> Receive:
    left = [*chunks]

    async def receive() -> Message:
        if not left:
            return {"type": "http.disconnect"}
        chunk = left.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(left) or not end}

    return receive


def test_all_bodies_together_have_a_bound() -> None:
    bodies = Bodies(most=10, seconds=5)
    held = [Body() for _ in range(TOGETHER + 1)]

    async def run() -> None:
        for body in held[:-1]:
            await bodies.read(SCOPE, _from([b"12345", b"67890"]), body)
        with pytest.raises(Refusal) as error:
            await bodies.read(SCOPE, _from([b"1"]), held[-1])
        assert error.value.status == 503
        bodies.release(held[0])
        bodies.release(held[0])
        await bodies.read(SCOPE, _from([b"1"]), held[-1])
        assert held[-1].data == b"1"
        with pytest.raises(Refusal):
            await bodies.read(SCOPE, _from([b"1234567890"]), Body())

    asyncio.run(run())


def test_a_client_that_leaves_before_the_end() -> None:
    with pytest.raises(Gone):
        asyncio.run(Bodies(most=10, seconds=5).read(SCOPE, _from([b"1"], end=False), Body()))
