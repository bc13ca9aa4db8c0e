"""What is under way when a training ends: it is waited for a moment, then dropped, and nothing is said any more."""

from __future__ import annotations

import threading
import time

import pytest

from ratchet.monitoring import webhook
from ratchet.monitoring.webhook import Webhooks

URL = "http://127.0.0.1:9/hook"


def test_nothing_is_said_after_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "GRACE", 0.05)
    gate, failed = threading.Event(), threading.Event()
    posted: list[str] = []

    def slow(url: str, body: bytes) -> int:
        posted.append(url)
        assert gate.wait(10)
        failed.set()
        raise OSError("timed out")

    monkeypatch.setattr(webhook, "_post", slow)
    said: list[str] = []
    hooks = Webhooks(say=said.append)
    for _ in range(3):
        hooks.send(URL, {"text": "alert"})
    begun = time.monotonic()
    hooks.close()
    assert time.monotonic() - begun < 5
    assert said == ["messages to 127.0.0.1 were still under way 0.05 s after the end and are dropped"]
    gate.set()
    assert failed.wait(10)
    assert hooks._thread is not None
    hooks._thread.join(10)
    assert not hooks._thread.is_alive()
    assert len(said) == 1
    assert len(posted) == 1  # what waited is dropped, as was said


def test_the_end_waits_for_what_comes_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def quick(url: str, body: bytes) -> int:
        time.sleep(0.05)
        return 500

    monkeypatch.setattr(webhook, "_post", quick)
    said: list[str] = []
    hooks = Webhooks(say=said.append)
    hooks.send(URL, {"text": "alert"})
    hooks.close()
    assert said == ["a webhook did not reach 127.0.0.1: it answered with status 500; the training goes on"]


def test_a_full_queue_is_waited_for_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "WAITING", 1)
    taken, posted = threading.Event(), list[str]()

    def quick(url: str, body: bytes) -> int:
        taken.set()
        time.sleep(0.05)
        posted.append(url)
        return 200

    monkeypatch.setattr(webhook, "_post", quick)
    said: list[str] = []
    hooks = Webhooks(say=said.append)
    hooks.send(URL, {"text": "first"})
    assert taken.wait(10)
    hooks.send(URL, {"text": "second"})
    hooks.close()
    assert said == []
    assert len(posted) == 2


def test_a_full_queue_ends_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "GRACE", 0.05)
    monkeypatch.setattr(webhook, "WAITING", 1)
    gate = threading.Event()

    def slow(url: str, body: bytes) -> int:
        assert gate.wait(10)
        raise OSError("timed out")

    monkeypatch.setattr(webhook, "_post", slow)
    said: list[str] = []
    hooks = Webhooks(say=said.append)
    for _ in range(5):
        hooks.send(URL, {"text": "alert"})
    hooks.close()
    before = list(said)
    assert len(before) == 1
    gate.set()
    assert hooks._thread is not None
    hooks._thread.join(10)
    assert not hooks._thread.is_alive()
    assert said == before
