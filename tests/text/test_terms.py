from __future__ import annotations

import random
import re
from collections import Counter

import numpy as np
import pytest

from ratchet.forms import SOUTH_EAST_ASIAN, SYLLABLES, characters
from ratchet.near.copies import normalise
from ratchet.text.terms import numbered, terms_of, tokens_of


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("Nice 很干净!", ["nice", "很干", "干净"]),
        ("好", ["好"]),
        ("很好，很好", ["很好", "很好"]),
        ("好，很好", ["好", "很好"]),
        ("好a好", ["好", "a", "好"]),
        ("방이 깨끗해요", ["방이", "깨끗", "끗해", "해요"]),
        ("snake_case", ["snake", "case"]),
        ("don't  STOP", ["don", "t", "stop"]),
        ("ＡＢＣ房", ["abc", "房"]),
        ("。 !?", []),
        ("", []),
    ],
)
def test_terms(text: str, terms: list[str]) -> None:
    found = terms_of([normalise(text)])
    assert Counter(found.names[term] for term in found.term) == Counter(terms)


_PIECES = re.compile(
    rf"(?P<run>[{characters(SYLLABLES, SOUTH_EAST_ASIAN)}]+)|[^\W_{characters(SYLLABLES, SOUTH_EAST_ASIAN)}]+"
)


def slowly(text: str) -> Counter[str]:
    """The same by a regular expression, text by text."""
    terms: list[str] = []
    for piece in _PIECES.finditer(text):
        whole = piece.group()
        paired = piece["run"] and len(whole) > 1
        terms += [whole[place : place + 2] for place in range(len(whole) - 1)] if paired else [whole]
    return Counter(terms)


def test_random_texts_have_the_terms_that_a_regular_expression_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(5)
    texts = [
        normalise("".join(rng.choices("很好不错房间ab1_ -，。!ดี방カé\U00020000", k=rng.randrange(30))))
        for _ in range(400)
    ]
    monkeypatch.setattr("ratchet.text.terms._BATCH", 7)
    found = terms_of(texts)
    for place, text in enumerate(texts):
        assert Counter(found.names[term] for term in found.term[found.text == place]) == slowly(text), text
    assert all(len(name) == 2 for name in found.names[found.first_pair :])


def test_neighbours_are_words_across_punctuation_and_characters_that_touch() -> None:
    found = tokens_of(["a, b", "很好，房间", "好 c 好", "x"])
    pairs, width = found.pairs(), len(found.names)
    listed = [(found.names[code // width], found.names[code % width]) for code in pairs.code.tolist()]
    assert listed == [("a", "b"), ("很", "好"), ("房", "间"), ("好", "c"), ("c", "好")]
    assert pairs.together.tolist() == [False, True, True, False, False]
    assert pairs.text.tolist() == [0, 1, 1, 2, 2]


@pytest.mark.parametrize("texts", [[], [""], ["", "。！"]])
def test_texts_without_a_term(texts: list[str]) -> None:
    found = terms_of(texts)
    assert (found.names, found.term.tolist(), found.text.tolist()) == ([], [], [])


def test_half_a_surrogate_pair_is_no_term() -> None:
    assert terms_of(["a\ud83db"]).names == ["a", "b"]


@pytest.mark.parametrize("scale", [1, 1 << 40])
def test_numbered(scale: int) -> None:
    keys = np.array([5, 3, 5, 0], np.int64) * scale
    different, number = numbered(keys)
    assert different.tolist() == [0, 3 * scale, 5 * scale]
    assert different[number].tolist() == keys.tolist()
