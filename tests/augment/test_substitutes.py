from __future__ import annotations

import numpy as np

from ratchet.augment.pieces import split_words
from ratchet.augment.substitutes import Substitutes, find_substitutes

NOUNS = ["room", "hotel", "bed", "pool"]


def corpus() -> tuple[list[str], list[str]]:
    """Adjectives of one label keep the same company, and so do those of the other."""
    texts, labels = [], []
    for noun in NOUNS:
        for label, adjectives in (("pos", ["lovely", "Great", "great"]), ("neg", ["awful", "dirty"])):
            for adjective in adjectives:
                texts += [f"the {noun} was {adjective} today"] * 3
                labels += [label] * 3
    return texts, labels


def named(texts: list[str], labels: list[str]) -> dict[str, list[str]]:
    pieces = split_words(texts)
    found: Substitutes = find_substitutes(pieces, labels)
    return {
        string: [pieces.strings[word] for word in row[:count]]
        for string, row, count in zip(pieces.strings, found.words, found.count.tolist(), strict=True)
    }


def test_words_in_the_same_places_under_the_same_label() -> None:
    found = named(*corpus())
    assert found["lovely"] == ["great"]
    assert found["dirty"] == ["awful"]
    assert found["Great"] == found["great"] == ["lovely"]
    assert set(found["room"]) == {"hotel", "bed", "pool"}
    assert all(word not in others for word, others in found.items())


def test_rare_words_have_none() -> None:
    texts, labels = corpus()
    found = named([*texts, "the room was nice today"], [*labels, "pos"])
    assert found["nice"] == []
    assert "nice" not in found["lovely"]


def test_the_order_of_the_texts_does_not_matter() -> None:
    texts, labels = corpus()
    order = np.random.default_rng(1).permutation(len(texts))
    assert named(texts, labels) == named([texts[i] for i in order], [labels[i] for i in order])


def test_too_little_text() -> None:
    assert named([], []) == {"": []}
    assert named(["a"] * 9, ["x"] * 9) == {"": [], "a": []}
    assert named(["!!"], ["x"]) == {"": [], "!!": []}
