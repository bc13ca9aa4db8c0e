from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ratchet.compress.linear import prune_linear, quantise_linear
from ratchet.models import linear_files
from ratchet.models.inputs import Inputs
from ratchet.models.linear import LinearModel
from ratchet.models.linear_fit import Corpus, fit_linear, fit_majority
from ratchet.recipe.sections import BlendSpec, LinearFeatures, LinearSpec

Rows = tuple[list[str], list[str]]
WIDE = LinearSpec(features=(LinearFeatures(low=1, high=4, sublinear=True),), C=10)
SPEC = BlendSpec(members=(WIDE, LinearSpec(features=(LinearFeatures(low=1, high=4, weighting="nb"),))))


def fitted(rows: Rows, labels: int) -> LinearModel:
    names = rows[1] if labels == 3 else ["x" if label == "card" else "y" for label in rows[1]]
    return fit_linear(rows[0], names, spec=SPEC, seed=1)


def stored(model: LinearModel) -> int:
    """Bytes of the arrays on disk; the headers of so small a model would be most of its files."""
    return sum(array.nbytes for array in linear_files._arrays(model).values())


@pytest.mark.parametrize("labels", [2, 3])
@pytest.mark.parametrize(("prune", "smaller", "change"), [(0.0, 2, 0.05), (0.5, 3, 0.3), (0.9, 8, 0.6)])
def test_smaller_and_nearly_the_same(
    labels: int, prune: float, smaller: float, change: float, train_rows: Rows, valid_rows: Rows, tmp_path: Path
) -> None:
    model = fitted(train_rows, labels)
    small = quantise_linear(model, prune=prune)
    small.save(tmp_path)
    assert stored(model) > smaller * stored(small)
    assert all(block.weights.dtype == np.int8 for member in small.members for block in member.blocks)
    assert len(small.vocabularies) == 1
    before, after = model.predict(valid_rows[0]), small.predict(valid_rows[0])
    assert np.abs(before - after).max() < change
    assert (before.argmax(axis=1) == after.argmax(axis=1)).mean() > 0.9
    assert np.array_equal(LinearModel.load(tmp_path).predict(valid_rows[0]), after)


def test_weights_round_to_their_scale(train_rows: Rows) -> None:
    model = fit_linear(*train_rows, spec=LinearSpec(features=(LinearFeatures(high=1, weighting="nb"),)), seed=1)
    (before,), (after,) = model.members[0].blocks, quantise_linear(model).members[0].blocks
    assert np.abs(after.weights).max() == 127
    assert (np.abs(after.weights * after.scale - before.weights) <= 0.501 * after.scale).all()


@pytest.mark.parametrize("prune", [0.0, 0.25, 0.7])
def test_the_least_important_go_first(prune: float, train_rows: Rows) -> None:
    spec = LinearSpec(features=(LinearFeatures(unit="word", high=1),), C=10)
    model = fit_linear(*train_rows, spec=spec, seed=1)
    (block,) = model.members[0].blocks
    importance = np.abs(block.weights).max(axis=1) * block.idf_values[block.idf_index]
    order = np.argsort(-importance)[: len(importance) - int(prune * len(importance))]
    left = quantise_linear(model, prune=prune).vocabularies[0].tokens
    assert set(left) == {block.vocabulary.tokens[i] for i in order}


def test_twice_is_once(train_rows: Rows, valid_rows: Rows) -> None:
    once = quantise_linear(fitted(train_rows, 2))
    np.testing.assert_allclose(quantise_linear(once).predict(valid_rows[0]), once.predict(valid_rows[0]), atol=1e-5)


def test_a_model_without_features() -> None:
    model = fit_majority(["a", "b", "b"])
    assert np.array_equal(quantise_linear(model, prune=0.5).predict(["x"]), model.predict(["x"]))


@pytest.mark.parametrize("smaller", [prune_linear, quantise_linear])
def test_features_beside_the_text_stay(
    smaller: Callable[[LinearModel], LinearModel], train_rows: Rows, tmp_path: Path
) -> None:
    prices = [str(len(text)) for text in train_rows[0]]
    rows = Inputs(train_rows[0], {"price": prices})
    small = smaller(fit_linear(Corpus(rows, kinds={"price": "number"}), train_rows[1], spec=WIDE, seed=1))
    small.save(tmp_path)
    read = LinearModel.load(tmp_path)
    assert read.beside == {"price": "number"}
    assert np.array_equal(read.predict(rows), small.predict(rows))
    assert not np.array_equal(small.predict(rows), small.predict(Inputs(train_rows[0], {"price": ["1"] * len(prices)})))
