from __future__ import annotations

import pytest

from ratchet.near.ngrams import Alphabet
from ratchet.near.pairs import NearPairs, similar_pairs


def as_dict(pairs: NearPairs) -> dict[tuple[int, int], float]:
    return dict(zip(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True), pairs.jaccard.tolist(), strict=True))


def test_more_characters_than_an_ngram_has_room_for_still_compare() -> None:
    texts = ["".join(map(chr, range(0x10000 + 40 * i, 0x10000 + 40 * i + 60))) for i in range(900)]
    assert Alphabet.of(texts, n=4).bits == 16
    neighbours = {(i, i + 1): 17 / 97 for i in range(899)}
    assert as_dict(similar_pairs(texts, n=4, threshold=0.15)) == pytest.approx(neighbours)
