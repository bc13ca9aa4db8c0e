"""JSON members of a zip file that somebody else made: read one by one in memory, bounded, never unpacked to disk."""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from ratchet.bounds import LOG_MEMBER_BYTES, LOG_MEMBERS, json_value, unpacks_too_far
from ratchet.errors import DataError

_ZSTANDARD = 93
"""How newer versions of Inspect pack; :mod:`zipfile` reads it from Python 3.14."""
_LOCAL = struct.Struct("<4s22xHH")
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    struct.error,
    OverflowError,
    pa.ArrowException,
)


class Members:
    """The members of an open zip file."""

    def __init__(self, package: zipfile.ZipFile, *, path: Path) -> None:
        self._package, self._path = package, path
        self._packed, self._unpacked = path.stat().st_size, 0
        if len(package.infolist()) > LOG_MEMBERS:
            raise DataError(
                f"{path} must have at most {LOG_MEMBERS:,} members but has {len(package.infolist()):,}.",
                next_step="Split the log.",
            )
        self.names = [*dict.fromkeys(package.namelist())]

    def json(self, name: str) -> Any:
        """One member as JSON.

        Raises:
            DataError: it is damaged, encrypted, a link, or too large.
        """
        data = self._bytes(self._package.getinfo(name))
        try:
            return json_value(data)
        except ValueError as problem:
            raise self._damaged(name, f"is no JSON: {problem}") from None

    def _bytes(self, info: zipfile.ZipInfo) -> bytes:
        if info.flag_bits & 1:
            raise self._damaged(info.filename, "is encrypted")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise self._damaged(info.filename, "is a link")
        self._unpacked += info.file_size
        if info.file_size > LOG_MEMBER_BYTES or unpacks_too_far(self._unpacked, self._packed):
            raise DataError(
                f"{self._path} must unpack to a log but {info.filename} would make it {self._unpacked:,} bytes, from "
                f"{self._packed:,}.",
                next_step="If it really is that large, export the answers alone as JSONL.",
            )
        try:
            data = self._zstandard(info) if info.compress_type == _ZSTANDARD else self._package.read(info)
        except (*_BROKEN, OSError) as problem:
            raise self._damaged(info.filename, f"cannot be unpacked: {problem}") from None
        if len(data) != info.file_size or zlib.crc32(data) != info.CRC:
            raise self._damaged(info.filename, "is damaged")
        return data

    def _zstandard(self, info: zipfile.ZipInfo) -> bytes:
        with self._path.open("rb") as file:
            file.seek(info.header_offset)
            mark, name, extra = _LOCAL.unpack(file.read(_LOCAL.size))
            if mark != b"PK\x03\x04":
                raise zipfile.BadZipFile("its header is not where it should be")
            file.seek(name + extra, 1)
            packed = file.read(min(info.compress_size, self._packed))
        with pa.CompressedInputStream(pa.BufferReader(packed), "zstd") as stream:
            data: bytes = stream.read(info.file_size + 1)
        return data

    def _damaged(self, name: str, what: str) -> DataError:
        return DataError(
            f"The member {name} of {self._path} must be readable but {what}.",
            next_step="Copy or export the file again.",
        )


@contextmanager
def opened(path: Path) -> Iterator[Members]:
    """A zip file, open for reading.

    Raises:
        DataError: it cannot be read, is no whole zip file, or has too many members.
    """
    try:
        package = zipfile.ZipFile(path)
    except OSError as problem:
        raise DataError(f"{path} cannot be read: {problem.strerror or problem}.", next_step="Check the file.") from None
    except (*_BROKEN, ValueError):
        raise DataError(
            f"{path} must be a whole zip file but is damaged or cut off.", next_step="Copy it again."
        ) from None
    with package:
        yield Members(package, path=path)
