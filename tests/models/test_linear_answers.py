"""Linear models that answer with any labels or a value, or that read features beside the text."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier

from ratchet.compress.linear import quantise_linear
from ratchet.errors import BundleError, DataError
from ratchet.models.baseline import fit_folds
from ratchet.models.inputs import Inputs
from ratchet.models.linear import LinearModel
from ratchet.models.linear_defaults import default_specs, resolve
from ratchet.models.linear_fit import Corpus, fit_linear, fit_majority, fit_rows
from ratchet.models.targets import Targets
from ratchet.recipe.sections import BlendSpec, FeatureKind, LinearFeatures, LinearSpec

Rows = tuple[list[str], list[str]]
WORD = LinearSpec(features=(LinearFeatures(unit="word", high=1),), C=5)
MIXED = BlendSpec(members=(WORD, LinearSpec(features=(LinearFeatures(high=3, sublinear=True),), C=5)))
KINDS: dict[str, FeatureKind] = {"price": "number", "shop": "category"}
ODD = ["", "zzzz", "\ud800", "退款" * 50]


def targets(rows: Rows, kind: str) -> Targets:
    texts, labels = rows
    if kind == "labels":
        return Targets.of_sets(
            [{label, *(["late"] if "late" in text else [])} for text, label in zip(*rows, strict=True)]
        )
    if kind == "value":
        lengths = np.array([len(text) for text in texts], dtype=np.float64)
        return Targets.of_values(
            1e9 + 0.25 * lengths + 100 * np.array([label == "card" for label in labels]), name="eur"
        )
    return Targets.of_labels(labels)


def with_features(rows: Rows, *, seed: int = 1) -> Inputs:
    dice = np.random.default_rng(seed)
    price = [None if n % 17 == 0 else f"{value:.2f}" for n, value in enumerate(dice.normal(100, 20, len(rows[0])))]
    return Inputs(rows[0], {"price": price, "shop": [f"s{n}" for n in dice.integers(0, 3, len(rows[0]))]})


def dense(texts: list[str], model: LinearModel) -> np.ndarray:
    """The vectors of length one of the first block's words."""
    block = model.members[0].blocks[0]
    found = np.zeros((len(texts), len(block.vocabulary)))
    counts = block.vocabulary.count(texts)
    for row, (first, last) in enumerate(zip(counts.start[:-1], counts.start[1:], strict=True)):
        found[row, counts.node[first:last]] = counts.count[first:last]
    found *= block.idf_values[block.idf_index]
    return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)


def test_any_labels_are_those_of_one_against_the_rest(train_rows: Rows, valid_rows: Rows) -> None:
    wanted = targets(train_rows, "labels")
    model = fit_linear(train_rows[0], wanted, spec=WORD, seed=1)
    assert (model.kind, model.labels) == ("labels", ("card", "late", "rate", "退款"))
    solver = LogisticRegression(solver="liblinear", dual=True, C=5, tol=1e-6, max_iter=10_000, random_state=1)
    reference = OneVsRestClassifier(solver).fit(dense(train_rows[0], model), wanted.values)
    expected = reference.predict_proba(dense(valid_rows[0], model))
    np.testing.assert_allclose(model.predict(valid_rows[0]), expected, atol=0.02)
    sums = model.predict(valid_rows[0]).sum(axis=1)
    assert sums.max() > 1.3
    assert sums.min() < 1.2


def test_a_value_is_that_of_ridge(train_rows: Rows, valid_rows: Rows) -> None:
    wanted = targets(train_rows, "value")
    model = fit_linear(train_rows[0], wanted, spec=WORD, seed=1)
    assert (model.kind, model.labels) == ("value", ("eur",))
    reference = Ridge(alpha=1 / 5, solver="cholesky").fit(dense(train_rows[0], model), wanted.values)
    answer = model.predict(valid_rows[0])
    assert answer.dtype == np.float64
    assert answer.shape == (len(valid_rows[0]), 1)
    np.testing.assert_allclose(answer[:, 0], reference.predict(dense(valid_rows[0], model)), rtol=0, atol=1e-2)


