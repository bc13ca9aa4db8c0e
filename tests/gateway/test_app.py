from __future__ import annotations

import asyncio
import json
import logging
import socket
import struct
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.gateway.conftest import ANSWER, ASKED, EVENTS, SECRET, FakeBackend, Serve, Served, Stage

from ratchet.endpoint.key import Key
from ratchet.gateway.arms import Arm
from ratchet.gateway.config import Timeouts
from ratchet.gateway.upstream import Upstream

STREAM = b"".join(EVENTS)


def _error(body: bytes) -> dict[str, object]:
    error: dict[str, object] = json.loads(body)["error"]
    assert set(error) == {"type", "message", "code", "param"}
    assert error["message"]
    return error


def _last_error(stream: bytes) -> dict[str, object]:
    """The error event with which a stream ends; nothing says that the answer was all."""
    assert b"[DONE]" not in stream
    events = stream.decode().removesuffix("\n\n").split("\n\n")
    for event in events:
        assert event.startswith("data: ")
        json.loads(event.removeprefix("data: "))
    return _error(events[-1].removeprefix("data: ").encode())


def test_an_answer_passes_as_it_is(serve: Serve, backend: FakeBackend) -> None:
    served = serve()
    got = served.post()
    assert got.status_code == 200
    assert got.json() == ANSWER
    assert got.headers["x-ratchet-arm"] == "a"
    assert got.content == json.dumps(ANSWER).encode()
    asked = backend.seen[0]
    assert (asked.method, asked.path) == ("POST", "/v1/chat/completions")
    assert asked.json == ASKED


def test_what_the_gateway_does_not_read_reaches_the_backend(serve: Serve, backend: FakeBackend) -> None:
    asked = {
        **ASKED,
        "temperature": 0.7,
        "seed": 12345678901234567890,
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "response_format": {"type": "json_object"},
        "logit_bias": {"50256": -100},
        "messages": [
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]}
        ],
    }
    serve().post(asked)
    assert backend.seen[0].json == asked


def test_no_header_of_a_client_reaches_the_backend(serve: Serve, backend: FakeBackend) -> None:
    serve().post(Authorization="Bearer client-key", Cookie="a=b", OpenAI_Organization="org", X_Forwarded_For="1.2.3.4")
    headers = backend.seen[0].headers
    assert headers["authorization"] == f"Bearer {SECRET}"
    allowed = {"host", "user-agent", "accept-encoding", "authorization", "x-request-id", "content-type", "accept"}
    assert set(headers) == {*allowed, "content-length"}


@pytest.mark.parametrize(
    "pieces",
    [
        EVENTS,
        [STREAM],
        [STREAM[place : place + 1] for place in range(len(STREAM))],
        [STREAM[:31], STREAM[31:77], STREAM[77:]],
        [STREAM.replace(b"\n\n", b"\r\n\r\n")],
        [b": a comment\n\n", b"event: x\nid: 3\ndata: {}\n\n", STREAM],
        [b"data: \xff\xfe\xe4\xbd", b"\xa0\n\n" + STREAM],
        [STREAM, b"data: behind the end"],
    ],
    ids=["events", "one chunk", "bytes", "cut anywhere", "crlf", "comments", "bad utf-8", "unfinished"],
)
def test_a_stream_passes_byte_by_byte(serve: Serve, backend: FakeBackend, pieces: list[bytes]) -> None:
    async def play(stage: Stage) -> None:
        await stage.stream(*pieces)

    backend.play = play
    assert serve().stream() == b"".join(pieces)


def test_events_come_when_they_are_written(serve: Serve, backend: FakeBackend) -> None:
    async def play(stage: Stage) -> None:
        await stage.begin_stream()
        await stage.chunk(EVENTS[0])
        await asyncio.sleep(1)
        await stage.chunk(STREAM)
        await stage.raw(b"0\r\n\r\n")

    backend.play = play
    since = time.monotonic()
    with serve().client.stream("POST", "/v1/chat/completions", json={**ASKED, "stream": True}) as response:
        coming = response.iter_raw()
        assert next(coming) == EVENTS[0]
        assert time.monotonic() - since < 0.9
        assert b"".join(coming) == STREAM


