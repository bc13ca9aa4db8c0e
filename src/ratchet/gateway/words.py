"""The text of an answer while its tokens come: no half of a character, and nothing of a text that stops it."""

from __future__ import annotations

from collections.abc import Sequence

from ratchet.generators.chat import ChatTokens

_HALF = "\ufffd"
"""What a tokenizer gives for the first bytes of a character."""


class Words:
    """Turns growing tokens into growing text.

    Args:
        tokens: of the generator.
        stops: texts that end the answer; the first that comes counts.
        stripped: whether white space around the answer is no part of it.
    """

    def __init__(self, tokens: ChatTokens, *, stops: Sequence[str] = (), stripped: bool = True) -> None:
        self._tokens, self._stops, self._stripped = tokens, stops, stripped
        self._longest = max(map(len, stops), default=0)
        self.told = ""
        """What was given so far."""
        self.stopped = False

    def more(self, ids: Sequence[int]) -> str:
        """What can be said now beyond what was said, of all tokens so far."""
        text = self._cut(self._text(ids))
        if not self.stopped:
            text = text.rstrip(_HALF)
            text = text[: len(text) - self._maybe_stop(text)]
        return self._told(text.rstrip() if self._stripped else text)

    def rest(self, ids: Sequence[int]) -> str:
        """What is left when there will be no further tokens."""
        text = self._cut(self._text(ids))
        return self._told(text.rstrip() if self._stripped else text)

    def _text(self, ids: Sequence[int]) -> str:
        text = self._tokens.raw_text(ids)
        return text.lstrip() if self._stripped else text

    def _cut(self, text: str) -> str:
        """The text before the first stop."""
        places = [place for stop in self._stops if (place := text.find(stop)) >= 0]
        self.stopped = bool(places)
        return text[: min(places)] if places else text

    def _maybe_stop(self, text: str) -> int:
        """Characters at the end that may be the beginning of a stop."""
        for size in range(min(self._longest, len(text)), 0, -1):
            if any(stop.startswith(text[-size:]) for stop in self._stops):
                return size
        return 0

    def _told(self, text: str) -> str:
        new = text[len(self.told) :]
        self.told += new
        return new
