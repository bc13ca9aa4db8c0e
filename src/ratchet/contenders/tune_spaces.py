"""The usual space of each kind: what is tuned where the recipe names no keys."""

from __future__ import annotations

from typing import Any

from ratchet.contenders.rows import PartedRows
from ratchet.errors import RecipeError
from ratchet.models.checkpoints import GENERATOR, locate
from ratchet.recipe.finetune import DecoderSpec
from ratchet.recipe.sections import BlendSpec, EmbeddingSpec, EncoderSpec, LinearSpec, Section
from ratchet.recipe.space import Range
from ratchet.train.finetune import PREFERENCE


def usual_space(spec: Section, rows: PartedRows) -> dict[str, Range]:
    """The space of a kind, by the task and by what the section says already.

    Raises:
        RecipeError: nobody has said what is worth a try for this kind.
    """
    if isinstance(spec, LinearSpec):
        return _linear(rows)
    if isinstance(spec, BlendSpec):
        return {f"members.{place}.C": Range(low=0.1, high=300, log=True) for place in range(len(spec.members))}
    if isinstance(spec, EmbeddingSpec):
        return {"C": Range(low=0.1, high=1000, log=True), "pooling": Range(choices=("mean", "cls"))}
    if isinstance(spec, EncoderSpec):
        return _encoder(spec)
    if isinstance(spec, DecoderSpec):
        return _decoder(spec, rows)
    kind = getattr(spec, "kind", type(spec).__name__)
    raise RecipeError(
        f"space must name the keys to tune for the kind {kind}, which has no usual space, but is empty.",
        next_step="Name keys with their ranges, such as space: {KEY: {low: 1, high: 5}}.",
    )


def _linear(rows: PartedRows) -> dict[str, Range]:
    """How long n-grams are, how rare they may be, how they are weighted, and how much is fitted to them.

    Naive-Bayes weights are for classes alone, and cost a matrix each.
    """
    weighting: tuple[Any, ...] = (
        ("tfidf", "nb") if rows.targets.kind == "classes" and len(rows.labels) <= 20 else ("tfidf",)
    )
    value = rows.targets.kind == "value"
    space = {
        "C": Range(low=0.01, high=30, log=True) if value else Range(low=0.1, high=300, log=True),
        "features.0.unit": Range(choices=("char", "word")),
        "features.0.high": Range(low=2, high=5),
        "features.0.sublinear": Range(choices=(False, True)),
        "features.0.min_df": Range(low=1, high=3),
    }
    return space | ({"features.0.weighting": Range(choices=weighting)} if len(weighting) > 1 else {})


def _encoder(spec: EncoderSpec) -> dict[str, Range]:
    """How fast and how long it learns, and what keeps it from learning by heart."""
    scratch = spec.source == "scratch"
    space = {
        "lr": Range(low=1e-4, high=1e-2, log=True) if scratch else Range(low=1e-5, high=1e-3, log=True),
        "epochs": Range(low=2, high=12) if scratch else Range(low=1, high=5),
        "dropout": Range(low=0.0, high=0.3),
        "label_smoothing": Range(low=0.0, high=0.2),
    }
    return space if scratch else space | {"frozen_layers": Range(choices=(None, 0))}


def _decoder(spec: DecoderSpec, rows: PartedRows) -> dict[str, Range]:
    """How fast and how long it learns, and how much of it: the rates lie around what is taken where the recipe names none."""
    scratch = spec.source == "scratch" or (
        spec.source == "auto" and locate("auto", language=rows.language, wanted=GENERATOR).folder is None
    )
    adapter = not scratch and spec.tuning not in ("full", "freeze")
    low, high = (3e-4, 1e-2) if scratch else (1e-4, 5e-3) if adapter else (1e-5, 5e-4)
    slower = PREFERENCE if spec.rejected else 1.0
    space = {
        "lr": Range(low=low * slower, high=high * slower, log=True),
        "epochs": Range(low=2, high=12) if scratch else Range(low=1, high=5),
    }
    if adapter:
        space |= {"rank": Range(choices=(4, 8, 16, 32, 64)), "dropout": Range(low=0.0, high=0.1)}
    if spec.tuning == "freeze":
        space["trained_layers"] = Range(low=1, high=4)
    return space | ({"beta": Range(low=0.03, high=0.5, log=True)} if spec.rejected else {})
