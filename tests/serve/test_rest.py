"""The REST interface: answers, refusals with the right status, a bounded queue, deadlines, keys and the page."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from ratchet.bundle.bundle import Bundle
from ratchet.errors import BundleError
from ratchet.recipe.sections import ServeConfig
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
    answer = post(app, json.dumps({"texts": ["b", "a" * 100, "\x00", "😀", "x"] * 20}).encode())
    assert answer.status_code == 200
    assert len(answer.json()["predictions"]) == 100
    app = build_app(bundle.path, config=ServeConfig(), model=model)
    answer = post(app, json.dumps({"texts": ["b", "half of a \ud83d"]}).encode())
    assert error(answer)[:2] == (400, "bad_json")
    assert "half of one, \\ud83d" in answer.json()["error"]["message"]


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
    ("body", "status", "kind"),
    [(b"{", 400, "bad_json"), (b"[]", 400, "not_an_object"), (b'{"texts": [1]}', 422, "wrong_shape")],
)
def test_wrong_bodies(bundle: Bundle, model: Model, body: bytes, status: int, kind: str) -> None:
    app = build_app(bundle.path, config=ServeConfig(), model=model)
    assert error(post(app, body))[:2] == (status, kind)


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
