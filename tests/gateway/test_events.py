from __future__ import annotations

import random

import pytest

from ratchet.gateway import events
from ratchet.gateway.events import Stream, Usage, usage_of

STREAM = (
    b': hello\n\ndata: {"choices":[{"delta":{"content":"\\n\\n \\"usage\\": {"}}]}\n\n'
    b'event: x\r\ndata: {"choices":[]}\r\n\r\ndata: {"choices":[],"usage":null}\n\n'
    b'data: {"usage": {"prompt_tokens": 4, "completion_tokens": 2}, "choices": []}\n\ndata: [DONE]\n\n'
)


@pytest.mark.parametrize("seed", range(20))
def test_pieces_of_any_size_become_the_same_whole_events(seed: int) -> None:
    dice = random.Random(seed)
    stream, sent, place = Stream(), [], 0
    while place < len(STREAM):
        size = dice.randint(1, 40)
        sent.append(stream.feed(STREAM[place : place + size]))
        place += size
    assert b"".join(sent) == STREAM
    assert all(piece.endswith((b"\n\n", b"\r\n\r\n")) for piece in sent if piece)
    assert stream.rest() == b""
    assert stream.events == 5
    assert stream.done
    assert not stream.failed
    assert stream.usage == Usage(4, 2)


def test_half_an_event_waits() -> None:
    stream = Stream()
    assert stream.feed(b'data: {"a"') == b""
    assert stream.feed(b": 1}\r\n") == b""
    assert stream.feed(b"\r\ndata") == b'data: {"a": 1}\r\n\r\n'
    assert stream.rest() == b"data"
    assert not stream.done


def test_an_event_without_an_end_is_not_held_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HELD", 100)
    stream = Stream()
    sent = b"".join(stream.feed(b"x" * 10) for _ in range(50))
    assert sent + stream.rest() == b"x" * 500
    assert len(stream.rest()) <= 100


def test_an_error_of_the_backend_is_seen() -> None:
    stream = Stream()
    stream.feed(b'data: {"error": {"message": "out of memory"}}\n\n')
    assert stream.failed


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"{}",
        b'{"usage": null}',
        b'{"usage": {"prompt_tokens": -1}}',
        b'{"usage": {"prompt_tokens": "4"}}',
        b'{"usage": 7}',
        b"\xff",
    ],
)
def test_a_usage_that_is_none(body: bytes) -> None:
    assert usage_of(body) is None


def test_a_usage() -> None:
    assert usage_of(b'{"usage": {"prompt_tokens": 1, "completion_tokens": 2, "x": {}}, "id": 3}') == Usage(1, 2)
