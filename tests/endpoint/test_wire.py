from __future__ import annotations

import gzip
import json
import threading
import time
from datetime import UTC, datetime
from typing import Any

from ratchet.endpoint.completion import STREAMED
from ratchet.endpoint.wire import BODY_BYTES, waiting

Asking = Server = Stage = Any  # they are in conftest.py

PRICE = {"input": 1000.0, "output": 2000.0}
"""A reply of the server, 10 and 5 tokens, costs .02."""


def test_waiting_reads_dates() -> None:
    now = datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert waiting("Thu, 01 Jan 2026 12:00:30 GMT", now=now) == 30
    assert waiting("Thu, 01 Jan 2026 11:00:00 GMT", now=now) == 0
    assert waiting("", now=now) is None


def test_a_stream_that_nobody_asked_for_ends_at_once(server: Server, asking: Asking) -> None:
    gone = threading.Event()

    def play(stage: Stage) -> None:
        handler = stage.handler
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream; charset=utf-8")
        handler.end_headers()
        handler.wfile.write(b'data: {"choices": [{"delta": {"content": "h"}}]}\n\n')
        gone.wait(5)

    server.play = play
    begun = time.monotonic()
    assert asking("a").failures == {0: STREAMED}
    gone.set()
    assert time.monotonic() - begun < 2


def test_redirects_are_not_followed(server: Server, asking: Asking) -> None:
    server.play = lambda stage: stage.send(307, b"", Location=server.url + "/elsewhere")
    assert asking("a").failures == {0: "redirected (status 307), which is not followed"}
    assert server.paths == ["/v1/chat/completions"]


def test_an_endless_body_is_cut_off(server: Server, asking: Asking) -> None:
    sent = 0

    def play(stage: Stage) -> None:
        nonlocal sent
        stage.handler.send_response(200)
        stage.handler.end_headers()
        while sent < 20 * BODY_BYTES:
            stage.handler.wfile.write(b" " * 65536)
            sent += 65536

    server.play = play
    assert asking("a", price=PRICE).failures == {0: "the body is longer than 8 MiB"}
    assert sent < 3 * BODY_BYTES


def test_a_gzip_bomb_does_not_unfold(server: Server, asking: Asking) -> None:
    bomb = gzip.compress(b" " * (20 * BODY_BYTES))
    server.play = lambda stage: stage.send(200, bomb, Content_Encoding="gzip")
    assert asking("a").failures == {0: "the body is longer than 8 MiB"}


def test_gzip_is_read_and_other_packing_is_not(server: Server, asking: Asking) -> None:
    body = json.dumps({"choices": [{"message": {"content": "ham"}}]}).encode()

    def play(stage: Stage) -> None:
        packed = {"gzip": gzip.compress(body), "damaged": b"no gzip", "half": gzip.compress(body)[:20], "br": b"x"}
        stage.send(200, packed[stage.asked], Content_Encoding="br" if stage.asked == "br" else "gzip")

    server.play = play
    asked = asking("gzip", "damaged", "half", "br")
    assert asked.replies[0].text == "ham"
    assert asked.failures == {
        1: "the body is damaged",
        2: "the body is no JSON",
        3: "the body is packed in a way that was not asked for",
    }
    assert server.headers[0]["Accept-Encoding"] == "identity"


def test_dropped_connections_are_tried_again(server: Server, asking: Asking) -> None:
    def play(stage: Stage) -> None:
        if stage.number == 1:
            stage.drop()
        elif stage.number == 2:
            stage.send(200, b'{"choices"', Content_Length="5000")
        else:
            stage.answer()

    server.play = play
    asked = asking("a")
    assert asked.replies[0].text == "ham"
    assert asked.replies[0].attempts == 3


def test_silence_is_a_timeout_and_is_tried_again(server: Server, asking: Asking) -> None:
    over = threading.Event()
    server.play = lambda stage: stage.answer() if stage.number > 1 else over.wait(5)  # type: ignore[func-returns-value]
    asked = asking("a", timeout=0.2)
    over.set()
    assert asked.replies[0].attempts == 2
    assert asked.replies[0].text == "ham"


def test_a_body_that_drips_is_cut_off(server: Server, asking: Asking) -> None:
    over = threading.Event()

    def play(stage: Stage) -> None:
        stage.handler.send_response(200)
        stage.handler.end_headers()
        for _ in range(100):
            stage.handler.wfile.write(b" ")
            if over.wait(0.05):
                return

    server.play = play
    begun = time.monotonic()
    assert asking("a", timeout=0.3, retries=0).failures == {0: "timeout"}
    over.set()
    assert time.monotonic() - begun < 3
