"""The real server with keys, TLS and an audit log: files that change under it, hostile clients, and two on one port."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from ratchet.bundle.bundle import Bundle
from ratchet.errors import RatchetError
from ratchet.recipe.sections import ServeConfig
from ratchet.serve.keys import add_key, revoke_key
from ratchet.serve.listen import serve

Sign = Callable[..., tuple[Path, Path]]  # of conftest.py

CHILD = """
import json, sys
import numpy as np
from ratchet.bundle.bundle import Bundle
from ratchet.recipe.sections import ServeConfig
from ratchet.serve import connections, served_bundle
from ratchet.serve.listen import serve

bundle = Bundle.open(sys.argv[1])
connections.HEAD_SECONDS = 1.0

class Model:
    labels = bundle.labels
    def predict(self, texts):
        return np.full((len(texts), 3), 1 / 3, dtype=np.float32)

served_bundle.load_model = lambda *_, **__: Model()
serve(bundle.path, config=ServeConfig(port=0, **json.loads(sys.argv[2])))
"""


class Started:
    """A server in a process of its own."""

    def __init__(self, bundle: Bundle, config: dict[str, Any]) -> None:
        command = [sys.executable, "-c", CHILD, str(bundle.path), json.dumps(config)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
        )
        assert self.process.stdout is not None
        self.warnings: list[str] = []
        while (
            found := re.match(r"Serving .*(https?)://127\.0\.0\.1:(\d+)", line := self.process.stdout.readline())
        ) is None:
            assert line
            self.warnings.append(line)
        self.url, self.port = f"{found[1]}://127.0.0.1:{found[2]}", int(found[2])

    def end(self) -> tuple[int, str]:
        """Its exit code after SIGTERM, and what it said on standard error."""
        self.process.terminate()
        _, said = self.process.communicate(timeout=30)
        return self.process.returncode, said


@pytest.fixture
def start(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Started]]:
    monkeypatch.delenv("RATCHET_API_KEY", raising=False)
    started: list[Started] = []

    def run(**config: Any) -> Started:
        started.append(Started(bundle, config))
        return started[-1]

    yield run
    for each in started:
        each.process.kill()
        each.process.communicate()


def eventually(question: Callable[[], bool]) -> None:
    end = time.monotonic() + 15
    while not question():
        assert time.monotonic() < end, "it did not come true within 15 seconds"
        time.sleep(0.1)


def is_ended(connection: socket.socket) -> bool:
    try:
        while connection.recv(65_536):
            pass
    except ConnectionResetError:
        return True
    return True


def trusting(cert: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(cert))


def test_https_with_a_certificate_that_is_renewed(start: Callable[..., Started], sign: Sign) -> None:
    cert, key = sign()
    server = start(tls_cert=str(cert), tls_key=str(key))
    assert server.url.startswith("https://")
    with httpx.Client(verify=trusting(cert)) as old:
        answer = old.post(f"{server.url}/predict", json={"text": "好"})
        assert answer.status_code == 200
        left = re.search(r"^ratchet_certificate_seconds (\S+)$", old.get(f"{server.url}/metrics").text, re.MULTILINE)
        assert left is not None
        assert float(left[1]) == pytest.approx(90 * 86_400, abs=120)

        other_cert, other_key = sign("other")
        key.write_bytes(other_key.read_bytes())
        cert.write_bytes(other_cert.read_bytes())

        def is_renewed() -> bool:
            try:
                return httpx.get(f"{server.url}/healthz", verify=trusting(other_cert)).status_code == 200
            except httpx.ConnectError:
                return False

        eventually(is_renewed)
        assert old.get(f"{server.url}/healthz").status_code == 200  # a connection that stands goes on
    code, said = server.end()
    assert code == 0
    assert "A new certificate was read" in said
    assert "Traceback" not in said


def test_clients_that_do_not_speak_tls_hold_nothing_up(start: Callable[..., Started], sign: Sign) -> None:
    cert, key = sign()
    server = start(tls_cert=str(cert), tls_key=str(key))
    address = ("127.0.0.1", server.port)
    with ExitStack() as opened:
        silent = [opened.enter_context(socket.create_connection(address, timeout=20)) for _ in range(20)]
        for junk in (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\x16\x03\x01" + b"\xff" * 500, b"\x00" * 5000):
            connection = opened.enter_context(socket.create_connection(address, timeout=20))
            connection.sendall(junk)
            assert is_ended(connection)
        half = socket.create_connection(address, timeout=20)
        half = opened.enter_context(trusting(cert).wrap_socket(half, server_hostname="localhost"))
        half.sendall(b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf")
        half.shutdown(socket.SHUT_WR)
        assert httpx.get(f"{server.url}/healthz", verify=trusting(cert)).status_code == 200
        assert all(is_ended(connection) for connection in silent)  # one that does not shake hands is ended
        opened.enter_context(socket.create_connection(address, timeout=20))
        began = time.monotonic()
        code, said = server.end()
        assert time.monotonic() - began < 10
    assert code == 0
    assert "Traceback" not in said
    assert "eof_received" not in said


def test_keys_that_change_under_the_server_and_a_log_that_is_rotated(
    start: Callable[..., Started], tmp_path: Path
) -> None:
    path, log = tmp_path / "keys.json", tmp_path / "audit.jsonl"
    first = add_key(path, "first", scopes=["predict"])
    server = start(keys=str(path), audit=str(log))

    def status(token: str) -> int:
        headers = {"Authorization": f"Bearer {token}", "X-Request-ID": "r1"}
        answer = httpx.post(f"{server.url}/predict", json={"text": "a private text"}, headers=headers)
        assert answer.headers["x-request-id"] == "r1"
        return answer.status_code

    assert status(first.token) == 200
    second = add_key(path, "second", scopes=["predict"])
    eventually(lambda: status(second.token) == 200)
    revoke_key(path, first.key.id)
    eventually(lambda: status(first.token) == 401)
    good = path.read_bytes()
    path.write_bytes(b"{")
    time.sleep(1.5)
    assert status(second.token) == 200
    path.write_bytes(good)

    log.rename(tmp_path / "old.jsonl")
    server.process.send_signal(signal.SIGHUP)
    eventually(log.exists)
    assert status(second.token) == 200
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert (lines[-1]["key"], lines[-1]["status"]) == (second.key.id, 200)
    assert oct(log.stat().st_mode)[-3:] == "600"
    log.unlink()
    eventually(log.exists)  # without a signal, too
    code, said = server.end()
    assert code == 0
    assert said.count("The keys stay as they were") == 1
    everything = said + log.read_text() + (tmp_path / "old.jsonl").read_text()
    for secret in ("private", first.token, second.token, *(one.sha256 for one in first.key.secrets)):
        assert secret not in everything


def test_a_body_that_is_refused_by_its_key_does_not_lose_the_answer(
    start: Callable[..., Started], tmp_path: Path
) -> None:
    path = tmp_path / "keys.json"
    slow = add_key(path, "slow", scopes=["predict"], rate=0.001, burst=1)
    server = start(keys=str(path))
    body = json.dumps({"text": "x" * 7_000_000}).encode()
    for headers, status in (({}, 401), ({"X-API-Key": slow.token}, 413), ({"X-API-Key": slow.token}, 429)):
        answer = httpx.post(
            f"{server.url}/predict", content=body, headers={"Content-Type": "application/json", **headers}
        )
        assert answer.status_code == status


def test_two_servers_on_one_port(start: Callable[..., Started], bundle: Bundle) -> None:
    server = start()
    with pytest.raises(RatchetError, match=f"another program listens on 127.0.0.1:{server.port}"):
        serve(bundle.path, config=ServeConfig(port=server.port))
    assert httpx.get(f"{server.url}/healthz").status_code == 200


def test_beyond_this_machine_a_key_file_will_do_but_it_is_said_that_nothing_is_encrypted(
    start: Callable[..., Started], tmp_path: Path
) -> None:
    add_key(tmp_path / "keys.json", "app", scopes=["predict"])
    server = start(host="0.0.0.0", keys=str(tmp_path / "keys.json"))
    assert len(server.warnings) == 1
    assert "travel in the clear" in server.warnings[0]
    assert server.end()[0] == 0


@pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX")
def test_a_key_file_that_others_can_read_starts_no_server(bundle: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    add_key(path, "app", scopes=["predict"])
    path.chmod(0o644)
    with pytest.raises(RatchetError, match=r"its mode is 0644. Run: chmod 600"):
        serve(bundle.path, config=ServeConfig(port=0, keys=str(path)))
