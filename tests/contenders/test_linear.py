"""Linear models as contenders: each fold is the model of the other folds, weights and made rows count."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from tests.contenders.conftest import LABELS, TEXTS

from ratchet.contenders.base import Contender
from ratchet.contenders.kind import Training
from ratchet.contenders.linear import Blend, Linear, Majority
from ratchet.contenders.material import Material, held, plain
from ratchet.contenders.rows import Ints, PartedRows
from ratchet.errors import WorkspaceError
from ratchet.models.linear import LinearModel
from ratchet.models.linear_fit import fit_linear
from ratchet.recipe.sections import BlendSpec, LinearFeatures, LinearSpec, Section

Parted, Trained = Callable[..., PartedRows], Callable[..., Training]
SPEC = LinearSpec(features=(LinearFeatures(unit="word", high=1),), C=5)


def test_a_fold_is_the_model_of_the_other_folds(parted: Parted, training: Trained) -> None:
    rows = parted()
    made = training(rows)
    Linear().train(made.store / "mine", SPEC, made)
    found = Contender.load(made.store / "mine")
    seen, out = held(rows, 2)
    alone = fit_linear(rows.texts(seen), rows.names(seen), spec=SPEC, seed=1)
    places, answers = found.predictions(rows, out)
    assert places.tolist() == out.tolist()
    np.testing.assert_allclose(answers, alone.predict(rows.texts(out)), atol=1e-5)
    assert found.facts["converged"] is True
    assert found.facts["features"] > 0
    assert found.fold_model(0) == found.folder / "model"
    assert found.fold_model(2).is_dir()
    found.forget_folds()
    assert not found.fold_model(2).is_dir()


@pytest.mark.parametrize(("task", "cells"), [("regression", [str(len(text)) for text in TEXTS]), ("multilabel", None)])
def test_it_answers_other_tasks(parted: Parted, training: Trained, task: str, cells: list[str] | None) -> None:
    rows = parted(task, cells or [f'["{label}"]' for label in LABELS])
    made = training(rows)
    Linear().train(made.store / "mine", SPEC, made)
    found = Contender.load(made.store / "mine")
    assert found.answers.shape == (len(rows.parts.dev), len(rows.labels))
    served = found.model(threads=1).predict(rows.texts(rows.parts.valid))
    _, recorded = found.predictions(rows, rows.parts.valid)
    np.testing.assert_allclose(served, recorded, atol=1e-5)


def test_weights_and_made_rows_count(parted: Parted, training: Trained) -> None:
    rows = parted()
    made = training(rows)
    dev = rows.parts.dev
    base = Linear().fit(SPEC, Material(rows=dev), made)
    assert isinstance(base, LinearModel)
    first = rows.labels[0]
    heavy = np.where(rows.truth[dev] == 0, 50.0, 1.0)
    weighted = Linear().fit(SPEC, Material(rows=dev, weights=heavy), made)
    assert weighted.predict(TEXTS)[:, 0].mean() > base.predict(TEXTS)[:, 0].mean()
    assert (weighted.predict(TEXTS)[:, 0] > base.predict(TEXTS)[:, 0]).mean() > 0.7
    added = Linear().fit(SPEC, Material(rows=dev, texts=["please help"] * 40, labels=[first] * 40), made)
    assert added.predict(["please help"])[0, 0] > base.predict(["please help"])[0, 0] + 0.2


@pytest.mark.parametrize(
    ("task", "cells"),
    [
        ("classification", LABELS),
        ("regression", [str(len(text)) for text in TEXTS]),
        ("multilabel", [f'["{label}"]' for label in LABELS]),
    ],
)
def test_rows_are_made_from_those_outside_the_fold(
    parted: Parted, training: Trained, task: str, cells: list[str]
) -> None:
    rows = parted(task, cells)
    calls: list[tuple[set[int], set[int]]] = []

    def change(seen: Ints, *, held_out: Ints) -> Material:
        calls.append((set(seen.tolist()), set(held_out.tolist())))
        made = [f"{text} {text}" for text in rows.texts(seen)]
        return Material(
            rows=seen, texts=made, labels=[rows.dataset.labels[row] for row in seen], made_from=seen.tolist()
        )

    def heavier(seen: Ints, *, held_out: Ints) -> Material:
        return Material(rows=seen, weights=np.where(seen % 2, 9.0, 1.0))

    found = {}
    for name, how in {"plain": plain, "made": change, "weighted": heavier}.items():
        made = training(rows, name=name, change=how)
        Linear().train(made.store / name, SPEC, made)
        found[name] = Contender.load(made.store / name)
    dev, fold = rows.parts.dev, rows.parts.fold
    assert calls == [({*dev[fold[dev] != k].tolist()}, {*dev[fold[dev] == k].tolist()}) for k in range(5)]
    assert not np.array_equal(found["made"].answers, found["plain"].answers)
    assert not np.array_equal(found["weighted"].answers, found["plain"].answers)
    assert found["made"].facts["features"] == found["plain"].facts["features"]


def test_a_blend_is_the_mean_of_its_members(parted: Parted, training: Trained) -> None:
    rows = parted()
    other = LinearSpec(features=(LinearFeatures(unit="char", high=3),), C=5)
    material, made = Material(rows=rows.parts.dev), training(rows)
    both = Blend().fit(BlendSpec(members=(SPEC, other)), material, made).predict(TEXTS)
    apart = [Linear().fit(spec, material, made).predict(TEXTS) for spec in (SPEC, other)]
    np.testing.assert_allclose(both, np.mean(apart, axis=0), atol=1e-5)


def test_what_is_left_open_is_recorded(parted: Parted) -> None:
    resolved = Blend().resolve(BlendSpec(), parted())
    assert resolved.members
    assert all(member.features for member in resolved.members)
    assert Blend().resolve(resolved, parted()) == resolved


def test_the_majority_says_the_shares_and_learns_nothing(parted: Parted, training: Trained) -> None:
    rows = parted()
    made = training(rows, name="majority", kind="majority")
    Majority().train(made.store / "majority", Section(), made)
    found = Contender.load(made.store / "majority")
    assert not found.learns
    assert found.card["spec"] is None
    seen, out = held(rows, 0)
    _, answers = found.predictions(rows, out)
    shares = np.bincount(rows.truth[seen], minlength=3) / len(seen)
    np.testing.assert_allclose(answers, np.tile(shares, (len(out), 1)), atol=1e-5)


def test_changed_predictions_are_no_evidence(parted: Parted, training: Trained) -> None:
    rows = parted()
    made = training(rows)
    Majority().train(made.store / "mine", Section(), replace(made, name="mine"))
    path = made.store / "mine" / "probability.npy"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(WorkspaceError, match="must be as it was written but was changed"):
        Contender.load(made.store / "mine").evidence(rows)
