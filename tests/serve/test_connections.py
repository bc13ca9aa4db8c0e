"""Connections: silent ones end, make room for others, and those that have asked are answered whatever comes."""

from __future__ import annotations

import json
import re
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ratchet.bundle.bundle import Bundle
from ratchet.serve import connections
from ratchet.serve.connections import most_connections, told_once

CHILD = """
import resource, sys, time
import numpy as np
from ratchet.bundle.bundle import Bundle
from ratchet.recipe.sections import ServeConfig
from ratchet.serve import connections, served_bundle
from ratchet.serve.listen import serve

files, head, pause = int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
resource.setrlimit(resource.RLIMIT_NOFILE, (files, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
connections.HEAD_SECONDS = head
bundle = Bundle.open(sys.argv[1])

class Model:
    labels = bundle.labels
    def predict(self, texts):
        time.sleep(pause)
        return np.full((len(texts), 3), 1 / 3, dtype=np.float32)

served_bundle.load_model = lambda *_, **__: Model()
serve(bundle.path, config=ServeConfig(port=0, workers=4, queue=400))
"""
BODY = json.dumps({"text": "好"}).encode()
ASK = (
    b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    % len(BODY)
) + BODY


class Start:
    """Starts servers, and ends them."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._children: list[subprocess.Popen[str]] = []

    @property
    def child(self) -> subprocess.Popen[str]:
        """The last one."""
        return self._children[-1]

    def __call__(self, *, files: int = 1024, head: float = 10, pause: float = 0) -> tuple[str, int]:
        """One with so many files, seconds for a head, and seconds for an answer; gives its address."""
        command = [sys.executable, "-c", CHILD, str(self._bundle.path), str(files), str(head), str(pause)]
        child = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", errors="replace"
        )
        self._children.append(child)
        assert child.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:(\d+)", child.stdout.readline())
        assert found is not None
        return "127.0.0.1", int(found[1])

    def end(self) -> None:
        for child in self._children:
            child.kill()
            child.communicate()


@pytest.fixture
def start(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    monkeypatch.delenv("RATCHET_API_KEY", raising=False)
    starts = Start(bundle)
    yield starts
    starts.end()


def answer(connection: socket.socket) -> bytes:
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
        if b'"predictions"' in b"".join(parts):
            break
    return b"".join(parts)


def asked(address: tuple[str, int]) -> bytes:
    with socket.create_connection(address, timeout=20) as connection:
        connection.sendall(ASK)
        return answer(connection)


def is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_more_silent_connections_than_files_leave_the_server_reachable(start: Start) -> None:
    address = start(files=200)
    silent = [socket.create_connection(address, timeout=20) for _ in range(300)]
    try:
        assert b"200 OK" in asked(address)
        assert is_closed(silent[0]), "the one that was silent longest made room"
    finally:
        for connection in silent:
            connection.close()
    assert b"200 OK" in asked(address)
    start.child.kill()
    assert start.child.stderr is not None
    assert len(start.child.stderr.read()) < 2_000


def test_half_a_request_does_not_hold_up_a_stopping_server(start: Start) -> None:
    address = start()
    with socket.create_connection(address, timeout=20) as connection:
        connection.sendall(ASK[:-3])
        connection.shutdown(socket.SHUT_WR)
        assert is_closed(connection)
        since = time.monotonic()
        start.child.terminate()
        start.child.wait(20)
    assert time.monotonic() - since < 10


def test_what_anybody_can_make_a_server_say_is_said_once(start: Start) -> None:
    address = start()
    for _ in range(20):
        with socket.create_connection(address, timeout=20) as connection:
            connection.sendall(b"NO HTTP\r\n\r\n")
            assert b"400" in connection.recv(4096)
    with socket.create_connection(address, timeout=20) as connection:
        connection.sendall(ASK.replace(b"Host:", b"Connection: Upgrade\r\nUpgrade: websocket\r\nHost:"))
        assert b"200 OK" in answer(connection)
    start.child.kill()
    assert start.child.stderr is not None
    said = start.child.stderr.read()
    assert said.count("Invalid HTTP request") == 1
    assert "pip install" not in said


def test_silent_and_dripping_connections_end(start: Start) -> None:
    address = start(head=1.0)
    since = time.monotonic()
    with socket.create_connection(address, timeout=20) as silent, socket.create_connection(address, timeout=20) as slow:
        dripping = threading.Thread(target=_drip, args=(slow,))
        dripping.start()
        assert is_closed(silent)
        dripping.join(20)
        assert not dripping.is_alive()
    assert 0.8 < time.monotonic() - since < 15
    with socket.create_connection(address, timeout=20) as again:  # the head of a further request has a deadline too
        again.sendall(ASK)
        assert b"200 OK" in answer(again)
        again.sendall(b"POST /predict HTTP/1.1\r\nHost: ")
        assert is_closed(again)


def _drip(connection: socket.socket) -> None:
    try:
        for letter in b"GET /healthz HTTP/1.1\r\nX-Slow: " + b"a" * 2_000:
            connection.send(bytes([letter]))
            time.sleep(0.05)
    except OSError:
        return


def test_a_client_that_has_said_all_still_gets_its_answer(start: Start) -> None:
    address = start(pause=0.3)
    with socket.create_connection(address, timeout=20) as connection:
        connection.sendall(ASK)
        connection.shutdown(socket.SHUT_WR)
        assert b"200 OK" in answer(connection)
        assert is_closed(connection)


def test_a_slow_answer_outlives_the_deadline_of_the_head(start: Start) -> None:
    assert b"200 OK" in asked(start(head=0.3, pause=1.0))


@pytest.mark.parametrize(("files", "most"), [(1024, 896), (100, 50), (8, 16), (resource.RLIM_INFINITY, 65_536)])
def test_the_limit_on_files_gives_the_number_of_connections(
    monkeypatch: pytest.MonkeyPatch, files: int, most: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
    assert most_connections() == most


def test_files_that_run_out_are_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    others: list[dict[str, Any]] = []

    class Loop:
        def default_exception_handler(self, context: dict[str, Any]) -> None:
            others.append(context)

    handle = told_once(said.append)
    for _ in range(1_000):
        handle(
            Loop(),
            {"message": "socket.accept() out of system resource", "exception": OSError(24, "Too many open files")},
        )  # type: ignore[arg-type]
    handle(Loop(), {"message": "something else"})  # type: ignore[arg-type]
    assert said == ["No connection can be taken: [Errno 24] Too many open files."]
    assert others == [{"message": "something else"}]
    monkeypatch.setattr(connections, "FULL_EVERY", 0.0)
    handle(Loop(), {"message": "socket.accept() out of system resource"})  # type: ignore[arg-type]
    assert len(said) == 2