def test_a_backend_that_is_down(serve: Serve) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    served = serve(url=f"http://127.0.0.1:{port}/v1")
    got = served.post()
    assert got.status_code == 503
    assert _error(got.content)["code"] == "backend_unreachable"
    assert got.headers["retry-after"] == "1"
    assert served.client.get("/readyz").status_code == 503
    assert served.client.get("/healthz").status_code == 200


async def _nothing(stage: Stage) -> None:
    await stage.reader.read()


async def _drop(stage: Stage) -> None:
    stage.drop()


async def _half(stage: Stage) -> None:
    await stage.raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
    stage.drop()


async def _no_http(stage: Stage) -> None:
    await stage.raw(b"SSH-2.0-OpenSSH_9.6\r\n")
    stage.drop()


async def _huge(stage: Stage) -> None:
    await stage.answer(value=b'"' + b"x" * 3000 + b'"')


async def _endless_head(stage: Stage) -> None:
    while True:
        await stage.raw(b"HTTP/1.1 200 OK\r\n" + b"x-header: x\r\n" * 10_000)


@pytest.mark.parametrize(
    ("play", "status", "code"),
    [
        (_nothing, 504, "backend_timeout"),
        (_drop, 502, "backend_disconnected"),
        (_half, 502, "backend_disconnected"),
        (_no_http, 502, "backend_disconnected"),
        (_huge, 502, "answer_too_long"),
        (_endless_head, 502, "backend_disconnected"),
        (lambda stage: stage.answer(value=b"<html>"), 502, "backend_garbage"),
        (lambda stage: stage.answer(value=b"\xff\xfe"), 502, "backend_garbage"),
        (lambda stage: stage.answer(value=b"[" * 2000), 502, "backend_garbage"),
        (lambda stage: stage.answer(value=b"[1]"), 502, "backend_garbage"),
        (lambda stage: stage.answer(value=b"{}", Content_Encoding="gzip"), 502, "backend_garbage"),
        (lambda stage: stage.answer(302, b"", Location="http://elsewhere"), 502, "backend_garbage"),
        (lambda stage: stage.stream(*EVENTS), 502, "backend_garbage"),
        (lambda stage: stage.answer(500, {"error": SECRET}), 502, "backend_failed"),
        (lambda stage: stage.answer(503, b"", Retry_After="7"), 503, "backend_failed"),
        (lambda stage: stage.answer(401, {"error": f"wrong key {SECRET}"}), 502, "backend_unauthorized"),
        (lambda stage: stage.answer(403, {"error": f"wrong key {SECRET}"}), 502, "backend_unauthorized"),
        (lambda stage: stage.answer(404, b"<html>not found"), 404, "backend_404"),
    ],
)
def test_a_backend_that_fails(
    serve: Serve,
    backend: FakeBackend,
    caplog: pytest.LogCaptureFixture,
    play: object,
    status: int,
    code: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    backend.play = play  # type: ignore[assignment]
    served = serve(timeouts={"whole": 0.5}, answer_bytes=2048)
    got = served.post()
    assert got.status_code == status
    assert _error(got.content)["code"] == code
    assert got.headers.get("retry-after") == ("7" if status == 503 else None)
    row = served.rows()[0]
    assert (row.requests, row.errors, row.prompt_tokens) == (1, 1, 0)
    assert SECRET not in got.text + str(got.headers) + caplog.text


def test_what_a_backend_refuses_is_told_as_it_says_it(serve: Serve, backend: FakeBackend) -> None:
    said = {"error": {"message": "Slow down.", "type": "rate_limit", "param": None, "code": "rate"}}
    backend.play = lambda stage: stage.answer(429, said, Retry_After="20", X_Internal="secret")
    got = serve().post()
    assert (got.status_code, got.json(), got.headers["retry-after"]) == (429, said, "20")
    assert "x-internal" not in got.headers


async def _cut(stage: Stage) -> None:
    await stage.begin_stream()
    await stage.chunk(EVENTS[0] + EVENTS[1][:20])
    await stage.raw(b"50\r\ndata")
    stage.drop()


async def _silent(stage: Stage) -> None:
    await stage.begin_stream()
    await stage.chunk(EVENTS[0])
    await stage.reader.read()


async def _endless(stage: Stage) -> None:
    await stage.begin_stream()
    while True:
        await stage.chunk(EVENTS[0])


async def _cut_without_frames(stage: Stage) -> None:
    await stage.raw(b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + EVENTS[0] + EVENTS[1][:20])
    stage.drop()


@pytest.mark.parametrize(
    ("play", "code"),
    [
        (_cut, "backend_disconnected"),
        (_cut_without_frames, "backend_disconnected"),
        (_silent, "backend_timeout"),
        (_endless, "answer_too_long"),
    ],
)
def test_a_stream_that_breaks_off_says_so(serve: Serve, backend: FakeBackend, play: object, code: str) -> None:
    backend.play = play  # type: ignore[assignment]
    served = serve(timeouts={"between": 0.5}, answer_bytes=100_000)
    got = served.stream()
    assert got.startswith(EVENTS[0])
    assert _last_error(got)["code"] == code
    row = served.rows()[0]
    assert (row.errors, row.estimated) == (1, 1)
    assert row.completion_tokens > 0


def test_a_stream_that_trickles_ends_in_time(serve: Serve, backend: FakeBackend) -> None:
    async def play(stage: Stage) -> None:
        await stage.begin_stream()
        while True:
            await stage.chunk(EVENTS[0])
            await asyncio.sleep(0.05)

    backend.play = play
    assert _last_error(serve(timeouts={"whole": 0.5}).stream())["code"] == "backend_timeout"


def test_a_stream_without_frames_is_whole_when_it_says_so(serve: Serve, backend: FakeBackend) -> None:
    async def play(stage: Stage) -> None:
        await stage.raw(b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + STREAM)
        stage.drop()

    backend.play = play
    assert serve().stream() == STREAM


def test_connections_are_used_again(serve: Serve, backend: FakeBackend) -> None:
    served = serve()
    for _ in range(5):
        assert served.post().status_code == 200
        assert served.stream() == STREAM
    assert backend.connections == 1


def test_a_kept_connection_that_was_closed_is_replaced(serve: Serve, backend: FakeBackend) -> None:
    async def play(stage: Stage) -> None:
        if stage.number == 1:
            stage.drop()
        else:
            await stage.answer()

    backend.play = play
    served = serve()
    assert [served.post().status_code for _ in range(3)] == [200, 200, 200]
    assert len(backend.seen) == 4  # the second was sent twice


def test_bytes_that_nobody_asked_for_are_no_answer_to_the_next(serve: Serve, backend: FakeBackend) -> None:
    async def play(stage: Stage) -> None:
        await stage.answer(value={"number": stage.number})
        await stage.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n" + b'{"smuggled": 10}')

    backend.play = play
    served = serve()
    assert [served.post().json() for _ in range(3)] == [{"number": 0}, {"number": 1}, {"number": 2}]


def _connect(served: Served, body: bytes) -> socket.socket:
    connection = socket.create_connection(served.address, timeout=10)
    head = (
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    )
    connection.sendall(head % len(body) + body)
    return connection


@pytest.mark.parametrize("begun", [True, False])
def test_a_client_that_goes_away_ends_the_work_of_the_backend(
    serve: Serve, backend: FakeBackend, begun: bool, tmp_path: Path
) -> None:
    async def play(stage: Stage) -> None:
        if begun:
            await stage.begin_stream()
            await stage.chunk(EVENTS[0])
        assert not await stage.reader.read()
        raise ConnectionError

    backend.play = play
    served = serve(usage=tmp_path / "usage.jsonl")
    with _connect(served, json.dumps({**ASKED, "stream": True}).encode()) as connection:
        if begun:
            assert connection.recv(1)
        else:
            _wait(lambda: bool(backend.seen))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert backend.gone.acquire(timeout=10)
    assert served.rows()
    used = json.loads((tmp_path / "usage.jsonl").read_text())
    assert used["status"] == (200 if begun else 499)


def _wait(done: object) -> None:
    end = time.monotonic() + 10
    while not done():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_client_that_takes_nothing_holds_the_backend_back(serve: Serve, backend: FakeBackend) -> None:
    written = 0

    async def play(stage: Stage) -> None:
        nonlocal written
        await stage.begin_stream()
        while True:
            await stage.chunk(EVENTS[0] * 100)
            written += len(EVENTS[0]) * 100

    backend.play = play
    served = serve(timeouts={"between": 2}, answer_bytes=1 << 30)
    with _connect(served, json.dumps({**ASKED, "stream": True}).encode()):
        _wait(lambda: written > 0)
        before = -1
        while before != written:
            before = written
            time.sleep(0.5)
        assert written < 20 << 20  # what the buffers of three sockets hold
        assert backend.gone.acquire(timeout=10)
    assert served.rows()[0].errors == 1


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "bad_request"),
        (b"[]", 400, "bad_request"),
        (b"{", 400, "bad_request"),
        (b'{"model": "m", "messages": [{"role": "user", "content": "\xff"}]}', 400, "bad_request"),
        (b'{"model": "m", "messages": [{"role": "user", "content": "\\ud800"}]}', 400, "bad_request"),
        (b'{"model": "m", "messages": ' + b"[" * 5000, 400, "bad_request"),
        ({"messages": []}, 400, "bad_request"),
        ({"model": 3, "messages": []}, 400, "bad_request"),
        ({"model": "m"}, 400, "no_messages"),
        ({"model": "m", "messages": []}, 400, "no_messages"),
        ({"model": "m", "messages": ["hi"]}, 400, "bad_request"),
        ({"model": "m", "messages": [{"content": "hi"}]}, 400, "bad_message"),
        ({**ASKED, "messages": ASKED["messages"] * 4}, 400, "too_many_messages"),
        ({**ASKED, "max_tokens": 101}, 400, "too_many_tokens"),
        ({**ASKED, "max_completion_tokens": 101}, 400, "too_many_tokens"),
        ({**ASKED, "max_tokens": -1}, 400, "too_many_tokens"),
        ({**ASKED, "n": 9}, 400, "too_many_choices"),
        ({**ASKED, "stream": "yes"}, 400, "bad_request"),
        (b"x" * 5000, 413, "body_too_big"),
    ],
)
def test_requests_that_are_refused(serve: Serve, backend: FakeBackend, body: object, status: int, code: str) -> None:
    limits = {"messages": 3, "max_tokens": 100, "body_bytes": 4096 if status == 413 else 100_000}
    got = serve(limits=limits).post(body)
    assert got.status_code == status
    assert _error(got.content)["code"] == code
    assert not backend.seen


