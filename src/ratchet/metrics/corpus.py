"""BLEU and chrF of a whole corpus, from counts that each row adds; the figures are sacreBLEU's with its default settings."""

from __future__ import annotations

import numpy as np

from ratchet.metrics.paired_tests import Floats
from ratchet.metrics.smooth import Smooth, slope_of_counts

ORDERS, CHARACTERS = 4, 6
BETA = 2.0
"""Recall counts twice as much as precision in chrF."""


def bleu(sums: Floats) -> Floats:
    """BLEU, 0 ... 1, from sums of shape (..., 10).

    Args:
        sums: clipped matches of 1 ... 4 words, n-grams of 1 ... 4 words in the answers, words in the answers, and words in
            the references.

    Papineni, Roukos, Ward, Zhu 2002. An order without a match counts as half, a quarter, ... of one (the "exp" smoothing of
    Post 2018, "A call for clarity in reporting BLEU scores", method 3 of Chen, Cherry 2014); without any match, or without
    an n-gram of four words, it is 0.
    """
    matches, totals = np.maximum(sums[..., :ORDERS], 0.0), np.maximum(sums[..., ORDERS : 2 * ORDERS], 0.0)
    said, wanted = sums[..., 2 * ORDERS], sums[..., 2 * ORDERS + 1]
    halved = np.cumsum(matches <= 0, axis=-1)
    counted = np.where(matches > 0, matches, 0.5**halved)
    alive = (totals > 0).all(axis=-1) & (matches > 0).any(axis=-1) & (said > 0)
    precision = np.log(counted / np.where(totals > 0, totals, 1.0)).mean(axis=-1)
    brief = np.minimum(1 - wanted / np.where(said > 0, said, 1.0), 0.0)
    found: Floats = np.where(alive, np.exp(precision + brief), 0.0)
    return found


def chrf(sums: Floats) -> Floats:
    """ChrF, 0 ... 1, from sums of shape (..., 18).

    Args:
        sums: matches of 1 ... 6 characters, n-grams of 1 ... 6 characters in the answers, and in the references.

    Popović 2015, with `BETA` 2; precision and recall are averaged over the orders that both sides have.
    """
    matches, said, wanted = np.split(np.maximum(sums, 0.0), 3, axis=-1)
    both = (said > 0) & (wanted > 0)
    orders = np.maximum(both.sum(axis=-1), 1)
    precision = np.where(both, matches / np.where(said > 0, said, 1.0), 0.0).sum(axis=-1) / orders
    recall = np.where(both, matches / np.where(wanted > 0, wanted, 1.0), 0.0).sum(axis=-1) / orders
    below = BETA**2 * precision + recall
    found: Floats = np.where(below > 0, (1 + BETA**2) * precision * recall / np.where(below > 0, below, 1.0), 0.0)
    return found


BLEU = Smooth(value=bleu, slope=slope_of_counts(bleu))
CHRF = Smooth(value=chrf, slope=slope_of_counts(chrf))
