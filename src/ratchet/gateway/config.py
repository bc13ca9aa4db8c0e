"""The settings of the gateway."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ratchet.recipe.endpoint import EndpointPrice
from ratchet.recipe.section import Section


class RequestLimits(Section):
    """How much one request may ask for."""

    body_bytes: int = Field(default=8 << 20, ge=1024)
    """Bytes of a body; a longer one gets status 413."""
    messages: int = Field(default=1024, ge=1)
    """Messages of a conversation, or prompts of a request."""
    max_tokens: int = Field(default=0, ge=0)
    """Most tokens of an answer: more are refused, and where a request names no number this one is sent. 0: no limit."""
    choices: int = Field(default=8, ge=1)
    """Answers to one prompt (``n``, ``best_of``)."""


class Timeouts(Section):
    """How long the gateway waits, in seconds."""

    connect: float = Field(default=5.0, gt=0)
    """For a connection to the backend."""
    first_byte: float = Field(default=60.0, gt=0)
    """For the head of an answer that is streamed; another one may take all of ``whole``."""
    between: float = Field(default=60.0, gt=0)
    """Between two pieces of an answer, and until a client takes one."""
    whole: float = Field(default=600.0, gt=0)
    """For all of an exchange."""
    body: float = Field(default=30.0, gt=0)
    """Until a client has sent its body."""


class GatewayConfig(Section):
    """The gateway."""

    names: dict[str, str] = Field(default={})
    """The backend's names of models, by the names that clients use."""
    prices: dict[str, EndpointPrice] = Field(default={})
    """What a million tokens cost, by the names that clients use; in any currency."""
    limits: RequestLimits = RequestLimits()
    """How much one request may ask for."""
    timeouts: Timeouts = Timeouts()
    """How long the gateway waits, in seconds."""
    streams: int = Field(default=1024, ge=1)
    """Requests that are being answered at the same time; further ones get status 429."""
    streams_each: int = Field(default=256, ge=1)
    """Of these, those of one key."""
    answer_bytes: int = Field(default=8 << 20, ge=1024)
    """Longest answer of a backend."""
    guard: Literal["off", "monitor", "flag", "block"] = "flag"
    """What follows where the guard flags a text: a count; a header beside the answer; or status 400 and no answer."""
    guard_threshold: float | None = Field(default=None, gt=0, le=1)
    """The score from which on the guard flags a text; that of its model card unless named (``ratchet guard calibrate`` tells
    one for your own traffic)."""
    guard_allow: tuple[str, ...] = ()
    """Phrases that the guard does not look at, wherever they stand."""
    guard_seconds: float = Field(default=2.0, gt=0)
    """How long the guard may think about one request; then ``block`` refuses it, and the others let it pass."""
    usage: str = ""
    """A file that gets a line of JSON for each request; empty: none."""
