"""What a model is trained on: no fold sees itself, and time shows no future."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ratchet.contenders.material import Material, fold_held_out, held, judged_folds, plain, summed
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


def test_the_fold_that_is_held_out_is_told_from_rows_that_choose_an_epoch(parted: Parted) -> None:
    rows = parted()
    seen, out = held(rows, 3)
    chooser, none = seen[::10], np.zeros(0, np.int64)
    assert fold_held_out(rows, np.concatenate([out, chooser])) == 3
    assert fold_held_out(rows, np.concatenate([chooser, out])) == 3
    assert fold_held_out(rows.apart(seen, out), out) == 3, "the parts of a study and of a curve are others"
    assert fold_held_out(rows, rows.parts.dev[::10]) is None
    assert fold_held_out(rows, none) is None
    timed = parted(order="time")
    assert fold_held_out(timed, timed.parts.valid) == 0


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
