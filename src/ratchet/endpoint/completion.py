"""What the body of a reply says: an answer, no answer that was paid for all the same, or nothing of use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ratchet.bounds import json_value
from ratchet.text.personal import brief

CUT = "cut at max_tokens"
REFUSED = "refused by the endpoint"
EMPTY = "empty answer"
PAID = (CUT, REFUSED, EMPTY)
"""Reasons of replies without an answer that were paid for all the same, and are final."""
STREAMED = "streamed though it was not asked to"
_MOST_TOKENS = 1 << 40

Hide = Callable[[str], str]
"""Takes a secret out of a text."""


@dataclass(frozen=True, kw_only=True)
class Completion:
    """A reply of the endpoint.

    ``bought``: the model has answered, so the reply is final and was paid for, even if ``text`` is ``None``, which
    ``reason`` explains. Token counts are ``None`` where the endpoint does not tell them.
    """

    text: str | None = None
    reason: str = ""
    bought: bool = False
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    model: str = ""


def completion(body: bytes, *, content_type: str = "", hide: Hide = str) -> Completion:
    """Read the body of a reply with status 200; it is never trusted to be what it should be."""
    if content_type.lower().startswith("text/event-stream") or body.lstrip()[:5] == b"data:":
        return Completion(reason=STREAMED)
    try:
        value = json_value(body)
    except ValueError:  # half a body, HTML of a proxy, other bytes than UTF-8
        return Completion(reason="the body is no JSON")
    if not isinstance(value, dict):
        return Completion(reason="the body is no JSON object")
    if value.get("error"):
        return Completion(reason=f"error in the body: {_message(value['error'], hide)}")
    choices = value.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return Completion(reason="no choices in the body")
    text, reason = _answer(choices[0], hide)
    usage = value.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    return Completion(
        text=text,
        reason=reason,
        bought=True,
        prompt_tokens=_count(usage.get("prompt_tokens")),
        completion_tokens=_count(usage.get("completion_tokens")),
        model=_clean(value["model"], hide)[:200] if isinstance(value.get("model"), str) else "",
    )


def complaint(body: bytes, *, hide: Hide = str) -> str:
    """What the body of a refused request says, short; empty where it says nothing that can be read."""
    try:
        value = json_value(body)
    except ValueError:
        return ""
    if isinstance(value, dict):
        said = value.get("error") or value.get("detail") or value.get("message")
        return _message(said, hide) if said else ""
    return ""


def _answer(choice: dict[str, object], hide: Hide) -> tuple[str | None, str]:
    message = choice.get("message")
    message = message if isinstance(message, dict) else {}
    finish = choice.get("finish_reason")
    if finish == "length":
        return None, CUT
    if finish == "content_filter" or message.get("refusal"):
        return None, REFUSED
    content = message.get("content")
    if isinstance(content, list):  # parts, as some servers send them
        content = "".join(
            part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str)
        )
    if not isinstance(content, str) or not content.strip():
        return None, EMPTY
    return _clean(content, hide), ""


def _message(error: object, hide: Hide) -> str:
    said = error.get("message") if isinstance(error, dict) else error
    return brief(" ".join(_clean(str(said), hide).split()), most=160) if said else "no message"


def _count(value: object) -> int | None:
    right = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST_TOKENS
    return value if isinstance(value, int) and right else None


def _clean(text: str, hide: Hide) -> str:
    """The text without secrets, and without halves of surrogate pairs, which can neither be stored nor shown."""
    return hide(text).encode("utf-8", "replace").decode()
