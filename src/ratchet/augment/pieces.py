"""Texts as words and what stands between them, in flat arrays: what easy data augmentation works on."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
import numpy.typing as npt

from ratchet.forms import SPACELESS, characters

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

# In scripts without spaces each character is a word, until it is found to keep company with its neighbour.
_SPACELESS = characters(SPACELESS)
_PIECE = re.compile(rf"[{_SPACELESS}]|[^\W_{_SPACELESS}]+(?:['’][^\W_{_SPACELESS}]+)*|(?:[^\w]|_)+")
_ASCII_PIECE = re.compile(r"[A-Za-z0-9]+(?:'[A-Za-z0-9]+)*|[^A-Za-z0-9]+")
"""The same for a text of ASCII alone, several times as fast."""
_DENSE = re.compile(rf"[{_SPACELESS}]")

_BLOCK = 16_384  # texts whose pieces are strings at a time; bounds the memory, not the result
# Two characters are one word where they meet this many times as often as chance has it, and at least so many times.
_COHESION, _MEETINGS = 20.0, 5


@dataclass(frozen=True, eq=False)
class Pieces:
    """Texts as words, each with what follows it up to the next word ("glue")."""

    strings: list[str]
    """The distinct strings; all numbers point in here, and number 0 is the empty string."""
    lead: Ints
    """(n,) what stands before the first word of each text."""
    start: Ints
    """(n + 1,) text ``i`` owns the words ``start[i]:start[i + 1]``."""
    word: Ints
    glue: Ints

    @cached_property
    def row(self) -> Ints:
        """(words,) the text each word is in."""
        return np.repeat(np.arange(len(self.start) - 1), np.diff(self.start))

    @cached_property
    def dense(self) -> Mask:
        """(strings,) whether a string is of a script without spaces."""
        return np.array([_DENSE.match(string) is not None for string in self.strings], dtype=bool)

    def take(self, rows: Ints) -> Pieces:
        """The given texts, in that order."""
        lengths = np.diff(self.start)[rows]
        start = np.concatenate(([0], np.cumsum(lengths)))
        at = np.arange(start[-1]) + np.repeat(self.start[rows] - start[:-1], lengths)
        taken = Pieces(self.strings, self.lead[rows], start, self.word[at], self.glue[at])
        taken.__dict__["dense"] = self.dense  # of the same strings
        return taken


def split_words(texts: Sequence[str], *, words: Collection[str] = ()) -> Pieces:
    """Cut texts into words: runs of letters and digits, and in Chinese pairs of characters that belong together.

    A pair belongs together where its pointwise mutual information (Church and Hanks 1990) over these texts is high, and
    higher than that of the pairs beside it, or where it is one of ``words``.
    """
    found: defaultdict[str, int] = defaultdict()
    found.default_factory = found.__len__
    blocks: list[tuple[Ints, npt.NDArray[np.int32]]] = []
    for first in range(0, len(texts), _BLOCK):
        lists = [(_ASCII_PIECE if text.isascii() else _PIECE).findall(text) for text in texts[first : first + _BLOCK]]
        numbers = np.array([*map(found.__getitem__, chain.from_iterable(lists))], dtype=np.int32)
        blocks.append((np.array([len(pieces) for pieces in lists], dtype=np.int64), numbers))
    # Sorted, so that the numbers do not depend on the order of the texts; the empty string is number 0.
    strings = sorted({"", *found})
    place = {string: number for number, string in enumerate(strings)}
    renumbered = np.array([place[string] for string in found], dtype=np.int64)
    is_word = np.array([_is_word(string) for string in strings], dtype=bool)
    none = np.zeros(0, dtype=np.int64)
    cut = [(none,) * 4, *(_cut(renumbered[numbers], counts, is_word) for counts, numbers in blocks)]
    lead, length, word, glue = (np.concatenate(one) for one in zip(*cut, strict=True))
    start = np.concatenate(([0], np.cumsum(length)))
    return _pairs_joined(Pieces(strings, lead, start, word, glue), words)


def _cut(flat: Ints, counts: Ints, is_word: Mask) -> tuple[Ints, Ints, Ints, Ints]:
    """Of n texts that have so many pieces each: what leads, the number of words, the words, and what follows each."""
    row = np.repeat(np.arange(len(counts)), counts)
    at = np.flatnonzero(is_word[flat])
    lead = np.zeros(len(counts), dtype=np.int64)
    opening = np.flatnonzero(~is_word[flat] & np.concatenate(([True], row[1:] != row[:-1]))) if len(flat) else at
    lead[row[opening]] = flat[opening]
    return lead, np.bincount(row[at], minlength=len(counts)), flat[at], _following(flat, row, at, is_word)


def _is_word(string: str) -> bool:
    return bool(string) and (string[0].isalnum() or _DENSE.match(string) is not None)


def _following(flat: Ints, row: Ints, at: Ints, is_word: Mask) -> Ints:
    """What stands right after each word; 0 where the next word or the end does."""
    after = np.minimum(at + 1, max(0, len(flat) - 1))
    has = (after > at) & (row[after] == row[at]) & ~is_word[flat[after]]
    return np.where(has, flat[after], 0)


def _pairs_joined(pieces: Pieces, words: Collection[str]) -> Pieces:
    word, row, dense = pieces.word, pieces.row, pieces.dense
    meets = np.zeros(len(word), dtype=bool)
    meets[:-1] = (row[1:] == row[:-1]) & (pieces.glue[:-1] == 0) & dense[word[:-1]] & dense[word[1:]]
    first = np.flatnonzero(meets)
    if not len(first):
        return pieces
    pair = word[first] * len(pieces.strings) + word[first + 1]
    distinct, index, times = np.unique(pair, return_inverse=True, return_counts=True)
    left, right = np.divmod(distinct, len(pieces.strings))
    seen = np.bincount(word[dense[word]], minlength=len(pieces.strings))
    lift = times * float(seen.sum()) / (seen[left].astype(float) * seen[right])
    lift[(lift < _COHESION) | (times < _MEETINGS)] = 0.0
    if words:
        lift[[spelling in words for spelling in _spelled(pieces.strings, left, right)]] = np.finfo(float).max
    strength = np.zeros(len(word) + 1)
    strength[first + 1] = lift[index]
    # Higher than the pair before and at least as high as the one after: so no character is in two words.
    joins = (strength[1:] > strength[:-1]) & (strength[1:] >= np.concatenate((strength[2:], [0.0])))
    head = np.flatnonzero(joins)
    spelled = np.zeros(len(word), dtype=np.int64)
    used = np.unique(index[joins[first]])
    spelled[first] = np.searchsorted(used, index) + len(pieces.strings)
    strings = pieces.strings + _spelled(pieces.strings, left[used], right[used])
    new_word, new_glue, kept = word.copy(), pieces.glue.copy(), np.ones(len(word), dtype=bool)
    new_word[head], new_glue[head], kept[head + 1] = spelled[head], pieces.glue[head + 1], False
    before = np.concatenate(([0], np.cumsum(kept)))
    return Pieces(strings, pieces.lead, before[pieces.start], new_word[kept], new_glue[kept])


def _spelled(strings: list[str], left: Ints, right: Ints) -> list[str]:
    return [strings[a] + strings[b] for a, b in zip(left.tolist(), right.tolist(), strict=True)]
