"""The REST interface: answers, refusals with the right status, a bounded queue, deadlines, keys and the page."""

from __future__ import annotations

import asyncio
import json
import logging
import re
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
from ratchet.serve import limits as intake
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


def test_one_text_and_many(bundle: Bundle, model: Model) -> None:
    app = build_app(bundle.path, config=ServeConfig(), model=model)
    answer = post(app, '{"text": "好的"}'.encode())
    assert answer.status_code == 200
    assert answer.json() == {
        "model": "评论",
        "bundle": bundle.sha256[:12],
        "predictions": [
            {
                "label": "坏",
                "probability": 0.4166667,
                "probabilities": {"坏": 0.4166667, "好": 0.4166667, "mixed": 0.1666667},
            }
        ],
    }
    app = build_app(bundle.path, config=ServeConfig(), model=model)
    answer = post(app, json.dumps({"texts": ["b", "a" * 100, "\x00", "😀", "\ud800"] * 20}).encode())
    assert answer.status_code == 200
    assert len(answer.json()["predictions"]) == 100
    assert model.seen[-1][-1] == "\ufffd"


def test_a_megabyte_of_text(bundle: Bundle, model: Model) -> None:
    body = json.dumps({"text": "长" * 400_000}, ensure_ascii=False).encode()
    small = build_app(bundle.path, config=ServeConfig(), model=model)
    assert error(post(small, body))[:2] == (413, "text_too_big")
    large = build_app(bundle.path, config=ServeConfig(max_text_bytes=2_000_000), model=model)
    assert post(large, body).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("POST", "/predict/", 404, "not_found"),
        ("GET", "/predict", 405, "method_not_allowed"),
        ("DELETE", "/docs", 405, "method_not_allowed"),
        ("POST", "/healthz", 405, "method_not_allowed"),
    ],
)
def test_wrong_paths_and_methods(bundle: Bundle, model: Model, method: str, path: str, status: int, kind: str) -> None:
    app = build_app(bundle.path, config=ServeConfig(), model=model)
    answer = ask(app, lambda client: client.request(method, path))
    assert error(answer)[:2] == (status, kind)
    assert ("allow" in answer.headers) is (status == 405)


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


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [(b"{", 400, "bad_json"), (b"[]", 400, "not_an_object"), (b'{"texts": [1]}', 422, "wrong_shape")],
)
def test_wrong_bodies(bundle: Bundle, model: Model, body: bytes, status: int, kind: str) -> None:
    app = build_app(bundle.path, config=ServeConfig(), model=model)
    assert error(post(app, body))[:2] == (status, kind)


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
            assert error(full)[:2] == (503, "busy")
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
            assert error(await client.post("/predict", json={"text": "a"}))[:2] == (503, "busy")  # still computing
            model.gate.set()
            answers = [await client.post("/predict", json={"text": "a"})]
            while answers[-1].status_code != 200 and len(answers) < 10_000:
                await asyncio.sleep(0)  # httpx gives the loop no turn by itself
                answers.append(await client.post("/predict", json={"text": "a"}))
            assert answers[-1].status_code == 200

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


