"""What a request holds, as far as the gateway reads it; the rest goes to the backend as it came."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from ratchet.gateway.config import RequestLimits
from ratchet.gateway.refusal import Refusal

Source = Literal["trusted", "input", "untrusted"]
"""Where a text comes from: whoever built the application, whoever uses it, or a tool and what was looked up."""
_SOURCES: dict[str, Source] = {
    "system": "trusted",
    "developer": "trusted",
    "tool": "untrusted",
    "function": "untrusted",
}
_LENGTHS = ("max_tokens", "max_completion_tokens")


class _Fields(msgspec.Struct):
    """The fields that are read. Each is what the protocol says, or the request is refused."""

    model: str
    messages: list[dict[str, Any]] | msgspec.UnsetType = msgspec.UNSET
    prompt: Any = msgspec.UNSET
    suffix: str | None = None
    documents: list[Any] | None = None
    stream: bool | None = None
    n: int | None = None
    best_of: int | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    user: str | None = None


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A text of a request, and where it comes from."""

    text: str
    source: Source


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request that was read.

    Attributes:
        model: as the client calls it.
        stream: whether the answer is to come as events.
        user: whom the client asks for; or empty.
        size: bytes of the body, from which tokens are estimated where the backend does not count them.
    """

    model: str = ""
    stream: bool = False
    user: str = ""
    size: int = 0


@dataclass(frozen=True, kw_only=True)
class Read:
    """A body that was read.

    Attributes:
        asked: what it asks for.
        pieces: its texts, for the guard.
        body: JSON for the backend.
    """

    asked: Asked
    pieces: tuple[Piece, ...] = ()
    body: bytes


_read = msgspec.json.Decoder(_Fields).decode
_raw = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def read_request(
    body: bytes | bytearray,
    *,
    chat: bool,
    limits: RequestLimits,
    names: Mapping[str, str],
    retrieved: frozenset[int] = frozenset(),
) -> Read:
    """What a body asks for, and the body that the backend gets: with the backend's name of the model, and a longest answer.

    Args:
        body: JSON.
        chat: whether it is a conversation, or a prompt.
        limits: how much it may ask for.
        names: the backend's names of models, by those of clients.
        retrieved: places of messages which hold what was looked up.

    Raises:
        Refusal: 400 where it is no such request or asks for too much.
    """
    try:
        fields = _read(body)
        raw = _raw(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(
            400, "bad_request", f"The body must be a JSON object of this protocol: {_short(error)}."
        ) from None
    _require(fields, chat=chat, limits=limits)
    pieces = tuple(_spoken(fields, retrieved=retrieved) if chat else _prompted(fields))
    asked = Asked(model=fields.model, stream=bool(fields.stream), user=fields.user or "", size=len(body))
    # The guard and the backend read the same: a key that is written twice in the body is there once.
    for name in ("messages",) if chat else ("prompt", "suffix"):
        if name in raw:
            raw[name] = msgspec.Raw(msgspec.json.encode(getattr(fields, name)))
    if fields.model in names:
        raw["model"] = msgspec.Raw(msgspec.json.encode(names[fields.model]))
    if limits.max_tokens and all(getattr(fields, name) is None for name in _LENGTHS):
        raw["max_tokens"] = msgspec.Raw(b"%d" % limits.max_tokens)
    return Read(asked=asked, pieces=pieces, body=msgspec.json.encode(raw))


def _require(fields: _Fields, *, chat: bool, limits: RequestLimits) -> None:
    if chat and not fields.messages:
        raise Refusal(400, "no_messages", "'messages' must hold at least one message.", param="messages")
    if not chat and fields.prompt is msgspec.UNSET:
        raise Refusal(400, "no_prompt", "'prompt' must hold a text.", param="prompt")
    if chat and isinstance(fields.messages, list) and len(fields.messages) > limits.messages:
        message = f"'messages' must hold at most {limits.messages} messages but got {len(fields.messages)}."
        raise Refusal(400, "too_many_messages", message, param="messages")
    if not chat and isinstance(fields.prompt, list) and len(fields.prompt) > limits.messages and _texts(fields.prompt):
        message = f"'prompt' must hold at most {limits.messages} prompts but got {len(fields.prompt)}."
        raise Refusal(400, "too_many_messages", message, param="prompt")
    for name in _LENGTHS:
        wanted = getattr(fields, name)
        if wanted is not None and not 0 <= wanted <= (limits.max_tokens or wanted):
            message = f"'{name}' must be 0 to {limits.max_tokens or 'any number'} but got {wanted}."
            raise Refusal(400, "too_many_tokens", message, param=name)
    for name in ("n", "best_of"):
        wanted = getattr(fields, name)
        if wanted is not None and not 1 <= wanted <= limits.choices:
            message = f"'{name}' must be 1 to {limits.choices} but got {wanted}."
            raise Refusal(400, "too_many_choices", message, param=name)


def _spoken(fields: _Fields, *, retrieved: frozenset[int]) -> Iterator[Piece]:
    assert isinstance(fields.messages, list)
    for place, message in enumerate(fields.messages):
        role = message.get("role")
        if not isinstance(role, str):
            raise Refusal(400, "bad_message", f"'messages[{place}].role' must be a text.", param=f"messages[{place}]")
        source = "untrusted" if place in retrieved else _SOURCES.get(role, "input")
        for text in _strings(message.get("content")):
            yield Piece(text=text, source=source)
        for text in _strings(message.get("tool_calls"), keys=("function", "arguments")):
            yield Piece(text=text, source="input")
    for text in _all_strings(fields.documents):
        yield Piece(text=text, source="untrusted")


def _prompted(fields: _Fields) -> Iterator[Piece]:
    for text in (fields.prompt, *(fields.prompt if isinstance(fields.prompt, list) else ()), fields.suffix):
        if isinstance(text, str):
            yield Piece(text=text, source="input")


def _strings(content: object, *, keys: Sequence[str] = ("text", "content", "refusal")) -> Iterator[str]:
    """The texts of a message's content: a text, or parts that hold one under some of the keys."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for part in content:
            yield from _strings(part, keys=keys)
    elif isinstance(content, dict):
        for key in keys:
            yield from _strings(content.get(key), keys=keys)


def _all_strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _all_strings(one)


def _texts(prompt: Sequence[object]) -> bool:
    """Whether these are prompts, and not the tokens of one."""
    return not all(isinstance(one, int) for one in prompt)


def _short(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not UTF-8"
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)[:200]
