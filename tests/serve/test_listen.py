"""The real server on loopback: its greeting, who may connect, a free port, and requests in flight at SIGTERM."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from ratchet.bundle.bundle import Bundle
from ratchet.errors import BundleError, ExtraMissing, RatchetError
from ratchet.recipe.sections import ServeConfig
from ratchet.serve import listen
from ratchet.serve.listen import _curl, serve
from ratchet.serve.rows import Fields

CHILD = """
import os, sys, threading
import numpy as np
from ratchet.bundle.bundle import Bundle
from ratchet.recipe.sections import ServeConfig
from ratchet.serve import served_bundle
from ratchet.serve.listen import serve

bundle = Bundle.open(sys.argv[1])
gate = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), gate.set()), daemon=True).start()

class Model:
    labels = bundle.labels
    def predict(self, texts):
        if texts[0] == "hold":
            os.write(1, b"holding\\n")  # whole, whatever the other threads write
            assert gate.wait(30)
        return np.full((len(texts), 3), 1 / 3, dtype=np.float32)

served_bundle.load_model = lambda *_, **__: Model()
serve(bundle.path, config=ServeConfig(port=0, workers=8, max_texts=2, max_text_bytes=100_000))
print("ended", flush=True)
"""


@pytest.fixture
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RATCHET_API_KEY", raising=False)


def _raw(address: tuple[str, int], request: bytes) -> bytes:
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(request)
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


def test_requests_in_flight_are_answered_after_sigterm(bundle: Bundle, no_key: None) -> None:
    command = [sys.executable, "-c", CHILD, str(bundle.path)]
    with (
        ThreadPoolExecutor(8) as pool,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8") as child,
    ):
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            greeting = child.stdout.readline()
            assert greeting.startswith("Serving 评论 on http://127.0.0.1:")
            found = re.search(r"http://127\.0\.0\.1:(\d+)", greeting)
            assert found is not None
            url, port = found[0], int(found[1])
            assert f"curl {url}/predict" in child.stdout.readline()
            assert httpx.get(f"{url}/readyz").json()["status"] == "ready"
            big = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            big += b"Content-Length: 3000000\r\n\r\n" + b"x" * 3_000_000
            assert _raw(("127.0.0.1", port), big).startswith(b"HTTP/1.1 413 ")
            asked = [pool.submit(httpx.post, f"{url}/predict", json={"text": "hold"}, timeout=60) for _ in range(8)]
            assert [child.stdout.readline() for _ in asked] == ["holding\n"] * 8
            child.send_signal(signal.SIGTERM)
            child.stdin.write("go\n")
            child.stdin.flush()
            answers = [each.result() for each in asked]
            assert [answer.status_code for answer in answers] == [200] * 8
            assert all(len(answer.json()["predictions"]) == 1 for answer in answers)
            assert child.stdout.readline() == "ended\n"
            assert child.wait(30) == 0
            with pytest.raises(httpx.ConnectError):
                httpx.get(f"{url}/healthz")
        finally:
            child.kill()


def test_connections_send_small_answers_at_once() -> None:
    with listen._listening(ServeConfig(port=0)) as listener:
        assert listener.proto == socket.IPPROTO_TCP  # asyncio sets TCP_NODELAY only then
        assert listen._url(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_port_in_use_is_one_clear_line(bundle: Bundle, no_key: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(RatchetError, match=rf"another program listens on 127\.0\.0\.1:{port}.*--port 0"):
            serve(bundle.path, config=ServeConfig(port=port))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", ""])
def test_others_may_connect_only_with_a_key(bundle: Bundle, no_key: None, host: str) -> None:
    with pytest.raises(RatchetError, match="must have an API key but RATCHET_API_KEY is not set"):
        serve(bundle.path, config=ServeConfig(host=host, port=0))


@pytest.mark.parametrize("key", ["two words", "ключ", "a\nb"])
def test_keys_that_no_header_can_carry(bundle: Bundle, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("RATCHET_API_KEY", key)
    with pytest.raises(RatchetError, match="must be printable ASCII without spaces"):
        serve(bundle.path, config=ServeConfig(port=0))


def test_a_host_that_is_no_address(bundle: Bundle, no_key: None) -> None:
    with pytest.raises(RatchetError, match=r"must be a name or address of this machine but got 'a\.\.b'"):
        serve(bundle.path, config=ServeConfig(host="a..b"))


def test_an_address_of_another_machine(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATCHET_API_KEY", "k")
    with pytest.raises(RatchetError, match=r"Listening on 192\.0\.2\.1:80\d\d failed"):
        serve(bundle.path, config=ServeConfig(host="192.0.2.1", port=8099))


@pytest.mark.parametrize("failure", [BundleError("The model is bad."), ValueError("bad weights")])
def test_a_model_that_cannot_be_loaded_ends_the_server(
    bundle: Bundle, no_key: None, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def load(*_: Any, **__: Any) -> None:
        raise failure

    monkeypatch.setattr("ratchet.serve.served_bundle.load_model", load)
    before = signal.getsignal(signal.SIGTERM)
    said: list[str] = []
    with pytest.raises(BundleError, match=r"The model is bad|could not be loaded: ValueError: bad weights"):
        serve(bundle.path, config=ServeConfig(port=0), say=said.append)
    assert said == []
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_missing_package_names_the_command(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen, "find_spec", lambda name: None)
    with pytest.raises(ExtraMissing, match=r"pip install 'ratchetml\[serve\]'"):
        serve(bundle.path, config=ServeConfig())


def test_the_call_to_try_has_all_columns_of_the_model() -> None:
    plain = _curl("http://h", keyed=False, fields=Fields(texts=("text",)))
    assert plain.endswith("""-d '{"text": "..."}'""")
    several = _curl("http://h", keyed=True, fields=Fields(texts=("title", "正文"), features=("price",)))
    assert several.endswith("""-d '{"row": {"title": "...", "正文": "...", "price": null}}'""")
