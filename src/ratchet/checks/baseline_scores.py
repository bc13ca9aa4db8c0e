"""Scores of the baseline on the raw table: out of fold without leaks, and as a random split would have it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ratchet.checks.context import Context
from ratchet.metrics.metrics import Score
from ratchet.metrics.proportions import wilson
from ratchet.prepare.stratify import folds
from ratchet.text.columns import Rows
from ratchet.text.language import guess_language

if TYPE_CHECKING:
    from ratchet.models.linear_fit import Corpus
    from ratchet.recipe.sections import BlendSpec, LinearSpec

FOLDS = 5
LEAST_TEXTS = 50
MOST_LABELS = 300
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class BaselineScores:
    """The different (text, label) pairs of the table, or of a sample of its clusters, ready for fits of the baseline.

    ``pair[i]`` is the pair of row ``rows[i]``; ``first`` is the first row of each pair; ``unit`` numbers what must stay in
    one fold.
    """

    rows: Rows
    pair: Rows
    first: Rows
    unit: Rows
    texts: tuple[str, ...]
    labels: tuple[str, ...]
    seed: int
    recipe_spec: LinearSpec
    language: str

    @classmethod
    def of(cls, context: Context) -> BaselineScores | None:
        """``None`` where no models are wanted, or :func:`why_not_fittable` says why there are none."""
        if not context.scored or why_not_fittable(context):
            return None
        rows = np.flatnonzero((context.groups >= 0) & (context.labels.member >= 0)).astype(np.int64)
        rows = _sampled(rows, context.clusters[rows], most=context.recipe.check.model_rows, seed=context.seed)
        width = max(len(context.labels), 1)
        keys = context.groups[rows] * width + context.labels.member[rows]
        _, first, pair = np.unique(keys, return_index=True, return_inverse=True)
        first = rows[first]
        labels = tuple(context.labels.values[i] for i in context.labels.member[first])
        if len(set(labels)) < 2:
            return None
        return cls(
            rows=rows,
            pair=pair.astype(np.int64),
            first=first,
            unit=context.clusters[first],
            texts=tuple(context.texts.some(context.texts.member[first])),
            labels=labels,
            seed=context.seed,
            recipe_spec=context.recipe.baseline,
            language=context.recipe.data.language,
        )

    @cached_property
    def corpus(self) -> Corpus:
        """The texts with their n-grams counted once."""
        from ratchet.models.linear_fit import Corpus

        return Corpus(self.texts)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The labels, sorted: the columns of all probabilities."""
        return tuple(sorted(set(self.labels)))

    @cached_property
    def truth(self) -> Rows:
        """The column of each pair's label."""
        number = {name: i for i, name in enumerate(self.names)}
        return np.array([number[label] for label in self.labels], np.int64)

    @cached_property
    def spec(self) -> LinearSpec | BlendSpec:
        """The recipe's baseline with its features filled in."""
        from ratchet.models.linear_defaults import resolve

        language = guess_language(self.texts) if self.language == "auto" else self.language
        return resolve(self.recipe_spec, language=language, n_rows=len(self.first), n_labels=len(self.names))  # type: ignore[arg-type]

    @cached_property
    def fold(self) -> Rows:
        """The fold of each pair; a cluster is in one fold, and every label is spread over the folds."""
        return folds(self.unit, self.truth, count=FOLDS, seed=self.seed)

    @cached_property
    def out_of_fold(self) -> npt.NDArray[np.float32]:
        """Probabilities of each pair by a model that saw nothing of its cluster: shape (pairs, labels)."""
        from ratchet.models.baseline import fit_folds

        found = fit_folds(self.corpus, self.labels, self.fold, spec=self.spec, seed=self.seed)
        return found.probability.astype(np.float32, copy=False)

    def fitted(self, pairs: Rows, *, asked: Rows) -> Rows:
        """The labels (as columns) of the ``asked`` pairs by the baseline fitted on ``pairs``, repeats included."""
        from ratchet.models.linear_fit import fit_rows

        model = fit_rows(self.corpus, self.labels, names=self.names, rows=pairs, spec=self.spec, seed=self.seed)
        columns: Rows = model.predict([self.texts[pair] for pair in asked]).argmax(axis=1)
        return columns


def baseline_scores(context: Context) -> BaselineScores | None:
    """The baseline's fits on a table under check, computed once."""
    return context.kept(BaselineScores.of)


def accuracy(right: Mask) -> Score | None:
    """The share of rows that are right, with Wilson's 95 % interval; ``None`` when there is no row."""
    return share(int(right.sum()), len(right), name="accuracy")


def share(hits: int, n: int, *, name: str) -> Score | None:
    """``hits`` of ``n`` as a score of this name, with Wilson's 95 % interval; ``None`` when ``n`` is zero."""
    if not n:
        return None
    low, high = wilson(hits, n)
    return Score(value=hits / n, low=low, high=high, n=n, metric=name)


def why_not_fittable(context: Context) -> str:
    """Why the baseline cannot be fitted here, in a few words; empty where it can."""
    labels = int(np.count_nonzero(context.labels.counts)) if len(context.labels) else 0
    known = (context.groups >= 0) & (context.labels.member >= 0)
    texts = len(np.unique(context.groups[known]))
    if labels < 2:
        return "there are fewer than two labels"
    if labels > MOST_LABELS:
        return f"there are {labels:,} labels, more than {MOST_LABELS}"
    if texts < LEAST_TEXTS:
        return f"there are only {texts} different texts with a label"
    if len(np.unique(context.labels.member[known])) < 2:
        return "there are fewer than two labels with texts"
    clusters = context.clusters[known]
    return "all texts are near-duplicates of each other" if clusters.min() == clusters.max() else ""


def _sampled(rows: Rows, cluster: Rows, *, most: int, seed: int) -> Rows:
    """Whole clusters at random until there are ``most`` rows, two at least: the duplicates of what is left are all there."""
    if len(rows) <= most:
        return rows
    _, member, sizes = np.unique(cluster, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(sizes))
    kept = np.zeros(len(sizes), bool)
    kept[order[: max(2, int(np.searchsorted(np.cumsum(sizes[order]), most, side="right")))]] = True
    return rows[kept[member]]