def test_a_longest_answer_is_asked_for(serve: Serve, backend: FakeBackend) -> None:
    served = serve(limits={"max_tokens": 100})
    served.post()
    served.post({**ASKED, "max_completion_tokens": 7})
    assert [stage.json.get("max_tokens") for stage in backend.seen] == [100, None]


def test_a_body_must_say_that_it_is_json(serve: Serve) -> None:
    served = serve()
    assert served.post(Content_Type="text/plain").status_code == 415
    assert served.post(Content_Encoding="gzip").status_code == 415


def test_a_body_that_comes_too_slowly(serve: Serve) -> None:
    served = serve(timeouts={"body": 0.3})
    with socket.create_connection(served.address, timeout=10) as connection:
        connection.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
        )
        assert connection.recv(1000).startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize("settings", [{"streams": 1}, {"streams_each": 1}])
def test_so_many_are_answered_at_the_same_time(serve: Serve, backend: FakeBackend, settings: dict[str, int]) -> None:
    backend.play = _silent
    served = serve(**settings)
    with _connect(served, json.dumps({**ASKED, "stream": True}).encode()) as first:
        assert first.recv(1)
        got = served.post()
        assert got.status_code == 429
        assert _error(got.content)["type"] == "rate_limit_error"
        assert got.headers["retry-after"] == "1"
    assert backend.gone.acquire(timeout=10)
    backend.play = lambda stage: stage.answer()
    _wait(lambda: not served.gateway.streams)
    assert served.post().status_code == 200


