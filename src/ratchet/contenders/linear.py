"""Linear models as contenders: logistic regression on n-grams, alone or several of them averaged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np

from ratchet.contenders.base import Identity
from ratchet.contenders.kind import FoldKind, Training
from ratchet.contenders.material import Material, made_inputs
from ratchet.contenders.rows import PartedRows
from ratchet.models.linear import LinearModel
from ratchet.models.linear_defaults import resolve
from ratchet.models.linear_fit import fit_rows
from ratchet.models.model import Model
from ratchet.recipe.sections import BlendSpec, LinearSpec, Section

S = TypeVar("S", LinearSpec, BlendSpec)


class _Linear(FoldKind[S]):
    """What one linear model and a blend of several have in common."""

    runtime = "linear"
    tasks = ("classification", "multilabel", "regression")
    featured = True

    def resolve(self, spec: S, rows: PartedRows) -> S:
        """Features by language, members by the number of labels."""
        size = len(rows.parts.dev)
        kind = rows.targets.kind
        found = resolve(spec, language=rows.language, n_rows=size, n_labels=len(rows.labels), kind=kind)
        assert isinstance(found, type(spec))
        return found

    def fit(self, spec: S, material: Material, training: Training) -> LinearModel:
        """As `FoldKind.fit`; the n-grams of all rows are counted once for all folds and contenders."""
        rows, weights = training.rows, None
        dev = rows.parts.dev
        place = np.searchsorted(dev, material.rows)
        if material.weights is not None:
            weights = np.ones(len(dev))
            weights[place] = material.weights
        return fit_rows(
            rows.corpus.using(rows.kinds_of(spec.columns)),
            rows.targets.take(dev),
            rows=place,
            spec=spec,
            seed=training.seed,
            weights=None if weights is None else weights.tolist(),
            extra=(made_inputs(material, rows), rows.made(material.labels)) if len(material.texts) else None,
        )

    def noted(self, model: Model) -> Mapping[str, object]:
        """Its size, and whether the solver converged."""
        assert isinstance(model, LinearModel)
        return {"features": model.features, "converged": model.converged}


class Linear(_Linear[LinearSpec]):
    """Logistic regression on n-gram features."""

    name, spec = "linear", LinearSpec


class Blend(_Linear[BlendSpec]):
    """The average of the probabilities of several linear models."""

    name, spec = "blend", BlendSpec


class Majority(FoldKind[Section]):
    """The first champion: every text gets the same answer. It learns nothing from texts, and is in no recipe."""

    name, spec, runtime = "majority", Section, "linear"

    def fit(self, spec: Section, material: Material, training: Training) -> Model:
        """As `FoldKind.fit`."""
        del spec
        return training.rows.task.first_champion(training.rows.targets.take(material.rows))

    def noted(self, model: Model) -> Mapping[str, object]:
        """It has no features."""
        del model
        return {"features": 0, "converged": True}

    def identity(self, spec: Section, training: Training) -> Identity:
        """Without settings."""
        del spec
        return Identity(name=training.name, kind=self.name, runtime=training.rows.task.runtime, spec=None)
