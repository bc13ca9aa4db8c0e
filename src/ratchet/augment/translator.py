"""What translates, by a model, a program or an endpoint: texts in, for each a translation or why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from ratchet.endpoint.reply import Reply
from ratchet.screen import Advance

TOO_LONG, ENDLESS = "too_long", "endless"


class Translator(Protocol):
    """One direction, from one language into another."""

    @property
    def name(self) -> str:
        """For people and records."""
        ...

    def translate(self, texts: Sequence[str], *, copy: int, advance: Advance) -> Mapping[str, Reply]:
        """The translation of each text, from what is kept where it is there; a reply without a text says why.

        Args:
            texts: of one line each, any number of times.
            copy: another number draws another translation, where translations are drawn.
            advance: told how many texts are done.

        Raises:
            RatchetError: nothing can be translated at all.
        """
        ...