def test_a_failing_model_leaks_nothing(
    bundle: Bundle, model: Model, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    app = build_app(bundle.path, config=ServeConfig(), model=model)

    async def question(client: httpx.AsyncClient) -> httpx.Response:
        def broken(texts: list[str]) -> None:
            raise ValueError(f"secret {texts}")

        monkeypatch.setattr(model, "predict", broken)
        return await client.post("/predict", json={"text": "my text"})

    with caplog.at_level(logging.ERROR, logger="ratchet.serve"):
        answer = ask(app, question)
    assert error(answer)[:2] == (500, "model_failed")
    assert "secret" not in answer.text
    assert "ValueError at" in caplog.text
    assert "my text" not in caplog.text


def test_a_failing_server_leaks_nothing(bundle: Bundle, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise KeyError("secret")

    monkeypatch.setattr("ratchet.serve.rest.require_json", broken)
    answer = post(build_app(bundle.path, config=ServeConfig(), model=model), b'{"text": "a"}')
    assert error(answer)[:2] == (500, "internal")
    assert "secret" not in answer.text


KEYS = [
    ({}, 401),
    ({"Authorization": "Bearer wrong"}, 401),
    ({"Authorization": "Bearer s3cret-key-longer"}, 401),
    ({"Authorization": "Basic s3cret-key"}, 401),
    ({"Authorization": "Bearer ключ".encode().decode("latin-1")}, 401),
    ({"X-API-Key": ""}, 401),
    ({"Authorization": "Bearer s3cret-key"}, 200),
    ({"Authorization": "bearer  s3cret-key"}, 200),
    ({"X-API-Key": "s3cret-key"}, 200),
]


@pytest.mark.parametrize(("headers", "status"), KEYS)
def test_keys(bundle: Bundle, model: Model, headers: dict[str, str], status: int) -> None:
    app = build_app(bundle.path, config=ServeConfig(), model=model, api_key="s3cret-key")
    raw = {name: value.encode("latin-1") for name, value in {**JSON, **headers}.items()}
    answer = ask(app, lambda client: client.post("/predict", content=b'{"text": "a"}', headers=raw))
    assert answer.status_code == status
    if status == 401:
        assert error(answer)[1] == "unauthorized"
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/docs", "/openapi.json"])
def test_probes_and_the_page_need_no_key(bundle: Bundle, model: Model, path: str) -> None:
    app = build_app(bundle.path, config=ServeConfig(), model=model, api_key="s3cret-key")
    assert ask(app, lambda client: client.get(path)).status_code == 200


def test_the_page_is_self_contained(bundle: Bundle, model: Model) -> None:
    app = build_app(bundle.path, config=ServeConfig(), model=model)
    root = ask(app, lambda client: client.get("/"))
    assert (root.status_code, root.headers["location"]) == (307, "docs")
    page = ask(build_app(bundle.path, config=ServeConfig(), model=model), lambda client: client.get("/docs"))
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", page.text)
    assert "innerHTML" not in page.text
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert policy.count("'sha256-") == page.text.count("<script>") == 1


def test_a_draining_server_answers_and_asks_to_close(bundle: Bundle, model: Model) -> None:
    app = build_app(bundle.path, config=ServeConfig(), model=model)

    async def question(client: httpx.AsyncClient) -> None:
        app.state.engine.draining = True
        answer = await client.post("/predict", json={"text": "a"})
        assert (answer.status_code, answer.headers["connection"]) == (200, "close")
        assert error(await client.get("/readyz"))[:2] == (503, "not_ready")
        assert (await client.get("/healthz")).status_code == 200

    ask(app, question)


def test_a_damaged_bundle_makes_no_app(bundle: Bundle) -> None:
    (bundle.path / "model/weights.bin").write_bytes(b"124")
    with pytest.raises(BundleError, match="was changed"):
        build_app(bundle.path, config=ServeConfig())


HOSTS = [
    ("localhost", 200),
    ("LOCALHOST:8000", 200),
    ("127.0.0.1:8000", 200),
    ("[::1]:8000", 200),
    ("models.example.org", 200),
    ("evil.example.org", 421),
    ("localhost.evil.example.org", 421),
    ("127.0.0.1.evil.example.org:8000", 421),
    ("", 421),
]


@pytest.mark.parametrize(("host", "status"), HOSTS)
def test_without_a_key_the_host_must_be_this_server(bundle: Bundle, model: Model, host: str, status: int) -> None:
    app = build_app(bundle.path, config=ServeConfig(names=("models.example.org",)), model=model)
    answer = post(app, b'{"text": "a"}', {**JSON, "Host": host})
    assert answer.status_code == status
    if status == 421:
        assert error(answer)[:2] == (421, "wrong_host")


def test_with_a_key_any_host_will_do(bundle: Bundle, model: Model) -> None:
    app = build_app(bundle.path, config=ServeConfig(), model=model, api_key="s3cret-key")
    assert post(app, b'{"text": "a"}', {**JSON, "Host": "x.example.org", "X-API-Key": "s3cret-key"}).status_code == 200


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
    assert threads[0].startswith("ratchet-predict")

    def full() -> None:
        raise Refused(503, "busy", "no room")

    app = build_app(bundle.path, config=ServeConfig(), model=model)
    monkeypatch.setattr(app.state.engine, "require_room", full)
    answer = post(app, b"{" * 100_000)
    assert error(answer)[:2] == (503, "busy")
    assert len(threads) == 1
