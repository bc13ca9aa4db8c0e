"""Likeness: the cosine of character n-grams, against a count by hand."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from ratchet.augment.likeness import likeness, require_vectors
from ratchet.errors import RatchetError, RecipeError
from ratchet.recipe.augment import AugmentFilters


def by_hand(left: str, right: str) -> float:
    def grams(text: str) -> Counter[str]:
        return Counter(text[i : i + n] for n in (1, 2, 3) for i in range(len(text) - n + 1))

    ours, theirs = grams(left), grams(right)
    length = math.sqrt(sum(v * v for v in ours.values()) * sum(v * v for v in theirs.values()))
    return sum(ours[gram] * theirs[gram] for gram in ours) / length if length else 0.0


@pytest.mark.parametrize(
    ("left", "right"),
    [("房间很干净", "房间干净"), ("a clean room", "a clear room"), ("abc", "xyz"), ("", "a"), ("", ""), ("👍", "👍👍")],
)
def test_it_is_the_cosine_of_counts(left: str, right: str) -> None:
    assert likeness([left], [right])[0] == pytest.approx(by_hand(left, right), abs=1e-6)


def test_case_width_and_spaces_tell_nothing() -> None:
    assert likeness(["A  Clean ROOM", "ＡＢＣ"], ["a clean room", "abc"]).tolist() == pytest.approx([1, 1])


def test_blocks_are_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    texts, parents = [f"text number {n}" for n in range(50)], [f"number {n % 7}" for n in range(50)]
    whole = likeness(texts, parents)
    monkeypatch.setattr("ratchet.augment.likeness._BLOCK", 8)
    assert np.array_equal(likeness(texts, parents), whole)


def test_vectors_that_cannot_be_had_are_refused() -> None:
    with pytest.raises(RecipeError, match=r"filters\.vectors must name a pretrained encoder but got 'scratch'"):
        require_vectors(AugmentFilters(vectors="scratch"), language="en")
    with pytest.raises(RatchetError, match="must be a directory"):
        require_vectors(AugmentFilters(vectors="./nowhere"), language="en")
