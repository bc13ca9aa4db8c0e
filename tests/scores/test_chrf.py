"""Expected values are those of sacrebleu 2.6.0 (``CHRF()``), which the project does not need."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratchet.scores.chrf import chrf_counts, chrf_of

ENGLISH = (
    ["the cat sat on the mat.", "It costs $1,000.50 - really?", "a b", 'He said: "don\'t" &amp; left'],
    ["the cat is on the mat.", "It costs $1,000.50, really!", "a b c d e", 'He said "don\'t" & left them'],
)
CHINESE = (
    ["我们在北京看见了一只猫。", "他说：“你好！”", "价格是2.5万元"],
    ["我们在北京看到了一只小猫。", "他说：“您好！”", "价格为2.5万元（约）"],
)


def test_as_sacrebleu() -> None:
    english, chinese = chrf_counts(*ENGLISH), chrf_counts(*CHINESE)
    assert english.shape == (4, 18)
    assert float(chrf_of(english)) == pytest.approx(64.7058826877586, abs=1e-9)
    assert float(chrf_of(chinese)) == pytest.approx(39.41110264566673, abs=1e-9)
    rows = [67.17273492330233, 78.29829019188287, 37.57225433526011, 53.140813672637236]
    assert chrf_of(english[:, None, :]) == pytest.approx(rows, abs=1e-9)


def test_counts_of_one_row_by_hand() -> None:
    row = chrf_counts(["a b a"], ["ab"])[0]
    assert row.tolist() == [2, 1, 0, 0, 0, 0, 3, 2, 0, 0, 0, 0, 2, 1, 0, 0, 0, 0]


def test_many_sets_of_rows_at_once() -> None:
    counts = chrf_counts(*ENGLISH)
    picks = np.random.default_rng(0).integers(0, len(counts), size=(5, 8))
    assert chrf_of(counts[picks]) == pytest.approx([float(chrf_of(counts[pick])) for pick in picks])


@given(st.lists(st.text(alphabet="ab 我。", min_size=1, max_size=12), min_size=1, max_size=4))
def test_from_nothing_to_everything(texts: list[str]) -> None:
    assert float(chrf_of(chrf_counts(texts, texts))) == pytest.approx(100 if "".join(texts).strip() else 0)
    assert float(chrf_of(chrf_counts([None] * len(texts), texts))) == 0
