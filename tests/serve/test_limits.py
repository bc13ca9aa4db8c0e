from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from ratchet.bundle.bundle import Bundle
from ratchet.recipe.sections import ServeConfig
from ratchet.serve import limits as intake
from ratchet.serve.rest import build_app

Model = Any  # the Lengths of conftest.py


JSON = {"Content-Type": "application/json"}


@asynccontextmanager
async def running(app: Starlette, *, settled: bool = True) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
    ):
        if settled:
            await app.state.engine.settled.wait()
        yield client


def ask(app: Starlette, question: Callable[[httpx.AsyncClient], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with running(app) as client:
            return await question(client)

    return asyncio.run(run())


def post(app: Starlette, body: bytes, headers: dict[str, str] | None = None) -> httpx.Response:
    answer: httpx.Response = ask(app, lambda client: client.post("/predict", content=body, headers=headers or JSON))
    return answer


def error(answer: httpx.Response) -> tuple[int, str, str]:
    assert answer.headers["content-type"] == "application/json"
    found = answer.json()
    assert set(found) == {"error"}
    return answer.status_code, found["error"]["type"], found["error"]["message"]


@pytest.mark.parametrize(
    ("content_type", "accepted"),
    [
        ("application/json", True),
        ("Application/JSON; charset=UTF-8", True),
        ('application/json; charset="utf-8"', True),
        ("application/json; charset=gbk", False),
        ("application/x-www-form-urlencoded", False),
        ("text/plain", False),
        ("", False),
    ],
)
def test_content_types(bundle: Bundle, model: Model, content_type: str, accepted: bool) -> None:
    app = build_app(bundle.path, config=ServeConfig(), model=model)
    answer = post(app, b'{"text": "a"}', {"Content-Type": content_type})
    if accepted:
        assert answer.status_code == 200
    else:
        assert error(answer)[:2] == (415, "wrong_content_type")


def test_compressed_bodies_are_refused(bundle: Bundle, model: Model) -> None:
    app = build_app(bundle.path, config=ServeConfig(), model=model)
    answer = post(app, b"\x1f\x8b", {**JSON, "Content-Encoding": "gzip"})
    assert error(answer)[:2] == (415, "wrong_content_encoding")


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_that_is_too_big_is_not_kept(bundle: Bundle, model: Model, declared: bool) -> None:
    app = build_app(bundle.path, config=ServeConfig(max_texts=1, max_text_bytes=100), model=model)

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield b"x" * 10_000

    body: Any = b"x" * 10_000_000 if declared else endless()
    answer = ask(app, lambda client: client.post("/predict", content=body, headers=JSON))
    assert error(answer) == (413, "body_too_big", "The body must have at most 1624 bytes.")
    assert answer.headers["connection"] == "close"


def test_all_bodies_together_are_bounded(bundle: Bundle, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "TOGETHER", 2)
    app = build_app(bundle.path, config=ServeConfig(max_texts=1, max_text_bytes=1000, deadline=20), model=model)
    body = json.dumps({"text": "a" * 900, "texts": []}).encode() + b" " * 6000

    async def run() -> None:
        async with running(app) as client:
            gate = asyncio.Event()

            async def slow() -> AsyncIterator[bytes]:
                yield body
                await gate.wait()

            asked = [asyncio.create_task(client.post("/predict", content=slow(), headers=JSON)) for _ in range(2)]
            for _ in range(50):
                await asyncio.sleep(0)
            refused = await client.post("/predict", content=body, headers=JSON)
            assert error(refused)[:2] == (503, "busy")
            assert (await client.post("/predict", json={"text": "a"})).status_code == 200
            gate.set()
            assert [error(await task)[0] for task in asked] == [422, 422]
            assert error(await client.post("/predict", content=body, headers=JSON))[0] == 422

    asyncio.run(run())


def test_a_body_that_comes_too_slowly(bundle: Bundle, model: Model) -> None:
    app = build_app(bundle.path, config=ServeConfig(deadline=0.05), model=model)

    async def run() -> None:
        async with running(app) as client:

            async def stuck() -> AsyncIterator[bytes]:
                yield b"{"
                await asyncio.Event().wait()

            answer = await client.post("/predict", content=stuck(), headers=JSON)
            assert error(answer)[:2] == (408, "too_slow")

    asyncio.run(run())
