from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ratchet.prepare.stratify import folds


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3)), min_size=1, max_size=120),
    st.integers(2, 5),
    st.integers(0, 9),
)
def test_folds_keep_units_whole_and_labels_even(rows: list[tuple[int, int]], count: int, seed: int) -> None:
    unit = np.array([unit for unit, _ in rows])
    label = np.array([label for _, label in rows])
    fold = folds(unit, label, count=count, seed=seed)
    assert ((fold >= 0) & (fold < count)).all()
    assert all(len(set(fold[unit == u])) == 1 for u in set(unit.tolist()))
    assert np.array_equal(fold, folds(unit, label, count=count, seed=seed))
    alone = np.arange(len(rows))
    spread = folds(alone, label, count=count, seed=seed)
    for name in set(label.tolist()):
        sizes = np.bincount(spread[label == name], minlength=count)
        assert sizes.max() - sizes.min() <= 1
