"""Webhooks: a message to an address of the recipe, sent beside the training, which never waits for it."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from ratchet.recipe.watch import LOOPBACK

TIMEOUT = 5.0
"""Seconds that a server may take for each part of an answer."""
GRACE = 2.0
"""Seconds that the end of a training gives to what is under way."""
WAITING = 32
"""Messages that may wait; further ones are left out, and that is said."""


class Webhooks:
    """Sends messages one after another in a thread of its own; the first failure is said in one line, further ones are not.

    Redirects are not followed, so that nothing is sent to an address that the recipe does not name.

    Args:
        say: takes a line for people; called from the thread.
    """

    def __init__(self, *, say: Callable[[str], None]) -> None:
        self._say, self._failed, self._closed = say, False, False
        self._saying = threading.Lock()
        self._last = ""
        self._waiting: queue.Queue[tuple[str, bytes] | None] = queue.Queue(WAITING)
        self._thread: threading.Thread | None = None

    def send(self, url: str, message: Mapping[str, object]) -> None:
        """Send JSON soon; returns at once."""
        self._last = urlsplit(url).hostname or ""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="webhooks", daemon=True)
            self._thread.start()
        try:
            self._waiting.put_nowait((url, json.dumps(message).encode()))
        except queue.Full:
            self._fail(url, "too many messages wait for it")

    def close(self) -> None:
        """Give what is under way a moment, then go on without it: what is left is dropped, which is said, and nothing after."""
        if self._thread is None:
            return
        deadline = time.monotonic() + GRACE
        with suppress(queue.Full):
            self._waiting.put(None, timeout=GRACE)  # as soon as there is room
        self._thread.join(max(deadline - time.monotonic(), 0.0))
        with self._saying:
            if self._thread.is_alive() and not self._failed:
                self._say(f"messages to {self._last} were still under way {GRACE:g} s after the end and are dropped")
            self._closed = True

    def _work(self) -> None:
        while not self._closed and (item := self._waiting.get()) is not None:
            url, body = item
            try:
                status = _post(url, body)
            except (OSError, HTTPException, ValueError) as error:
                self._fail(url, str(error) or type(error).__name__)
            else:
                if not 200 <= status < 300:
                    self._fail(url, f"it answered with status {status}")

    def _fail(self, url: str, why: str) -> None:
        with self._saying:
            if self._failed or self._closed:
                return
            self._failed = True
            self._say(f"a webhook did not reach {urlsplit(url).hostname}: {why}; the training goes on")


def _post(url: str, body: bytes) -> int:
    """The status of the answer; nothing of its text is read."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    plain = parts.scheme == "http" and host in LOOPBACK
    connection = (HTTPConnection if plain else HTTPSConnection)(host, parts.port, timeout=TIMEOUT)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", target, body, {"Content-Type": "application/json", "Connection": "close"})
        return connection.getresponse().status
    finally:
        connection.close()
