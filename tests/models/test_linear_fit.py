from __future__ import annotations

import numpy as np
import pytest

from ratchet.errors import DataError
from ratchet.models import linear_fit as logistic
from ratchet.models.linear_fit import Corpus, fit_linear, fit_majority, fit_rows
from ratchet.models.targets import Targets
from ratchet.recipe.sections import BlendSpec, LinearFeatures, LinearSpec

Rows = tuple[list[str], list[str]]
CHAR = LinearSpec(features=(LinearFeatures(high=2),), C=3)


def two_labels(rows: Rows) -> Rows:
    return rows[0], ["b" if label == "card" else "a" for label in rows[1]]


@pytest.mark.parametrize("sublinear", [False, True])
@pytest.mark.parametrize("min_df", [1, 3])
def test_tfidf_is_that_of_scikit_learn(sublinear: bool, min_df: int, train_rows: Rows, valid_rows: Rows) -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    texts, labels = two_labels(train_rows)
    texts, probe = [text.strip() for text in texts], [text.strip() for text in valid_rows[0]]
    vectoriser = TfidfVectorizer(analyzer="char", ngram_range=(2, 3), sublinear_tf=sublinear, min_df=min_df)
    solver = LogisticRegression(solver="liblinear", dual=True, C=3, tol=1e-6, max_iter=10_000, random_state=1)
    solver.fit(vectoriser.fit_transform(texts), labels)
    features = LinearFeatures(low=2, high=3, sublinear=sublinear, min_df=min_df)
    model = fit_linear(texts, labels, spec=LinearSpec(features=(features,), C=3), seed=1)
    expected = solver.predict_proba(vectoriser.transform(probe))
    np.testing.assert_allclose(model.predict(probe), expected, atol=2e-3)


def test_nb_weights_are_log_count_ratios() -> None:
    corpus = Corpus(["aab", "ab", "b", "c"])
    spec = LinearFeatures(high=1, weighting="nb")
    fit = logistic._Fit(
        corpus, (), rows=np.arange(4), targets=Targets.of_labels(["a", "a", "b", "b"]), weight=np.ones(4), seed=1
    )
    ratio = logistic._Side(fit._table(spec), spec).ratio(np.array([False, False, True, True]), np.ones(4))
    y, x = np.array([1, 2, 2]), np.array([3, 3, 1])  # rows with a, b, c of either label, plus one
    np.testing.assert_allclose(ratio, np.log(y / y.sum()) - np.log(x / x.sum()))


@pytest.mark.parametrize("weighting", ["tfidf", "nb"])
@pytest.mark.parametrize("labels", [2, 3])
def test_it_learns(weighting: str, labels: int, train_rows: Rows, valid_rows: Rows) -> None:
    spec = LinearSpec(features=(LinearFeatures.model_validate({"high": 3, "weighting": weighting}),), C=10)
    rows, held = (two_labels(train_rows), two_labels(valid_rows)) if labels == 2 else (train_rows, valid_rows)
    model = fit_linear(*rows, spec=spec, seed=1)
    assert model.converged
    answers = [model.labels[i] for i in model.predict(held[0]).argmax(axis=1)]
    assert np.mean([a == b for a, b in zip(answers, held[1], strict=True)]) > 0.9


def test_the_same_seed_gives_the_same_bits(train_rows: Rows, valid_rows: Rows) -> None:
    first, second = (fit_linear(*train_rows, spec=CHAR, seed=5).predict(valid_rows[0]) for _ in range(2))
    assert np.array_equal(first, second)


