"""Spans: nothing without an address, and to a collector that is named what it needs, without contents."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import pytest

from ratchet.serve import spans as module
from ratchet.serve.front import Front, Policy
from ratchet.serve.metrics import Metrics
from ratchet.serve.ring import Ring
from ratchet.serve.spans import ENDPOINTS, Spans


@pytest.fixture(autouse=True)
def no_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ENDPOINTS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def collector() -> Iterator[tuple[str, list[bytes]]]:
    bodies: list[bytes] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", bodies
        server.shutdown()
        thread.join()


def test_without_an_address_nothing_is_sent() -> None:
    assert Spans.wanted() is None


def test_without_the_extra_it_is_said(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv(ENDPOINTS[0], "http://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with caplog.at_level(logging.WARNING, logger="ratchet.serve"):
        assert Spans.wanted() is None
    assert "ratchetml[otel]" in caplog.text


def test_each_request_is_a_span_under_that_of_the_client() -> None:
    pytest.importorskip("opentelemetry.sdk")
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    spans = Spans(exporter)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.01)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a private text"})

    front = Front(app, policy=Policy(ring=Ring(None), names=("x",)), metrics=Metrics(), spans=spans)

    async def question() -> None:
        parents = ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "nonsense"]
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=front), base_url="http://x") as client:
            for parent in parents:
                headers = {"traceparent": parent, "X-Request-ID": "r1"}
                await client.post("/private?private", content=b"private", headers=headers)

    asyncio.run(question())
    spans.close()
    first, second = exporter.get_finished_spans()
    assert first.name == "POST (none)"
    assert first.parent is not None
    assert f"{first.parent.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"
    assert second.parent is None
    assert dict(first.attributes or {}) == {
        "http.request.method": "POST",
        "http.route": "(none)",
        "http.response.status_code": 200,
        "ratchet.request_id": "r1",
    }
    assert first.end_time - first.start_time >= 10_000_000
    assert "private" not in first.to_json()


def test_a_collector_that_is_named_gets_them(
    monkeypatch: pytest.MonkeyPatch, collector: tuple[str, list[bytes]]
) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    address, bodies = collector
    monkeypatch.setenv(ENDPOINTS[0], address)
    spans = Spans.wanted()
    assert spans is not None
    spans.note("GET", "/predict", status=200, seconds=0.1, request_id="r1", parent=b"")
    spans.close()
    assert b"GET /predict" in bodies[0]


def test_a_collector_that_does_not_answer_holds_up_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    monkeypatch.setenv(ENDPOINTS[0], "http://127.0.0.1:1")
    spans = Spans.wanted()
    assert spans is not None
    spans.note("GET", "/predict", status=200, seconds=0.1, request_id="r1", parent=b"\xff")
    began = time.monotonic()
    spans.close()
    assert time.monotonic() - began < module.FLUSH_SECONDS + 1
