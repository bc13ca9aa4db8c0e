"""Which of many texts are the same, as written or after normalisation, without looking at those that no other can equal.

Most texts have no copy. So each gets a fingerprint first: the sum of a random number for each of its Chinese characters, kana,
syllables, ASCII letters in lower case and digits, which normalisation leaves as they are. Texts of different fingerprints can
not be the same. Those that share one are copies or anagrams, such as notices that differ in a number. A second fingerprint, in
which characters count by their place, tells these apart, and only texts that share that one too are compared.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ratchet.near.copies import normalise, renumbered, representatives
from ratchet.text.columns import Points, Rows, blocks, code_points, coded, picked

Words = npt.NDArray[np.uint64]

_STABLE = ((0x30, 0x39), (0x61, 0x7A), (0x3041, 0x3096), (0x30A1, 0x30FA), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3))
# Looked at one by one; what is neither in these nor known to be harmless sends its text to the slow road.
_LOOKED_AT = ((0x80, 0x33FF), (0xA4D0, 0xABFF), (0xF900, 0xFFFF), (0x1D400, 0x1D7FF), (0x1F000, 0x1F2FF))
_HARMLESS = ((0x0, 0x7F), (0x3400, 0x4DBF), (0xA000, 0xA4CF), (0xE000, 0xF8FF), (0x1F300, 0x1FAFF))
# Conjoining Hangul letters: two of them become one syllable.
_JAMO = ((0x1100, 0x11FF), (0xA960, 0xA97F), (0xD7B0, 0xD7FF))
_COUNT = 20  # low bits of a fingerprint, which count the risky characters: no cell has 2^20
_SEED = 20_261_124
_PART, _STRETCH = 200_000, 1 << 20


def same_texts(
    pick: Callable[[Rows], pa.Array], prints: Words, shared: Rows, *, form: Callable[[str], str] = normalise
) -> Rows:
    """As :func:`ratchet.near.copies.exact_groups`: a number for each text, equal for texts with equal ``form``.

    Args:
        pick: gives the texts at these positions.
        prints: the fingerprint of each text.
        shared: positions of those whose fingerprint another one has too, ascending.
        form: keeps the letters and digits of the normalised text, in order, as ``normalise`` and ``wording`` do.
    """
    group = np.arange(len(prints), dtype=np.int64)
    for some in apart(prints, shared):
        first: dict[str, int] = {}
        for position, text in zip(some.tolist(), pick(some).to_pylist(), strict=True):
            group[position] = first.setdefault(form(text), position)
    return renumbered(group)


def apart(prints: Words, rows: Rows) -> Iterator[Rows]:
    """The rows in parts of about a hundred thousand, those of one fingerprint in one part; each ascending if ``rows`` are."""
    count = -(-len(rows) // _PART)
    of = prints[rows] % np.uint64(max(count, 1))
    for part in range(count):
        yield rows[of == part] if count > 1 else rows


def fingerprints_of(points: Points, lengths: Rows, *, ordered: bool = False) -> Words:
    """The sum of each text's characters, modulo 2^64; its low bits count those that normalisation may make letters of.

    If ``ordered``, each stable character counts as often as the cube of its place among the stable ones of the text.
    """
    if not len(points):
        return np.zeros(len(lengths), np.uint64)
    total = _words().take(points, mode="clip")
    if ordered:
        stable = total >= 1 << _COUNT
        place = np.cumsum(stable, dtype=np.uint64)
        place -= np.repeat(np.append(place, np.uint64(0))[np.cumsum(lengths) - lengths - 1], lengths)
        total[stable] *= place[stable] ** np.uint64(3)  # sums of places alone are often equal
    np.cumsum(total, out=total)
    before = np.append(total, np.uint64(0))[np.cumsum(lengths) - 1]  # -1, no character so far: 0
    return np.diff(before, prepend=np.uint64(0))


def settled(prints: Words, texts: pa.Array, *, ordered: bool = False) -> Words:
    """These sums as fingerprints: texts with risky characters are normalised first."""
    risky = np.flatnonzero(prints & np.uint64((1 << _COUNT) - 1))
    if len(risky):
        plain = [normalise(text) for text in picked(texts, risky).to_pylist()]
        prints[risky] = fingerprints_of(*code_points(pa.array(plain, texts.type)), ordered=ordered)
    return prints >> np.uint64(_COUNT)


def prints(cells: pa.Array) -> Words:
    """The fingerprint of each cell; a missing one counts as empty."""
    cells = cells.fill_null("") if cells.null_count else cells
    found = np.zeros(len(cells), np.uint64)
    for start, end, points, lengths in blocks(cells):
        found[start:end] = fingerprints_of(points, lengths)
    return settled(found, cells)


def in_order(texts: pa.Array) -> Words:
    """The second fingerprint of each text, which anagrams do not share; none may be missing."""
    prints = np.zeros(len(texts), np.uint64)
    for start, end, points, lengths in blocks(texts):
        prints[start:end] = fingerprints_of(points, lengths, ordered=True)
    return settled(prints, texts, ordered=True)


def shared(prints: Words) -> Rows:
    """Positions of those that another one equals."""
    prints = np.ascontiguousarray(prints)
    order = np.argsort(prints)
    found = np.zeros(len(prints), bool)
    for start in range(0, len(order) - 1, _STRETCH):  # at once, all the fingerprints would be held twice more
        stretch = order[start : start + _STRETCH + 1]
        same = np.diff(prints[stretch]) == 0
        found[stretch[1:][same]] = found[stretch[:-1][same]] = True
    return np.flatnonzero(found).astype(np.int64)


def same_cells(column: pa.ChunkedArray, prints: Words) -> tuple[Rows, Rows]:
    """The first row of each different cell of a column with these fingerprints, ascending; and for each row the number of its
    cell among these, -1 where missing.
    """
    some = pc.is_null(column).to_numpy()
    some[shared(prints)] = True
    rows = np.flatnonzero(some)
    if 2 * len(rows) > len(column):
        _, member = coded(column)
        return representatives(member), member
    first = np.arange(len(column))
    for some in apart(prints, rows):
        _, among = coded(pa.chunked_array([picked(column, some)]))
        first[some] = np.append(some[representatives(among)], -1)[among]
    new = first == np.arange(len(column))
    return np.flatnonzero(new), np.append(np.cumsum(new) - 1, -1)[first]


@cache
def _words() -> Words:
    """Of each code point what it adds to a fingerprint: the random number of the character that it stands for, or one risk."""
    stable, risky = _tables()
    draws = np.random.default_rng(_SEED).integers(1, 1 << (64 - _COUNT), 1 << 16, dtype=np.uint64) << np.uint64(_COUNT)
    draws[0] = 0
    words = draws[stable]
    words[risky] = 1
    return words


@cache
def _tables() -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.bool_]]:
    """Of each code point: the stable character that it stands for (0: none); whether it may become or alter a stable one."""
    stable = np.zeros(0x110000, np.uint16)
    for low, high in _STABLE:
        stable[low : high + 1] = np.arange(low, high + 1)
    stable[0x41:0x5B] = np.arange(0x61, 0x7B)
    risky = np.ones(0x110000, bool)
    for low, high in _HARMLESS + _STABLE:
        risky[low : high + 1] = False
    jamo = {point for low, high in _JAMO for point in range(low, high + 1)}
    for low, high in _LOOKED_AT:
        for point in range(low, high + 1):
            if not stable[point]:
                becomes = [ord(character) for character in normalise(chr(point))]
                risky[point] = any(
                    stable[other] or other in jamo or unicodedata.category(chr(other)).startswith("M")
                    for other in becomes
                )
    return stable, risky
