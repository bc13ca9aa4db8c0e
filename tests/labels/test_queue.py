from __future__ import annotations

import numpy as np
import pytest

from ratchet.labels.queue import EMPTY, HELD, LABELLED, NEAR, choose, density, open_rows, queue, uncertainty, vectors

BANK = [
    "how do I top up my card today",
    "topping up by bank transfer",
    "退款什么时候到账",
    "the exchange rate is wrong",
]


def test_uncertainty_is_the_margin() -> None:
    sure, torn, spread = [0.98, 0.01, 0.01], [0.5, 0.5, 0.0], [0.4, 0.3, 0.3]
    assert uncertainty(np.array([sure, torn, spread]), several=False) == pytest.approx([0.03, 1.0, 0.9])
    assert uncertainty(np.array([[0.5, 0.5], [0.0, 1.0], [0.5, 1.0]]), several=True) == pytest.approx([1.0, 0.0, 0.5])
    assert uncertainty(np.ones((2, 1)), several=False).tolist() == [0.0, 0.0]


def test_density_is_the_mean_cosine_to_the_others() -> None:
    rows = vectors(BANK)
    pairs = (rows @ rows.T).toarray()
    expected = (pairs.sum(axis=1) - np.diag(pairs)) / (len(BANK) - 1)
    assert density(rows) == pytest.approx(expected)
    assert np.diag(pairs) == pytest.approx(np.ones(4))
    assert pairs[0, 1] > pairs[0, 3] > pairs[0, 2]
    assert density(rows[[0]]).tolist() == [0.0]


def test_near_copies_are_left_out_with_a_count() -> None:
    texts = [
        "How do I top up my card today?",
        "",
        "退款什么时候到账呢",
        "the exchange rate is wrong",
        "The exchange rate is wrong!",
        "a new question about fees",
    ]
    rows, left_out = open_rows(texts, labelled=[BANK[0]], held=["退款什么时候到账呢？"])
    assert rows.tolist() == [3, 5]
    assert left_out == {EMPTY: 1, HELD: 1, LABELLED: 1, NEAR: 1}


def test_choice_is_diverse() -> None:
    texts = ["refund my order please now", "refund my order please soon", "退款为什么这么慢", "退款为什么还没有到"]
    rows = vectors(texts)
    first = choose(rows, np.ones(4), np.ones(4), count=2)
    assert {int(row) // 2 for row in first} == {0, 1}
    assert sorted(choose(rows, np.ones(4), np.ones(4), count=9).tolist()) == [0, 1, 2, 3]


def test_unsure_and_dense_rows_come_first() -> None:
    texts = [f"the card number {i} did not arrive in the post" for i in range(6)] + [
        "zebra",
        "card late in the post again",
    ]
    probability = np.array([[0.99, 0.01]] * 6 + [[0.5, 0.5], [0.5, 0.5]])
    found = queue(texts, probability, labelled=[], held=[], count=2)
    assert found.rows[0] == 7
    assert found.uncertainty[0] == 1.0
    assert found.left_out == {NEAR: 5}


def test_nothing_left_to_ask() -> None:
    found = queue(["same text here"], np.array([[0.5, 0.5]]), labelled=["same text here"], held=[], count=5)
    assert len(found.rows) == 0
    assert found.left_out == {LABELLED: 1}


def test_order_of_rows_does_not_matter() -> None:
    dice = np.random.default_rng(0)
    texts = ["".join(dice.choice([*"abcdefghijklmnopqrstuvwxyz退款卡费率 "], 30)) for _ in range(40)]
    shares = dice.random(40)
    probability = np.stack([shares, 1 - shares], axis=1)
    order = dice.permutation(40)
    one = queue(texts, probability, labelled=[], held=[], count=5)
    two = queue([texts[i] for i in order], probability[order], labelled=[], held=[], count=5)
    assert [texts[i] for i in one.rows] == [texts[order[i]] for i in two.rows]


def test_what_is_near_a_held_out_row_says_the_recipe() -> None:
    texts, held = ["the card is late again"], ["the card is late"]
    assert open_rows(texts, labelled=[], held=held, threshold=0.95)[1] == {}
    assert open_rows(texts, labelled=[], held=held, threshold=0.4)[1] == {HELD: 1}
