"""Which unlabelled rows to label next: those that the model is unsure of, that stand for many others, and that differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ratchet.near.copies import NGRAM, THRESHOLD, clusters
from ratchet.text.columns import Rows

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = npt.NDArray[np.float64]
EMPTY, HELD, LABELLED, NEAR = (
    "without a text",
    "near a valid or test row",
    "near a row that has a label",
    "near another row of the table",
)
DENSITY = 1.0
"""How much density counts beside uncertainty (the beta of Settles and Craven)."""
WIDTH = 1 << 18
MOST = 20
"""Rows among which each of the queue's is chosen: so many times those that are wanted, and `LEAST`."""
LEAST = 2_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Queue:
    """Rows to label, the most useful first, as positions in the table."""

    rows: Rows
    uncertainty: Floats
    """(len(rows),) from 0 to 1."""
    density: Floats
    """(len(rows),) mean likeness to the other open rows, from 0 to 1."""
    left_out: dict[str, int] = field(default_factory=dict)
    """Rows that are not asked about, by reason."""


def uncertainty(probability: npt.NDArray[Any], *, several: bool) -> Floats:
    """How unsure a model is of each row, from 0 (sure) to 1.

    Of one label among several it is one minus the margin between the two most probable ones (Scheffer, Decomain and Wrobel
    2001): entropy would count what the model cannot tell among labels that it has ruled out. Of labels that may come together
    it is the mean over the labels of the same.

    Args:
        probability: (n, k) calibrated.
        several: a row may have several of the labels.
    """
    shares = np.asarray(probability, np.float64)
    if several:
        unsure: Floats = (1 - np.abs(2 * shares - 1)).mean(axis=1)
        return unsure
    if shares.shape[1] < 2:
        return np.zeros(len(shares))
    best = np.partition(shares, -2, axis=1)[:, -2:]
    margin: Floats = np.clip(1 - (best[:, 1] - best[:, 0]), 0.0, 1.0)
    return margin


def vectors(texts: Sequence[str]) -> csr_array:
    """(n, width) each text as the hashed counts of its character n-grams, weighted by rarity, of length one.

    Characters need no words, so that Chinese and English are alike to it.
    """
    from scipy.sparse import csr_array
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

    hashed = HashingVectorizer(
        analyzer="char_wb", ngram_range=(2, 4), n_features=WIDTH, alternate_sign=False, norm=None, lowercase=True
    ).transform(texts)
    return csr_array(TfidfTransformer(sublinear_tf=True).fit_transform(hashed))


def density(rows: csr_array) -> Floats:
    """(n,) the mean cosine of each row to all others (Settles and Craven 2008, "An analysis of active learning strategies
    for sequence labeling tasks"): the mean of products is the product with the mean, so no pair is looked at."""
    many = rows.shape[0]
    if many < 2:
        return np.zeros(many)
    total = np.asarray(rows.sum(axis=0)).ravel()
    own = np.asarray(rows.multiply(rows).sum(axis=1)).ravel()
    found: Floats = np.clip((rows @ total - own) / (many - 1), 0.0, 1.0)
    return found


def open_rows(
    texts: Sequence[str],
    *,
    labelled: Sequence[str],
    held: Sequence[str],
    ngram: int = NGRAM,
    threshold: float = THRESHOLD,
) -> tuple[Rows, dict[str, int]]:
    """The rows worth asking about, ascending, and how many are not, by reason.

    Args:
        texts: of the unlabelled rows.
        labelled: texts that models are trained on.
        held: texts that models are judged on: a copy of one that is trained on would flatter every score.
        ngram: characters of an n-gram.
        threshold: Jaccard similarity from which two texts are near-copies.
    """
    cluster = clusters([*held, *labelled, *texts], ngram=ngram, threshold=threshold)
    known = len(held) + len(labelled)
    own = cluster[known:]
    empty = np.array([not text.strip() for text in texts], bool)
    near_held = np.isin(own, cluster[: len(held)]) & ~empty
    near_labelled = np.isin(own, cluster[len(held) : known]) & ~near_held & ~empty
    free = np.flatnonzero(~(empty | near_held | near_labelled))
    first = free[np.unique(own[free], return_index=True)[1]]
    counts = (
        (EMPTY, empty.sum()),
        (HELD, near_held.sum()),
        (LABELLED, near_labelled.sum()),
        (NEAR, len(free) - len(first)),
    )
    return np.sort(first), {reason: int(count) for reason, count in counts if count}


def choose(rows: csr_array, unsure: Floats, dense: Floats, *, count: int) -> Rows:
    """Positions of rows, the most useful first: uncertainty times density, less the nearer a row is to one chosen already.

    A row that is a copy of a chosen one is worth nothing, one that shares no n-gram with any is worth all that it was.

    Args:
        rows: (n, width) vectors of length one.
        unsure: (n,)
        dense: (n,)
        count: how many are wanted.
    """
    worth = unsure * dense**DENSITY
    candidates = np.argsort(-worth, kind="stable")[: max(MOST * count, LEAST)]
    some, worth = rows[candidates], worth[candidates]
    nearest, chosen = np.zeros(len(candidates)), list[int]()
    for _ in range(min(count, len(candidates))):
        useful = worth * (1 - nearest)
        useful[chosen] = -1.0
        best = int(useful.argmax())
        chosen.append(best)
        nearest = np.maximum(nearest, np.clip((some @ some[[best]].T).toarray().ravel(), 0.0, 1.0))
    return candidates[chosen].astype(np.int64)


def queue(
    texts: Sequence[str],
    probability: npt.NDArray[Any],
    *,
    labelled: Sequence[str],
    held: Sequence[str],
    count: int,
    several: bool = False,
    ngram: int = NGRAM,
    threshold: float = THRESHOLD,
) -> Queue:
    """The rows to label next.

    Args:
        texts: of the n unlabelled rows.
        probability: (n, k) calibrated answers of the model to them.
        labelled: texts of the train part.
        held: texts of the valid and test parts.
        count: how many rows are wanted.
        several: a row may have several of the labels.
        ngram: as of `open_rows`.
        threshold: as of `open_rows`.
    """
    rows, left_out = open_rows(texts, labelled=labelled, held=held, ngram=ngram, threshold=threshold)
    if not len(rows):
        return Queue(rows=rows, uncertainty=np.zeros(0), density=np.zeros(0), left_out=left_out)
    found = vectors([texts[row] for row in rows.tolist()])
    unsure, dense = uncertainty(probability[rows], several=several), density(found)
    picked = choose(found, unsure, dense, count=count)
    return Queue(rows=rows[picked], uncertainty=unsure[picked], density=dense[picked], left_out=left_out)