def test_models_have_other_names(serve: Serve, backend: FakeBackend) -> None:
    served = serve(names={"small": "org/small-7b"}, prices={"small": {"input": 1e5, "output": 2e5}})
    served.post({**ASKED, "model": "small"})
    served.post({**ASKED, "model": "other"})
    assert [stage.json["model"] for stage in backend.seen] == ["org/small-7b", "other"]
    small, other = served.rows()
    assert (small.model, small.prompt_tokens, small.completion_tokens, small.cost) == ("small", 10, 5, 2.0)
    assert (other.model, other.cost, other.estimated) == ("other", 0.0, 0)


def test_the_list_of_models_is_the_backends(serve: Serve, backend: FakeBackend) -> None:
    listed = {"object": "list", "data": [{"id": "m"}]}
    backend.play = lambda stage: stage.answer(value=listed)
    assert serve().client.get("/v1/models").json() == listed
    assert (backend.seen[0].method, backend.seen[0].path) == ("GET", "/v1/models")


def test_prompts_go_to_completions(serve: Serve, backend: FakeBackend) -> None:
    asked = {"model": "m", "prompt": ["a", "b"], "suffix": "c", "max_tokens": 3}
    assert serve().post(asked, path="/v1/completions").status_code == 200
    assert (backend.seen[0].path, backend.seen[0].json) == ("/v1/completions", asked)
    assert serve().post(ASKED, path="/v1/completions").json()["error"]["code"] == "no_prompt"


