"""What a model is trained on: no fold sees itself, and time shows no future."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ratchet.contenders.material import Material, held, judged_folds, plain, summed
from ratchet.contenders.rows import PartedRows

Parted = Callable[..., PartedRows]


def test_each_dev_row_is_held_out_once_and_seen_by_the_others(parted: Parted) -> None:
    rows = parted()
    folds = judged_folds(rows)
    assert folds == (0, 1, 2, 3, 4)
    outs = []
    for fold in folds:
        seen, out = held(rows, fold)
        assert not set(seen.tolist()) & set(out.tolist())
        assert sorted([*seen.tolist(), *out.tolist()]) == rows.parts.dev.tolist()
        outs += out.tolist()
    assert sorted(outs) == rows.parts.dev.tolist()
    assert not set(outs) & set(rows.parts.test.tolist())


def test_in_time_order_only_the_valid_part_is_judged(parted: Parted) -> None:
    rows = parted(order="time")
    assert judged_folds(rows) == (0,)
    seen, out = held(rows, 0)
    assert (seen.tolist(), out.tolist()) == (rows.parts.train.tolist(), rows.parts.valid.tolist())


def test_rows_as_they_are() -> None:
    some = np.array([3, 1, 1], np.int64)
    found = plain(some, held_out=np.zeros(0, np.int64))
    assert (found.rows.tolist(), found.weights, found.texts, dict(found.counts)) == ([3, 1, 1], None, (), {})
    assert isinstance(found, Material)


@pytest.mark.parametrize(
    ("counts", "total"),
    [
        ([], {}),
        ([{"made": 2}, {"made": 3, "left": 1}], {"made": 5, "left": 1}),
        ([{"rejected": {"near": 1}}, {"rejected": {"near": 2, "copy": 4}}], {"rejected": {"near": 3, "copy": 4}}),
        ([{"made": 1}, {}, {"made": 0.5}], {"made": 1.5}),
    ],
)
def test_counts_of_folds_are_added_up_inside_too(counts: list[dict[str, object]], total: dict[str, object]) -> None:
    assert summed(counts) == total  # type: ignore[arg-type]
