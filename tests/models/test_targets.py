from __future__ import annotations

import numpy as np
import pytest

from ratchet.errors import DataError
from ratchet.models.targets import Targets


def test_labels_become_columns() -> None:
    one = Targets.of_labels(["b", "a", "b"])
    assert (one.kind, one.names, one.values.tolist(), len(one)) == ("classes", ("a", "b"), [1, 0, 1], 3)
    assert Targets.of_labels(["b"], names=("a", "b", "c")).values.tolist() == [1]
    some = Targets.of_sets([["b", "a"], [], ["c"]])
    assert (some.kind, some.names) == ("labels", ("a", "b", "c"))
    assert some.values.tolist() == [[True, True, False], [False] * 3, [False, False, True]]


@pytest.mark.parametrize(
    "targets",
    [
        Targets.of_labels(["b", "a", "c"]),
        Targets.of_sets([["a"], ["a", "b"], []]),
        Targets.of_values([1.5, -2.0, 1e9], name="price"),
    ],
)
def test_rows_are_taken_and_joined(targets: Targets) -> None:
    part = targets.take(np.array([2, 0, 0]))
    assert np.array_equal(part.values, targets.values[[2, 0, 0]])
    both = part.followed_by(targets)
    assert (both.kind, both.names, len(both)) == (targets.kind, targets.names, 6)
    assert np.array_equal(both.values[3:], targets.values)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 1e31])
def test_values_are_finite(value: float) -> None:
    with pytest.raises(DataError, match="Row 2: 'price' must be a number of at most 1e"):
        Targets.of_values([1.0, value], name="price")
