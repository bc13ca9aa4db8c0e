from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ratchet.models.ngrams import Counts, Unit, Vocabulary, learn, normalise, split_tokens

TEXTS = ["好房间好房间", "good room 好", "", "a", "好", "good good room", "房间"]


def spelled(vocabulary: Vocabulary) -> list[tuple[str, ...]]:
    """The tokens of each node."""
    level = [(token,) for token in vocabulary.tokens]
    nodes = list(level)
    for codes in vocabulary.codes:
        parent, last = vocabulary.unpack(codes)
        level = [(*level[p], vocabulary.tokens[t]) for p, t in zip(parent.tolist(), last.tolist(), strict=True)]
        nodes += level
    return nodes


def counted(text: str, *, unit: Unit, high: int) -> Counter[tuple[str, ...]]:
    raw = split_tokens([text], unit).raw
    tokens = [chr(code) for code in raw] if isinstance(raw, np.ndarray) else list(raw)
    return Counter(tuple(tokens[i : i + n]) for n in range(1, high + 1) for i in range(len(tokens) - n + 1))


def rows_of(vocabulary: Vocabulary, counts: Counts) -> list[dict[tuple[str, ...], int]]:
    names = spelled(vocabulary)
    entries = list(zip((names[node] for node in counts.node), counts.count.tolist(), strict=True))
    return [dict(entries[first:last]) for first, last in pairwise(counts.start.tolist())]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("  Ａ　Ｂ\tc\n", "a b c"),
        ("ＨＥＬＬＯ！", "hello!"),
        ("好\ud800房", "好\ufffd房"),
        ("", ""),
        ("\x00", "\x00"),
        ("ﬁne", "fine"),
    ],
)
def test_normalise(text: str, plain: str) -> None:
    assert normalise(text) == plain
    assert normalise(plain) == plain


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("don't stop_me 2", ["don", "t", "stop", "me", "2"]),
        ("房间很nice的", ["房", "间", "很", "nice", "的"]),
        ("カメラ", ["カ", "メ", "ラ"]),
        ("!!! ...", []),
        ("\U00020000x", ["\U00020000", "x"]),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert list(split_tokens([text], "word").raw) == words


@pytest.mark.parametrize("unit", ["char", "word"])
@pytest.mark.parametrize("high", [1, 2, 4, 8])
def test_counts_are_those_of_a_counter(unit: Unit, high: int) -> None:
    vocabulary, counts = learn(TEXTS, unit=unit, high=high)
    assert rows_of(vocabulary, counts) == [counted(text, unit=unit, high=high) for text in TEXTS]
    again = vocabulary.count(TEXTS)
    assert np.array_equal(again.node, counts.node)
    assert np.array_equal(again.count, counts.count)
    assert np.array_equal(again.start, counts.start)


@given(
    st.lists(st.text(alphabet="ab好房\U0001f600 ", max_size=12), min_size=1, max_size=6),
    st.text(alphabet="ab好房é ", max_size=12),
    st.integers(1, 8),
    st.sampled_from(["char", "word"]),
)
@settings(max_examples=60, deadline=None)
def test_an_unseen_text_counts_what_is_known(texts: list[str], other: str, high: int, unit: Unit) -> None:
    vocabulary, _ = learn(texts, unit=unit, high=high)
    known = set(spelled(vocabulary))
    expected = {gram: n for gram, n in counted(other, unit=unit, high=high).items() if gram in known}
    assert rows_of(vocabulary, vocabulary.count([other, ""])) == [expected, {}]


def test_long_ngrams_over_many_words_do_not_collide() -> None:
    dice = np.random.default_rng(5)
    words = [f"w{i}" for i in range(70_000)]  # 17 bits each: four would not fit one number
    texts = [" ".join(words), *(" ".join(dice.choice(words, 30)) for _ in range(20))]
    vocabulary, counts = learn(texts, unit="word", high=8)
    assert rows_of(vocabulary, counts)[1:] == [counted(text, unit="word", high=8) for text in texts[1:]]


def test_keep_leaves_wanted_ngrams_and_the_way_to_them() -> None:
    vocabulary, counts = learn(TEXTS, unit="char", high=3)
    names = spelled(vocabulary)
    wanted = np.array([name == ("房", "间", "好") for name in names])
    smaller, position = vocabulary.keep(wanted)
    left = spelled(smaller)
    assert set(left) == {("房",), ("间",), ("好",), ("房", "间"), ("房", "间", "好")}
    assert {names[i]: p for i, p in enumerate(position.tolist()) if p >= 0} == {name: i for i, name in enumerate(left)}
    assert rows_of(smaller, counts.renumber(position)) == rows_of(smaller, smaller.count(TEXTS))


def test_keep_nothing() -> None:
    vocabulary, _ = learn(TEXTS, unit="char", high=3)
    smaller, position = vocabulary.keep(np.zeros(len(vocabulary), dtype=bool))
    assert len(smaller) == 0
    assert (position == -1).all()
    assert smaller.count(["好", ""]).start.tolist() == [0, 0, 0]


def test_take_and_join_rows() -> None:
    vocabulary, counts = learn(TEXTS, unit="char", high=2)
    rows = np.array([5, 0, 2, 0])
    taken = counts.take(rows)
    assert rows_of(vocabulary, taken) == [rows_of(vocabulary, counts)[row] for row in rows]
    assert rows_of(vocabulary, taken.followed_by(counts)) == rows_of(vocabulary, taken) + rows_of(vocabulary, counts)


@pytest.mark.parametrize("unit", ["char", "word"])
def test_texts_without_tokens(unit: Unit) -> None:
    vocabulary, counts = learn(["", ""], unit=unit, high=3)
    assert len(vocabulary) == 0
    assert counts.start.tolist() == [0, 0, 0]
    assert vocabulary.count(["abc"]).start.tolist() == [0, 0]
    assert vocabulary.count([]).start.tolist() == [0]