@pytest.mark.parametrize("kind", ["classes", "labels", "value"])
@pytest.mark.parametrize("features", [False, True])
@pytest.mark.parametrize("small", [False, True])
def test_saved_and_loaded_it_answers_with_the_same_bits(
    kind: str, features: bool, small: bool, tmp_path: Path, train_rows: Rows, valid_rows: Rows
) -> None:
    corpus = Corpus(with_features(train_rows) if features else train_rows[0], kinds=KINDS if features else None)
    spec = MIXED if kind == "value" else BlendSpec(members=(*MIXED.members, LinearSpec(features=NAIVE, C=1)))
    model = fit_linear(corpus, targets(train_rows, kind), spec=spec, seed=1)
    if small:
        model = quantise_linear(model, prune=0.3)
        assert all(block.weights.dtype == np.int8 for member in model.members for block in member.blocks)
        assert all(member.features is None or member.features.dtype == np.float32 for member in model.members)
    model.save(tmp_path)
    form = json.loads((tmp_path / "model.json").read_bytes())["format"]
    assert form == ("ratchet-linear-1" if kind == "classes" and not features else "ratchet-linear-2")
    texts = [*valid_rows[0], *ODD]
    probe = with_features((texts, []), seed=2) if features else Inputs(texts)
    before, loaded = model.predict(probe), LinearModel.load(tmp_path)
    after = loaded.predict(probe)
    assert (loaded.kind, loaded.labels, after.dtype) == (model.kind, model.labels, before.dtype)
    assert np.array_equal(before, after)
    assert np.isfinite(after).all()
    alone = np.concatenate([loaded.predict(probe[row : row + 1]) for row in range(len(probe))])
    assert np.array_equal(alone, after)
    assert loaded.predict(probe[:0]).shape == (0, len(model.labels))


NAIVE = (LinearFeatures(high=2, weighting="nb"),)


@pytest.mark.parametrize("kind", ["labels", "value"])
def test_fits_are_repeatable_and_see_only_their_rows(kind: str, train_rows: Rows, valid_rows: Rows) -> None:
    wanted, rows, corpus = (
        targets(train_rows, kind),
        np.arange(0, 200, 2),
        Corpus(with_features(train_rows), kinds=KINDS),
    )
    first, again = (fit_rows(corpus, wanted, rows=rows, spec=MIXED, seed=5) for _ in range(2))
    own = Corpus(corpus.inputs.take(rows), kinds=KINDS)
    alone = fit_rows(own, wanted.take(rows), rows=np.arange(100), spec=MIXED, seed=5)
    probe = with_features(valid_rows)
    assert np.array_equal(first.predict(probe), again.predict(probe))
    assert np.array_equal(first.predict(probe), alone.predict(probe))


def test_majority_is_the_base_rates_or_the_mean() -> None:
    rates = fit_majority(Targets.of_sets([["a"], ["a", "b"], [], []], names=("a", "b", "c", "d")))
    np.testing.assert_allclose(rates.predict(["x"]), [[0.5, 0.25, 0, 0]], atol=1e-6)
    mean = fit_majority(Targets.of_values([1e9, 1e9 + 0.5])).predict(["x", "y"])
    assert mean.tolist() == [[1e9 + 0.25], [1e9 + 0.25]]


def test_labels_without_a_positive_row_or_without_another() -> None:
    wanted = Targets.of_sets([["a", "b"], ["a"], ["a", "b"], ["a"]], names=("a", "b", "c"))
    answer = fit_linear(["x", "y", "x", "y"], wanted, spec=WORD, seed=1).predict(["x", "y", ""])
    assert (answer[:, 0] > 0.8).all()
    assert (answer[:, 2] < 0.2).all()
    assert answer[0, 1] > 0.5 > answer[1, 1]
    with pytest.raises(DataError, match="at least 1 label but got 0"):
        fit_rows(Corpus(["x"]), Targets.of_sets([[]]), rows=np.arange(1), spec=WORD, seed=1)


def test_a_value_has_no_classes_to_weigh_by() -> None:
    with pytest.raises(DataError, match="weighting must be tfidf where the answer is a value but got nb"):
        fit_linear(["x", "y"], Targets.of_values([1, 2]), spec=LinearSpec(features=NAIVE), seed=1)


def test_one_far_value_leaves_the_answers_finite(train_rows: Rows, valid_rows: Rows) -> None:
    values = np.r_[1e9, np.arange(len(train_rows[0]) - 1) % 7.0]
    answer = fit_linear(train_rows[0], Targets.of_values(values), spec=MIXED, seed=1).predict(valid_rows[0])
    assert np.isfinite(answer).all()


@pytest.mark.parametrize("kind", ["classes", "value"])
@pytest.mark.parametrize("telling", ["features", "text"])
def test_features_and_text_both_tell(kind: str, telling: str) -> None:
    dice = np.random.default_rng(8)
    signal, noise = dice.normal(size=(2, 700))
    by_text, by_price = (signal, noise) if telling == "text" else (noise, signal)
    texts = [f"{'good' if value > 0 else 'bad'} w{dice.integers(50)} w{dice.integers(50)}" for value in by_text]
    inputs = Inputs(texts, {"price": [f"{1e4 * value:.0f}" for value in by_price], "more": ["1", "7"] * 350})
    truth = signal > 0
    wanted = Targets.of_labels([str(int(t)) for t in truth]) if kind == "classes" else Targets.of_values(signal)
    corpus = Corpus(inputs, kinds={"price": "number", "more": "number"})
    answer = fit_rows(corpus, wanted, rows=np.arange(400), spec=WORD, seed=1).predict(inputs[400:])[:, -1]
    assert ((answer > (0.5 if kind == "classes" else 0)) == truth[400:]).mean() > 0.9


