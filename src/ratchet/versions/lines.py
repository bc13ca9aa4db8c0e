"""A file cut into its lines, each known by a 128-bit digest, and which of them were seen before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from ratchet.text.columns import Rows

Digests = npt.NDArray[np.bytes_]
LONGEST = 1 << 16
BLOCK = 1 << 24


def blocks(stream: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in blocks of about 16 MiB that end at a line end, wherever there is one."""
    rest = b""
    for data in stream:
        rest = rest + data if rest else data
        if len(rest) >= BLOCK:
            end = rest.rfind(b"\n") + 1 or len(rest) // LONGEST * LONGEST
            if end:
                yield rest[:end]
                rest = rest[end:]
    if rest:
        yield rest


def lines(block: bytes) -> list[bytes]:
    """The lines of a block with their ends; one longer than 64 KiB is several pieces.

    A row of a CSV, TSV or JSONL file is a line in every encoding that Ratchet reads (no byte of a GB18030 character is a
    line end), so a row that stays the same is the same piece wherever it moves.
    """
    found = block.splitlines(keepends=True)
    if max(map(len, found), default=0) <= LONGEST:
        return found
    return [line[start : start + LONGEST] for line in found for start in range(0, len(line), LONGEST)]


def digests(pieces: Sequence[bytes]) -> Digests:
    """A 128-bit blake2b of each piece."""
    return np.frombuffer(b"".join([blake2b(piece, digest_size=16).digest() for piece in pieces]), "S16")


class Known:
    """The lines that a store holds, by digest, in 24 bytes each.

    Two different lines of one digest are not to be feared: among 10^9 the chance is below 10^-20.
    """

    def __init__(self) -> None:
        self._digest: Digests = np.zeros(0, "S16")
        self._number = np.zeros(0, np.int64)

    def learn(self, found: Digests, *, start: int) -> None:
        """Number these lines from ``start`` on; those that are known keep their number."""
        unique, first = np.unique(found, return_index=True)
        place, number = self._find(unique)
        self._insert(unique, place, np.where(number < 0, start + first, -1))

    def number(self, found: Digests, *, start: int) -> tuple[Rows, Rows]:
        """The number of each line, and the places in ``found`` of the lines that had none.

        Those are numbered from ``start`` on by first appearance, each once, and known from now on.
        """
        unique, first, member = np.unique(found, return_index=True, return_inverse=True)
        place, number = self._find(unique)
        new = np.flatnonzero(number < 0)
        new = new[np.argsort(first[new])]
        fresh = np.full(len(unique), -1)
        fresh[new] = start + np.arange(len(new))
        self._insert(unique, place, fresh)
        return np.where(number < 0, fresh, number)[member], first[new]

    def _find(self, unique: Digests) -> tuple[Rows, Rows]:
        """Where each of these sorted digests belongs, and its number, or -1."""
        place = np.searchsorted(self._digest, unique)
        number = np.full(len(unique), -1)
        inside = np.flatnonzero(place < len(self._digest))
        inside = inside[self._digest[place[inside]] == unique[inside]]
        number[inside] = self._number[place[inside]]
        return place, number

    def _insert(self, unique: Digests, place: Rows, number: Rows) -> None:
        new = number >= 0
        self._digest = np.insert(self._digest, place[new], unique[new])
        self._number = np.insert(self._number, place[new], number[new])
