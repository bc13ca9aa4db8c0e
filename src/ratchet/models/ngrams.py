"""N-grams of characters or words, counted exactly: the one vectoriser that trains and serves every linear model."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Literal

import numpy as np
import numpy.typing as npt

from ratchet.forms import SPACELESS, characters, nfkc

Unit = Literal["char", "word"]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.uint64]

_SPACELESS = characters(SPACELESS)
_WORD = re.compile(rf"[{_SPACELESS}]|[^\W_{_SPACELESS}]+")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SPACES = re.compile(r"\s+")


def normalise(text: str) -> str:
    """NFKC (full-width forms become plain), lower case, runs of white space as one space, lone surrogates as U+FFFD."""
    if not text.isascii():
        text = nfkc(_SURROGATE.sub("\ufffd", text))
    return _SPACES.sub(" ", text.lower()).strip()


@dataclass(frozen=True, eq=False)
class Counts:
    """How often each n-gram occurs in each text: a sparse matrix, rows one after the other, nodes rising in a row."""

    start: Ints
    """(n + 1,) row ``i`` owns the entries ``start[i]:start[i + 1]``."""
    node: npt.NDArray[np.int32]
    """(entries,) the n-gram: its position in the vocabulary."""
    count: npt.NDArray[np.int32]
    """(entries,) its occurrences, at least 1."""

    def take(self, rows: Ints) -> Counts:
        """The given rows, in that order."""
        lengths = np.diff(self.start)[rows]
        start = np.concatenate(([0], np.cumsum(lengths)))
        entry = np.arange(start[-1]) + np.repeat(self.start[rows] - start[:-1], lengths)
        return Counts(start, self.node[entry], self.count[entry])

    def followed_by(self, other: Counts) -> Counts:
        """The rows of both."""
        start = np.concatenate((self.start, self.start[-1] + other.start[1:]))
        return Counts(start, np.concatenate((self.node, other.node)), np.concatenate((self.count, other.count)))

    def renumber(self, position: npt.NDArray[np.int32]) -> Counts:
        """The same rows with node ``j`` called ``position[j]`` (rising with ``j``); entries with -1 are left out."""
        node = position[self.node]
        kept = node >= 0
        before = np.concatenate(([0], np.cumsum(kept)))
        return Counts(before[self.start], node[kept], self.count[kept])


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """A tree of n-grams: each node of level ``n`` is an n-gram, its parent on level ``n - 1`` the same without its end.

    An n-gram is told apart by the pair (position of its parent, last token), packed in one integer, so no two share
    a number however long they are. Nodes are numbered level by level, in the order of their tokens.
    """

    unit: Unit
    tokens: tuple[str, ...]
    """The distinct tokens, sorted; they are the nodes of level 1."""
    codes: tuple[Codes, ...]
    """For the levels 2, 3, ...: sorted ``parent << bits | token`` of each node."""

    @property
    def bits(self) -> int:
        """Bits that hold any token's number."""
        return max(1, len(self.tokens).bit_length())

    @property
    def sizes(self) -> tuple[int, ...]:
        """Nodes of each level."""
        return (len(self.tokens), *(len(codes) for codes in self.codes))

    def __len__(self) -> int:
        return sum(self.sizes)

    @property
    def levels(self) -> npt.NDArray[np.int8]:
        """(nodes,) length of each node's n-gram."""
        return np.repeat(np.arange(1, len(self.sizes) + 1, dtype=np.int8), self.sizes)

    @cached_property
    def _alphabet(self) -> npt.NDArray[np.uint32]:
        return np.frombuffer("".join(self.tokens).encode("utf-32-le"), dtype="<u4")

    @cached_property
    def _number(self) -> dict[str, int]:
        return {token: number for number, token in enumerate(self.tokens)}

    def count(self, texts: Sequence[str]) -> Counts:
        """The n-grams of each normalised text that the vocabulary knows."""
        pieces = split_tokens(texts, self.unit)
        return _tally(pieces.row, self._walk(pieces), rows=len(texts), nodes=len(self))

    def _walk(self, pieces: Pieces) -> Iterator[tuple[Ints, Ints]]:
        """Level by level: the positions in the run of tokens where a known n-gram starts, and its node."""
        token = self.encode(pieces.raw)
        at = np.flatnonzero(token >= 0)
        rank = token[at]
        yield at, rank
        offset = len(self.tokens)
        for level, codes in enumerate(self.codes, start=2):
            going = at + level <= pieces.end[at]
            at, rank = at[going], rank[going]
            last = token[at + level - 1]
            known = last >= 0
            at, rank, last = at[known], rank[known], last[known]
            code = self.pack(rank, last)
            found = np.searchsorted(codes, code)
            hit = found < len(codes)
            hit[hit] = codes[found[hit]] == code[hit]
            at, rank = at[hit], found[hit]
            yield at, rank + offset
            offset += len(codes)

    def encode(self, raw: Sequence[str] | npt.NDArray[np.uint32]) -> Ints:
        """The number of each token, -1 where it is unknown."""
        if isinstance(raw, np.ndarray):
            found = np.searchsorted(self._alphabet, raw)
            found[found == len(self._alphabet)] = 0
            return np.where(self._alphabet[found] == raw, found, -1) if len(self._alphabet) else np.full(len(raw), -1)
        number = self._number
        return np.fromiter((number.get(token, -1) for token in raw), dtype=np.int64, count=len(raw))

    def keep(self, wanted: Mask) -> tuple[Vocabulary, npt.NDArray[np.int32]]:
        """The vocabulary of the wanted nodes and of those on the way to them, and each old node's new number or -1."""
        kept = self._with_parents(wanted)
        parts = np.split(kept, np.cumsum(self.sizes)[:-1])
        tokens = tuple(token for token, stays in zip(self.tokens, parts[0], strict=True) if stays)
        smaller = Vocabulary(self.unit, tokens, ())
        number = np.cumsum(parts[0]) - 1
        rank, codes = number, []
        for part, old in zip(parts[1:], self.codes, strict=True):
            parent, last = self.unpack(old[part])
            codes.append(smaller.pack(rank[parent], number[last]))
            rank = np.cumsum(part) - 1
        while codes and not len(codes[-1]):
            codes.pop()
        position = np.where(kept, np.cumsum(kept) - 1, -1).astype(np.int32)
        return Vocabulary(self.unit, tokens, tuple(codes)), position

    def _with_parents(self, wanted: Mask) -> Mask:
        kept = wanted.copy()
        edges = np.concatenate(([0], np.cumsum(self.sizes)))
        for level in range(len(self.codes), 0, -1):
            parent, last = self.unpack(self.codes[level - 1][kept[edges[level] : edges[level + 1]]])
            kept[edges[level - 1] + parent] = True
            kept[last] = True
        return kept

    def pack(self, parent: Ints, last: Ints) -> Codes:
        """The codes of nodes with these parents and last tokens."""
        return parent.astype(np.uint64) << np.uint64(self.bits) | last.astype(np.uint64)

    def unpack(self, codes: Codes) -> tuple[Ints, Ints]:
        """The parent and the last token of each code."""
        last = codes & np.uint64((1 << self.bits) - 1)
        return (codes >> np.uint64(self.bits)).astype(np.int64), last.astype(np.int64)


