"""The terms of texts, counted: words, and pairs of neighbouring characters where words have no spaces between them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ratchet.forms import HAN, HANGUL, KANA, characters
from ratchet.near.copies import normalise

if TYPE_CHECKING:
    from scipy.sparse import csr_array

# Kana, Han (with its extensions) and Hangul; Thai, Lao, Burmese and Khmer.
_SPACELESS = characters(KANA, HAN, HANGUL, ((0xE00, 0xEFF), (0x1000, 0x109F), (0x1780, 0x17FF)))
_PIECES = re.compile(rf"(?P<run>[{_SPACELESS}]+)|[^\W_{_SPACELESS}]+")


@dataclass(frozen=True, kw_only=True, eq=False)
class Terms:
    """``counts[i, j]`` is 1 where term ``names[j]`` is in text ``i``; the last column counts the other terms of a text.

    How often a text repeats a term is not counted: one text that says 非常不错 thirty times would outweigh thirty others.
    """

    names: tuple[str, ...]
    counts: csr_array


def terms_of(text: str) -> Iterator[str]:
    """The terms of one text, as :func:`ratchet.near.copies.normalise` leaves it.

    >>> list(terms_of("Nice 很干净!"))
    ['nice', '很干', '干净']
    """
    for piece in _PIECES.finditer(normalise(text)):
        whole = piece.group()
        if piece["run"] and len(whole) > 1:
            yield from (whole[place : place + 2] for place in range(len(whole) - 1))
        else:
            yield whole


def count_terms(texts: Sequence[str], *, most: int) -> Terms:
    """Look for the ``most`` terms that are in the most texts, ties by their spelling."""
    from scipy.sparse import csr_array

    found = [set(terms_of(text)) for text in texts]
    spread = Counter(term for terms in found for term in terms)
    names = tuple(sorted(sorted(spread), key=lambda term: -spread[term])[:most])
    column = {name: place for place, name in enumerate(names)}
    columns: list[int] = []
    values: list[int] = []
    bounds = [0]
    for terms in found:
        places = sorted(column[term] for term in terms if term in column)
        rest = len(terms) - len(places)
        columns += [*places, len(names)] if rest else places
        values += [1] * len(places) + ([rest] if rest else [])
        bounds.append(len(columns))
    parts = np.array(values, float), np.array(columns, np.int64), np.array(bounds)
    return Terms(names=names, counts=csr_array(parts, shape=(len(texts), len(names) + 1)))
