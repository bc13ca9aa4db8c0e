"""The terms of the texts: words, or pairs of characters where words are not spaced, and how often each label has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from ratchet.checks.context import Context, tallied
from ratchet.models.baseline import guess_language
from ratchet.models.ngrams import normalise, split_tokens
from ratchet.near.copies import representatives
from ratchet.text.columns import Rows
from ratchet.workspace.lazy import once

MOST = 50_000
_BATCH = 5_000
_DENSE = 1 << 25

Ids = npt.NDArray[np.int32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Stream:
    """Tokens of all texts one after the other: token ``i`` is ``names[token[i]]`` and stands in ``text[i]``.

    ``joined[i]`` says that token ``i + 1`` follows in the same text.
    """

    names: list[str]
    token: Ids
    text: Ids
    joined: npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Terms:
    """The terms of the different texts of a table, or of a sample of them.

    Attributes:
        unit: ``word``, or ``pair`` of characters.
        rows: position of the first row of each text.
        label: number of each text's label, -1 where missing.
        names: the terms.
        term: of each occurrence its term.
        text: of each occurrence its text.
        tokens: words, or characters, of all texts; ``different_tokens`` of them differ.
        pair: a number of each two neighbouring tokens, equal for equal ones; ``different_pairs`` of them differ.
        pair_text: the text of each such pair.
    """

    unit: Literal["word", "pair"]
    rows: Rows
    label: Rows
    labels: tuple[str, ...]
    names: list[str]
    term: Ids
    text: Ids
    tokens: int
    different_tokens: int
    pair: Rows
    pair_text: Ids
    different_pairs: int

    @classmethod
    def of(cls, context: Context, *, most: int = MOST) -> Terms:
        """The terms of up to ``most`` different texts, drawn at random where there are more."""
        first = representatives(context.groups)
        if len(first) > most:
            first = np.sort(np.random.default_rng(context.seed).choice(first, most, replace=False))
        texts = context.texts.some(context.texts.member[first])
        pairs = bool(texts) and guess_language(texts) == "zh"
        stream = _stream(texts, unit="char" if pairs else "word")
        codes, owner = _neighbours(stream)
        different, number = _numbered(codes)
        term, text = (number, owner) if pairs else (stream.token, stream.text)
        width = max(len(stream.names), 1)
        return cls(
            unit="pair" if pairs else "word",
            rows=first.astype(np.int64),
            label=context.labels.member[first],
            labels=context.labels.values,
            names=[stream.names[code // width] + stream.names[code % width] for code in different.tolist()]
            if pairs
            else stream.names,
            term=term,
            text=text,
            tokens=len(stream.token),
            different_tokens=len(stream.names),
            pair=codes,
            pair_text=owner,
            different_pairs=len(different),
        )

    @once
    def documents(self) -> tuple[Ids, Ids]:
        """Each term once a text: (texts, terms), sorted by text."""
        width = max(len(self.names), 1)
        keys, _ = tallied(self.text.astype(np.int64) * width + self.term)
        return (keys // width).astype(np.int32), (keys % width).astype(np.int32)

    @once
    def frequency(self) -> Rows:
        """Texts that each term occurs in."""
        return np.bincount(self.documents[1], minlength=len(self.names))

    @once
    def label_texts(self) -> Rows:
        """Texts of each label."""
        return np.bincount(self.label[self.label >= 0], minlength=len(self.labels))

    @once
    def _by_label(self) -> tuple[Rows, Rows, Rows, Rows]:
        """(where each label begins, terms, texts of that label with the term, its occurrences there)."""
        width = max(len(self.names), 1)
        owner = self.label[self.text].astype(np.int64)
        keys, occurrences = tallied(owner * width + self.term)
        text, term = self.documents
        _, texts = tallied(self.label[text] * width + term)
        begins = np.searchsorted(keys, np.arange(len(self.labels) + 1) * width)
        return begins, keys % width, texts, occurrences

    def of_label(self, label: int) -> tuple[Rows, Rows, Rows]:
        """The terms of one label, how many of its texts have each, and how often each occurs there."""
        begins, term, texts, occurrences = self._by_label
        here = slice(begins[label], begins[label + 1])
        return term[here], texts[here], occurrences[here]


def _stream(texts: Sequence[str], *, unit: Literal["char", "word"]) -> Stream:
    """Count the tokens in batches, so that only numbers are held for all texts."""
    number: dict[str, int] = {}
    tokens: list[Ids] = [np.zeros(0, np.int32)]
    owners: list[Ids] = [np.zeros(0, np.int32)]
    joins: list[npt.NDArray[np.bool_]] = [np.zeros(0, bool)]
    for start in range(0, len(texts), _BATCH):
        pieces = split_tokens([normalise(text) for text in texts[start : start + _BATCH]], unit)
        row = pieces.row.astype(np.int32)
        if isinstance(pieces.raw, np.ndarray):
            present = np.zeros(int(pieces.raw.max(initial=0)) + 1, np.int64)
            present[pieces.raw] = 1
            names = [chr(point) for point in np.flatnonzero(present).tolist()]
            place = (np.cumsum(present) - 1)[pieces.raw]
        else:
            found: dict[str, int] = {}
            place = np.fromiter((found.setdefault(word, len(found)) for word in pieces.raw), np.int64, len(pieces.raw))
            names = list(found)
        speaks = np.fromiter((any(c.isalnum() for c in name) for name in names), bool, len(names))
        ids = np.fromiter(
            (number.setdefault(name, len(number)) if ok else -1 for name, ok in zip(names, speaks, strict=True)),
            np.int32,
            len(names),
        )
        token = ids[place] if len(names) else np.zeros(0, np.int32)
        follows = np.append((row[1:] == row[:-1]) & (token[1:] >= 0), False)[: len(token)]
        kept = token >= 0
        tokens.append(token[kept])
        owners.append(row[kept] + start)
        joins.append(follows[kept])
    return Stream(
        names=list(number), token=np.concatenate(tokens), text=np.concatenate(owners), joined=np.concatenate(joins)
    )


def _neighbours(stream: Stream) -> tuple[Rows, Ids]:
    """A number for each two neighbouring tokens, equal for equal ones, and the text they stand in."""
    left = np.flatnonzero(stream.joined)
    codes = stream.token[left].astype(np.int64) * max(len(stream.names), 1) + stream.token[left + 1]
    return codes, stream.text[left]


def _numbered(keys: Rows) -> tuple[Rows, Ids]:
    """The different keys, ascending, and of each key its number among them."""
    if len(keys) and keys.max() < _DENSE:  # a place for each possible key: a third of the time of a sort
        found = np.zeros(int(keys.max()) + 1, bool)
        found[keys] = True
        different = np.flatnonzero(found)
        place = np.empty(len(found), np.int32)
        place[different] = np.arange(len(different), dtype=np.int32)
        return different, place[keys]
    different, number = np.unique(keys, return_inverse=True)
    return different, number.astype(np.int32)
