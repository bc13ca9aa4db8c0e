"""What the gateway asks: a backend takes one call and gives a reply whose bytes come piece by piece."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Literal, Protocol

from ratchet.gateway.request import Asked

Path = Literal["/chat/completions", "/completions", "/models"]


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request as a backend gets it.

    Attributes:
        path: below the base of the backend.
        body: JSON; empty for a GET.
        asked: what the body holds, as far as the gateway reads it.
        request_id: sent along, so that the logs of both sides can be joined.
    """

    path: Path
    body: bytes = field(default=b"", repr=False)
    asked: Asked
    request_id: str = ""


class Reply(Protocol):
    """The answer of a backend; it must be closed."""

    @property
    def status(self) -> int:
        """The status of HTTP."""

    @property
    def streamed(self) -> bool:
        """Whether the body is a stream of events."""

    @property
    def content_type(self) -> str:
        """The media type of the body."""

    @property
    def retry_after(self) -> str:
        """When to try again, as the backend says it; or empty."""

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes.

        Raises:
            Refusal: the backend became silent, or closed the connection before the end.
        """

    @property
    def cut(self) -> bool:
        """Whether the end of the body was the end of the connection, so that nobody knows if it was whole."""

    def close(self) -> None:
        """Free what it holds; a body that has not ended is given up."""


class Backend(Protocol):
    """Whatever writes answers."""

    async def open(self, call: Call) -> Reply:
        """Begin a call; returns when the head of the answer is there.

        Raises:
            Refusal: there is no answer.
        """

    async def ready(self) -> bool:
        """Whether it can be asked."""

    async def close(self) -> None:
        """Free its connections or threads."""
