"""The audit log: one line of JSON a request, about who asked for what and how it ended; never contents, never secrets."""

from __future__ import annotations

import errno
import logging
import os
import stat
from datetime import datetime
from pathlib import Path

import msgspec

from ratchet.errors import RatchetError
from ratchet.workspace.workspace import writing

logger = logging.getLogger("ratchet.serve")


class Line(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is written of a request; ``route`` is the pattern that it matched, not what the client wrote."""

    time: datetime
    """When it was answered, in UTC."""
    request: str
    key: str
    method: str
    route: str
    status: int
    bytes_in: int
    bytes_out: int
    milliseconds: float
    rows: int
    refused: str = ""
    """The word of the error, or empty."""
    address: str = ""
    """Of a client that was not let in; else empty."""


class Audit:
    """Lines at the end of a file. A disk that is full stops no request: it is said once, and the lines are counted.

    Args:
        path: the file; where there is none it is made, for its owner alone.

    Raises:
        RatchetError: it cannot be opened, or is a pipe.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle = _opened(path)
        self._torn = self._failing = False
        self.lost = 0

    def write(self, line: Line) -> None:
        """Add a line."""
        data = b"\n" * self._torn + msgspec.json.encode(line) + b"\n"
        try:
            written = os.write(self._handle, data)
            if written < len(data):
                self._torn = True
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            self.lost += 1
            self._say_failing(error)
        else:
            self._torn = self._failing = False

    def refresh(self) -> None:
        """Open the file again where it was rotated away; the old one goes on where the new one cannot be opened."""
        try:
            if os.path.samestat(self._path.stat(), os.fstat(self._handle)):
                return
        except OSError:  # it is gone, and will be made
            pass
        self.reopen()

    def reopen(self) -> None:
        """Open the file anew, as after a rotation."""
        try:
            handle = _opened(self._path)
        except RatchetError as error:
            self._say_failing(error)
            return
        os.close(self._handle)
        self._handle, self._torn = handle, False

    def close(self) -> None:
        """Nothing more will be written."""
        os.close(self._handle)

    def _say_failing(self, error: Exception) -> None:
        if not self._failing:
            logger.error(
                "The audit log %s cannot be written: %s. Requests are answered; /metrics counts the lines.",
                self._path,
                error,
            )
        self._failing = True


def _opened(path: Path) -> int:
    with writing(path):
        if path.exists() and stat.S_ISFIFO(path.stat().st_mode):
            raise RatchetError(f"The audit log {path} must be a file but is a pipe.", next_step="Name another path.")
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
