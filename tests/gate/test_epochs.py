"""Several answers to one item become one row."""

import numpy as np
import pytest

from ratchet.errors import RatchetError
from ratchet.gate.epochs import mean_of_epochs
from ratchet.gate.verdict import compare
from ratchet.metrics.evidence import Evidence


def test_each_item_has_the_mean_of_its_answers() -> None:
    item = np.array([3, 1, 3, 3, 1])
    sums = np.arange(10.0).reshape(5, 2)
    items, means = mean_of_epochs(item, {"judge": np.array([1, 0, 0, 1, 1]), "nll": sums})
    assert items.tolist() == [1, 3]
    assert means["judge"].tolist() == pytest.approx([0.5, 2 / 3])
    assert means["nll"].tolist() == [sums[[1, 4]].mean(axis=0).tolist(), sums[[0, 2, 3]].mean(axis=0).tolist()]


def test_a_column_of_another_length_is_refused() -> None:
    with pytest.raises(RatchetError, match="'judge' must have 3 rows, one an answer, but got 2"):
        mean_of_epochs(np.arange(3), {"judge": np.ones(2)})


def test_asking_the_same_items_again_proves_nothing_more() -> None:
    rng = np.random.default_rng(0)
    item = np.tile(np.arange(100), 10)
    right = [(rng.random(100) < share).astype(float)[item] for share in (0.75, 0.6)]

    def evidence(name: str, column: np.ndarray, *, items: bool) -> Evidence:
        rows, outcomes = np.arange(len(item)), {"judge": column}
        if items:
            rows, outcomes = mean_of_epochs(item, outcomes)
        return Evidence(name=name, rows=rows, targets={"reference": rows}, outcomes=outcomes)

    alone, counted = (
        compare(evidence("b", right[0], items=items), evidence("a", right[1], items=items), ["judge"]).findings[0]
        for items in (True, False)
    )
    assert alone.estimate == pytest.approx(counted.estimate)
    assert (alone.n, counted.n) == (100, 1_000)
    assert alone.p > 100 * counted.p
