"""Which texts have which terms, as a sparse matrix of the most frequent ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ratchet.near.copies import normalise
from ratchet.text.terms import terms_of

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True, kw_only=True, eq=False)
class TermCounts:
    """``counts[i, j]`` is 1 where term ``names[j]`` is in text ``i``; the last column counts the other terms of a text.

    How often a text repeats a term is not counted: one text with 非常不错 thirty times would outweigh thirty others.
    """

    names: tuple[str, ...]
    counts: csr_array


def count_terms(texts: Sequence[str], *, most: int) -> TermCounts:
    """Look for the ``most`` terms that are in the most texts, ties by their spelling."""
    from scipy.sparse import csr_array

    terms = terms_of([normalise(text) for text in texts])
    width = max(len(terms.names), 1)
    text, term = np.divmod(np.unique(terms.text.astype(np.int64) * width + terms.term), width)
    spread = np.bincount(term, minlength=len(terms.names)).tolist()
    kept = sorted(range(len(terms.names)), key=lambda number: (-spread[number], terms.names[number]))
    kept = [number for number in kept if spread[number]][:most]
    column = np.full(width, len(kept), np.int64)
    column[kept] = np.arange(len(kept))
    shape = (len(texts), len(kept) + 1)
    counts = csr_array((np.ones(len(text)), (text, column[term])), shape=shape)
    counts.sum_duplicates()
    return TermCounts(names=tuple(terms.names[number] for number in kept), counts=counts)
