"""Answers of the most alike training prompts as a contender for generation."""

from __future__ import annotations

from ratchet.contenders.kind import FoldKind, Training
from ratchet.contenders.material import Material
from ratchet.models.nearest import NearestModel
from ratchet.recipe.sections import NearestSpec


class Nearest(FoldKind[NearestSpec]):
    """The answer of the nearest prompt: what a model that writes must beat where questions come again."""

    name, spec, runtime = "nearest", NearestSpec, "nearest"
    tasks = ("generation",)

    def fit(self, spec: NearestSpec, material: Material, training: Training) -> NearestModel:
        """As `FoldKind.fit`."""
        rows = training.rows
        texts = [*rows.texts(material.rows), *material.texts]
        return NearestModel.fit(texts, [*rows.names(material.rows), *material.labels], low=spec.low, high=spec.high)
