from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ratchet.train.batches import plan_epoch

REAL = np.clip(np.random.default_rng(3).lognormal(3.6, 0.7, 5_000), 3, 128).astype(np.int64)
"""Lengths like those of the demo's reviews: mean 45, cut at 128."""


@given(st.lists(st.integers(1, 128), min_size=1, max_size=60), st.integers(0, 3), st.integers(16, 512))
def test_each_row_is_trained_once_an_epoch(lengths: list[int], epoch: int, budget: int) -> None:
    tokens = np.array(lengths, dtype=np.int64)
    plan = plan_epoch(tokens, seed=1, epoch=epoch, budget=budget)
    assert sorted(row for rows in plan.batches for row in rows) == list(range(len(lengths)))
    assert all(len(rows) == 1 or len(rows) * tokens[rows].max() <= budget for rows in plan.batches)
    assert plan.tokens == sum(lengths)
    assert 0 <= plan.padding < 1


def test_a_plan_is_a_function_of_seed_and_epoch() -> None:
    one, same = (plan_epoch(REAL, seed=1, epoch=2, budget=4096) for _ in range(2))
    assert [rows.tolist() for rows in one.batches] == [rows.tolist() for rows in same.batches]
    for other in (plan_epoch(REAL, seed=2, epoch=2, budget=4096), plan_epoch(REAL, seed=1, epoch=3, budget=4096)):
        together = {frozenset(rows.tolist()) for rows in one.batches}
        assert not together & {frozenset(rows.tolist()) for rows in other.batches}


def test_little_is_padding_and_lengths_come_in_no_order() -> None:
    plan = plan_epoch(REAL, seed=1, epoch=0, budget=4096)
    assert plan.padding < 0.05
    longest = [int(REAL[rows].max()) for rows in plan.batches]
    assert longest != sorted(longest)
    assert abs(np.corrcoef(np.arange(len(longest)), longest)[0, 1]) < 0.4
