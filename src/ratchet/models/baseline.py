"""The linear models of every run, fitted once a fold: each row is predicted by a model that did not see it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, cast

import numpy as np

from ratchet.errors import DataError
from ratchet.models.inputs import Inputs
from ratchet.models.linear import LinearModel, answers
from ratchet.models.linear_defaults import default_specs, resolve
from ratchet.models.linear_fit import Corpus, fit_majority, fit_rows
from ratchet.models.model import Answers
from ratchet.models.ngrams import Ints
from ratchet.models.targets import Targets
from ratchet.recipe.sections import BlendSpec, LinearSpec

__all__ = ["Augment", "AugmentTargets", "FoldFit", "Sample", "default_specs", "fit_folds", "resolve"]


class Augment(Protocol):
    """Makes extra training rows from those of one fold's training part."""

    def __call__(
        self, texts: Sequence[str], labels: Sequence[str], *, held_out: Sequence[str]
    ) -> tuple[Sequence[str], Sequence[str]]:
        """Extra texts and their labels; none of them may be a copy or near-copy of a held-out text."""
        ...


class AugmentTargets(Protocol):
    """The same where targets and features are told as such."""

    def __call__(self, inputs: Inputs, targets: Targets, *, held_out: Sequence[str]) -> tuple[Inputs, Targets]:
        """Extra rows with the features of the corpus, and their targets, with the same names."""
        ...


Sample = Callable[[Ints], tuple[Ints, Sequence[float]]]
"""Given the rows of a training part: those to train on (some may come several times), and a weight for every row of the
corpus."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FoldFit:
    """One contender fitted once a fold."""

    models: tuple[LinearModel, ...]
    """Model ``f`` was fitted on the rows outside fold ``f``."""
    probability: Answers
    """(n, labels) each row's answer by the model that did not see it (a value where that is asked); 0 for rows of no fold."""
    seconds: float
    """Wall time of all fits and predictions."""

    @property
    def artefact(self) -> LinearModel:
        """The model that is exported when the contender wins: fold 0's, fitted on the train part."""
        return self.models[0]


def fit_folds(
    texts: Sequence[str] | Corpus,
    labels: Sequence[str] | Targets,
    fold: Ints,
    *,
    spec: LinearSpec | BlendSpec | Literal["majority"],
    seed: int,
    augment: Augment | AugmentTargets | None = None,
    weights: Sequence[float] | None = None,
    sample: Sample | None = None,
) -> FoldFit:
    """Fit a contender on each fold's complement and predict the fold.

    Vocabulary, document frequencies and log-count ratios come from the complement alone. The result depends on nothing
    but the arguments: the solver runs in one thread and uses no BLAS.

    Args:
        texts: n texts, or a :class:`~ratchet.models.linear_fit.Corpus`, which counts n-grams once for several contenders
            and says which features beside the text are used.
        labels: n labels, or what else is to be answered.
        fold: (n,) fold of each row, 0 to K - 1, each at least once; -1 for rows that are trained on and never predicted.
        spec: resolved settings, or ``majority`` for the model without features.
        seed: order in which the solver visits the rows.
        augment: makes extra training rows for one fold; an :class:`AugmentTargets` where the labels are targets.
        weights: n weights of the rows in training; extra rows weigh 1.
        sample: which rows of a training part are trained on, and with what weights, instead of ``weights``.

    Raises:
        DataError: the labels are all the same.
    """
    begun = time.perf_counter()
    corpus = texts if isinstance(texts, Corpus) else Corpus(texts)
    targets = labels if isinstance(labels, Targets) else Targets.of_labels(labels)
    probability = answers((len(corpus), len(targets.names)), kind=targets.kind)
    models = []
    for held in range(int(fold.max(initial=0)) + 1):
        rows, out = np.flatnonzero(fold != held), np.flatnonzero(fold == held)
        if not len(rows) or not len(out):
            raise DataError(f"fold {held} must have rows inside and outside but got {len(out)} and {len(rows)}.")
        if spec == "majority":
            model = fit_majority(targets.take(rows))
        else:
            extra = None if augment is None else _augmented(augment, corpus, labels, rows=rows, out=out)
            if sample is not None:
                rows, weights = sample(rows)
            model = fit_rows(corpus, targets, rows=rows, spec=spec, seed=seed, weights=weights, extra=extra)
        probability[out] = model.predict(corpus.inputs.take(out))
        models.append(model)
    return FoldFit(models=tuple(models), probability=probability, seconds=time.perf_counter() - begun)


def _augmented(
    augment: Augment | AugmentTargets, corpus: Corpus, labels: Sequence[str] | Targets, *, rows: Ints, out: Ints
) -> tuple[Sequence[str], Sequence[str] | Targets]:
    unseen = [corpus.texts[row] for row in out.tolist()]
    if isinstance(labels, Targets):
        return cast(AugmentTargets, augment)(corpus.inputs.take(rows), labels.take(rows), held_out=unseen)
    own = rows.tolist()
    return cast(Augment, augment)([corpus.texts[row] for row in own], [labels[row] for row in own], held_out=unseen)
