from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratchet.models.batching import by_length, pack, padded, softmax


@given(st.lists(st.integers(1, 60), max_size=80), st.integers(1, 200))
def test_each_row_is_in_one_batch_and_no_batch_is_over_the_budget(lengths: list[int], budget: int) -> None:
    tokens = np.array(lengths, dtype=np.int64)
    batches = by_length(tokens, budget=budget)
    assert sorted(row for rows in batches for row in rows) == list(range(len(lengths)))
    assert all(len(rows) == 1 or len(rows) * tokens[rows].max() <= budget for rows in batches)


def test_rows_keep_the_given_order() -> None:
    order = np.array([2, 0, 1])
    batches = pack(order, np.array([3, 3, 5]), budget=9)
    assert [rows.tolist() for rows in batches] == [[2], [0, 1]]


def test_padding_is_at_the_right_and_masked() -> None:
    ids = [np.array([7, 8]), np.array([9]), np.array([1, 2, 3])]
    tokens, mask = padded(ids, np.array([1, 0]), pad_id=5)
    assert tokens.tolist() == [[9, 5], [7, 8]]
    assert mask.tolist() == [[1, 0], [1, 1]]


@pytest.mark.parametrize("shift", [0.0, 1e4, -1e4])
def test_softmax_is_stable(shift: float) -> None:
    logits = np.array([[1.0, 2.0, 3.0]], dtype=np.float32) + np.float32(shift)
    chances = softmax(logits)
    assert chances.dtype == np.float32
    np.testing.assert_allclose(chances, [[0.09003057, 0.24472847, 0.66524096]], rtol=1e-3)
