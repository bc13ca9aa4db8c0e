"""Strings as Arrow holds them: cut into pieces, and read as code points without making Python strings."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ratchet.spill import give_back

PIECE = 1 << 22  # bytes
_BLOCK = 3 << 16  # bytes, some 65,000 Chinese characters: what is computed from them stays in the second-level cache
_EACH = 32  # bytes that a string counts for at least
_TAKEN = 1 << 19  # rows
_SMALL = 1 << 30  # bytes: a column with more may not fit the 32-bit offsets of Arrow's small strings

Points = npt.NDArray[np.uint32]
Rows = npt.NDArray[np.int64]
"""Positions of rows, or a number for each."""


def coded(column: pa.ChunkedArray) -> tuple[pa.Array, Rows]:
    """The different values of a column, by first appearance, and for each row the place of its value, -1 where missing."""
    if column.nbytes >= _SMALL:
        column = column.cast(pa.large_string())
    if not len(column):
        return pa.array([], column.type), np.zeros(0, np.int64)
    found = column.dictionary_encode()  # all chunks have the same dictionary
    indices = [chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False) for chunk in found.chunks]
    return found.chunk(found.num_chunks - 1).dictionary, np.concatenate(indices).astype(np.int64)


def picked(cells: pa.Array | pa.ChunkedArray, rows: Rows) -> pa.Array:
    """The cells at these positions, in that order. Arrow itself would copy the whole of a column that is in pieces."""
    chunks = cells.chunks if isinstance(cells, pa.ChunkedArray) else [cells]
    if len(chunks) == 1:
        return chunks[0].take(pa.array(rows, pa.int64()))
    order = np.argsort(rows, kind="stable")
    ascending, bounds = rows[order], np.cumsum([0, *map(len, chunks)])
    cuts = np.searchsorted(ascending, bounds)
    parts = []
    for chunk, begin, end, start in zip(chunks, cuts[:-1], cuts[1:], bounds[:-1], strict=True):
        if begin < end:
            parts.append(chunk.take(pa.array(ascending[begin:end] - start, pa.int64())))
            give_back()
    if sum(part.nbytes for part in parts) >= _SMALL:
        parts = [part.cast(pa.large_string()) for part in parts]
    found = pa.concat_arrays(parts) if parts else pa.array([], cells.type)
    return found if (order[1:] > order[:-1]).all() else found.take(pa.array(np.argsort(order), pa.int64()))


def taken(column: pa.ChunkedArray, rows: Rows) -> pa.ChunkedArray:
    """As :func:`picked`, in chunks that are small enough for the type of the column."""
    half = len(rows) // 2
    if len(rows) <= _TAKEN:
        found = picked(column, rows)
        if found.type == column.type or not half:
            return pa.chunked_array([found.cast(column.type)])
    return pa.chunked_array([*taken(column, rows[:half]).chunks, *taken(column, rows[half:]).chunks])


def pieces(cells: pa.Array | pa.ChunkedArray, *, size: int = PIECE) -> list[pa.Array]:
    """The cells in consecutive slices of about ``size`` bytes; a longer string is a slice of its own."""
    chunks = cells.chunks if isinstance(cells, pa.ChunkedArray) else [cells]
    return [chunk.slice(start, end - start) for chunk in chunks for start, end in _cuts(chunk, size)]


def blocks(array: pa.Array, *, size: int = _BLOCK) -> Iterator[tuple[int, int, Points, Rows]]:
    """Consecutive ranges (start, end) of about ``size`` bytes, with the code points of their strings one after the other
    and the characters of each.
    """
    for start, end in _cuts(array, size):
        part = array.slice(start, end - start)
        yield start, end, *code_points(part)


def code_points(array: pa.Array) -> tuple[Points, Rows]:
    """The code points of all strings, one after the other, and the characters of each; none may be missing."""
    joined = _data(array).tobytes().decode()
    lengths = pc.utf8_length(array).to_numpy(zero_copy_only=False).astype(np.int64)
    return np.frombuffer(joined.encode("utf-32-le"), np.uint32), lengths


def holds_nul(array: pa.Array) -> bool:
    """Whether there is a NUL byte in a string."""
    data = _data(array)
    return bool(len(data)) and not data.min() and bool(pc.any(pc.match_substring(array, "\0")).as_py())


def may_be(array: pa.Array, words: Collection[str]) -> npt.NDArray[np.bool_]:
    """Which strings may be one of these words with white space around it: they are no longer and begin alike, or may begin or
    end with white space; a missing one is none.
    """
    spelled = [word.encode() for word in words]
    begins = np.zeros(256, bool)
    begins[[word[0] if word else 0 for word in spelled]] = True
    ends, data, first = _offsets(array), _data(array), first_bytes(array)
    lengths = np.diff(ends)
    found = (lengths <= max(map(len, spelled), default=0)) & begins[first]
    if len(data):
        last = data[(ends[1:] - ends[0] - 1).clip(min=0)]
        found |= (lengths > 0) & (_MAY_BE_SPACE[first] | _MAY_BE_SPACE[last])
    return found & array.is_valid().to_numpy(zero_copy_only=False) if array.null_count else found


def first_bytes(array: pa.Array) -> npt.NDArray[np.uint8]:
    """The first byte of each string, 0 where it is empty or missing."""
    ends, data = _offsets(array), _data(array)
    if not len(data):
        return np.zeros(len(array), np.uint8)
    first: npt.NDArray[np.uint8] = data[(ends[:-1] - ends[0]).clip(max=len(data) - 1)]
    first[ends[1:] == ends[:-1]] = 0
    return first


def _may_be_space() -> npt.NDArray[np.bool_]:
    """Which bytes a white-space character begins or ends with in UTF-8."""
    spaces = [chr(point) for point in range(0x3001) if chr(point).isspace()]
    found = np.zeros(256, bool)
    found[[byte for space in spaces for byte in (space.encode()[0], space.encode()[-1])]] = True
    return found


_MAY_BE_SPACE = _may_be_space()


def _data(array: pa.Array) -> npt.NDArray[np.uint8]:
    """The bytes of all strings, one after the other."""
    buffer = array.buffers()[2] if len(array) else None
    if buffer is None:
        return np.zeros(0, np.uint8)
    ends = _offsets(array)
    return np.frombuffer(buffer, np.uint8)[int(ends[0]) : int(ends[-1])]


def _cuts(array: pa.Array, size: int) -> Iterator[tuple[int, int]]:
    ends = _offsets(array)
    start = 0
    while start < len(array):
        end = int(np.searchsorted(ends, int(ends[start]) + size, side="right")) - 1
        end = max(start + 1, min(end, start + size // _EACH))  # millions of empty strings would be one slice
        yield start, end
        start = end


def _offsets(array: pa.Array) -> npt.NDArray[np.signedinteger]:
    """Where each string begins in the data, and where the last one ends."""
    if not len(array):
        return np.zeros(1, np.int64)
    kind = np.dtype(np.int64 if pa.types.is_large_string(array.type) else np.int32)
    ends: npt.NDArray[np.signedinteger] = np.frombuffer(array.buffers()[1], kind)
    return ends[array.offset : array.offset + len(array) + 1]
