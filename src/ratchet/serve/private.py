"""Files that hold secrets: they are read only where nobody else can read them."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ratchet.errors import RatchetError

LARGEST = 1 << 20
"""Bytes that such a file may have."""


def read_private(path: Path, *, what: str) -> bytes:
    """The bytes of a file that its owner alone can read.

    Args:
        path: the file, or a link to it.
        what: what it is, for the error: "key file".

    Raises:
        RatchetError: it is absent, too large or no file, belongs to another user, or others may read or change it.
    """
    with _opened(path, what=what) as handle:
        data = os.read(handle, LARGEST + 1)
    if len(data) > LARGEST:
        raise RatchetError(f"The {what} {path} must have at most {LARGEST} bytes but has more.")
    return data


def require_private(path: Path, *, what: str) -> None:
    """Refuse a file as :func:`read_private` does; another program reads it."""
    with _opened(path, what=what):
        pass


def stamp(path: Path) -> object:
    """Something else when the file was replaced, written, or given another mode."""
    try:
        found = path.stat()
    except OSError as error:
        return error.errno
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size


@contextmanager
def _opened(path: Path, *, what: str) -> Iterator[int]:
    try:
        # A pipe would wait for somebody who writes into it.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        raise RatchetError(
            f"The {what} {path} must be readable but is not: {error.strerror}.",
            next_step="Check the path and its mode.",
        ) from error
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise RatchetError(
                f"The {what} {path} must be a file but is something else.", next_step="Name another path."
            )
        if os.name == "posix":
            _require_owner(path, found, what=what)
            _require_closed(path, found, what=what)
        yield handle
    finally:
        os.close(handle)


def _require_owner(path: Path, found: os.stat_result, *, what: str) -> None:
    """It, and the link that leads to it, must belong to this user or to root; root may use what others own."""
    user = os.geteuid()
    for owner in (path.lstat().st_uid, found.st_uid):
        if user != 0 and owner not in (0, user):
            raise RatchetError(
                f"The {what} {path} must belong to user {user} or to root but it, or the link to it, is of user {owner}.",
                next_step=f"Run: sudo chown -h {user} {shlex.quote(str(path))}",
            )


def _require_closed(path: Path, found: os.stat_result, *, what: str) -> None:
    """Nobody else may read it; a group may where root hands it to another user, as Kubernetes does with secrets."""
    handed = found.st_uid == 0 and os.geteuid() != 0
    if found.st_mode & (0o037 if handed else 0o077):
        real = os.path.realpath(path)
        raise RatchetError(
            f"The {what} {path} must be readable by its owner alone but its mode is {stat.S_IMODE(found.st_mode):04o}.",
            next_step=f"Run: chmod 600 {shlex.quote(real)}",
        )
