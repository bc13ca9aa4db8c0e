"""Replies on disk: what was paid for once is never paid for again.

SQLite with a write-ahead log and ``synchronous=FULL``: a reply is on the disk when `Cache.put` returns, a kill at any
moment leaves a readable file, several threads and processes may write, and a reply is found without reading the others. A
file of lines would need an index, a lock and a rule for half a line of its own.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from threading import Lock
from typing import Self

from ratchet.endpoint.reply import Reply
from ratchet.errors import WorkspaceError
from ratchet.forms import json_bytes
from ratchet.workspace.workspace import writing

_VERSION = 1
_WAIT = 30.0
"""Seconds to wait for another process that writes."""
_OF_THE_MACHINE = (
    *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_IOERR),
    *(sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH),
)
"""What says nothing about the file; anything else that fails when it is opened is damage."""


@dataclass(frozen=True, kw_only=True)
class _Stored:
    """What is kept of a reply, column by column."""

    text: str | None
    reason: str
    prompt_tokens: int
    completion_tokens: int
    cost: float
    seconds: float
    model: str
    structured: bool


_COLUMNS = ", ".join(field.name for field in fields(_Stored))
_PLACES = ", ".join("?" * (len(fields(_Stored)) + 2))
_Row = tuple[str, bytes, str | None, str, int, int, float, float, str, int]
"""Key, digest, then the fields of `_Stored`."""


class _Damaged(Exception):
    pass


class Cache:
    """Replies by :func:`key`, in one file that only its owner may read.

    Nothing but the replies and the hashes of their requests is stored. ``notes`` says what became of a damaged file.

    Raises:
        WorkspaceError: the file cannot be written.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.notes: tuple[str, ...] = ()
        self._lock = Lock()
        with _told(self.path):
            try:
                self._db = _opened(self.path)
            except _Damaged:
                self._db = self._anew()

    def get(self, key: str) -> Reply | None:
        """The reply to a request, marked as ``cached``; ``None`` where there is none yet."""
        with self._lock, _told(self.path):
            row = self._db.execute(f"SELECT key, digest, {_COLUMNS} FROM replies WHERE key = ?", (key,)).fetchone()  # noqa: S608
        return None if row is None or not _sound(row) else _reply(row)

    def put(self, key: str, reply: Reply) -> None:
        """Store a reply; it is durable when this returns.

        Raises:
            WorkspaceError: the disk is full or read-only.
        """
        self.put_all({key: reply})

    def put_all(self, replies: Mapping[str, Reply]) -> None:
        """Store replies by key, all or none; they are durable when this returns.

        Raises:
            WorkspaceError: the disk is full or read-only.
        """
        rows = []
        for name, reply in replies.items():
            values = astuple(_Stored(**{field.name: getattr(reply, field.name) for field in fields(_Stored)}))
            rows.append((name, _digest((name, *values)), *values))
        with self._lock, _told(self.path), self._db:
            self._db.executemany(f"REPLACE INTO replies VALUES ({_PLACES})", rows)  # noqa: S608

    def __len__(self) -> int:
        with self._lock, _told(self.path):
            return int(self._db.execute("SELECT count(*) FROM replies").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _anew(self) -> sqlite3.Connection:
        """A new file beside the damaged one, with the replies of that one that read whole."""
        aside = _aside(self.path)
        for ending in ("", "-wal", "-shm"):
            old = self.path.with_name(self.path.name + ending)
            if old.exists():
                old.rename(aside.with_name(aside.name + ending))
        database = _opened(self.path)
        with database:
            saved = database.executemany(f"REPLACE INTO replies VALUES ({_PLACES})", _salvaged(aside)).rowcount  # noqa: S608
        self.notes = (
            f"{self.path.name} was damaged and is now {aside.name}; {max(saved, 0):,} of its replies read whole and are kept.",
        )
        return database


def key(*, url: str, model: str, messages: Sequence[dict[str, str]], parameters: dict[str, object]) -> str:
    """The sha256, in 64 hex digits, of a request: another wording, model or parameter is another request."""
    what = {"url": url, "model": model, "messages": list(messages), "parameters": parameters}
    return hashlib.sha256(json_bytes(what)).hexdigest()


def _opened(path: Path) -> sqlite3.Connection:
    """The file, made if there is none, every reply in it verified."""
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    path.chmod(0o600)
    database = sqlite3.connect(path, timeout=_WAIT, check_same_thread=False)
    try:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        _prepare(database)
    except sqlite3.DatabaseError as error:
        database.close()
        if _is_damage(error):
            raise _Damaged from None
        raise
    except _Damaged:
        database.close()
        raise
    return database


def _prepare(database: sqlite3.Connection) -> None:
    with database:
        database.execute("BEGIN IMMEDIATE")
        version = database.execute("PRAGMA user_version").fetchone()[0]
        tables = database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if version == 0 and not tables:
            database.execute(f"CREATE TABLE replies (key TEXT PRIMARY KEY, digest BLOB, {_COLUMNS}) WITHOUT ROWID")
            database.execute(f"PRAGMA user_version = {_VERSION}")
        elif version != _VERSION:
            raise _Damaged
    if database.execute("PRAGMA quick_check").fetchone()[0] != "ok" or not all(map(_sound, _rows(database))):
        raise _Damaged


def _rows(database: sqlite3.Connection) -> Iterator[_Row]:
    yield from database.execute(f"SELECT key, digest, {_COLUMNS} FROM replies")  # noqa: S608


def _salvaged(path: Path) -> Iterator[_Row]:
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
        try:
            yield from filter(_sound, _rows(database))
        except sqlite3.DatabaseError:
            return  # what comes after the damage cannot be read


def _digest(values: tuple[object, ...]) -> bytes:
    return hashlib.sha256(json_bytes([int(value) if isinstance(value, bool) else value for value in values])).digest()


def _sound(row: _Row) -> bool:
    try:
        return row[1] == _digest((row[0], *row[2:]))
    except (TypeError, ValueError):  # cells of other types than were written
        return False


def _reply(row: _Row) -> Reply:
    text, reason, prompt_tokens, completion_tokens, cost, seconds, model, structured = row[2:]
    return Reply(
        text=text,
        reason=reason,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        cost=cost,
        seconds=seconds,
        model=model,
        structured=bool(structured),
        cached=True,
    )


def _aside(path: Path) -> Path:
    """A name for a damaged file that no other has."""
    number = 1
    while (found := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    return found


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)  # text that is no UTF-8 has none
    return (code & 0xFF) not in _OF_THE_MACHINE


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn what a disk refuses into a WorkspaceError."""
    try:
        with writing(path):
            yield
    except sqlite3.Error as error:
        raise WorkspaceError(
            f"The stored replies {path} must be readable and writable but got: {error}.",
            next_step="Make room or give write access; if the file was damaged just now, run again and it is set aside.",
        ) from error
