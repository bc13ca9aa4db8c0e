"""Linear contenders: fitted on every fold's complement, so that each dev row is predicted by a model that has not seen it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ratchet.contenders.base import FOLDS, MODEL, PartedRows, finish
from ratchet.models.baseline import Augment, Sample, fit_folds
from ratchet.models.linear import LinearModel
from ratchet.models.linear_defaults import resolve
from ratchet.recipe.sections import BlendSpec, LinearSpec
from ratchet.workspace.workspace import writing


def train_linear(
    folder: Path,
    rows: PartedRows,
    *,
    name: str,
    spec: LinearSpec | BlendSpec | Literal["majority"],
    seed: int,
    kind: str = "",
    augment: Augment | None = None,
    sample: Sample | None = None,
    facts: Callable[[], Mapping[str, Any]] | None = None,
) -> None:
    """Fit a linear contender on every fold's complement; fold 0's model is to be served, and in time order the only one."""
    dev = rows.parts.dev
    held = np.isin(dev, rows.parts.compared)
    resolved = spec
    if spec != "majority":
        resolved = resolve(spec, language=rows.language, n_rows=len(dev), n_labels=len(rows.labels))
    fold = np.where(held, rows.parts.fold[dev], -1)
    fit = fit_folds(rows.corpus, rows.names(dev), fold, spec=resolved, seed=seed, augment=augment, sample=sample)
    save_models(folder, fit.models)
    plain = None if resolved == "majority" else resolved
    finish(
        folder,
        rows,
        name=name,
        kind=kind or ("majority" if plain is None else plain.kind),
        runtime="linear",
        spec=plain,
        predicted=dev[held],
        probability=fit.probability[held],
        seconds=fit.seconds,
        facts={"features": fit.artefact.features, "converged": fit.artefact.converged, **(facts() if facts else {})},
    )


def save_models(folder: Path, models: Sequence[LinearModel]) -> None:
    """Fold 0's model as ``model/``, the others under ``folds/``."""
    for fold, model in enumerate(models):
        target = folder / MODEL if fold == 0 else folder / FOLDS / str(fold)
        with writing(target):
            target.mkdir(parents=True)
        model.save(target)
