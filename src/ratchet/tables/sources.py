"""Where rows come from: a file, a sheet, a folder, a Hugging Face data set or standard input, told apart by what is there."""

from __future__ import annotations

import difflib
import hashlib
import io
import sys
from dataclasses import dataclass
from functools import cache
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

from ratchet.errors import DataError
from ratchet.forms import FASTTEXT, FORMATS, HEAD_BYTES
from ratchet.tables import folders
from ratchet.tables.hub import HUB, download, hub_name
from ratchet.workspace.finished import file_sha256, regular_file

Kind = Literal["file", "stdin", "tables", "texts", "arrow"]
STDIN = "-"
_LINES = 5
_begun: tuple[BufferedReader, bytes] | None = None


@dataclass(frozen=True, kw_only=True)
class Source:
    """What a name in ``data.files`` or on the command line stands for.

    Attributes:
        kind: ``file``; ``stdin``; ``tables``: files that are one table; ``texts``: one folder per label; ``arrow``: a data set
            saved by the library ``datasets``.
        name: what messages call it.
        path: the file or folder.
        part: the sheet, or the split: what stands behind the ``#``.
        files: the files that are read, in order; none of standard input.
        notes: what is in a folder and not read.
    """

    kind: Kind
    name: str
    path: Path
    part: str = ""
    files: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()


def locate(path: Path, *, name: str) -> Source:
    """Tell what a path is; a hub id is downloaded, or found in the cache of an earlier download.

    Args:
        path: ``reviews.xlsx``, ``reviews.xlsx#Sheet2``, ``folder``, ``folder#train``, ``hf://owner/name#train`` or ``-``.
        name: what messages call it.

    Raises:
        DataError: nothing is there, a folder has no tables, or it has several splits and none is named.
    """
    text = path.as_posix()
    if path.name == STDIN and not path.exists():
        return Source(kind="stdin", name="standard input", path=path)
    if (found := HUB.search(text)) is not None:
        name = hub_name(found)
        folder = download(found["id"], revision=found["revision"] or "", name=name)
        return _folder(folder, part=found["part"] or "", name=name)
    part = ""
    if not path.exists() and "#" in text:
        before, _, behind = text.partition("#")
        if Path(before).exists():
            path, part, name = Path(before), behind, name.partition("#")[0]
    if path.is_dir():
        return _folder(path, part=part, name=name)
    if not path.exists():
        raise _missing(path, name=name)
    regular_file(path, name=name)
    return Source(kind="file", name=name, path=path, part=part, files=(path,))


def members(path: Path) -> list[Path]:
    """The files that a source is read from, for finding out whether two sources overlap; a sheet is one of its own."""
    source = locate(path, name=str(path))
    if source.kind == "stdin":
        return [path]
    if source.kind == "file" and FORMATS.get(source.path.suffix.lower()) == "xlsx":
        return [source.path.with_name(f"{source.path.name}#{_sheet(source).casefold()}")]
    return list(source.files)


def _sheet(source: Source) -> str:
    """The name of the sheet that is read; a workbook that cannot be read is refused by who reads it."""
    from ratchet.tables.xlsx import chosen_sheet

    try:
        return chosen_sheet(source.path.read_bytes(), sheet=source.part, name=source.name)
    except (OSError, DataError):
        return source.part


def source_bytes_hash(path: Path) -> str:
    """sha256 over what a source is read from, 64 hex digits: of a file its bytes, of a folder its files' names and bytes.

    Raises:
        DataError: as :func:`locate`.
    """
    source = locate(path, name=str(path))
    if source.kind == "stdin":
        return hashlib.sha256(stdin_bytes()).hexdigest()
    if source.kind == "file" and not source.part:
        return _file_hash(source.path)
    digest = hashlib.sha256(source.part.encode())
    for file in source.files:
        inside = file.relative_to(source.path).as_posix() if file != source.path else ""
        digest.update(b"\0" + inside.encode("utf-8", "surrogateescape") + b"\0" + _file_hash(file).encode())
    return digest.hexdigest()


