"""A hash chain in a JSON-lines file: appends that survive a kill at any byte, and damage that is found and named."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ratchet.bounds import json_value
from ratchet.errors import LedgerError, WorkspaceError
from ratchet.workspace.workspace import write_atomic, writing

START = "0" * 64
TORN = "torn"
_RESTORE = "Restore the file from a copy, or move the workspace away and run anew."


@dataclass(frozen=True, kw_only=True)
class Record:
    """One line of the chain; ``seq`` counts from 1 and is the number of its line."""

    seq: int
    time: str
    """UTC, ISO 8601."""
    kind: str
    key: str | None
    """Name of the event, recorded once; ``None`` for an event that may repeat."""
    body: Mapping[str, Any]
    prev: str
    """Hash of the record before; 64 zeros in the first."""
    hash: str
    """sha256 over the canonical JSON of all fields but this one."""


class Chain:
    """The chain in ``path``, with its anchor (``.head``) and torn last lines (``.torn-1``, ...) beside it.

    A record is one line, written by one call and flushed to disk before the anchor is replaced. After a kill there is
    therefore either a last line without its end, which no caller was ever told about, or a record more than the anchor
    knows: both heal. Fewer records than the anchor knows cannot come from a kill: they were cut.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._head = path.with_suffix(".head")
        self._busy = threading.Lock()
        self._file: tuple[int, int] | None = None
        self._forget()

    def read(self) -> tuple[Record, ...]:
        """All records, verified; an unfinished last line is left for the next append to move away.

        Raises:
            LedgerError: the chain or its anchor is damaged.
            WorkspaceError: the file cannot be read.
        """
        with self._busy:
            try:
                with self._opened(os.O_RDONLY, fcntl.LOCK_SH) as handle:
                    last = self._next(self._catch_up(handle))
                    return (*self._records, last) if last else tuple(self._records)
            except FileNotFoundError:
                self._forget()
            except OSError as error:
                raise WorkspaceError(f"{self._path} must be readable but got: {error.strerror}.") from error
            try:
                self._check_anchor(b"")
            except LedgerError:
                if not self._path.exists():
                    raise
            else:
                return ()
        return self.read()  # another process made the file in between

    def append(
        self,
        kind: str,
        body: Mapping[str, Any],
        *,
        key: str | None = None,
        check: Callable[[Sequence[Record]], None] | None = None,
    ) -> Record:
        """Add a record and flush it to disk, or return the one that has this key.

        Args:
            kind: what happened.
            body: JSON values.
            key: name of the event.
            check: called with all records while no other process can append; it may raise to refuse.

        Raises:
            LedgerError: the chain is damaged, the body is not JSON, or the key belongs to another kind of record.
            WorkspaceError: the disk is full or read-only; to try again with the same key is safe.
        """
        with self._busy, self._alone() as (handle, _):
            known = None if key is None else self._keys.get(key)
            if known is None:
                if check is not None:
                    check(tuple(self._records))
                return self._write(handle, kind, body, key=key)
            if known.kind != kind:
                raise LedgerError(
                    f"The key {key!r} must name one kind of record but got {kind!r}: record {known.seq} is {known.kind!r}."
                )
            return known

    def recover(self) -> tuple[Path, ...]:
        """Heal now what the next append would heal, and return the files that took torn lines."""
        with self._busy:
            if not self._path.exists():
                return ()
            with self._alone() as (_, healed):
                return healed

    @contextmanager
    def _alone(self) -> Iterator[tuple[int, tuple[Path, ...]]]:
        """The open file while no other process has it, verified and healed, and what healing moved away."""
        with writing(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._opened(os.O_RDWR | os.O_CREAT | os.O_APPEND, fcntl.LOCK_EX) as handle:
                yield handle, self._heal(handle, self._catch_up(handle))

    @contextmanager
    def _opened(self, flags: int, lock: int) -> Iterator[int]:
        if self._path.is_symlink():  # what it leads to may be somebody's file, and would be appended to
            raise WorkspaceError(f"{self._path} must be a file but is a link.", next_step="Put the file in its place.")
        handle = os.open(self._path, flags | os.O_NONBLOCK, 0o666)
        try:
            fcntl.flock(handle, lock)
            yield handle
        finally:
            os.close(handle)

    def _forget(self) -> None:
        self._records: list[Record] = []
        self._keys: dict[str, Record] = {}
        self._end = 0

    def _catch_up(self, handle: int) -> bytes:
        """Read and verify what was appended since the last look; return the bytes after the last line end."""
        status = os.fstat(handle)
        if (status.st_dev, status.st_ino) != self._file or status.st_size < self._end:
            self._forget()
            self._file = (status.st_dev, status.st_ino)
        data = b""
        while more := os.pread(handle, 1 << 24, self._end + len(data)):
            data += more
        *lines, tail = data.split(b"\n")
        for number, line in enumerate(lines):
            record = self._next(line)
            if record is None:
                raise self._damage(lines[number:])
            self._adopt(record, len(line) + 1)
        self._check_anchor(tail)
        return tail

    def _next(self, line: bytes) -> Record | None:
        """The record in ``line`` if it is whole and continues the chain."""
        record = _parse(line)
        if record is None or record.seq != len(self._records) + 1 or record.prev != self._last:
            return None
        return record

    @property
    def _last(self) -> str:
        return self._records[-1].hash if self._records else START

    def _adopt(self, record: Record, length: int) -> None:
        self._records.append(record)
        self._end += length
        if record.key is not None:
            self._keys[record.key] = record

    def _check_anchor(self, tail: bytes) -> None:
        """Compare the chain with the last record that was ever acknowledged."""
        count, last = len(self._records), self._next(tail)
        records = self._records if last is None else [*self._records, last]
        seq, anchor = self._anchor()
        if seq > len(records):
            what = "was edited or torn" if tail else f"is gone: records {count + 1} to {seq} were cut"
            raise LedgerError(
                f"Record {count + 1} (line {count + 1} of {self._path}) must be whole, as {self._head.name} knows {seq}"
                f" records, but it {what}.",
                next_step=_RESTORE,
            )
        if seq and records[seq - 1].hash != anchor:
            raise LedgerError(
                f"Record {seq} (line {seq} of {self._path}) must have the hash {anchor[:12]}... of {self._head.name} but"
                f" has {records[seq - 1].hash[:12]}...: it was replaced.",
                next_step=_RESTORE,
            )

    def _anchor(self) -> tuple[int, str]:
        """Number and hash of the last acknowledged record; (0, "") before the first."""
        try:
            data = self._head.read_bytes()
        except FileNotFoundError:
            if len(self._records) < 2:  # killed between the first record and its anchor
                return 0, ""
            raise LedgerError(
                f"{self._head} must stand beside a ledger of {len(self._records)} records but is missing.",
                next_step=_RESTORE,
            ) from None
        try:
            found = json_value(data)
            seq, anchor = found["seq"], found["hash"]
            if data == _canonical({"seq": seq, "hash": anchor}) and seq >= 1 and len(anchor) == len(START):
                return seq, anchor
        except (ValueError, KeyError, TypeError):
            pass
        raise LedgerError(f"{self._head} must name the last record but was edited.", next_step=_RESTORE)

    def _heal(self, handle: int, tail: bytes) -> tuple[Path, ...]:
        """Finish or move away a last line without its end, and bring the anchor up to date."""
        last = self._next(tail)
        if last is not None:
            os.write(handle, b"\n")
            os.fsync(handle)
            self._adopt(last, len(tail) + 1)
        elif tail:
            self._move_torn(tail)
            os.ftruncate(handle, self._end)
            os.fsync(handle)
        if self._anchor()[0] < len(self._records):
            self._set_anchor()
        # Also those whose record a kill prevented.
        moved = [path for path in self._torn() if f"{TORN}:{path.name}" not in self._keys]
        for path in moved:
            body = {"file": path.name, "bytes": path.stat().st_size}
            self._write(handle, TORN, body, key=f"{TORN}:{path.name}")
        return tuple(moved)

    def _move_torn(self, tail: bytes) -> None:
        files = self._torn()
        if files and files[-1].read_bytes() == tail:  # killed before the chain was shortened
            return
        names = [path.name for path in files] + [key for key in self._keys if key.startswith(f"{TORN}:")]
        number = 1 + max((int(name.rpartition("-")[2]) for name in names), default=0)
        write_atomic(self._path.with_suffix(f".{TORN}-{number}"), tail)

    def _torn(self) -> list[Path]:
        found = self._path.parent.glob(f"{self._path.stem}.{TORN}-*")
        numbered = [path for path in found if path.name.rpartition("-")[2].isdecimal()]
        return sorted(numbered, key=lambda path: int(path.name.rpartition("-")[2]))

    def _write(self, handle: int, kind: str, body: Mapping[str, Any], *, key: str | None) -> Record:
        try:
            plain = json.loads(json.dumps(body, allow_nan=False, default=_plain))
        except (TypeError, ValueError) as error:
            raise LedgerError(f"The body of a {kind!r} record must be JSON values but got: {error}.") from error
        fields = {
            "seq": len(self._records) + 1,
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "kind": kind,
            "key": key,
            "body": plain,
            "prev": self._last,
        }
        line = _canonical({**fields, "hash": hashlib.sha256(_canonical(fields)).hexdigest()})
        record = self._next(line)
        assert record is not None, "what is written must read back"
        try:
            rest = memoryview(line + b"\n")
            while rest:
                rest = rest[os.write(handle, rest) :]
            os.fsync(handle)
        except BaseException:
            os.ftruncate(handle, self._end)
            raise
        self._adopt(record, len(line) + 1)
        self._set_anchor()
        return record

    def _set_anchor(self) -> None:
        write_atomic(self._head, _canonical({"seq": len(self._records), "hash": self._last}))

    def _damage(self, lines: list[bytes]) -> LedgerError:
        """What is wrong with the first of ``lines``, which does not continue the chain."""
        line = seq = len(self._records) + 1
        record = _parse(lines[0])
        if record is None:
            what = f"Record {seq} (line {line} of {self._path}) must match its hash but was edited."
        elif record.seq == seq:
            what = (
                f"Record {seq} (line {line} of {self._path}) must follow the hash {self._last[:12]}... but follows"
                f" {record.prev[:12]}...: it was inserted, or record {seq - 1} was replaced."
            )
        else:
            later = any(other is not None and other.seq == seq for other in map(_parse, lines[1:]))
            what = f"Line {line} of {self._path} must hold record {seq} but holds record {record.seq}: "
            if record.hash in {known.hash for known in self._records}:
                what += f"record {record.seq} was doubled."
            elif record.seq < seq:
                what += f"record {record.seq} was inserted or edited."
            elif later:
                what += "the records were reordered."
            else:
                what += f"records {seq} to {record.seq - 1} were cut."
        return LedgerError(what, next_step=_RESTORE)


def _parse(line: bytes) -> Record | None:
    """The record in a line; ``None`` unless every byte is the one that was written."""
    try:
        fields = json_value(line)
        digest = fields.pop("hash")
        if line != _canonical({**fields, "hash": digest}) or digest != hashlib.sha256(_canonical(fields)).hexdigest():
            return None
        record = Record(**fields, hash=digest)
        return record if isinstance(record.seq, int) and isinstance(record.body, dict) else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _canonical(value: Mapping[str, Any]) -> bytes:
    """Sorted keys, no spaces, UTF-8; escapes only where UTF-8 cannot hold a character (a lone surrogate)."""
    for ascii_only in (False, True):
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=ascii_only, allow_nan=False)
        with suppress(UnicodeEncodeError):
            return text.encode()
    raise AssertionError("ASCII can always be encoded")


def _plain(value: object) -> object:
    """A NumPy scalar as the Python number it stands for."""
    item = getattr(value, "item", None)
    if item is None:
        raise TypeError(f"{type(value).__name__} {value!r}")
    return item()