def test_rows_of_a_corpus_fit_like_those_rows_alone(train_rows: Rows, valid_rows: Rows) -> None:
    texts, labels = train_rows
    rows = np.arange(0, 200, 2)
    spec = BlendSpec(
        members=(
            LinearSpec(features=(LinearFeatures(low=2, high=3, min_df=2), LinearFeatures(unit="word"))),
            LinearSpec(features=(LinearFeatures(high=2, weighting="nb"),)),
        )
    )
    names = tuple(sorted(set(labels)))
    corpus = Corpus(texts)
    corpus.grams(unit="char", high=4)
    part = fit_rows(corpus, labels, names=names, rows=rows, spec=spec, seed=1)
    alone = fit_linear([texts[i] for i in rows], [labels[i] for i in rows], spec=spec, seed=1)
    assert [v.tokens for v in part.vocabularies] == [v.tokens for v in alone.vocabularies]
    assert np.array_equal(part.predict(valid_rows[0]), alone.predict(valid_rows[0]))


def test_extra_rows_teach_but_bring_no_ngrams() -> None:
    texts, labels = ["good good", "bad bad", "fine", "poor"], ["x", "y", "x", "y"]
    spec = LinearSpec(features=(LinearFeatures(unit="word", high=1),), C=10)
    extra = (["fine qqq", "fine", "fine"], ["y", "y", "y"])
    arguments = {"names": ("x", "y"), "rows": np.arange(4), "spec": spec, "seed": 1}
    plain, taught = (
        fit_rows(Corpus(texts), labels, extra=more, **arguments)  # type: ignore[arg-type]
        for more in (None, extra)
    )
    assert taught.vocabularies[0].tokens == plain.vocabularies[0].tokens
    assert taught.predict(["fine"])[0, 1] > plain.predict(["fine"])[0, 1]


def test_weights_count_like_copies() -> None:
    texts, labels = ["a b", "b c", "c d", "d a"] * 3, ["x", "y", "y", "x"] * 3
    spec = LinearSpec(features=(LinearFeatures(unit="word", high=1, weighting="nb"),), C=1)
    weights = [2.0 if i == 0 else 1.0 for i in range(12)]
    weighted = fit_linear(texts, labels, spec=spec, seed=1, weights=weights)
    copied = fit_linear([*texts, texts[0]], [*labels, labels[0]], spec=spec, seed=1)
    np.testing.assert_allclose(weighted.predict(texts), copied.predict(texts), atol=2e-3)


def test_a_label_without_rows_is_never_the_answer() -> None:
    texts, labels = ["a b", "b c", "c d", "d a"], ["x", "y", "x", "z"]
    for names in (("x", "y", "z"), ("x", "y", "z", "zz")):
        model = fit_rows(Corpus(texts), labels, names=names, rows=np.arange(3), spec=CHAR, seed=1)
        answer = model.predict(["a b", "d a", ""])
        assert answer.shape == (3, len(names))
        assert not (answer.argmax(axis=1) >= 2).any()


@pytest.mark.parametrize("texts", [["", "", ""], ["!", "?", "..."]])
def test_texts_without_features_get_the_shares(texts: list[str]) -> None:
    spec = LinearSpec(features=(LinearFeatures(unit="word"),), C=1)
    answer = fit_linear(texts, ["x", "x", "y"], spec=spec, seed=1).predict(["", "word"])
    assert (answer.argmax(axis=1) == 0).all()


def test_not_converged_is_said(monkeypatch: pytest.MonkeyPatch, train_rows: Rows) -> None:
    monkeypatch.setattr(logistic, "_ITERATIONS", 1)
    assert not fit_linear(*train_rows, spec=CHAR, seed=1).converged


def test_an_open_spec_is_filled_in(train_rows: Rows) -> None:
    assert fit_linear(*train_rows, spec=LinearSpec(), seed=1).features > 10


@pytest.mark.parametrize(
    ("texts", "labels", "message"),
    [
        (["a", "b"], ["x", "x"], "at least 2 classes but got 1"),
        (["a", "b"], ["x"], "as many as the texts"),
    ],
)
def test_labels_that_cannot_be_fitted(texts: list[str], labels: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        fit_linear(texts, labels, spec=CHAR, seed=1)


def test_majority_gives_shares() -> None:
    model = fit_majority(["b", "a", "b"], names=("a", "b", "c"))
    np.testing.assert_allclose(model.predict(["any", ""]), [[1 / 3, 2 / 3, 0]] * 2, atol=1e-6)
