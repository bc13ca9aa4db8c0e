"""chrF (Popović 2015) of a corpus, from counts of each row."""

from __future__ import annotations

from collections import Counter

import numpy as np

from ratchet.scores.rows import Floats, Texts, paired

ORDERS, _BETA = 6, 2


def chrf_counts(answers: Texts, references: Texts) -> Floats:
    """What chrF counts in each row: n-grams of characters, without white space.

    Args:
        answers: n texts; ``None`` counts as an empty answer.
        references: n texts.

    Returns:
        Shape (n, 18): n-grams that both have, those of the answer, those of the reference, each of orders 1 to 6. Those of
        an answer do not count in an order for which the reference is too short.

    Raises:
        DataError: a row has no reference.
    """
    rows = [
        _row("".join((answer or "").split()), "".join(reference.split()))
        for answer, reference in paired(answers, references)
    ]
    return np.array(rows, dtype=np.float64).reshape(-1, 3 * ORDERS)


def chrf_of(counts: Floats) -> Floats:
    """chrF2 of a corpus, from 0 to 100, as sacrebleu reports it by default: precision and recall are means over the orders
    that both sides have, recall counts as beta = 2.

    Args:
        counts: shape (..., n, 18), as of :func:`chrf_counts`.

    Returns:
        Shape (...): a number for each set of n rows.
    """
    summed = counts.sum(axis=-2)
    matches, said, right = (summed[..., start : start + ORDERS] for start in (0, ORDERS, 2 * ORDERS))
    both = (said > 0) & (right > 0)
    orders = np.maximum(both.sum(axis=-1), 1)
    precision = np.where(both, matches / np.maximum(said, 1), 0.0).sum(axis=-1) / orders
    recall = np.where(both, matches / np.maximum(right, 1), 0.0).sum(axis=-1) / orders
    weighted = _BETA**2 * precision + recall
    value: Floats = 100 * (1 + _BETA**2) * precision * recall / np.where(weighted > 0, weighted, 1.0)
    return value


def _row(said: str, right: str) -> list[int]:
    grams = [(_grams(said, order), _grams(right, order)) for order in range(1, ORDERS + 1)]
    matches = [(one & other).total() for one, other in grams]
    return [*matches, *(one.total() if other else 0 for one, other in grams), *(other.total() for _, other in grams)]


def _grams(text: str, order: int) -> Counter[str]:
    return Counter(text[start : start + order] for start in range(len(text) - order + 1))
