from __future__ import annotations

import numpy as np
import pytest

from ratchet.errors import DataError
from ratchet.models.inputs import Inputs


def test_a_sequence_of_texts_that_keeps_its_features() -> None:
    rows = Inputs(["a", "b", "c"], {"price": ["1", None, "3"]})
    assert list(rows) == ["a", "b", "c"]
    assert (len(rows), rows[-1], "b" in rows) == (3, "c", True)
    for part in (rows[1:], rows.take(np.array([1, 2]))):
        assert (list(part), part.features) == (["b", "c"], {"price": (None, "3")})
    assert rows.take(np.array([2, 2, 0])).features["price"] == ("3", "3", "1")
    assert rows.with_texts(["x", "y", "z"]).features == rows.features


def test_rows_follow_each_other() -> None:
    rows = Inputs(["a"], {"price": ["1"]})
    both = rows.followed_by(Inputs(["b", "c"], {"price": [None, "2"]}))
    assert (list(both), both.features) == (["a", "b", "c"], {"price": ("1", None, "2")})
    assert rows.followed_by(Inputs([])) is rows


def test_plain_texts_have_none() -> None:
    rows = Inputs(["a"], {"price": ["1"]})
    assert Inputs.of(rows) is rows
    assert Inputs.of(["a"]).features == {}


def test_columns_are_as_long_as_the_texts() -> None:
    with pytest.raises(DataError, match="The column 'price' must have 2 cells, as the texts, but has 1"):
        Inputs(["a", "b"], {"price": ["1"]})
    with pytest.raises(DataError, match="must have 1 cells"):
        Inputs(["a", "b"], {"price": ["1", "2"]}).with_texts(["a"])
