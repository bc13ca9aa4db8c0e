"""Candidates against brute force: no pair that counts is missed, and each is offered between the right sides."""

from __future__ import annotations

import random
from itertools import combinations

import numpy as np
import pytest

from ratchet.near.candidates import Buckets, PrefixJoin, Windows, all_pairs, most_pairs
from ratchet.near.sets import Sets


def test_windows_are_pairs_however_they_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    windows = Windows(starts=np.array([0, 5, 2]), counts=np.array([2, 0, 3]))
    wanted = [(0, 0), (0, 1), (2, 2), (2, 3), (2, 4)]
    for chunk in (1, 2, 100):
        monkeypatch.setattr("ratchet.near.candidates._CHUNK", chunk)
        assert [
            pair for left, right in windows.chunks() for pair in zip(left.tolist(), right.tolist(), strict=True)
        ] == wanted
    assert windows.total == 5


@pytest.mark.parametrize("count", [0, 1, 6])
def test_all_pairs(count: int) -> None:
    found = {pair for left, right in all_pairs(count) for pair in zip(right.tolist(), left.tolist(), strict=True)}
    assert found == set(combinations(range(count), 2))


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.9])
def test_the_prefix_join_misses_no_pair(threshold: float) -> None:
    rng = random.Random(6)
    texts = sorted({"".join(rng.choices("abcd", k=rng.randrange(12))) for _ in range(300)})
    grams = [{text[i : i + 2] for i in range(len(text) - 1)} or {text} - {""} for text in texts]
    join = PrefixJoin(Sets(texts, n=2), threshold=threshold)
    offered = {frozenset(pair) for a, b in join.pairs() for pair in zip(a.tolist(), b.tolist(), strict=True)}
    near = {
        frozenset((i, j))
        for i, j in combinations(range(len(texts)), 2)
        if grams[i] and grams[j] and len(grams[i] & grams[j]) >= threshold * len(grams[i] | grams[j]) - 1e-9
    }
    assert near <= offered
    assert len(near) >= 2
    assert len(offered) < len(texts) * (len(texts) - 1) / 2


def test_buckets_offer_pairs_across_the_sides_only() -> None:
    rng = np.random.default_rng(3)
    keys, sides = rng.integers(0, 12, 80).astype(np.uint32), rng.integers(1, 4, 80).astype(np.int8)
    buckets = Buckets.of(keys, texts=np.arange(80), sides=sides)
    found = {
        frozenset(pair) for a, b in buckets.pairs(largest=10**6) for pair in zip(a.tolist(), b.tolist(), strict=True)
    }
    wanted = {
        frozenset((i, j))
        for i, j in combinations(range(80), 2)
        if keys[i] == keys[j] and {int(sides[i]), int(sides[j])} not in ({1}, {2})
    }
    assert found == wanted
    assert buckets.costs.sum() == len(wanted)
    assert not [pair for left, _ in buckets.pairs(largest=0) for pair in left]
    assert len(buckets.overfull(largest=0)[0]) == sum(buckets.sizes[buckets.costs > 0])


def test_most_pairs_counts_equal_keys() -> None:
    assert most_pairs(np.array([3, 1, 3, 3, 2, 1], np.uint32)) == 3 + 1
    assert most_pairs(np.zeros(0, np.uint32)) == 0
