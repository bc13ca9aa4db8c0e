"""A store of files in which equal lines are kept once: objects that are named by the sha256 of their own bytes.

An object of kind ``lines`` holds lines, an object of kind ``file`` says which lines make up a file. Nothing is ever changed
or removed, so a kill leaves at worst an object that nobody asks for; and a bit that flipped shows in the name.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ratchet.bounds import json_value
from ratchet.errors import DataError, WorkspaceError
from ratchet.text.columns import Rows
from ratchet.versions.lines import Known, blocks, digests, lines
from ratchet.workspace.finished import regular_file
from ratchet.workspace.workspace import write_atomic

OBJECT = 1 << 22
_READ = 1 << 24
_LEVEL = 6
_FORMAT = 1
_NAME = re.compile(r"[0-9a-f]{64}")


class Damaged(WorkspaceError):
    """An object of a store is missing, or is not what its name says."""

    def __init__(self, name: str, trouble: str) -> None:
        super().__init__(f"The object {name} must be whole but {trouble}.")
        self.name = name
        self.trouble = trouble


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A file in a store; ``name`` is the object that says which lines it has."""

    name: str
    bytes: int
    sha256: str


@dataclass(kw_only=True)
class _Shelf:
    """The lines of a store, numbered through: those of object ``i`` are ``counts[i]``, and the fresh ones come last."""

    known: Known = field(default_factory=Known)
    names: list[str] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    fresh: list[bytes] = field(default_factory=list)

    @property
    def total(self) -> int:
        """All lines."""
        return sum(self.counts) + len(self.fresh)