@dataclass(frozen=True, eq=False)
class Pieces:
    """Texts as one run of tokens: code points or words."""

    raw: npt.NDArray[np.uint32] | Sequence[str]
    row: Ints
    """(tokens,) the text each token is from."""
    end: Ints
    """(tokens,) where that text ends in the run."""


def split_tokens(texts: Sequence[str], unit: Unit) -> Pieces:
    """Normalised texts as tokens."""
    raw: npt.NDArray[np.uint32] | list[str]
    if unit == "char":
        raw = np.frombuffer("".join(texts).encode("utf-32-le"), dtype="<u4")
        lengths = [len(text) for text in texts]
    else:
        lists = [_WORD.findall(text) for text in texts]
        raw = [token for words in lists for token in words]
        lengths = [len(words) for words in lists]
    row = np.repeat(np.arange(len(texts)), lengths)
    end = np.repeat(np.fromiter(accumulate(lengths), dtype=np.int64, count=len(texts)), lengths)
    return Pieces(raw, row, end)


def _tally(row: Ints, found: Iterator[tuple[Ints, Ints]], *, rows: int, nodes: int) -> Counts:
    keys = np.sort(np.concatenate([row[at] * max(nodes, 1) + node for at, node in found]))
    first = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1]))) if len(keys) else np.zeros(0, np.int64)
    count = np.diff(np.concatenate((first, [len(keys)])))
    owner, node = np.divmod(keys[first], max(nodes, 1))
    start = np.searchsorted(owner, np.arange(rows + 1))
    return Counts(start, node.astype(np.int32), count.astype(np.int32))


def learn(texts: Sequence[str], *, unit: Unit, high: int) -> tuple[Vocabulary, Counts]:
    """Every n-gram of 1 to ``high`` tokens in the normalised texts, and their counts."""
    pieces = split_tokens(texts, unit)
    raw = pieces.raw
    tokens = tuple(map(chr, np.unique(raw))) if isinstance(raw, np.ndarray) else tuple(sorted(set(raw)))
    vocabulary = Vocabulary(unit, tokens, ())
    token = vocabulary.encode(raw)
    at, rank, offset = np.arange(len(token)), token, len(tokens)
    found, levels = [(at, rank)], []
    for level in range(2, high + 1):
        going = at + level <= pieces.end[at]
        at, rank = at[going], rank[going]
        code = vocabulary.pack(rank, token[at + level - 1])
        codes, rank = np.unique(code, return_inverse=True)
        if not len(codes):
            break
        levels.append(codes)
        found.append((at, rank + offset))
        offset += len(codes)
    counts = _tally(pieces.row, iter(found), rows=len(texts), nodes=offset)
    return Vocabulary(unit, tokens, tuple(levels)), counts
