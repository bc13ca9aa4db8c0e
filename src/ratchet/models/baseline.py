"""A linear model fitted once a fold: each row is predicted by a model that did not see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ratchet.errors import DataError
from ratchet.models.linear import LinearModel, answers
from ratchet.models.linear_fit import Corpus, fit_rows
from ratchet.models.model import Answers
from ratchet.models.ngrams import Ints
from ratchet.models.targets import Targets
from ratchet.recipe.sections import BlendSpec, LinearSpec


@dataclass(frozen=True, kw_only=True, eq=False)
class FoldFit:
    """A model fitted once a fold."""

    models: tuple[LinearModel, ...]
    """Model ``f`` was fitted on the rows outside fold ``f``."""
    probability: Answers
    """(n, labels) each row's answer by the model that did not see it (a value where that is asked); 0 for rows of no fold."""


def fit_folds(
    texts: Sequence[str] | Corpus,
    labels: Sequence[str] | Targets,
    fold: Ints,
    *,
    spec: LinearSpec | BlendSpec,
    seed: int,
) -> FoldFit:
    """Fit a model on each fold's complement and predict the fold.

    Vocabulary, document frequencies and log-count ratios come from the complement alone. The result depends on nothing
    but the arguments: the solver runs in one thread and uses no BLAS.

    Args:
        texts: n texts, or a :class:`~ratchet.models.linear_fit.Corpus`, which counts n-grams once for several fits and says
            which features beside the text are used.
        labels: n labels, or what else is to be answered.
        fold: (n,) fold of each row, 0 to K - 1, each at least once; -1 for rows that are trained on and never predicted.
        spec: resolved settings.
        seed: order in which the solver visits the rows.

    Raises:
        DataError: the labels are all the same, or a fold has no rows inside or outside.
    """
    corpus = texts if isinstance(texts, Corpus) else Corpus(texts)
    targets = labels if isinstance(labels, Targets) else Targets.of_labels(labels)
    probability = answers((len(corpus), len(targets.names)), kind=targets.kind)
    models = []
    for held in range(int(fold.max(initial=0)) + 1):
        rows, out = np.flatnonzero(fold != held), np.flatnonzero(fold == held)
        if not len(rows) or not len(out):
            raise DataError(f"fold {held} must have rows inside and outside but got {len(out)} and {len(rows)}.")
        model = fit_rows(corpus, targets, rows=rows, spec=spec, seed=seed)
        probability[out] = model.predict(corpus.inputs.take(out))
        models.append(model)
    return FoldFit(models=tuple(models), probability=probability)
