"""The terms of texts: words, and pairs of neighbouring characters where words have no spaces between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from ratchet.forms import SOUTH_EAST_ASIAN, SYLLABLES
from ratchet.text.columns import Rows

_BATCH = 5_000
_DENSE_KEYS = 1 << 25
_WORD, _CHARACTER = 1, 2

Ids = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Pairs:
    """Each two neighbouring tokens, in the order of the texts.

    Attributes:
        code: a number per pair, equal for equal pairs; the left token is ``code // width``, the right one ``code % width``.
        text: the text of each pair.
        together: whether both are characters of scripts without spaces, with nothing between them: the pair is a term.
    """

    code: Rows
    text: Ids
    together: Mask


@dataclass(frozen=True, kw_only=True, eq=False)
class Tokens:
    """The tokens of all texts one after the other: token ``i`` is ``names[token[i]]`` and belongs to ``text[i]``.

    A token is a word, or one character of a script without spaces (Han, kana, Hangul, Thai, Lao, Burmese, Khmer).

    Attributes:
        names: the different tokens.
        token: the number of each token's name.
        text: the text of each token.
        character: whether it is one character of a script without spaces.
        touches: whether the next token follows in the same text with nothing between them.
    """

    names: list[str]
    token: Ids
    text: Ids
    character: Mask
    touches: Mask

    def pairs(self) -> Pairs:
        """Neighbours within each text; two characters are neighbours only where nothing is between them."""
        width = max(len(self.names), 1)
        characters = self.character[1:] & self.character[:-1]
        left = np.flatnonzero((self.text[1:] == self.text[:-1]) & (self.touches[:-1] | ~characters))
        return Pairs(
            code=self.token[left].astype(np.int64) * width + self.token[left + 1],
            text=self.text[left],
            together=self.touches[left] & characters[left],
        )

    def terms(self) -> Terms:
        """Words, pairs of touching characters, and characters that touch no other one; pairs come last."""
        pairs, width = self.pairs(), max(len(self.names), 1)
        paired = np.zeros(len(self.token) + 1, bool)
        paired[1:-1] = self.touches[:-1] & self.character[:-1] & self.character[1:]
        alone = ~self.character | ~(paired[1:] | paired[:-1])
        singles, single = numbered(self.token[alone].astype(np.int64))
        codes, pair = numbered(pairs.code[pairs.together])
        names = [self.names[code // width] + self.names[code % width] for code in codes.tolist()]
        return Terms(
            names=[*(self.names[token] for token in singles.tolist()), *names],
            term=np.concatenate((single, pair + np.int32(len(singles)))),
            text=np.concatenate((self.text[alone], pairs.text[pairs.together])),
            first_pair=len(singles),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Terms:
    """Occurrences of terms: ``names[term[i]]`` occurs in ``text[i]``; names from ``first_pair`` on are pairs of characters."""

    names: list[str]
    term: Ids
    text: Ids
    first_pair: int


def tokens_of(texts: Sequence[str]) -> Tokens:
    """The tokens of texts that :func:`ratchet.near.copies.normalise` has normalised.

    >>> found = tokens_of(["nice 很干净!", "好"])
    >>> found.names
    ['nice', '很', '干', '净', '好']
    >>> terms = found.terms()
    >>> [terms.names[term] for term in terms.term]
    ['nice', '好', '很干', '干净']
    """
    number: dict[str, int] = {}
    parts = [_batch(texts[start : start + _BATCH], number, start=start) for start in range(0, len(texts), _BATCH)]
    token, text, character, touches = (
        np.concatenate([np.zeros(0, kind), *(part[place] for part in parts)])
        for place, kind in enumerate((np.int32, np.int32, np.bool_, np.bool_))
    )
    return Tokens(names=list(number), token=token, text=text, character=character, touches=touches)


def terms_of(texts: Sequence[str]) -> Terms:
    """The terms of normalised texts."""
    return tokens_of(texts).terms()


def numbered(keys: Rows) -> tuple[Rows, Ids]:
    """The different keys, ascending, and for each key its number among them."""
    if len(keys) and keys.max() < _DENSE_KEYS:  # a place for each possible key: a third of the time of a sort
        present = np.zeros(int(keys.max()) + 1, bool)
        present[keys] = True
        different = np.flatnonzero(present)
        place = np.empty(len(present), np.int32)
        place[different] = np.arange(len(different), dtype=np.int32)
        return different, place[keys]
    different, number = np.unique(keys, return_inverse=True)
    return different, number.astype(np.int32)


def _batch(texts: Sequence[str], number: dict[str, int], *, start: int) -> tuple[Ids, Ids, Mask, Mask]:
    """(tokens, their texts, which are characters, which touch the next one) of a batch; new names get their ``number``."""
    joined = "".join(texts)
    points = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
    owner = np.repeat(np.arange(len(texts), dtype=np.int32), [len(text) for text in texts])
    kind = _kinds()[points]
    fresh = np.ones(len(points), bool)
    fresh[1:] = (kind[1:] != kind[:-1]) | (owner[1:] != owner[:-1]) | (kind[1:] == _CHARACTER)
    begins = np.flatnonzero(fresh)
    ends = np.append(begins[1:], len(points))
    kept = kind[begins] > 0
    begins, ends = begins[kept], ends[kept]
    character = kind[begins] == _CHARACTER
    names = [joined[begin:end] for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)]
    token = np.fromiter((number.setdefault(name, len(number)) for name in names), np.int32, len(names))
    touches = np.zeros(len(begins), bool)
    touches[:-1] = (ends[:-1] == begins[1:]) & (owner[begins[1:]] == owner[begins[:-1]])
    return token, owner[begins] + np.int32(start), character, touches


@cache
def _kinds() -> npt.NDArray[np.uint8]:
    """For each code point whether it is part of a word, a character of a script without spaces, or neither (0)."""
    table = np.fromiter((chr(point).isalnum() for point in range(0x110000)), np.uint8, 0x110000)
    for low, high in (*SYLLABLES, *SOUTH_EAST_ASIAN):
        table[low : high + 1] = _CHARACTER
    return table
