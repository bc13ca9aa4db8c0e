"""The terms of texts, counted: words, and pairs of neighbouring characters where words have no spaces between them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ratchet.data.duplicates import normalise

if TYPE_CHECKING:
    from scipy.sparse import csr_array

# Kana, Han (with its extensions) and Hangul; Thai, Lao, Burmese and Khmer.
_SPACELESS = (
    "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U000323af"
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
)
_PIECES = re.compile(rf"(?P<run>[{_SPACELESS}]+)|[^\W_{_SPACELESS}]+")


@dataclass(frozen=True, kw_only=True, eq=False)
class Terms:
    """``counts[i, j]`` is how often term ``names[j]`` is in text ``i``; the last column counts all rarer terms together."""

    names: tuple[str, ...]
    counts: csr_array


def terms_of(text: str) -> Iterator[str]:
    """The terms of one text, as :func:`ratchet.data.duplicates.normalise` leaves it.

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
    """Count the ``most`` terms that are in the most texts, ties by their spelling."""
    from scipy.sparse import csr_array

    found = [Counter(terms_of(text)) for text in texts]
    spread = Counter(term for counts in found for term in counts)
    names = tuple(sorted(sorted(spread), key=lambda term: -spread[term])[:most])
    column = {name: place for place, name in enumerate(names)}
    columns: list[int] = []
    values: list[int] = []
    bounds = [0]
    for counts in found:
        rest = 0
        for term, many in counts.items():
            place = column.get(term)
            if place is None:
                rest += many
            else:
                columns.append(place)
                values.append(many)
        if rest:
            columns.append(len(names))
            values.append(rest)
        bounds.append(len(columns))
    shape = (len(texts), len(names) + 1)
    return Terms(
        names=names,
        counts=csr_array((np.array(values, float), np.array(columns, np.int64), np.array(bounds)), shape=shape),
    )
