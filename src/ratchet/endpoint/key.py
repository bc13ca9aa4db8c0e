"""The key of an endpoint, which only the request's header may see."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from ratchet.errors import RatchetError

_SECRET = 8
"""Shorter values are placeholders such as "EMPTY", which servers without keys ask for; they may be words of an answer."""


class EndpointError(RatchetError):
    """An endpoint cannot be asked at all: no key, a wrong one, no model."""


class NoAnswer(EndpointError):
    """The endpoint was asked and gave no usable answer."""


@dataclass(frozen=True, kw_only=True)
class Key:
    """A key, empty where none is needed; it is in no ``repr``."""

    value: str = field(default="", repr=False)

    @classmethod
    def from_environment(cls, name: str) -> Key:
        """The key that the variable ``name`` holds; an empty name is no key.

        Raises:
            EndpointError: there is no such variable, or what it holds cannot be sent in a header.
        """
        if not name:
            return cls()
        value = os.environ.get(name, "").strip()
        if not value:
            raise EndpointError(
                f"The environment variable {name} must hold the endpoint's key but is not set.",
                next_step=f"Run: export {name}=...",
            )
        if not (value.isascii() and value.isprintable()) or " " in value:
            raise EndpointError(
                f"The environment variable {name} must hold a key in one line of ASCII without spaces but holds something else."
            )
        return cls(value=value)

    @property
    def headers(self) -> dict[str, str]:
        """What is sent with each request."""
        return {"Authorization": f"Bearer {self.value}"} if self.value else {}

    def hide(self, text: str) -> str:
        """The text with ``***`` where the key stood."""
        return text.replace(self.value, "***") if len(self.value) >= _SECRET else text
