"""Near-duplicates: every road finds what brute force finds, and the guards against giant buckets hold."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ratchet.near import pairs as near
from ratchet.near import sets
from ratchet.near.ngrams import Alphabet, blocks
from ratchet.near.pairs import NearPairs, components, similar_pairs

SENTENCE = "the hotel room was very nice and clean but breakfast is bad we would come again staff so helpful"
ENGLISH = SENTENCE.split()
CHINESE = "酒店房间很干净但是早餐不好我们还会再来服务员态度热情位置方便价格便宜隔音差"


def gram_set(text: str, n: int) -> frozenset[str]:
    return frozenset(text[i : i + n] for i in range(max(len(text) - n + 1, 1))) if text else frozenset()


def brute_force(texts: Sequence[str], *, n: int, threshold: float) -> dict[tuple[int, int], float]:
    grams = [gram_set(text, n) for text in texts]
    pairs = {}
    for j, right in enumerate(grams):
        for i, left in enumerate(grams[:j]):
            if left and right and (similarity := len(left & right) / len(left | right)) >= threshold - 1e-9:
                pairs[i, j] = similarity
    return pairs


def as_dict(pairs: NearPairs) -> dict[tuple[int, int], float]:
    return dict(zip(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True), pairs.jaccard.tolist(), strict=True))


def edited(count: int, *, chinese: bool, seed: int) -> list[str]:
    """Sentences, half of them edits of earlier ones."""
    rng = random.Random(seed)
    texts: list[str] = []
    while len(texts) < count:
        words = rng.choices(CHINESE if chinese else ENGLISH, k=rng.randint(4, 24))
        if texts and rng.random() < 0.5:
            words = list(rng.choice(texts)) if chinese else rng.choice(texts).split()
            for _ in range(rng.randint(1, 3)):
                words[rng.randrange(len(words))] = rng.choice(CHINESE if chinese else ENGLISH)
        texts.append(("" if chinese else " ").join(words))
    return sorted(set(texts))


@pytest.fixture(params=["prefix", "all pairs", "bands", "bands without kept sets"])
def road(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Force one of the roads that the size of the table chooses otherwise."""
    if request.param != "prefix":
        monkeypatch.setattr(near, "PREFIX_PAIRS", -1)
        monkeypatch.setattr(near, "ALL_PAIRS", 10**9 if request.param == "all pairs" else -1)
    if request.param in ("bands without kept sets", "all pairs"):
        monkeypatch.setattr(sets, "KEPT_CODES", 0)
    return str(request.param)


@pytest.mark.parametrize("chinese", [True, False])
@pytest.mark.parametrize(("n", "threshold"), [(3, 0.7), (2, 0.5), (4, 0.6), (2, 0.9), (3, 1.0)])
def test_every_road_finds_the_pairs_of_brute_force(road: str, chinese: bool, n: int, threshold: float) -> None:
    texts = edited(300, chinese=chinese, seed=n)
    found, true = as_dict(similar_pairs(texts, n=n, threshold=threshold)), brute_force(texts, n=n, threshold=threshold)
    assert found == pytest.approx({pair: true[pair] for pair in found})  # precision 1, similarities exact
    assert len(found) >= (0.99 if road.startswith("bands") else 1) * len(true)


@settings(max_examples=150, derandomize=True, deadline=None)
@given(
    st.lists(st.text(alphabet="abé好\U00020000", max_size=9), max_size=14, unique=True),
    st.integers(1, 4),
    st.sampled_from([0.2, 1 / 3, 0.5, 0.7, 0.75, 1.0]),
)
def test_the_exhaustive_road_misses_nothing(texts: list[str], n: int, threshold: float) -> None:
    texts = sorted(texts)
    pairs = similar_pairs(texts, n=n, threshold=threshold)
    assert pairs.method == "exhaustive"
    assert as_dict(pairs) == pytest.approx(brute_force(texts, n=n, threshold=threshold))


def test_pairs_across_two_sides_only(road: str) -> None:
    texts = edited(200, chinese=True, seed=5)
    sides = np.array([random.Random(text).choice([1, 2, 3]) for text in texts], np.int8)
    found = as_dict(similar_pairs(texts, n=2, threshold=0.5, sides=sides))
    true = {(i, j) for i, j in brute_force(texts, n=2, threshold=0.5) if sides[i] | sides[j] == 3}
    assert set(found) <= true
    assert len(found) >= (0.99 if road.startswith("bands") else 1) * len(true) > 0


def test_connecting_gives_the_components_of_all_pairs(road: str) -> None:
    texts = edited(300, chinese=False, seed=2)
    every = similar_pairs(texts, n=3, threshold=0.6)
    few = similar_pairs(texts, n=3, threshold=0.6, connect=True)
    assert len(few) <= len(every)
    groups = [components(len(texts), pairs.left, pairs.right) for pairs in (every, few)]
    assert (groups[0][:, None] == groups[0]).tolist() == (groups[1][:, None] == groups[1]).tolist()


@pytest.mark.usefixtures("forced_bands")
@pytest.mark.parametrize("connect", [True, False])
def test_an_overfull_bucket_is_starred_and_what_that_skips_is_counted(
    monkeypatch: pytest.MonkeyPatch, connect: bool
) -> None:
    monkeypatch.setattr(near, "BUCKET_PAIRS", 500)
    boilerplate = "尊敬的客户您好，您的订单已经发货，请注意查收，感谢您的支持，单号"
    texts = sorted(f"{boilerplate}{i:05d}" for i in range(0, 60_000, 300))
    pairs = similar_pairs(texts, n=3, threshold=0.7, connect=connect)
    assert len(np.unique(components(len(texts), pairs.left, pairs.right))) == 1
    assert len(pairs) < 200 * 199 / 2
    assert (pairs.skipped > 0) is (not connect)
    assert len(similar_pairs(texts, n=3, threshold=0.7, sides=np.full(200, 1, np.int8))) == 0


@pytest.fixture
def forced_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near, "PREFIX_PAIRS", -1)
    monkeypatch.setattr(near, "ALL_PAIRS", -1)


def test_sets_of_ngrams_are_those_of_slices() -> None:
    texts = ["", "a", "ab", "abc", "abab", "好的好的", "\U00020000a\U00020000", "\ud800x"]
    for n in (1, 2, 3, 4):
        alphabet = Alphabet.of(texts, n=n)
        assert alphabet.sets(texts).sizes.tolist() == [len(gram_set(text, n)) for text in texts]
        assert len(alphabet.sets([])) == 0


def test_blocks_cover_everything_once() -> None:
    texts = ["aa", "", "b" * 9, "cc", "d"]
    assert list(blocks(texts, characters=4)) == [(0, 2), (2, 3), (3, 5)]
    assert list(blocks([])) == []


def test_texts_of_one_template_are_connected_by_a_few_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    verified = []
    exact = sets.Sets.jaccard

    def counted(self: sets.Sets, left: sets.Rows, right: sets.Rows) -> np.ndarray:
        verified.append(len(left))
        return exact(self, left, right)

    monkeypatch.setattr(sets.Sets, "jaccard", counted)
    base = CHINESE * 2
    texts = sorted({base[:i] + f"{i * j}" + base[i + 1 :] for i in range(len(base)) for j in range(1, 10)})
    pairs = similar_pairs(texts, n=3, threshold=0.7, connect=True)
    assert len(np.unique(components(len(texts), pairs.left, pairs.right))) == 1
    assert sum(verified) < 5 * len(texts)