@cache
def stdin_bytes() -> bytes:
    """Everything that standard input has, read once: it cannot be read again.

    Raises:
        DataError: it is a terminal.
    """
    if sys.stdin is None or sys.stdin.isatty():
        raise DataError(
            "Standard input must be a table but is a terminal.",
            next_step="Send a file to it, as in `cat reviews.csv | ratchet check -`, or name the file.",
        )
    return stdin_stream().read()


def stdin_head() -> bytes:
    """What standard input begins with: a few lines in which something stands, 64 KiB, or all of it."""
    global _begun
    given = _stdin()
    if _begun is None or _begun[0] is not given:
        head = b""
        while len(head) < HEAD_BYTES and _whole_lines(head) < _LINES and (part := given.read1(HEAD_BYTES)):
            head += part
        _begun = given, head
    return _begun[1]


def _whole_lines(head: bytes) -> int:
    """How many lines there are in which something stands, but for the last, which may go on."""
    return sum(bool(line.strip()) for line in head.split(b"\n")[:-1])


def stdin_stream() -> BinaryIO:
    """Standard input from its start, also where :func:`stdin_head` has looked at it."""
    global _begun
    given, begun = _stdin(), _begun
    _begun = None
    if begun is None or begun[0] is not given:
        return given
    return cast(BinaryIO, io.BufferedReader(_Again(begun[1], given)))


class _Again(io.RawIOBase):
    """A stream behind the bytes that were read of it."""

    def __init__(self, head: bytes, rest: BufferedReader) -> None:
        super().__init__()
        self._head, self._rest = memoryview(head), rest

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any, /) -> int:
        found = self._head[: len(into)] or self._rest.read1(len(into))
        self._head = self._head[len(found) :]
        into[: len(found)] = found
        return len(found)


def _stdin() -> BufferedReader:
    """The bytes of standard input, which a caller may have closed."""
    if sys.stdin is None:
        raise DataError("Standard input must be open but is closed.", next_step="Name a file instead of -.")
    return cast(BufferedReader, sys.stdin.buffer)


def sniffed(data: bytes) -> str:
    """The format of bytes that have no name: ``parquet``, ``xlsx``, ``arrow``, ``json``, ``jsonl``, ``fasttext``,
    ``tsv`` or ``csv``."""
    for start, kind in (
        (b"PAR1", "parquet"),
        (b"PK\x03\x04", "xlsx"),
        (b"\xd0\xcf\x11\xe0", "xlsx"),
        (b"ARROW1", "arrow"),
    ):
        if data.startswith(start):
            return kind
    if data[:4] == b"\xff\xff\xff\xff":
        return "arrow"
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    first = (data[:4096].decode("utf-16", "ignore").encode() if wide else data).lstrip(b"\xef\xbb\xbf \t\r\n")
    if first.startswith((b"{", b"[")):
        return "jsonl" if first.startswith(b"{") else "json"
    if first.startswith(FASTTEXT.encode()):
        return "fasttext"
    line = first[: 1 << 20].split(b"\n", 1)[0]
    return "tsv" if line.count(b"\t") > line.count(b",") else "csv"


def _file_hash(path: Path) -> str:
    try:
        return file_sha256(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.", next_step="Check the file.") from None


def _folder(path: Path, *, part: str, name: str) -> Source:
    found = folders.look(path, part=part, name=name)
    name = f"{name}#{part}" if part and found.kind != "tables" else name
    return Source(kind=found.kind, name=name, path=found.root, part=part, files=found.files, notes=found.notes)


def _missing(path: Path, *, name: str) -> DataError:
    beside = [other.name for other in path.parent.iterdir() if other.exists()] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, beside, n=1, cutoff=0.7)
    hint = f"Did you mean {near[0]!r}?" if near else "Check the path; those in a recipe start at its folder."
    return DataError(f"{name} does not exist.", next_step=hint)
