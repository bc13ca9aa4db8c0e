"""A backend that plays what it is told, byte by byte, and a gateway before it; both listen on loopback."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from ratchet.endpoint.key import Key
from ratchet.gateway.accounts import Accounts, Row
from ratchet.gateway.app import Gateway, build_app
from ratchet.gateway.arms import Arm, OneArm, Router
from ratchet.gateway.backend import Backend
from ratchet.gateway.config import GatewayConfig
from ratchet.gateway.guard import Guard, Watch
from ratchet.gateway.upstream import Upstream

Play = Callable[["Stage"], Awaitable[None]]
SECRET = "sk-backend-0123456789"
CHUNK = '{"id":"1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"%s"}}]}'
EVENTS = [*(f"data: {CHUNK % word}\n\n".encode() for word in ("你好", " there", "!")), b"data: [DONE]\n\n"]
ANSWER = {
    "id": "1",
    "model": "m-1",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
}
ASKED = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


@dataclass
class Stage:
    """One request, and the connection to answer it on."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    number: int

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    async def raw(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, status: int = 200, value: object = ANSWER, **headers: str) -> None:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        told = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        told |= {name.replace("_", "-"): one for name, one in headers.items()}
        await self.raw(f"HTTP/1.1 {status} X\r\n".encode() + _head(told) + body)

    async def begin_stream(self, **headers: str) -> None:
        told = {"Content-Type": "text/event-stream; charset=utf-8", "Transfer-Encoding": "chunked"}
        await self.raw(b"HTTP/1.1 200 OK\r\n" + _head(told | headers))

    async def chunk(self, data: bytes) -> None:
        await self.raw(b"%x\r\n%s\r\n" % (len(data), data))

    async def stream(self, *chunks: bytes) -> None:
        await self.begin_stream()
        for one in chunks:
            await self.chunk(one)
        await self.raw(b"0\r\n\r\n")

    def drop(self) -> None:
        self.writer.close()


def _head(headers: dict[str, str]) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode() + b"\r\n"


async def play_well(stage: Stage) -> None:
    if stage.body and stage.json.get("stream"):
        await stage.stream(*EVENTS)
    else:
        await stage.answer()


@dataclass
class FakeBackend:
    """A server that plays; ``gone`` counts the connections whose client went away while it played."""

    play: Play = play_well
    seen: list[Stage] = field(default_factory=list)
    url: str = ""
    connections: int = 0
    gone: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, path, _ = head[0].split(" ")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:-2])}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                stage = Stage(method, path, headers, body, reader, writer, len(self.seen))
                self.seen.append(stage)
                await self.play(stage)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.gone.release()
        except asyncio.CancelledError:
            pass  # the test is over; a stream server of Python 3.11 would tell of it
        finally:
            writer.close()


@pytest.fixture
def backend() -> Iterator[FakeBackend]:
    made = FakeBackend()
    loop = asyncio.new_event_loop()

    async def start() -> asyncio.Server:
        return await asyncio.start_server(made.serve, "127.0.0.1", 0)

    server = loop.run_until_complete(start())
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield made

    async def stop() -> None:
        server.close()
        rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    asyncio.run_coroutine_threadsafe(stop(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@dataclass
class Served:
    """A gateway that listens, and a client of it."""

    gateway: Gateway
    url: str
    client: httpx.Client

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", int(self.url.rpartition(":")[2])

    def post(self, body: object = ASKED, *, path: str = "/v1/chat/completions", **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        told = {"Content-Type": "application/json"} | {name.replace("_", "-"): one for name, one in headers.items()}
        return self.client.post(path, content=content, headers=told)

    def rows(self) -> tuple[Row, ...]:
        """The accounts, once no request is under way: they are written after the answer's last byte."""
        end = time.monotonic() + 10
        while self.gateway.streams or not self.gateway.accounts.rows:
            assert time.monotonic() < end
            time.sleep(0.005)
        return self.gateway.accounts.rows

    def stream(self, **more: object) -> bytes:
        """The bytes of a streamed answer, as they came."""
        with self.client.stream("POST", "/v1/chat/completions", json={**ASKED, "stream": True, **more}) as response:
            assert response.status_code == 200, response.read()
            assert response.headers["content-type"].startswith("text/event-stream")
            return b"".join(response.iter_raw())


@contextmanager
def serving(gateway: Gateway) -> Iterator[Served]:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    options = uvicorn.Config(
        build_app(gateway), log_config=None, access_log=False, ws="none", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(options)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        with httpx.Client(base_url=url, trust_env=False, timeout=20) as client:
            yield Served(gateway, url, client)
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


Serve = Callable[..., Served]


@pytest.fixture
def serve(backend: FakeBackend) -> Iterator[Serve]:
    """Starts a gateway before the fake backend, or another one, with settings as keywords."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def start(
            *,
            to: Backend | None = None,
            router: Router | None = None,
            watch: Watch | None = None,
            usage: Path | None = None,
            url: str = "",
            **settings: object,
        ) -> Served:
            config = GatewayConfig.model_validate(settings)
            upstream = to or Upstream(url or backend.url, key=Key(value=SECRET), timeouts=config.timeouts)
            gateway = Gateway(
                config,
                router=router or OneArm(arm=Arm(name="a", backend=upstream)),
                guard=Guard(watch, mode=config.guard, seconds=config.guard_seconds) if watch else None,
                accounts=Accounts(prices=config.prices, file=usage),
            )
            return stack.enter_context(serving(gateway))

        yield start
