"""Answers of a generator of our own in the form of the OpenAI protocol, whole or as events."""

from __future__ import annotations

import time
from typing import Any

import msgspec

_encode = msgspec.json.encode


class Wording:
    """Writes one answer.

    Args:
        chat: whether it answers a conversation, or goes on with a prompt.
        model: what the answer calls the model.
        request_id: becomes the id of the answer.
    """

    def __init__(self, *, chat: bool, model: str, request_id: str) -> None:
        self._chat = chat
        kind = "chat.completion" if chat else "text_completion"
        self._head = {
            "id": f"{'chatcmpl' if chat else 'cmpl'}-{request_id}",
            "object": kind,
            "created": int(time.time()),
            "model": model,
        }
        self._chunk = {**self._head, "object": f"{kind}.chunk"} if chat else self._head
        self._usage = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
        self._finish = "stop"

    @staticmethod
    def listed(model: str) -> bytes:
        """The list of models."""
        return _encode(
            {"object": "list", "data": [{"id": model, "object": "model", "created": 0, "owned_by": "ratchet"}]}
        )

    def ended(self, *, prompt_tokens: int, completion_tokens: int, cut: bool) -> None:
        """The answer is written; ``cut``: it would have gone on."""
        total = prompt_tokens + completion_tokens
        self._usage = {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": total,
        }
        self._finish = "length" if cut else "stop"

    def begun(self) -> bytes:
        """The first event of a stream."""
        return self._event({"role": "assistant", "content": ""}, "")

    def piece(self, text: str) -> bytes:
        """An event with a piece of the text."""
        return self._event({"content": text}, text)

    def end(self, *, counted: bool) -> bytes:
        """The last events; ``counted``: with the usage among them."""
        last = self._event({}, "", finish=self._finish)
        if counted:
            last += _data({**self._chunk, "choices": [], "usage": self._usage})
        return last + b"data: [DONE]\n\n"

    def whole(self, text: str) -> bytes:
        """The answer at once."""
        said = {"message": {"role": "assistant", "content": text}} if self._chat else {"text": text}
        choice = {"index": 0, **said, "logprobs": None, "finish_reason": self._finish}
        return _encode({**self._head, "choices": [choice], "usage": self._usage})

    def _event(self, delta: dict[str, str], text: str, *, finish: str | None = None) -> bytes:
        said: dict[str, Any] = {"delta": delta} if self._chat else {"text": text}
        return _data({**self._chunk, "choices": [{"index": 0, **said, "logprobs": None, "finish_reason": finish}]})


def _data(value: object) -> bytes:
    return b"data: " + _encode(value) + b"\n\n"
