from __future__ import annotations

import logging
from collections import Counter
from typing import Any

import pytest

from ratchet.endpoint.key import EndpointError, Key

Asking = Server = Stage = Any  # they are in conftest.py

SECRET = "sk-live-0123456789abcdef"


def texts(count: int) -> list[str]:
    return [f"row {number}" for number in range(count)]


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_key_stops_everything_after_one_request(
    server: Server, asking: Asking, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setenv("MY_KEY", SECRET)
    server.play = lambda stage: stage.json(status, {"error": {"message": f"wrong key {SECRET}"}})
    with pytest.raises(EndpointError, match=f"refused it .status {status}.*MY_KEY") as caught:
        asking(*texts(50), concurrency=16, key="MY_KEY")
    assert len(server.requests) == 1
    assert SECRET not in str(caught.value)
    assert not asking.waited


def test_a_key_that_is_taken_back_stops_the_run(server: Server, asking: Asking) -> None:
    server.play = lambda stage: stage.answer() if stage.number <= 5 else stage.json(401, {})
    with pytest.raises(EndpointError):
        asking(*texts(500), concurrency=4)
    assert len(server.requests) <= 5 + 4
    server.play_well()
    assert not asking(*texts(10)).failures
    assert Counter(server.asked)["row 0"] == 1  # what was answered before was kept


def test_the_key_is_sent_and_nowhere_else(
    server: Server,
    asking: Asking,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MY_KEY", SECRET + "\n")
    caplog.set_level(logging.DEBUG)
    escaped = SECRET.replace("-", "\\u002d")

    def play(stage: Stage) -> None:
        if stage.number == 1:
            body = f'{{"model": "{SECRET}", "choices": [{{"message": {{"content": "you said {escaped}"}}}}]}}'
            stage.send(200, body.encode())
        else:
            stage.json(400, {"error": {"message": "x" * 150 + SECRET}})

    server.play = play
    asked = asking("a", "b", key="MY_KEY")
    assert [headers["Authorization"] for headers in server.headers] == [f"Bearer {SECRET}"] * 2
    assert asked.replies[0].text == "you said ***"
    seen = repr(asked) + repr(Key(value=SECRET)) + caplog.text + "".join(capfd.readouterr())
    assert SECRET[:12] not in seen
    stored = b"".join(path.read_bytes() for path in asking.file.parent.iterdir())
    assert SECRET.encode() not in stored
    assert b"you said" in stored


@pytest.mark.parametrize(
    ("value", "said"), [("", "is not set"), ("with space", "ASCII"), ("键值", "ASCII"), ("a\nb", "ASCII")]
)
def test_a_key_that_cannot_be_sent(
    server: Server, asking: Asking, monkeypatch: pytest.MonkeyPatch, value: str, said: str
) -> None:
    monkeypatch.setenv("MY_KEY", value)
    with pytest.raises(EndpointError, match=f"MY_KEY .*{said}") as caught:
        asking("a", key="MY_KEY")
    assert not value or value not in str(caught.value)
    assert not server.requests


def test_a_placeholder_key_is_no_secret(server: Server, asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "EMPTY")
    server.play = lambda stage: stage.answer("EMPTY")
    assert asking("a", key="MY_KEY").replies[0].text == "EMPTY"
