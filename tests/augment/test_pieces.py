from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ratchet.augment.pieces import Pieces, split_words


def words(pieces: Pieces) -> list[list[str]]:
    return [[pieces.strings[word] for word in pieces.word[a:b]] for a, b in pairwise(pieces.start.tolist())]


def written(pieces: Pieces) -> list[str]:
    """The texts, put together again."""
    texts = []
    for lead, (first, last) in zip(pieces.lead, pairwise(pieces.start.tolist()), strict=True):
        both = zip(pieces.word[first:last], pieces.glue[first:last], strict=True)
        texts.append(pieces.strings[lead] + "".join(pieces.strings[w] + pieces.strings[g] for w, g in both))
    return texts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I don't know, ok?", ["I", "don't", "know", "ok"]),
        ("  (hello)  world_2 ", ["hello", "world", "2"]),
        ("房间3楼ok", ["房", "间", "3", "楼", "ok"]),
        ("!!!", []),
        ("", []),
    ],
)
def test_words_of_one_text(text: str, expected: list[str]) -> None:
    pieces = split_words([text])
    assert words(pieces) == [expected]
    assert written(pieces) == [text]


def test_characters_that_keep_company_are_one_word() -> None:
    texts = [f"{a}{b}酒店{c}" for a in "好大小" for b in "的了" for c in "吗呢吧"] * 2
    texts += ["".join(np.random.default_rng(i).permutation(list("好大小的了吗呢吧"))) for i in range(99)]
    pieces = split_words(texts)
    assert "酒店" in words(pieces)[0]
    assert written(pieces) == texts


def test_no_word_list_means_few_texts_stay_characters() -> None:
    assert words(split_words(["酒店很好"])) == [["酒", "店", "很", "好"]]


@given(st.lists(st.text(alphabet="ab1 ,.'’_好店酒é\u0301\U00020000\n", max_size=20), max_size=8), st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_nothing_is_lost(texts: list[str], times: int) -> None:
    texts = texts * times  # repeats make pairs
    pieces = split_words(texts)
    assert written(pieces) == texts
    assert all(string for row in words(pieces) for string in row)


def test_take_rows() -> None:
    texts = ["a, b", "", "!c"]
    assert written(split_words(texts).take(np.array([2, 0, 2, 1]))) == ["!c", "a, b", "!c", ""]
