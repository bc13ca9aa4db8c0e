from __future__ import annotations

import numpy as np
import pytest

from ratchet.errors import DataError
from ratchet.models.baseline import fit_folds
from ratchet.models.linear_fit import Corpus, fit_linear, fit_majority
from ratchet.recipe.sections import LinearFeatures, LinearSpec

Rows = tuple[list[str], list[str]]
SPEC = LinearSpec(features=(LinearFeatures(high=3, min_df=2),), C=10)


def folds(rows: int, *, of: int = 4) -> np.ndarray:
    return np.random.default_rng(2).permutation(rows) % of


def test_each_row_is_predicted_by_the_model_that_did_not_see_it(train_rows: Rows) -> None:
    texts, labels = train_rows
    fold = folds(len(texts))
    fit = fit_folds(texts, labels, fold, spec=SPEC, seed=3)
    assert len(fit.models) == 4
    assert fit.probability.dtype == np.float32
    for held, model in enumerate(fit.models):
        inside, outside = np.flatnonzero(fold == held), np.flatnonzero(fold != held)
        alone = fit_linear([texts[i] for i in outside], [labels[i] for i in outside], spec=SPEC, seed=3)
        probe = [texts[i] for i in inside]
        assert model.vocabularies[0].tokens == alone.vocabularies[0].tokens
        assert np.array_equal(fit.probability[inside], alone.predict(probe))
    assert (np.array(fit.models[0].labels)[fit.probability.argmax(axis=1)] == labels).mean() > 0.9


def test_a_shared_corpus_changes_nothing(train_rows: Rows) -> None:
    texts, labels = train_rows
    corpus, fold = Corpus(texts), folds(len(texts))
    corpus.grams(unit="char", high=5)
    shared = fit_folds(corpus, labels, fold, spec=SPEC, seed=3).probability
    assert np.array_equal(shared, fit_folds(texts, labels, fold, spec=SPEC, seed=3).probability)


def test_majority_takes_the_shares_of_its_rows() -> None:
    labels, fold = np.array(["a", "a", "b", "b", "b", "b"]), np.array([0, 0, 1, 1, 2, 2])
    models = [fit_majority(labels[fold != held].tolist(), names=("a", "b")) for held in range(3)]
    shares = [model.predict(["t"])[0, 0] for model in models]
    np.testing.assert_allclose(shares, [0, 0.5, 0.5], atol=1e-6)


@pytest.mark.parametrize("fold", [[0, 0, 2, 2], [0, 0, 0, 0]])
def test_empty_folds_are_refused(fold: list[int]) -> None:
    with pytest.raises(DataError, match="must have rows inside and outside"):
        fit_folds(["a", "b", "c", "d"], ["x", "y", "x", "y"], np.array(fold), spec=SPEC, seed=1)
