"""ROUGE-L beside a table of all pairs of words."""

from __future__ import annotations

import random

import pytest

from ratchet.scores.rouge import longest_common, rouge_l
from ratchet.scores.words import all_words


def by_table(first: list[str], second: list[str]) -> int:
    rows = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i, word in enumerate(first, 1):
        for j, other in enumerate(second, 1):
            rows[i][j] = rows[i - 1][j - 1] + 1 if word == other else max(rows[i - 1][j], rows[i][j - 1])
    return rows[-1][-1]


def test_the_longest_common_subsequence_is_that_of_the_table() -> None:
    dice = random.Random(0)
    for _ in range(400):
        first, second = ([dice.choice("abcde") for _ in range(dice.randrange(0, 90))] for _ in range(2))
        assert longest_common(first, second) == by_table(first, second)


def test_it_is_the_f_measure_of_both_shares() -> None:
    dice = random.Random(1)
    vocabulary = ["the", "cat", "帽子", "sat", "北", "it's", "3", "!"]
    for _ in range(100):
        answer, right = (" ".join(dice.choices(vocabulary, k=dice.randrange(1, 20))) for _ in range(2))
        said, wanted = all_words(answer), all_words(right)
        (found,) = rouge_l([answer], [right]).tolist()
        common = by_table(said, wanted)
        if not common:
            assert found == (0.0 if said or wanted else 1.0)
            continue
        precision, recall = common / len(said), common / len(wanted)
        assert found == pytest.approx(2 * precision * recall / (precision + recall))


def test_chinese_is_read_by_characters_and_no_answer_is_nothing() -> None:
    assert rouge_l(["我在北京", None, "", "..."], ["北京", "x", "x", ""]).tolist() == [pytest.approx(2 / 3), 0, 0, 1]
    assert rouge_l(["the cat"], ["cat"]).tolist() == [pytest.approx(2 / 3)]  # articles are words here
