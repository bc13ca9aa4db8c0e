"""Random numbers that depend on a seed, a text and a position in it, and on nothing else: never on the order of the rows."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ratchet.augment.pieces import Ints, Mask

Keys = npt.NDArray[np.uint64]
Uniform = npt.NDArray[np.float64]


class Draw:
    """Random numbers for the units (words or characters) of n texts.

    Args:
        keys: (n,) of the texts.
        row: (units,) the text each unit is in.
        position: (units,) its place in that text.
    """

    def __init__(self, keys: Keys, *, row: Ints, position: Ints) -> None:
        self._state = keys[row] ^ mixed(position.astype(np.uint64))

    def uniform(self, stream: int) -> Uniform:
        """(units,) numbers in [0, 1)."""
        salt = np.uint64(stream * 0x9E3779B97F4A7C15 % 2**64)
        return (mixed(self._state ^ salt) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def keys_of(texts: Sequence[str], *, seed: int, copy: int) -> Keys:
    """(n,) a number for each text, another one for each seed and copy."""
    start = hashlib.blake2b(f"{seed}/{copy}/".encode(), digest_size=8)
    found = bytearray()
    for text in texts:
        one = start.copy()
        one.update(text.encode("utf-8", "surrogatepass"))
        found += one.digest()
    return np.frombuffer(bytes(found), dtype="<u8").astype(np.uint64)


def mixed(state: Keys) -> Keys:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014)."""
    state = state + np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def drawn(keys: Keys, possible: Sequence[Mask]) -> Ints:
    """The number of the operation each text gets: a random one or, where that is impossible, the next; -1: none is.

    Args:
        keys: (n,) of the texts.
        possible: of each operation, (n,) whether a text can bear it.
    """
    table = np.stack(possible, axis=1)
    first = (mixed(keys) % np.uint64(len(possible))).astype(np.int64)
    turn = (first[:, None] + np.arange(len(possible))) % len(possible)
    ready = np.take_along_axis(table, turn, axis=1)
    pick = ready.argmax(axis=1)
    return np.where(ready.any(axis=1), turn[np.arange(len(keys)), pick], -1)


def ranks(values: Uniform, row: Ints, start: Ints) -> tuple[Ints, Ints]:
    """Each unit's place among those of its text by value (from 0 to 2), and the units in that order; among equals any."""
    order = np.argsort(4.0 * row + values)
    rank = np.empty(len(row), dtype=np.int64)
    rank[order] = np.arange(len(row)) - start[row[order]]
    return rank, order
