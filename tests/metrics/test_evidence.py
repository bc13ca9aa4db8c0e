"""Evidence: what is refused, what is restricted to rows, and the seeds."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from ratchet.errors import RatchetError
from ratchet.metrics.evidence import Evidence

ROWS = np.array([4, 9, 2])


def values(**more: object) -> Evidence:
    fields = {"name": "a", "rows": ROWS, "targets": {"value": np.arange(3.0)}, "outcomes": {"value": np.ones(3)}}
    return Evidence(**{**fields, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: values(targets={"value": np.ones(4)}),
            r"as many rows in targets 'value' as row ids but got \(4,\) and 3",
        ),
        (lambda: values(outcomes={"value": np.ones(2)}), "as many rows in outcomes 'value'"),
        (lambda: values(outcomes={"value": np.float64(1)}), "as many rows"),
        (lambda: values(outcomes={"value": np.array([1, np.nan, 1])}), "finite value but got NaN"),
        (lambda: values(targets={"value": np.array([1, np.inf, 1])}), "finite value"),
        (lambda: values(seeds=({"value": np.full(3, np.nan)},)), "finite value"),
        (lambda: values(seeds=({"other": np.ones(3)},)), "the same columns in each seed"),
        (lambda: values(seeds=({"value": np.ones((3, 2))},)), "the same columns in each seed"),
        (lambda: values(rows=np.array([1, 1, 2])), "each row once"),
        (lambda: values(unit=np.ones(2)), "as many rows in unit"),
        (
            lambda: Evidence.of_classes(name="a", rows=ROWS, truth=np.zeros(3, int), probability=np.ones(3)),
            r"must have the shape \(rows, classes\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused(make: Callable[[], Evidence], message: str) -> None:
    with pytest.raises(RatchetError, match=message):
        make()


def test_on_some_rows_in_their_order() -> None:
    whole = values(
        outcomes={"value": np.array([0.0, 1.0, 2.0]), "sums": np.arange(6.0).reshape(3, 2)},
        seeds=({"value": np.array([5.0, 6.0, 7.0]), "sums": np.zeros((3, 2))},),
        fold=np.array([0, 1, 2]),
        unit=np.array([7, 8, 9]),
    )
    part = whole.on(np.array([2, 4]))
    assert part.outcomes["value"].tolist() == [2.0, 0.0]
    assert part.outcomes["sums"].tolist() == [[4.0, 5.0], [0.0, 1.0]]
    assert part.seeds[0]["value"].tolist() == [7.0, 5.0]
    assert part.targets["value"].tolist() == [2.0, 0.0]
    assert part.fold is not None
    assert part.unit is not None
    assert (part.fold.tolist(), part.unit.tolist()) == ([2, 0], [9, 7])


def test_the_seeds_of_a_classifier_are_told_apart() -> None:
    truth = np.array([0, 1, 1])
    runs = np.stack([np.eye(2)[truth], np.eye(2)[1 - truth]])
    both = Evidence.of_classes(name="a", rows=ROWS, truth=truth, probability=runs)
    assert [run.predicted.tolist() for run in both.seed_runs()] == [[0, 1, 1], [1, 0, 0]]
    assert len(both.runs) == 2
    alone = replace(both, seeds=())
    assert alone.seed_runs() == (alone,)
