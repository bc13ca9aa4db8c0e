from __future__ import annotations

import json

import numpy as np
import pytest

from ratchet.errors import DataError
from ratchet.models.features import MOST_CATEGORIES, FeatureEncoder, add_features, fair_scale
from ratchet.models.inputs import Inputs
from ratchet.recipe.sections import FeatureKind

KINDS: dict[str, FeatureKind] = {"price": "number", "shop": "category"}


def rows(count: int = 200) -> Inputs:
    dice = np.random.default_rng(3)
    price = [f"{value:.3f}" for value in dice.normal(50, 5, count)]
    return Inputs(["x"] * count, {"price": price, "shop": [f"s{n}" for n in dice.integers(0, 3, count)]})


def test_numbers_are_standardised_and_categories_one_hot() -> None:
    encoder = FeatureEncoder.learn(rows(), KINDS)
    assert encoder.terms == ("price", "price is missing", "shop = s0", "shop = s1", "shop = s2")
    found = encoder.encode(rows())
    assert found.shape == (200, encoder.width)
    assert (abs(found[:, 0].mean()), found[:, 0].std()) == pytest.approx((0, 1), abs=1e-9)
    assert not found[:, 1].any()
    assert (found[:, 2:].sum(axis=1) == 1).all()


def test_numbers_are_read_as_people_write_them() -> None:
    encoder = FeatureEncoder.learn(Inputs([""] * 3, {"price": ["0", "10000", "20000"]}), {"price": "number"})
    cells = ["1万", "１００００", "10,000", "¥10000", " 10000 ", "1000000%"]
    found = encoder.encode(Inputs(cells, {"price": cells}))
    assert np.array_equal(found, np.repeat(found[:1], len(cells), axis=0))
    assert not found[:, 1].any()


@pytest.mark.parametrize("cell", [None, "", "n/a", "inf", "1e400", "1e31"])
def test_what_is_no_number_is_the_mean_and_says_so(cell: str | None) -> None:
    encoder = FeatureEncoder.learn(rows(), {"price": "number"})
    assert encoder.encode(Inputs([""], {"price": [cell]})).tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize("count", [20, 200])
def test_one_wild_cell_does_not_ruin_the_scale(count: int) -> None:
    inputs = rows(count)
    wild = Inputs(inputs.texts, {"price": [*inputs.features["price"][:-1], "1000000000"]})
    plain, other = (FeatureEncoder.learn(each, {"price": "number"}) for each in (inputs, wild))
    before, after = (encoder.encode(inputs)[:-1, 0] for encoder in (plain, other))
    assert np.corrcoef(before, after)[0, 1] > 0.999
    assert after.std() > 0.5
    assert np.abs(other.encode(wild)).max() <= 10


def test_a_rare_number_is_not_clipped_away() -> None:
    cells = ["0"] * 199 + ["1"]
    found = FeatureEncoder.learn(Inputs(cells, {"n": cells}), {"n": "number"}).encode(Inputs(cells, {"n": cells}))
    assert found[-1, 0] == 10
    assert (np.abs(found[:-1, 0]) < 0.1).all()


@pytest.mark.parametrize("cells", [["5"] * 9, [None] * 9, ["x"] * 9])
def test_a_column_that_tells_nothing_is_zero(cells: list[str | None]) -> None:
    found = FeatureEncoder.learn(Inputs([""] * 9, {"n": cells}), {"n": "number"}).encode(Inputs([""] * 9, {"n": cells}))
    assert not found[:, 0].any()


def test_rare_and_unknown_categories_are_zeros() -> None:
    cells = ["a"] * 5 + ["ｂ "] * 5 + ["c"] * 4 + [None, ""]
    encoder = FeatureEncoder.learn(Inputs(["x"] * 16, {"shop": cells}), {"shop": "category"})
    assert encoder.terms == ("shop = a", "shop = b")
    found = encoder.encode(Inputs(["x"] * 6, {"shop": ["a", " b", "c", "new", None, ""]}))
    assert found.tolist() == [[1, 0], [0, 1], [0, 0], [0, 0], [0, 0], [0, 0]]


def test_only_so_many_categories() -> None:
    cells = [f"s{n % (MOST_CATEGORIES + 7)}" for n in range(2 * MOST_CATEGORIES)]
    encoder = FeatureEncoder.learn(Inputs(cells, {"shop": cells}), {"shop": "category"}, min_count=1)
    assert encoder.width == MOST_CATEGORIES


@pytest.mark.parametrize("cell", ["inf", "-∞", "1e400", "1e31"])
def test_what_is_infinite_is_not_learned_from(cell: str) -> None:
    inputs = Inputs(["a", "b"], {"price": ["1", cell]})
    with pytest.raises(DataError, match="Row 2: the feature 'price' must be a number of at most 1e"):
        FeatureEncoder.learn(inputs, {"price": "number"})


def test_missing_columns_are_named() -> None:
    encoder = FeatureEncoder.learn(rows(), KINDS)
    with pytest.raises(DataError, match="must have the columns 'price' and 'shop' beside the text but got texts alone"):
        encoder.encode(["a"])
    with pytest.raises(DataError, match="must have the column 'shop' beside the text but got only 'price'"):
        encoder.encode(Inputs(["a"], {"price": ["1"]}))


def test_described_and_read_it_gives_the_same_bits() -> None:
    encoder = FeatureEncoder.learn(rows(), KINDS)
    again = FeatureEncoder.read(json.loads(json.dumps(encoder.describe())))
    assert again == encoder
    assert np.array_equal(again.encode(rows()), encoder.encode(rows()))


def test_a_row_is_encoded_and_added_by_itself() -> None:
    encoder, inputs = FeatureEncoder.learn(rows(), KINDS), rows()
    weights = np.random.default_rng(1).normal(size=(encoder.width, 3)).astype(np.float32)
    together = np.zeros((200, 3))
    add_features(together, encoder.encode(inputs), weights)
    for row in range(5):
        alone = np.zeros((1, 3))
        add_features(alone, encoder.encode(inputs[row : row + 1]), weights)
        assert np.array_equal(alone[0], together[row])
    np.testing.assert_allclose(together, encoder.encode(inputs) @ weights, atol=1e-12)


def test_the_scale_shares_one_length_among_the_columns() -> None:
    encoder = FeatureEncoder.learn(rows(), KINDS)
    encoded = encoder.encode(rows()) * fair_scale(encoder, length=4.0)
    assert np.sqrt((encoded**2).sum(axis=1).mean()) == pytest.approx(2.0, rel=1e-6)
