"""One request and its answer as they pass the front: what was sent, what came back, and how it ended."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from ratchet.serve.messages import Refused, error_body
from ratchet.serve.ring import UNKNOWN, Client, key_of

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

GONE = 499
"""The status in the log of a request whose client went away before it was answered."""
_ids = random.Random()  # an id is no secret, and to ask the system for each costs more than all else here
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:+=-]{1,64}")
_REASON = re.compile(rb'\{"error":\{"type":"([a-z0-9_]+)"')


class Head(msgspec.Struct):
    """The headers that the front looks at; absent ones are empty."""

    authorization: bytes = b""
    api_key: bytes = b""
    request_id: bytes = b""
    host: bytes = b""
    origin: bytes = b""
    traceparent: bytes = b""

    @classmethod
    def of(cls, scope: Scope) -> Head:
        """Those of a request; of one that is sent twice, the last."""
        return cls(**{_NAMES[name]: value for name, value in scope["headers"] if name in _NAMES})

    @property
    def key(self) -> bytes:
        """The key that was sent, or nothing."""
        return key_of(self.authorization, self.api_key)


_NAMES = {
    b"authorization": "authorization",
    b"x-api-key": "api_key",
    b"x-request-id": "request_id",
    b"host": "host",
    b"origin": "origin",
    b"traceparent": "traceparent",
}


class Exchange:
    """Stands between an application and its server: counts bytes, adds headers to the answer, and knows how it ended."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.head = Head.of(scope)
        given = self.head.request_id
        self.request_id = given.decode() if _REQUEST_ID.fullmatch(given) else f"{_ids.getrandbits(128):032x}"
        self.client: Client = UNKNOWN
        self.headers = [(b"x-request-id", self.request_id.encode())]
        self.bytes_in = self.bytes_out = self.status = 0
        self.reason = ""
        self.blamed = False
        """Whether its address belongs in the log: it was not let in."""
        self._receive, self._send, self._path = receive, send, scope["path"]

    async def receive(self) -> Message:
        """What the client sends next."""
        message = await self._receive()
        self.bytes_in += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        """Send on what the application answers."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": [*message.get("headers", ()), *self.headers]}
        else:
            body = message.get("body", b"")
            if self.status >= 400 and not self.bytes_out and not self.reason and (found := _REASON.match(body)):
                self.reason = found[1].decode()
            self.bytes_out += len(body)
        await self._send(message)

    async def refuse(self, error: Refused) -> None:
        """Answer with an error in the form of all others."""
        self.reason = error.kind
        body = error_body(error, path=self._path)
        await self.answer(body, kind="application/json", status=error.status, headers=error.headers)

    async def answer(
        self, body: bytes, *, kind: str, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        """Answer with these bytes."""
        given: dict[str, Any] = {"content-type": kind, "content-length": str(len(body)), **(headers or {})}
        raw = [(name.lower().encode("latin-1"), str(value).encode("latin-1")) for name, value in given.items()]
        await self.send({"type": "http.response.start", "status": status, "headers": raw})
        await self.send({"type": "http.response.body", "body": body})
