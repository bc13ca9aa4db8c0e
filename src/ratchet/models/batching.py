"""Texts of like length side by side: batches cut by tokens instead of rows, so that little is padding."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


def pack(order: Ints, lengths: Ints, *, budget: int) -> list[Ints]:
    """Cut rows, in the given order, into batches of at most ``budget`` tokens, padding included.

    Args:
        order: (n,) positions of the rows; neighbours should have like lengths.
        lengths: (n,) tokens of each row, by position.
        budget: most tokens of a batch; a longer row is a batch of its own.

    Returns:
        The positions of the rows of each batch.
    """
    batches: list[Ints] = []
    start, longest = 0, 0
    for end, row in enumerate(order):
        length = max(longest, int(lengths[row]))
        if end > start and (end - start + 1) * length > budget:
            batches.append(order[start:end])
            start, length = end, int(lengths[row])
        longest = length
    if len(order):
        batches.append(order[start:])
    return batches


def by_length(lengths: Ints, *, budget: int) -> list[Ints]:
    """Batches of the rows sorted by length, the same for the same lengths."""
    return pack(np.argsort(lengths, kind="stable"), lengths, budget=budget)


def padded(ids: Sequence[Ints], rows: Ints, *, pad_id: int) -> tuple[Ints, Ints]:
    """Token ids and attention mask of some rows, both (rows, longest): the right end is padding."""
    width = max(len(ids[row]) for row in rows)
    tokens = np.full((len(rows), width), pad_id, dtype=np.int64)
    mask = np.zeros((len(rows), width), dtype=np.int64)
    for line, row in enumerate(rows):
        tokens[line, : len(ids[row])] = ids[row]
        mask[line, : len(ids[row])] = 1
    return tokens, mask


def softmax(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Probabilities (n, k) of logits (n, k), in float32."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    chances: npt.NDArray[np.float32] = (shifted / shifted.sum(axis=1, keepdims=True)).astype(np.float32, copy=False)
    return chances


def sigmoid(score: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The probability of each log-odds; it neither overflows nor loses a small probability."""
    small = np.exp(-np.abs(score))
    return np.where(score >= 0, 1.0, small) / (1.0 + small)
