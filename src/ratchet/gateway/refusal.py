"""Errors in the form of the OpenAI protocol, which its clients know how to read."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class _Detail(msgspec.Struct):
    type: str
    message: str
    code: str
    param: str | None


class _Body(msgspec.Struct):
    error: _Detail


class Refusal(Exception):
    """A request that gets an error: its status, a stable word, a sentence, the field at fault, and extra headers."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.param = status, code, message, param
        self.headers = dict(headers or {})

    @property
    def kind(self) -> str:
        """The ``type`` of the protocol, which follows from the status."""
        if self.status == 429:
            return "rate_limit_error"
        if self.status in (401, 403):
            return "authentication_error"
        return "invalid_request_error" if self.status < 500 else "server_error"

    @property
    def body(self) -> bytes:
        """The JSON of the answer."""
        return msgspec.json.encode(_Body(_Detail(self.kind, self.message, self.code, self.param)))

    @property
    def event(self) -> bytes:
        """The same as an event of a stream that has begun."""
        return b"data: " + self.body + b"\n\n"


def busy(message: str, *, status: int = 429, code: str = "too_many_requests") -> Refusal:
    """One that may be tried again in a second."""
    return Refusal(status, code, message, headers={"Retry-After": "1"})
