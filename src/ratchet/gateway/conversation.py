"""What a generator of our own takes from a request of the OpenAI protocol; what it cannot do is refused, not ignored."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from ratchet.gateway.refusal import Refusal
from ratchet.generators.sampled import Sampling
from ratchet.tables.conversations import Turn

_NOTHING: tuple[object, ...] = (None, False, 0, {}, [], "auto", "none", "text", {"type": "text"})
"""Values of a parameter which ask for nothing."""
_UNABLE = (
    *(
        "tools",
        "tool_choice",
        "functions",
        "function_call",
        "response_format",
        "logprobs",
        "top_logprobs",
        "logit_bias",
    ),
    *("frequency_penalty", "presence_penalty", "audio", "suffix", "echo"),
)
_Temperature = Annotated[float, msgspec.Meta(ge=0, le=2)]
_TopP = Annotated[float, msgspec.Meta(gt=0, le=1)]


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _Wanted(msgspec.Struct):
    messages: list[dict[str, Any]] | None = None
    prompt: Any = None
    n: int | None = None
    best_of: int | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    temperature: _Temperature | None = None
    top_p: _TopP | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    stream_options: _StreamOptions | None = None


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a generator is asked for.

    Attributes:
        turns: a conversation; empty where there is a prompt.
        prompt: a text that is gone on with as it stands.
        sampling: how tokens are drawn; ``None``: the most probable one.
        stops: texts that end the answer and are not part of it.
        tokens: most that are wanted; ``None``: as many as the model may write.
        counted: whether a stream ends with an event that tells the usage.
    """

    turns: tuple[Turn, ...] = ()
    prompt: str = ""
    sampling: Sampling | None = None
    stops: tuple[str, ...] = ()
    tokens: int | None = None
    counted: bool = False


_wanted = msgspec.json.Decoder(_Wanted).decode
_fields = msgspec.json.Decoder(dict[str, Any]).decode


def wanted_of(body: bytes, *, chat: bool) -> Wanted:
    """What a body asks for.

    Raises:
        Refusal: 400 where a generator here cannot do that.
    """
    try:
        found = _wanted(body)
    except msgspec.ValidationError as error:
        raise Refusal(400, "bad_request", f"The body must be a request of this protocol: {error}.") from None
    for name, value in _fields(body).items():
        if name in _UNABLE and value not in _NOTHING:
            raise Refusal(400, "unsupported", f"This model cannot do {name!r}.", param=name)
    for name in ("n", "best_of"):
        if getattr(found, name) not in (None, 1):
            raise Refusal(400, "unsupported", f"This model writes one answer: {name!r} must be 1.", param=name)
    limit = found.max_completion_tokens if found.max_completion_tokens is not None else found.max_tokens
    return Wanted(
        turns=tuple(_turn(one, place) for place, one in enumerate(found.messages or ())) if chat else (),
        prompt="" if chat else _prompt(found.prompt),
        sampling=_sampling(found),
        stops=tuple(one for one in ([found.stop] if isinstance(found.stop, str) else found.stop or ()) if one),
        tokens=limit,
        counted=bool(found.stream_options and found.stream_options.include_usage),
    )


def _sampling(found: _Wanted) -> Sampling | None:
    """Greedy unless a temperature is named: so the model was judged."""
    if not found.temperature:
        return None
    seed = secrets.randbits(63) if found.seed is None else found.seed & ((1 << 64) - 1)
    return Sampling(temperature=found.temperature, top_p=found.top_p or 1.0, seed=seed)


def _turn(message: dict[str, Any], place: int) -> Turn:
    role, content = message["role"], message.get("content")
    texts = [content] if isinstance(content, str) else [_part(one, place) for one in content or ()]
    return Turn("system" if role == "developer" else role, "\n".join(texts))


def _part(part: object, place: int) -> str:
    text = part.get("text") if isinstance(part, dict) else None
    if not isinstance(text, str):
        message = f"This model reads texts alone: each part of 'messages[{place}].content' must have a 'text'."
        raise Refusal(400, "unsupported", message, param=f"messages[{place}].content")
    return text


def _prompt(prompt: object) -> str:
    one = prompt[0] if isinstance(prompt, Sequence) and not isinstance(prompt, str) and len(prompt) == 1 else prompt
    if not isinstance(one, str) or not one:
        raise Refusal(
            400,
            "unsupported",
            "This model takes one prompt: 'prompt' must be a text that is not empty.",
            param="prompt",
        )
    return one
