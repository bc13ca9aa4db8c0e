from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ratchet.endpoint.cache import Cache
from ratchet.endpoint.client import Clock, ask
from ratchet.endpoint.prompt import Prompt
from ratchet.endpoint.reply import Asked
from ratchet.recipe.endpoint import EndpointSpec

Play = Callable[["Stage"], None]


@dataclass
class Stage:
    """One request and the means to answer it, well or badly."""

    handler: BaseHTTPRequestHandler
    body: dict[str, Any]
    number: int

    @property
    def asked(self) -> str:
        return str(self.body["messages"][-1]["content"])

    def send(self, status: int, body: bytes, **headers: str) -> None:
        self.handler.send_response(status)
        told = {"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"}
        for name, value in {**told, **{name.replace("_", "-"): value for name, value in headers.items()}}.items():
            self.handler.send_header(name, value)
        self.handler.end_headers()
        self.handler.wfile.write(body)

    def json(self, status: int, value: object, **headers: str) -> None:
        self.send(status, json.dumps(value).encode(), **headers)

    def answer(self, text: object = "ham", *, finish: str = "stop", model: str = "m-1", **more: object) -> None:
        usage = {"prompt_tokens": 10, "completion_tokens": 5}
        choice = {"message": {"role": "assistant", "content": text}, "finish_reason": finish}
        self.json(200, {"model": model, "choices": [choice], "usage": usage, **more})

    def drop(self) -> None:
        self.handler.connection.close()


@dataclass
class Server:
    """A real server on the loopback address; ``play`` answers each request."""

    play: Play = Stage.answer
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    url: str = ""
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def play_well(self) -> None:
        self.play = Stage.answer

    @property
    def asked(self) -> list[str]:
        return [str(body["messages"][-1]["content"]) for body in self.requests]


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with made.lock:
                made.requests.append(body)
                made.headers.append(dict(self.headers))
                made.paths.append(self.path)
                made.at_once += 1
                made.most_at_once = max(made.most_at_once, made.at_once)
                number = len(made.requests)
            self.close_connection = True
            try:
                made.play(Stage(self, body, number))
            except (BrokenPipeError, ConnectionResetError):
                pass
            finally:
                with made.lock:
                    made.at_once -= 1

        do_GET = do_POST

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            pass

    listening = Quiet(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{listening.server_address[1]}/v1"
    thread = threading.Thread(target=listening.serve_forever, args=(0.02,))
    thread.start()
    yield made
    listening.shutdown()
    listening.server_close()
    thread.join()


def prompt_of(text: str) -> Prompt:
    return Prompt(messages=({"role": "user", "content": text},), tokens=8)


@pytest.fixture
def prompt() -> Callable[[str], Prompt]:
    return prompt_of


@dataclass
class Asking:
    """Asks the server with a cache of its own; nothing waits, but what would have been waited is kept."""

    server: Server
    file: Path
    waited: list[float] = field(default_factory=list)

    def __call__(self, *texts: str, labels: tuple[str, ...] = (), clock: Clock | None = None, **keys: Any) -> Asked:
        spec = EndpointSpec(**{"url": self.server.url, "model": "m", "timeout": 5, **keys})
        clock = clock or Clock(now=time.monotonic, wait=lambda stop, seconds: self.waited.append(seconds))
        with Cache(self.file) as cache:
            return ask([prompt_of(text) for text in texts], spec=spec, cache=cache, labels=labels, clock=clock)


@pytest.fixture
def asking(server: Server, tmp_path: Path) -> Asking:
    return Asking(server, tmp_path / "replies.sqlite")
