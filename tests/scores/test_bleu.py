"""Expected values are those of sacrebleu 2.6.0 (``BLEU(tokenize=...).corpus_score``), which the project does not need."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratchet.errors import DataError
from ratchet.scores.bleu import bleu_counts, bleu_of

ENGLISH = (
    ["the cat sat on the mat.", "It costs $1,000.50 - really?", "a b", 'He said: "don\'t" &amp; left'],
    ["the cat is on the mat.", "It costs $1,000.50, really!", "a b c d e", 'He said "don\'t" & left them'],
)
CHINESE = (
    ["我们在北京看见了一只猫。", "他说：“你好！”", "价格是2.5万元"],
    ["我们在北京看到了一只小猫。", "他说：“您好！”", "价格为2.5万元（约）"],
)


def test_english_as_sacrebleu() -> None:
    counts = bleu_counts(*ENGLISH)
    assert counts.sum(axis=0).tolist() == [20, 13, 7, 4, 24, 20, 16, 13, 24, 27]
    assert float(bleu_of(counts)) == pytest.approx(45.85850489459746, abs=1e-9)
    alone = [48.892302243490086, 43.47208719449914, 0.0, 59.4603557501361]
    assert bleu_of(counts[:, None, :]) == pytest.approx(alone, abs=1e-9)


def test_chinese_as_sacrebleu() -> None:
    counts = bleu_counts(*CHINESE)
    assert counts.sum(axis=0).tolist() == [23, 16, 9, 4, 26, 23, 20, 17, 26, 30]
    assert float(bleu_of(counts)) == pytest.approx(43.31895973793191, abs=1e-9)
    assert bleu_of(counts[:, None, :]) == pytest.approx(
        [53.11878904526514, 50.000000000000014, 23.04318198457308], abs=1e-9
    )
    assert (bleu_counts(*CHINESE, tokens="13a") != counts).any()


def test_orders_without_a_match_are_halved_as_sacrebleu_does() -> None:
    counts = bleu_counts(["the big dog ran home"], ["a dog went home quickly"])
    assert float(bleu_of(counts)) == pytest.approx(12.703318703865365, abs=1e-9)


def test_many_sets_of_rows_at_once() -> None:
    counts = bleu_counts(*ENGLISH)
    picks = np.random.default_rng(0).integers(0, len(counts), size=(5, 8))
    assert bleu_of(counts[picks]) == pytest.approx([float(bleu_of(counts[pick])) for pick in picks])


def test_the_references_alone_choose_the_tokens() -> None:
    said = ["hello there", "my friend"]
    assert bleu_counts(said, ["你好", "我的朋友们好"])[:, 9].tolist() == [2, 6]
    with pytest.raises(DataError, match="one of auto, 13a and zh but got 'char'"):
        bleu_counts(said, said, tokens="char")


@given(st.lists(st.text(alphabet="ab c.,1-“我", min_size=8, max_size=20), min_size=1, max_size=4))
def test_a_text_is_its_own_translation(texts: list[str]) -> None:
    counts = bleu_counts(texts, texts)
    value = float(bleu_of(counts))
    assert math.isclose(value, 100.0) or counts[:, 7].sum() == 0
    assert float(bleu_of(bleu_counts([None] * len(texts), texts))) == 0
