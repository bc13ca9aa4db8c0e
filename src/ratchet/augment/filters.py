"""Which augmented texts may be trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from ratchet.near.copies import near_pairs, normalise

Protected = Callable[[Sequence[str]], npt.NDArray[np.bool_]]
"""Says of each of n texts whether it is too close to a text that must stay unseen: shape (n,)."""


def near_to(texts: Sequence[str], *, threshold: float = 0.7, ngram: int = 3) -> Protected:
    """True for copies and near-duplicates of these texts (the valid and the test part).

    >>> near_to(["a clean and quiet room"])(["A clean, and quiet room", "the food was cold"]).tolist()
    [True, False]
    """
    kept = list(dict.fromkeys(texts))
    copies = {normalise(text) for text in kept}

    def protected(candidates: Sequence[str]) -> npt.NDArray[np.bool_]:
        found = np.array([normalise(text) in copies for text in candidates], dtype=bool)
        if kept and len(candidates):
            # near_pairs names the first copy of a text only, so each different candidate is asked about once.
            first = list(dict.fromkeys(map(normalise, candidates)))
            pairs = near_pairs([*first, *kept], threshold=threshold, ngram=ngram)
            across = (pairs.left < len(first)) & (pairs.right >= len(first))
            close = {first[i] for i in pairs.left[across].tolist()}
            found |= np.array([normalise(text) in close for text in candidates], dtype=bool)
        return found

    return protected