def test_texts_alone_are_refused_by_a_model_with_features(train_rows: Rows) -> None:
    model = fit_linear(Corpus(with_features(train_rows), kinds=KINDS), train_rows[1], spec=WORD, seed=1)
    for texts in (["card"], []):
        with pytest.raises(DataError, match="must have the columns 'price' and 'shop' beside the text"):
            model.predict(texts)
    with pytest.raises(
        DataError, match="must have the column 'colour' beside the text but got only 'price' and 'shop'"
    ):
        Corpus(with_features(train_rows), kinds={"colour": "category"})
    with pytest.raises(DataError, match="Row 3: the feature 'price' must be a number"):
        Corpus(Inputs(["a"] * 3, {"price": ["1", "2", "inf"]}), kinds={"price": "number"})


def test_extra_rows_bring_their_features(train_rows: Rows) -> None:
    inputs, wanted = with_features(train_rows), targets(train_rows, "labels")
    corpus = Corpus(inputs, kinds=KINDS)
    few = np.arange(20)
    arguments = {"rows": np.arange(100), "spec": WORD, "seed": 1}
    taught = fit_rows(corpus, wanted, extra=(inputs.take(few), wanted.take(few)), **arguments)  # type: ignore[arg-type]
    weights = np.where(np.arange(len(corpus)) < 20, 2.0, 1.0)
    weighted = fit_rows(corpus, wanted, weights=weights, **arguments)  # type: ignore[arg-type]
    np.testing.assert_allclose(taught.predict(inputs), weighted.predict(inputs), atol=0.1)
    with pytest.raises(DataError, match="beside the text but got texts alone"):
        fit_rows(corpus, wanted, extra=(["card"], wanted.take(few[:1])), **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["labels", "value"])
def test_every_row_is_answered_out_of_fold(kind: str, train_rows: Rows) -> None:
    wanted, corpus = targets(train_rows, kind), Corpus(with_features(train_rows), kinds=KINDS)
    fold = np.arange(len(corpus)) % 3
    fold[:6] = -1
    fit = fit_folds(corpus, wanted, fold, spec=WORD, seed=1)
    assert fit.probability.dtype == (np.float64 if kind == "value" else np.float32)
    assert not fit.probability[fold < 0].any()
    held = fold == 1
    assert np.array_equal(fit.probability[held], fit.models[1].predict(corpus.inputs.take(np.flatnonzero(held))))
    if kind == "value":
        error = fit.probability[fold >= 0, 0] - wanted.values[fold >= 0]
        assert (error**2).mean() < 0.5 * wanted.values.var()
    assert fit_majority(wanted).kind == kind


@pytest.mark.parametrize("language", ["zh", "en", "mixed"])
def test_default_specs_of_a_value_and_of_many_labels(language: str) -> None:
    specs = default_specs(language, n_rows=5000, n_labels=1, kind="value")  # type: ignore[arg-type]
    assert list(specs) == ["tfidf-ridge", "linear-wide", "blend"]
    blend = resolve(BlendSpec(name="b"), language=language, n_rows=5000, n_labels=1, kind="value")  # type: ignore[arg-type]
    assert isinstance(blend, BlendSpec)
    assert blend.members == (specs["tfidf-ridge"], specs["linear-wide"])
    many = default_specs(language, n_rows=5000, n_labels=500, kind="labels")  # type: ignore[arg-type]
    assert list(many) == ["tfidf-lr", "linear-wide"]
    assert {one.min_df for spec in many.values() if isinstance(spec, LinearSpec) for one in spec.features} == {3}


def damaged(folder: Path, change: str) -> None:
    meta = json.loads((folder / "model.json").read_bytes())
    if change == "link":
        meta["members"][0]["link"] = "probit"
    elif change == "column":
        meta["features"].pop()
    else:
        meta["features"][0]["spread"] = 0
    (folder / "model.json").write_text(json.dumps(meta), encoding="utf-8")


@pytest.mark.parametrize("change", ["link", "column", "spread"])
def test_what_does_not_fit_is_refused(change: str, tmp_path: Path, train_rows: Rows) -> None:
    fit_linear(Corpus(with_features(train_rows), kinds=KINDS), train_rows[1], spec=WORD, seed=1).save(tmp_path)
    damaged(tmp_path, change)
    with pytest.raises(BundleError, match="do not fit together"):
        LinearModel.load(tmp_path)
