"""Streams of server-sent events, looked at while they pass: only whole events are sent on, and their tokens are counted."""

from __future__ import annotations

import re
from typing import ClassVar

import msgspec

HELD = 1 << 20
"""Bytes of one event that are held back until it is whole; a longer one passes in parts, uncounted."""
_ENDS = (b"\n\n", b"\r\n\r\n", b"\r\r")
_DONE = re.compile(rb"^data: ?\[DONE\]", re.MULTILINE)
_DATA = re.compile(rb"^data:", re.MULTILINE)
_USAGE = re.compile(rb'^data:(.*"usage"\s*:\s*\{.*)$', re.MULTILINE)
_ERROR = re.compile(rb'^data: ?\{\s*"error"\s*:', re.MULTILINE)


class Usage(msgspec.Struct):
    """Tokens, as the protocol counts them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


class _HasUsage(msgspec.Struct):
    usage: Usage | None = None


_usage_in = msgspec.json.Decoder(_HasUsage).decode


class Stream:
    """Takes a stream in pieces and gives whole events; together they are the same bytes.

    A stream that breaks in an event leaves a client with half of one, which it cannot read, nor what is said behind it. So
    the last event waits here until it has ended.

    >>> stream = Stream()
    >>> stream.feed(b'data: {"a": 1}\\n'), stream.feed(b'\\ndata: {'), stream.rest()
    (b'', b'data: {"a": 1}\\n\\n', b'data: {')
    """

    longest_end: ClassVar[int] = max(map(len, _ENDS))

    def __init__(self) -> None:
        self._held = bytearray()
        self.usage: Usage | None = None
        self.events = 0
        """Events that hold a part of the answer, or the end of it."""
        self.done = self.failed = False
        """Whether the backend said that it has finished, or that it cannot."""

    def feed(self, chunk: bytes) -> bytes:
        """What may be sent on, now that these bytes are here; nothing while an event is not whole."""
        if not self._held and chunk.endswith(b"\n\n"):
            self._look(chunk)
            return chunk
        seen = max(len(self._held) - self.longest_end, 0)
        self._held += chunk
        end = max(self._held.rfind(mark, seen) + len(mark) if mark in self._held[seen:] else 0 for mark in _ENDS)
        if not end and len(self._held) > HELD:
            end = len(self._held)
        whole = bytes(self._held[:end])
        del self._held[:end]
        if whole:
            self._look(whole)
        return whole

    def rest(self) -> bytes:
        """What is left at the end: an event that its sender did not finish; or nothing."""
        return bytes(self._held)

    def _look(self, whole: bytes) -> None:
        self.events += len(_DATA.findall(whole))
        if b"[DONE]" in whole and _DONE.search(whole):
            self.done = True
        if b'"usage"' in whole and (found := _USAGE.findall(whole)):
            self.usage = usage_of(found[-1]) or self.usage
        if b'"error"' in whole and _ERROR.search(whole):
            self.failed = True


def usage_of(body: bytes) -> Usage | None:
    """The usage that an answer tells, if it tells a sensible one."""
    try:
        found = _usage_in(body).usage
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    sensible = found is not None and found.prompt_tokens >= 0 and found.completion_tokens >= 0
    return found if sensible else None