class Objects:
    """The objects in ``folder``; several processes may add to it at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._shelf: _Shelf | None = None

    def put(self, path: Path) -> Stored:
        """Store a file; only lines that no object holds take space.

        Damaged objects are not built upon, so a file that is stored after the damage can be restored.

        Raises:
            DataError: the file is not there or cannot be read.
            WorkspaceError: the disk is full, or the store is not writable.
        """
        shelf, self._shelf = self._shelf or self._shelved(), None
        digest, size, numbers = hashlib.sha256(), 0, [np.zeros(0, np.int64)]
        for block in blocks(read_blocks(path)):
            digest.update(block)
            size += len(block)
            found = lines(block)
            number, new = shelf.known.number(digests(found), start=shelf.total)
            shelf.fresh += [found[place] for place in new.tolist()]
            numbers.append(number)
            self._flush(shelf, least=OBJECT)
        self._flush(shelf, least=1)
        self._shelf = shelf  # an error on the way leaves none: what it knows would not be on disk
        name = self._save_file(np.concatenate(numbers), shelf, size=size, sha256=digest.hexdigest())
        return Stored(name=name, bytes=size, sha256=digest.hexdigest())

    def get(self, name: str) -> Iterator[bytes]:
        """The bytes of a stored file, in order; every object is verified before the first of them.

        Raises:
            Damaged: an object is missing or has changed, or at the end: the lines do not make up the file.
        """
        header, payload = self._load(name, kind="file")
        count = header["runs"]
        starts, lengths = _unpacked(payload[: 8 * count], count), _unpacked(payload[8 * count :], count)
        starts = np.cumsum((starts >> 1) ^ -(starts & 1))
        held = [self._lines(child) for child, _ in header["lines"]]
        base = np.cumsum([0, *(count for _, count in header["lines"])])
        digest = hashlib.sha256()
        for data in _gathered(starts, lengths, held=held, base=base):
            digest.update(data)
            yield data
        if digest.hexdigest() != header["sha256"]:
            raise Damaged(name, "its lines do not make up the file that was stored")

    def damage(self, name: str, *, deep: bool = False) -> dict[str, str]:
        """What is wrong with the objects that a stored file is made of, by object; nothing where all is well.

        Args:
            deep: put the file together, too.
        """
        try:
            header, _ = self._load(name, kind="file")
        except Damaged as error:
            return {error.name: error.trouble}
        found = {}
        for child, _ in header["lines"]:
            try:
                self._bytes(child)
            except Damaged as error:
                found[error.name] = error.trouble
        if deep and not found:
            try:
                for _ in self.get(name):
                    pass
            except Damaged as error:
                found[error.name] = error.trouble
        return found

    def _bytes(self, name: str) -> bytes:
        path = self.folder / name
        if not _NAME.fullmatch(name):
            raise Damaged(name, "has no sha256 as its name")
        try:
            regular_file(path)
            data = path.read_bytes()
        except FileNotFoundError:
            raise Damaged(name, "is missing") from None
        except DataError as error:
            raise Damaged(name, error.problem) from None
        except OSError as error:
            raise Damaged(name, f"cannot be read: {error.strerror}") from error
        found = hashlib.sha256(data).hexdigest()
        if found != name:
            raise Damaged(name, f"its sha256 is {found[:12]}..., so a bit flipped or it was edited")
        return data

    def _load(self, name: str, *, kind: str) -> tuple[dict[str, Any], memoryview]:
        """Header and unpacked payload of an object, verified."""
        head, _, packed = self._bytes(name).partition(b"\n")
        try:
            header: dict[str, Any] = json_value(head)
            if header["format"] != _FORMAT or header["kind"] != kind:
                raise Damaged(name, f"is {header['kind']!r} in format {header['format']!r}, not {kind!r} in {_FORMAT}")
            payload = pa.decompress(packed, decompressed_size=header["raw"], codec="zstd", asbytes=True)
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError, MemoryError, OSError) as error:
            raise Damaged(name, f"cannot be unpacked ({type(error).__name__}): it was forged") from error
        return header, memoryview(payload)

    def _save(self, kind: str, payload: bytes, **facts: object) -> str:
        """Write an object, unless it is there, and return its name."""
        header = {"kind": kind, "format": _FORMAT, "raw": len(payload), **facts}
        packed = pa.Codec("zstd", compression_level=_LEVEL).compress(payload, asbytes=True)
        data = json.dumps(header, separators=(",", ":")).encode() + b"\n" + packed
        name = hashlib.sha256(data).hexdigest()
        path = self.folder / name
        if not path.exists() or path.read_bytes() != data:
            write_atomic(path, data)
        return name

    def _lines(self, name: str) -> tuple[memoryview, Rows]:
        """The lines of an object: line ``i`` is ``data[bounds[i] : bounds[i + 1]]``."""
        header, payload = self._load(name, kind="lines")
        count = header["count"]
        return payload[8 * count :], np.cumsum(np.append(0, _unpacked(payload[: 8 * count], count)))

    def _flush(self, shelf: _Shelf, *, least: int) -> None:
        """Write fresh lines as objects of about 4 MiB, if there are at least ``least`` bytes of them."""
        lengths = np.fromiter(map(len, shelf.fresh), np.int64, len(shelf.fresh))
        ends = np.cumsum(lengths)
        start = 0
        while start < len(ends):
            before = int(ends[start - 1]) if start else 0
            if int(ends[-1]) - before < least:
                break
            stop = int(np.searchsorted(ends, before + OBJECT)) + 1
            held = shelf.fresh[start:stop]
            name = self._save("lines", _packed(lengths[start:stop]) + b"".join(held), count=len(held))
            shelf.names.append(name)
            shelf.counts.append(len(held))
            start = min(stop, len(ends))
        del shelf.fresh[:start]

    def _save_file(self, numbers: Rows, shelf: _Shelf, *, size: int, sha256: str) -> str:
        """Write which lines a file has: the objects that hold them, and runs of consecutive lines through these."""
        base = np.cumsum([0, *shelf.counts])
        used, owner = np.unique(np.searchsorted(base, numbers, side="right") - 1, return_inverse=True)
        counts = np.diff(base)[used]
        numbers = numbers - base[used][owner] + (np.cumsum(counts) - counts)[owner]
        begins = np.flatnonzero(np.diff(numbers, prepend=-2) != 1)
        steps = np.diff(numbers[begins], prepend=0)
        payload = _packed((steps << 1) ^ (steps >> 63)) + _packed(np.diff(np.append(begins, len(numbers))))
        held = [[shelf.names[place], shelf.counts[place]] for place in used.tolist()]
        return self._save("file", payload, runs=len(begins), bytes=size, sha256=sha256, lines=held)

    def _shelved(self) -> _Shelf:
        """What all intact objects hold."""
        shelf = _Shelf()
        names = sorted(path.name for path in self.folder.iterdir()) if self.folder.is_dir() else []
        for name in names:
            try:
                data, bounds = self._lines(name)
            except Damaged:  # a damaged one, a file's list of lines, or a temporary file of another process
                continue
            ends = bounds.tolist()
            pieces = [bytes(data[start:end]) for start, end in itertools.pairwise(ends)]
            shelf.known.learn(digests(pieces), start=shelf.total)
            shelf.names.append(name)
            shelf.counts.append(len(pieces))
        return shelf


def read_blocks(path: Path) -> Iterator[bytes]:
    """The bytes of a file, 16 MiB at a time.

    Raises:
        DataError: it is not there, or no readable file.
    """
    regular_file(path)
    try:
        with path.open("rb") as file:
            while data := file.read(_READ):
                yield data
    except FileNotFoundError:
        raise DataError(f"{path} does not exist.", next_step="Check the path.") from None
    except OSError as error:
        raise DataError(f"{path} must be a readable file but is not: {error.strerror}.") from None


def _packed(numbers: Rows) -> bytes:
    """Numbers as 64-bit words with the first bytes of all, then the second bytes of all ...: the high ones compress away."""
    return numbers.astype("<i8").view(np.uint8).reshape(-1, 8).T.tobytes()


def _unpacked(data: memoryview, count: int) -> Rows:
    return np.ascontiguousarray(np.frombuffer(data, np.uint8).reshape(8, count).T).view("<i8")[:, 0].astype(np.int64)


def _gathered(starts: Rows, lengths: Rows, *, held: list[tuple[memoryview, Rows]], base: Rows) -> Iterator[bytes]:
    """The bytes of runs of lines, in order, a few MiB at a time."""
    batch: list[memoryview] = []
    size = 0
    first = np.searchsorted(base, starts, side="right") - 1
    for start, length, place in zip(starts.tolist(), lengths.tolist(), first.tolist(), strict=True):
        end = start + length
        while start < end:
            data, bounds = held[place]
            origin, stop = int(base[place]), min(end, int(base[place + 1]))
            batch.append(data[bounds[start - origin] : bounds[stop - origin]])
            size += len(batch[-1])
            start, place = stop, place + 1
        if size >= OBJECT:
            yield b"".join(batch)
            batch, size = [], 0
    if batch:
        yield b"".join(batch)
