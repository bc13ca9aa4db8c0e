"""The front: keys, scopes, rates, hosts, origins, request ids, and what is counted and logged of a request."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ratchet.bundle.bundle import Bundle
from ratchet.recipe.sections import ServeConfig
from ratchet.serve import front as module
from ratchet.serve.audit import Audit
from ratchet.serve.front import Front, Policy, fronted
from ratchet.serve.keys import Issued, add_key, revoke_key, rotate_key
from ratchet.serve.metrics import Metrics
from ratchet.serve.rest import build_app
from ratchet.serve.ring import Ring

Model = Any  # the Lengths of conftest.py
JSON = {"Content-Type": "application/json"}
ONE = b'{"text": "a"}'


@asynccontextmanager
async def running(front: Front) -> AsyncIterator[httpx.AsyncClient]:
    app: Any = front.app
    transport = httpx.ASGITransport(app=front, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
    ):
        await app.state.engine.settled.wait()
        yield client


def ask(front: Front, question: Callable[[httpx.AsyncClient], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with running(front) as client:
            return await question(client)

    return asyncio.run(run())


def served(bundle: Bundle, model: Model, *, api_key: str = "", **keys: Any) -> Front:
    config = ServeConfig(**{name: str(value) if isinstance(value, Path) else value for name, value in keys.items()})
    app = build_app(bundle.path, config=config, model=model, keyed=bool(api_key or config.keys))
    return fronted(app, config=config, api_key=api_key)


def predict(front: Front, **headers: str) -> httpx.Response:
    raw = {name.replace("_", "-"): value.encode("latin-1") for name, value in headers.items()}
    answer: httpx.Response = ask(front, lambda client: client.post("/predict", content=ONE, headers={**JSON, **raw}))
    return answer


def error(answer: httpx.Response) -> tuple[int, str, str]:
    assert answer.headers["content-type"] == "application/json"
    found = answer.json()
    assert set(found) == {"error"}
    assert answer.headers["x-request-id"]
    return answer.status_code, found["error"]["type"], found["error"]["message"]


def bearer(issued: Issued) -> dict[str, str]:
    return {"Authorization": f"Bearer {issued.token}"}


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
def test_a_single_key(bundle: Bundle, model: Model, headers: dict[str, str], status: int) -> None:
    answer = predict(served(bundle, model, api_key="s3cret-key"), **headers)
    assert answer.status_code == status
    if status == 401:
        assert error(answer)[1] == "unauthorized"
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/docs", "/openapi.json"])
def test_probes_and_the_page_need_no_key(bundle: Bundle, model: Model, path: str) -> None:
    front = served(bundle, model, api_key="s3cret-key")
    assert ask(front, lambda client: client.get(path)).status_code == 200


@pytest.mark.parametrize("path", ["/metrics", "/nothing", "/v2/repository/index", "/v1/models", "/healthz/"])
def test_all_else_wants_a_key(bundle: Bundle, model: Model, path: str) -> None:
    front = served(bundle, model, api_key="s3cret-key")
    assert error(ask(front, lambda client: client.get(path)))[:2] == (401, "unauthorized")


def test_scopes(bundle: Bundle, model: Model, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    tokens = {scope: bearer(add_key(path, scope, scopes=[scope])) for scope in ("predict", "chat", "metrics", "admin")}
    front = served(bundle, model, keys=path)
    paths = {"predict": "/nothing", "chat": "/v1/nothing", "metrics": "/metrics", "admin": "/v2/repository/nothing"}

    async def question(client: httpx.AsyncClient) -> None:
        for scope, headers in tokens.items():
            for need, where in paths.items():
                answer = await client.get(where, headers=headers)
                if scope != need:
                    assert error(answer)[:2] == (403, "forbidden")
                    assert f"wants the scope '{need}'; the key has {scope}" in error(answer)[2]
                else:
                    assert answer.status_code == (200 if need == "metrics" else 404)

    ask(front, question)


def test_a_single_key_beside_a_file_has_all_scopes_but_admin(bundle: Bundle, model: Model, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    own = add_key(path, "app", scopes=["predict"])
    front = served(bundle, model, keys=path, api_key="rk_single")

    async def question(client: httpx.AsyncClient) -> list[int]:
        where = ["/nothing", "/v1/nothing", "/metrics", "/v2/repository/nothing"]
        found = [(await client.get(each, headers={"X-API-Key": "rk_single"})).status_code for each in where]
        return [*found, (await client.get("/nothing", headers=bearer(own))).status_code]

    assert ask(front, question) == [404, 404, 200, 403, 404]


def test_without_keys_nobody_is_admin(bundle: Bundle, model: Model) -> None:
    answer = ask(served(bundle, model), lambda client: client.post("/v2/repository/models/x/load"))
    assert error(answer)[:2] == (403, "forbidden")
    assert "ratchet keys add" in error(answer)[2]


def test_changes_of_the_file_hold_for_a_server_that_runs(bundle: Bundle, model: Model, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    first = add_key(path, "first", scopes=["predict"])
    front = served(bundle, model, keys=path)

    async def status(client: httpx.AsyncClient, issued: Issued) -> int:
        return (await client.post("/predict", json={"text": "a"}, headers=bearer(issued))).status_code

    async def question(client: httpx.AsyncClient) -> None:
        tended = front._tended[0]
        assert await status(client, first) == 200
        second = rotate_key(path, first.key.id, overlap=timedelta(hours=1))
        tended()
        assert [await status(client, each) for each in (first, second)] == [200, 200]
        third = rotate_key(path, first.key.id, overlap=timedelta(0))
        tended()
        assert [await status(client, each) for each in (first, second, third)] == [401, 401, 200]
        revoke_key(path, first.key.id)
        tended()
        assert await status(client, third) == 401

    ask(front, question)


def test_an_expired_key(bundle: Bundle, model: Model, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    old = add_key(path, "old", scopes=["predict"], expires=datetime.now(UTC) - timedelta(seconds=1))
    assert error(predict(served(bundle, model, keys=path), **bearer(old)))[:2] == (401, "key_expired")


def test_a_key_that_asks_too_often_is_told_when_to_ask_again(bundle: Bundle, model: Model, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    slow = add_key(path, "slow", scopes=["predict"], rate=0.01, burst=3)
    quick = add_key(path, "quick", scopes=["predict"])
    front = served(bundle, model, keys=path)

    async def question(client: httpx.AsyncClient) -> None:
        async def post(issued: Issued) -> httpx.Response:
            return await client.post("/predict", json={"text": "a"}, headers=bearer(issued))

        assert [(await post(slow)).status_code for _ in range(4)] == [200, 200, 200, 429]
        answer = await post(slow)
        assert error(answer)[:2] == (429, "rate_limited")
        assert 90 <= int(answer.headers["retry-after"]) <= 100
        assert (await post(quick)).status_code == 200
        assert (await client.get("/healthz", headers=bearer(slow))).status_code == 200

    ask(front, question)


def test_wrong_keys_do_not_lock_out_the_right_ones_behind_the_same_address(
    bundle: Bundle, model: Model, tmp_path: Path
) -> None:
    path = tmp_path / "keys.json"
    right = add_key(path, "right", scopes=["predict"])
    front = served(bundle, model, keys=path)

    async def question(client: httpx.AsyncClient) -> None:
        wrong = {"Authorization": "Bearer wrong"}
        found = [await client.post("/predict", content=ONE, headers={**JSON, **wrong}) for _ in range(30)]
        statuses = [answer.status_code for answer in found]
        assert statuses == [401] * module.FAILED_BURST + [429] * (30 - module.FAILED_BURST)
        assert error(found[-1])[1] == "too_many_failures"
        assert found[-1].headers["retry-after"] == "1"
        assert (await client.post("/predict", content=ONE, headers={**JSON, **bearer(right)})).status_code == 200

    ask(front, question)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2", True),
        ("a name", "another", False),
    ],
)
def test_an_ipv6_client_has_many_addresses(one: str, other: str, same: bool) -> None:
    found = [module._network({"client": (each, 1)}) for each in (one, other)]
    assert (found[0] == found[1]) is same


HOSTS = [
    ("localhost", 200),
    ("LOCALHOST:8000", 200),
    ("127.0.0.1:8000", 200),
    ("[::1]:8000", 200),
    ("models.example.org", 200),
    ("localhost.", 200),
    ("evil.example.org", 421),
    ("localhost.evil.example.org", 421),
    ("", 421),
]


@pytest.mark.parametrize(("host", "status"), HOSTS)
@pytest.mark.parametrize("path", ["/predict", "/metrics"])
def test_without_a_key_the_host_must_be_this_server(
    bundle: Bundle, model: Model, host: str, status: int, path: str
) -> None:
    front = served(bundle, model, names=("models.example.org",))
    method = "GET" if path == "/metrics" else "POST"
    headers = {**JSON, "Host": host}
    answer = ask(front, lambda client: client.request(method, path, content=ONE, headers=headers))
    assert answer.status_code == status
    if status == 421:
        assert error(answer)[:2] == (421, "wrong_host")


def test_with_a_key_any_host_will_do(bundle: Bundle, model: Model) -> None:
    front = served(bundle, model, api_key="s3cret-key")
    assert predict(front, Host="x.example.org", X_API_Key="s3cret-key").status_code == 200


ORIGINS = [
    ("http://localhost", 200),
    ("https://app.example.org", 200),
    ("http://app.example.org", 403),
    ("https://app.example.org.evil.org", 403),
    ("http://localhost:3000", 403),
    ("null", 403),
]


@pytest.mark.parametrize(("origin", "status"), ORIGINS)
def test_pages_of_other_sites_may_not_call_a_server_without_keys(
    bundle: Bundle, model: Model, origin: str, status: int
) -> None:
    answer = predict(served(bundle, model, origins=("https://app.example.org",)), Origin=origin)
    assert answer.status_code == status
    if status == 403:
        assert error(answer)[1] == "wrong_origin"
    assert ("access-control-allow-origin" in answer.headers) is (origin == "https://app.example.org")


@pytest.mark.parametrize("origins", [(), ("https://app.example.org",)])
def test_a_browser_hears_of_named_sites_only(bundle: Bundle, model: Model, origins: tuple[str, ...]) -> None:
    front = served(bundle, model, api_key="s3cret-key", origins=origins)

    async def question(client: httpx.AsyncClient) -> None:
        asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
        for origin in ("https://app.example.org", "https://other.example.org"):
            before = await client.options("/predict", headers={"Origin": origin, **asks})
            named = origin in origins
            assert before.status_code == (200 if named else 401)
            failed = await client.post("/predict", json={"text": "a"}, headers={"Origin": origin})
            assert failed.status_code == 401
            for answer in (before, failed):
                assert answer.headers.get("access-control-allow-origin") == (origin if named else None)
                assert any(name.startswith("access-control") for name in answer.headers) is named
            if named:
                assert "Authorization" in before.headers["access-control-allow-headers"]
                assert "X-Request-ID" in failed.headers["access-control-expose-headers"]

    ask(front, question)


IDS = [
    ("a-b_c.d:1", True),
    ("x" * 64, True),
    ("x" * 65, False),
    ("", False),
    ("two words", False),
    ('"quoted"', False),
    ("é", False),
    ("a\tb", False),
]


@pytest.mark.parametrize(("given", "kept"), IDS)
@pytest.mark.parametrize("path", ["/predict", "/nothing", "/healthz", "/metrics"])
def test_every_answer_has_a_request_id(bundle: Bundle, model: Model, path: str, given: str, kept: bool) -> None:
    headers = {"X-Request-ID": given.encode("latin-1")}
    answer = ask(served(bundle, model), lambda client: client.get(path, headers=headers))
    found = answer.headers.get_list("x-request-id")
    assert len(found) == 1
    assert (found[0] == given) is kept
    assert kept or (len(found[0]) == 32 and found[0].isalnum())


def small(*, rows: int = 0, fails: Exception | None = None, begun: bool = False) -> Starlette:
    async def home(request: Request) -> Response:
        if fails is not None:
            raise fails
        request.state.rows = rows
        seen = request.state.client
        return JSONResponse({"id": seen.id, "scopes": sorted(seen.scopes), "request": request.state.request_id})

    return Starlette(routes=[Route("/predict", home, methods=["POST"]), Route("/v2/models/{name}/infer", home)])


def test_what_an_application_is_told(tmp_path: Path) -> None:
    issued = add_key(tmp_path / "keys.json", "app", scopes=["predict", "admin"])
    front = Front(small(), policy=Policy(ring=Ring(tmp_path / "keys.json")), metrics=Metrics())

    async def question() -> Any:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=front), base_url="http://x") as client:
            return (await client.post("/predict", headers={"X-Request-ID": "r1", **bearer(issued)})).json()

    assert asyncio.run(question()) == {"id": issued.key.id, "scopes": ["admin", "predict"], "request": "r1"}


def test_a_line_a_request_without_contents_and_secrets(bundle: Bundle, model: Model, tmp_path: Path) -> None:
    issued = add_key(tmp_path / "keys.json", "app", scopes=["predict"])
    front = served(bundle, model, keys=tmp_path / "keys.json", audit=tmp_path / "audit.jsonl")

    async def question(client: httpx.AsyncClient) -> None:
        body = {"texts": ["my private text", "b"]}
        await client.post("/predict?q=private", json=body, headers={**bearer(issued), "X-Request-ID": "r1"})
        await client.post("/private/path", headers={"Authorization": "Bearer my-private-key"})
        await client.request("PRIVATE", "/predict", headers=bearer(issued))

    ask(front, question)
    text = (tmp_path / "audit.jsonl").read_text()
    assert "private" not in text.lower()
    assert issued.token not in text
    assert issued.token.rpartition("_")[2] not in text
    first, second, third = map(json.loads, text.splitlines())
    assert datetime.fromisoformat(first.pop("time")).tzinfo is not None
    assert first.pop("milliseconds") > 0
    assert first.pop("bytes_out") > 100
    assert first == {
        "request": "r1",
        "key": issued.key.id,
        "method": "POST",
        "route": "/predict",
        "status": 200,
        "bytes_in": len(b'{"texts":["my private text","b"]}'),
        "rows": 2,
    }
    assert (second["key"], second["route"], second["status"]) == ("anonymous", "(none)", 401)
    assert (second["refused"], second["address"]) == ("unauthorized", "127.0.0.1")
    assert (third["method"], third["status"]) == ("OTHER", 405)


def numbers(text: str) -> dict[str, float]:
    return {
        name: float(value)
        for line in text.splitlines()
        if not line.startswith("#")
        for name, _, value in [line.rpartition(" ")]
    }


def test_what_is_counted(bundle: Bundle, model: Model) -> None:
    front = served(bundle, model)

    async def question(client: httpx.AsyncClient) -> str:
        for _ in range(3):
            await client.post("/predict", json={"texts": ["a", "b"]})
        await client.post("/predict", content=b"{", headers=JSON)
        for number in range(50):
            await client.get(f"/nothing/{number}")
        await client.get("/v2/repository/x")
        return (await client.get("/metrics")).text

    found = numbers(ask(front, question))
    assert found['ratchet_requests_total{route="/predict",status="200"}'] == 3
    assert found['ratchet_requests_total{route="/predict",status="400"}'] == 1
    assert found['ratchet_requests_total{route="(none)",status="404"}'] == 50
    assert found['ratchet_request_seconds_count{route="/predict"}'] == 4
    assert found["ratchet_rows_total"] == 6
    assert found['ratchet_refused_total{reason="bad_json"}'] == 1
    assert found['ratchet_refused_total{reason="not_found"}'] == 50
    assert found['ratchet_refused_total{reason="forbidden"}'] == 1
    assert found["ratchet_in_flight"] == 1
    assert found["ratchet_queue_length"] == 0
    assert found['ratchet_engine_state{state="ready"}'] == 1
    assert found['ratchet_engine_state{state="loading"}'] == 0
    assert found[f'ratchet_bundle{{bundle="{bundle.sha256[:12]}"}}'] == 1
    assert not any("nothing" in name for name in found)


def test_the_label_of_a_path_is_its_pattern() -> None:
    front = Front(small(), policy=Policy(ring=Ring(None), names=("x",)), metrics=Metrics())

    async def question() -> str:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=front), base_url="http://x") as client:
            for number in range(3):
                await client.get(f"/v2/models/{number}/infer")
            return (await client.get("/metrics")).text

    found = numbers(asyncio.run(question()))
    assert found['ratchet_requests_total{route="/v2/models/{name}/infer",status="200"}'] == 3


def test_what_an_application_raises_is_in_no_answer_and_no_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("my private text")

    audit = Audit(tmp_path / "audit.jsonl")
    front = Front(broken, policy=Policy(ring=Ring(None), names=("x",)), metrics=Metrics(), audit=audit)

    async def question() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=front), base_url="http://x") as client:
            return await client.post("/predict", headers={"X-Request-ID": "r1"})

    with caplog.at_level(logging.INFO, logger="ratchet.serve"):
        answer = asyncio.run(question())
    assert error(answer)[:2] == (500, "internal")
    assert "private" not in answer.text + caplog.text + (tmp_path / "audit.jsonl").read_text()
    assert "request r1 failed: ValueError at" in caplog.text
    assert '"refused":"internal"' in (tmp_path / "audit.jsonl").read_text()


def test_a_client_that_goes_away_is_noted(tmp_path: Path) -> None:
    entered = asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        entered.set()
        await asyncio.sleep(60)

    audit = Audit(tmp_path / "audit.jsonl")
    front = Front(slow, policy=Policy(ring=Ring(None), names=("x",)), metrics=Metrics(), audit=audit)

    async def question() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=front), base_url="http://x") as client:
            asked = asyncio.create_task(client.get("/predict"))
            await entered.wait()
            asked.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asked

    asyncio.run(question())
    assert json.loads((tmp_path / "audit.jsonl").read_text())["status"] == 499


def test_what_the_application_counts_is_told_too(bundle: Bundle, model: Model) -> None:
    config = ServeConfig()
    app = build_app(bundle.path, config=config, model=model)
    app.state.metrics = Metrics()
    tokens = app.state.metrics.counter("tokens", "Tokens generated.")
    front = fronted(app, config=config)
    tokens.inc(7)
    assert numbers(ask(front, lambda client: client.get("/metrics")).text)["ratchet_tokens_total"] == 7


@pytest.mark.parametrize("keyed", [False, True])
def test_whatever_headers_come_no_answer_is_a_failure(
    bundle: Bundle, model: Model, tmp_path: Path, caplog: pytest.LogCaptureFixture, keyed: bool
) -> None:
    keys: dict[str, Any] = {"keys": tmp_path / "keys.json"} if keyed else {}
    token = add_key(tmp_path / "keys.json", "app", scopes=["predict"]).token.encode()
    front = served(bundle, model, audit=tmp_path / "audit.jsonl", origins=("https://a.example.org",), **keys)
    draw = random.Random(7)
    values = [
        b"",
        b"Bearer ",
        b"Bearer " + token,
        token,
        b"null",
        b"https://a.example.org",
        b"localhost",
        b"[::1",
        b"rk__",
        b"\xff",
    ]
    names = [b"authorization", b"x-api-key", b"x-request-id", b"host", b"origin", b"content-type", b"content-length"]

    async def question(client: httpx.AsyncClient) -> set[int]:
        statuses = set()
        for _ in range(400):
            noise = bytes(draw.choices(range(0x20, 0x100), k=draw.randrange(200)))
            headers = [(draw.choice(names), draw.choice([*values, noise])) for _ in range(draw.randrange(6))]
            if draw.random() < 0.5:
                headers.append((b"x-api-key", token))
            method, path = (
                draw.choice(["GET", "POST", "OPTIONS", "X"]),
                draw.choice(["/predict", "/metrics", "/v2/x", "/docs"]),
            )
            scope = {
                "type": "http",
                "method": method,
                "path": path,
                "headers": headers,
                "query_string": b"",
                "client": None,
            }
            sent: list[Any] = []

            async def receive() -> Any:
                return {"type": "http.request", "body": ONE, "more_body": False}

            async def send(message: Any, into: list[Any] = sent) -> None:
                into.append(message)

            await front(scope, receive, send)
            assert [each[0] for each in sent[0]["headers"]].count(b"x-request-id") == 1
            statuses.add(sent[0]["status"])
        return statuses

    statuses = ask(front, question)
    assert max(statuses) < 500
    assert len(statuses) >= 5
    assert not caplog.records
    lines = (tmp_path / "audit.jsonl").read_text().splitlines()
    assert len(list(map(json.loads, lines))) == 400


def test_web_sockets_are_closed() -> None:
    front = Front(small(), policy=Policy(ring=Ring(None)), metrics=Metrics())
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(front({"type": "websocket", "path": "/predict"}, send, send))  # type: ignore[arg-type]
    assert sent == [{"type": "websocket.close", "code": 1008}]