def test_usage_of_a_stream(serve: Serve, backend: FakeBackend, tmp_path: Path) -> None:
    last = b'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}\n\n'

    async def play(stage: Stage) -> None:
        await stage.stream(*EVENTS[:-1], *([last] if stage.number == 0 else []), EVENTS[-1])

    backend.play = play
    served = serve(usage=tmp_path / "usage.jsonl")
    served.stream()
    served.rows()
    served.stream()
    served.rows()
    told, guessed = (json.loads(line) for line in (tmp_path / "usage.jsonl").read_text().splitlines())
    assert (told["prompt_tokens"], told["completion_tokens"], told["estimated"]) == (7, 3, False)
    assert (guessed["completion_tokens"], guessed["estimated"]) == (3, True)
    assert guessed["prompt_tokens"] > 0
    assert told["client"] == "anonymous"
    assert 0 < told["first"] <= told["milliseconds"]


@dataclass
class ByUser:
    """Users whose name begins with b go to the second arm."""

    arms: tuple[Arm, ...]

    def choose(self, *, request_id: str, client: str, user: str) -> Arm:
        assert request_id
        assert client == "anonymous"
        return self.arms[user.startswith("b")]


def test_a_router_chooses_the_arm(serve: Serve, backend: FakeBackend) -> None:
    upstreams = [Upstream(f"{backend.url}/{name}", key=Key(), timeouts=Timeouts()) for name in "ab"]
    arms = tuple(Arm(name=name, backend=upstream) for name, upstream in zip("ab", upstreams, strict=True))
    served = serve(router=ByUser(arms))
    got = [served.post({**ASKED, "user": user}).headers["x-ratchet-arm"] for user in ("anna", "bob")]
    assert got == ["a", "b"]
    assert [stage.path for stage in backend.seen] == ["/v1/a/chat/completions", "/v1/b/chat/completions"]


def test_one_answer_follows_whatever_fails(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    served = serve()

    def broken(**_: object) -> Arm:
        raise ValueError("what a user said")

    monkeypatch.setattr(type(served.gateway.router), "choose", lambda self, **_: broken())
    got = served.post()
    assert (got.status_code, _error(got.content)["code"]) == (500, "internal")
    assert "ValueError" in caplog.text
    assert "what a user said" not in caplog.text + got.text
