from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from ratchet.bundle.bundle import Bundle
from ratchet.errors import BundleError
from ratchet.recipe.sections import ServeConfig
from ratchet.serve.messages import Refused, read_texts
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


def test_alive_before_ready(bundle: Bundle, model: Model) -> None:
    model.gate.clear()
    app = build_app(bundle.path, config=ServeConfig(), model=model)

    async def run() -> None:
        async with running(app, settled=False) as client:
            assert (await client.get("/healthz")).json() == {"status": "alive"}
            waiting = await client.get("/readyz")
            assert error(waiting)[:2] == (503, "not_ready")
            assert waiting.headers["retry-after"] == "1"
            refused = await client.post("/predict", json={"text": "a"})
            assert error(refused)[:2] == (503, "not_ready")
            model.gate.set()
            await app.state.engine.settled.wait()
            ready = await client.get("/readyz")
            assert (ready.status_code, ready.json()["status"]) == (200, "ready")
            assert (await client.post("/predict", json={"text": "a"})).status_code == 200

    asyncio.run(run())


def test_a_model_that_fails_its_self_test_never_gets_ready(bundle: Bundle, model: Model) -> None:
    model.labels = ("one", "two")
    app = build_app(bundle.path, config=ServeConfig(), model=model)
    answer = ask(app, lambda client: client.get("/readyz"))
    assert error(answer)[:2] == (503, "failed")
    assert isinstance(app.state.engine.failure, BundleError)


def test_the_queue_is_bounded(bundle: Bundle, model: Model) -> None:
    app = build_app(bundle.path, config=ServeConfig(workers=1, queue=2), model=model)

    async def run() -> None:
        async with running(app) as client:
            model.entered.acquire()  # the self-test
            model.gate.clear()
            asked = [asyncio.create_task(client.post("/predict", json={"text": "a"})) for _ in range(3)]
            await asyncio.to_thread(model.entered.acquire)
            full = await client.post("/predict", json={"text": "a"})
            assert error(full)[:2] == (429, "busy")
            assert full.headers["retry-after"] == "1"
            assert (await client.get("/healthz")).status_code == 200
            model.gate.set()
            assert [(await task).status_code for task in asked] == [200, 200, 200]
            assert (await client.post("/predict", json={"text": "a"})).status_code == 200

    asyncio.run(run())


def test_the_deadline_ends_the_wait_but_not_the_count(bundle: Bundle, model: Model) -> None:
    app = build_app(bundle.path, config=ServeConfig(workers=1, queue=0, deadline=0.3), model=model)

    async def run() -> None:
        async with running(app) as client:
            model.entered.acquire()  # the self-test
            model.gate.clear()
            asked = asyncio.create_task(client.post("/predict", json={"text": "a"}))
            await asyncio.to_thread(model.entered.acquire)
            assert error(await asked)[:2] == (504, "too_late")
            assert error(await client.post("/predict", json={"text": "a"}))[:2] == (429, "busy")  # still computing
            model.gate.set()
            answers = [await client.post("/predict", json={"text": "a"})]
            while answers[-1].status_code != 200 and len(answers) < 10_000:
                await asyncio.sleep(0)  # httpx gives the loop no turn by itself
                answers.append(await client.post("/predict", json={"text": "a"}))
            assert answers[-1].status_code == 200

    asyncio.run(run())


def test_a_busy_server_refuses_before_it_reads_and_parses_elsewhere(
    bundle: Bundle, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []

    def parsed(body: bytearray, **options: Any) -> list[str]:
        threads.append(threading.current_thread().name)
        return read_texts(body, **options)

    monkeypatch.setattr("ratchet.serve.rest.read_texts", parsed)
    app = build_app(bundle.path, config=ServeConfig(), model=model)
    assert post(app, b'{"text": "a"}').status_code == 200
    app = build_app(bundle.path, config=ServeConfig(), model=model)
    assert post(app, b'{"text": "%s"}' % (b"a" * 20_000)).status_code == 200
    assert threads[0] == "MainThread"
    assert threads[1].startswith("asyncio")

    def full() -> None:
        raise Refused(503, "busy", "no room")

    app = build_app(bundle.path, config=ServeConfig(), model=model)
    monkeypatch.setattr(app.state.engine, "require_room", full)
    answer = post(app, b"{" * 100_000)
    assert error(answer)[:2] == (503, "busy")
    assert len(threads) == 2
