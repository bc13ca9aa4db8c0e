"""Copies, wording and clusters: what counts as the same text, in Chinese and in English."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ratchet.near.copies import (
    clusters,
    exact_groups,
    loose_ngram,
    near_pairs,
    normalise,
    renumbered,
    representatives,
    same_words,
    wording,
)

TEXTS = st.text(alphabet=st.sampled_from("aAb好的，,。 \u3000１1é́ß🙂\u200b\ufe0f"), max_size=12)


@pytest.mark.parametrize(
    ("text", "plain", "words"),
    [
        ("  Hello\t World ", "hello world", "hello world"),
        ("ＡＢＣ１２３，好！", "abc123,好!", "abc123 好"),
        ("好\u3000的\u200b", "好 的", "好 的"),
        ("Straße", "strasse", "strasse"),
        ("e\u200b\u0301", "é", "é"),
        ("Can I top-up?", "can i top-up?", "can i top up"),
        (":-) :)", ":-) :)", ""),
        ("👍🏽!", "👍🏽!", "👍🏽"),
        ("की", "की", "की"),
        ("㎏ ﬁ", "kg fi", "kg fi"),
        ("\u200b \ufeff", "", ""),
    ],
)
def test_normalise_and_wording(text: str, plain: str, words: str) -> None:
    assert normalise(text) == plain
    assert wording(text) == words
    assert same_words(text) == (words or plain)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.text(max_size=30))
@example("ͅ")
@example("ﷺ\u0345")
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)
    assert wording(wording(text)) == wording(text)


def test_groups_are_numbered_by_first_appearance() -> None:
    assert exact_groups(["b", "A", "a ", "b", "Ｂ", "c"]).tolist() == [0, 1, 1, 0, 0, 2]
    assert exact_groups(["b", "a?", "a!"], form=wording).tolist() == [0, 1, 1]
    assert exact_groups([]).tolist() == []
    assert renumbered(np.array([5, 2, 5, 9])).tolist() == [0, 1, 0, 2]


def test_near_pairs_name_the_first_rows_of_different_texts() -> None:
    texts = [
        "酒店很好，早餐不错，下次还来住",
        "short",
        "酒店很好，早餐不错，下次还来住！",
        "酒店很好，早餐不错，下次还来住",
        "Ｓhort",
    ]
    pairs = near_pairs(texts)
    assert (pairs.left.tolist(), pairs.right.tolist()) == ([0], [2])
    assert pairs.jaccard[0] == pytest.approx(13 / 14)
    assert (pairs.method, pairs.skipped) == ("exhaustive", 0)


@pytest.mark.parametrize("texts", [[], [""], ["", "", "a"], ["a", "b"], ["ab", "abc"]])
def test_tables_with_nothing_near(texts: list[str]) -> None:
    assert len(near_pairs(texts)) == 0
    assert len(clusters(texts)) == len(texts)


def test_clusters_join_copies_wordings_and_chains() -> None:
    chain = ["abcdefghijklmnop"[i : i + 12] for i in range(5)]  # neighbours share 9 of 11 trigrams, the ends 6 of 14
    texts = [*chain, "top-up?", "Top up", "alone", "", " "]
    cluster = clusters(texts)
    assert cluster.tolist() == [0, 0, 0, 0, 0, 1, 1, 2, 3, 3]
    assert representatives(cluster).tolist() == [0, 5, 7, 8]


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.lists(TEXTS, max_size=25), st.randoms(use_true_random=False), st.sampled_from([(2, 0.5), (3, 0.7), (1, 0.3)]))
def test_clusters_are_the_same_in_any_order(texts: list[str], random: object, how: tuple[int, float]) -> None:
    order = list(range(len(texts)))
    random.shuffle(order)  # type: ignore[attr-defined]
    ngram, threshold = how
    straight = clusters(texts, ngram=ngram, threshold=threshold)
    shuffled = clusters([texts[i] for i in order], ngram=ngram, threshold=threshold)
    assert renumbered(straight[order]).tolist() == shuffled.tolist()


def test_about_a_word_is_two_characters_in_chinese_and_four_elsewhere() -> None:
    assert loose_ngram(["酒店很好 hotel", "早餐不错"]) == 2
    assert loose_ngram(["a good hotel", "好"]) == 4
    assert loose_ngram(["123", ""]) == 4
