"""Words that can stand for each other, found in the training texts alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ratchet.augment.pieces import Ints, Pieces

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Shares = npt.NDArray[np.float32]

_WORDS = 5000  # most frequent words that get substitutes
_SEEN = 5  # times a word must be seen
_CANDIDATES, _NEAREST = 24, 5  # nearest words looked at, and kept at most
_SIMILAR = 0.1  # least cosine
_LABEL_SHIFT = 0.15  # largest difference between the label shares of a word and its substitute
_BLOCK, _WORDS_AT_ONCE = (
    512,
    1 << 20,
)  # rows of the table, and words of the texts; they bound the memory, not the result


@dataclass(frozen=True, eq=False)
class Substitutes:
    """For each word the words most like it, nearest first."""

    count: Ints
    """(strings,) how many a word has."""
    words: Ints
    """(strings, at most 5)"""


def find_substitutes(pieces: Pieces, labels: Sequence[str]) -> Substitutes:
    """Words that occur between the same neighbours as a word, and under the same labels.

    Neighbours left and right are weighted by positive pointwise mutual information and compared by cosine (Turney and
    Pantel 2010, "From frequency to meaning"). Such words are often opposites ("good", "bad"): those whose label shares
    differ are left out, and so is every word seen fewer than 5 times. This is no thesaurus.
    """
    strings, fold = len(pieces.strings), _lower_case(pieces.strings)
    seen = np.bincount(fold[pieces.word], minlength=strings)
    known = np.flatnonzero(seen >= _SEEN)
    known = np.sort(known[np.argsort(-seen[known], kind="stable")][:_WORDS])
    count, words = np.zeros(strings, dtype=np.int64), np.zeros((strings, _NEAREST), dtype=np.int64)
    if len(known) > 1:
        contexts = _contexts(fold[pieces.word], pieces.row, known, strings=strings)
        shares = _label_shares(fold[pieces.word], pieces.row, labels, known, strings=strings)
        dense = pieces.dense[known]
        for first in range(0, len(known), _BLOCK):
            block = slice(first, first + _BLOCK)
            alike = (contexts[block] @ contexts.T).toarray()
            best = np.argpartition(-alike, min(_CANDIDATES, len(known)) - 1, axis=1)[:, :_CANDIDATES]
            cosine = np.take_along_axis(alike, best, axis=1)
            own = np.arange(first, first + len(best))[:, None]
            shift = np.abs(shares[own] - shares[best]).max(axis=2)
            cosine[(best == own) | (dense[best] != dense[own]) | (shift > _LABEL_SHIFT)] = 0.0
            order = np.lexsort((best, -cosine), axis=1)[:, :_NEAREST]
            count[known[block]] = (np.take_along_axis(cosine, order, axis=1) >= _SIMILAR).sum(axis=1)
            words[known[block], : order.shape[1]] = known[np.take_along_axis(best, order, axis=1)]
    return Substitutes(count[fold], words[fold])


def _lower_case(strings: Sequence[str]) -> Ints:
    """For each string the number of its lower-case form, or of the first one like it where there is none."""
    number: dict[str, int] = {}
    for i, string in enumerate(strings):
        if number.setdefault(string.lower(), i) != i and string.islower():
            number[string] = i
    return np.array([number[string.lower()] for string in strings], dtype=np.int64)


def _contexts(word: Ints, row: Ints, known: Ints, *, strings: int) -> csr_matrix:
    """(known, 2 * (known + 1)) rows of length one: neighbours to the left, then to the right; the last is "none"."""
    from scipy.sparse import csr_matrix, diags

    place = np.full(strings, -1, dtype=np.int64)
    place[known] = np.arange(len(known))
    word = place[word]
    same = row[1:] == row[:-1]
    left, right = np.full(len(word), len(known)), np.full(len(word), len(known))
    left[1:][same], right[:-1][same] = word[:-1][same], word[1:][same]
    shape = (len(known), 2 * (len(known) + 1))
    table = csr_matrix(shape)
    for first in range(0, max(1, len(word)), _WORDS_AT_ONCE):
        block = slice(first, first + _WORDS_AT_ONCE)
        ours = np.concatenate([word[block], word[block]])
        theirs = np.concatenate([left[block], np.where(right[block] >= 0, right[block] + len(known) + 1, -1)])
        used = (ours >= 0) & (theirs >= 0)
        table = table + csr_matrix((np.ones(used.sum()), (ours[used], theirs[used])), shape=shape)
    table.sum_duplicates()
    rows, columns = np.asarray(table.sum(axis=1)).ravel(), np.asarray(table.sum(axis=0)).ravel()
    owner = np.repeat(np.arange(shape[0]), np.diff(table.indptr))
    table.data = np.maximum(0.0, np.log(table.data * rows.sum() / (rows[owner] * columns[table.indices])))
    length = np.sqrt(np.bincount(owner, weights=table.data**2, minlength=shape[0]))
    return csr_matrix(diags(1 / np.where(length > 0, length, 1.0)) @ table, dtype=np.float32)


def _label_shares(word: Ints, row: Ints, labels: Sequence[str], known: Ints, *, strings: int) -> Shares:
    """(known, labels) share of each label among the occurrences of a word, shrunk towards that of all words."""
    number = {name: i for i, name in enumerate(sorted(set(labels)))}
    label = np.array([number[name] for name in labels], dtype=np.int64)[row]
    cells = np.bincount(word * len(number) + label, minlength=strings * len(number))
    counts = cells.reshape(strings, len(number)).astype(np.float32)
    prior = counts.sum(axis=0) / max(1.0, float(counts.sum()))
    counts = counts[known] + 2 * prior
    return np.asarray(counts / counts.sum(axis=1, keepdims=True), dtype=np.float32)
