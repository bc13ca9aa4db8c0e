"""Logistic regression on n-gram counts: fits the members of a linear model."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ratchet.errors import DataError
from ratchet.models.linear import Block, LinearModel, Link, Member, Occurrence
from ratchet.models.linear_defaults import resolve
from ratchet.models.linear_files import smallest
from ratchet.models.ngrams import Counts, Ints, Unit, Vocabulary, learn, normalise
from ratchet.recipe.sections import BlendSpec, LinearFeatures, LinearSpec
from ratchet.text.language import guess_language

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Doubles = npt.NDArray[np.float64]

_ITERATIONS = 1000
# One-vs-rest fits one classifier a label, and each may be looser. On 77 intents a tolerance of .1 takes 13 s instead of 29,
# moves a probability by at most .007 and the answer of 1 row in 2,000.
_TOLERANCE = {1: 1e-3, 2: 0.1}


class Corpus:
    """Texts whose n-grams are counted once, for any number of fits on any of their rows."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts
        self._normal = [normalise(text) for text in texts]
        self._counted: dict[Unit, tuple[int, Vocabulary, Counts]] = {}

    def __len__(self) -> int:
        return len(self.texts)

    def grams(self, *, unit: Unit, high: int) -> tuple[Vocabulary, Counts]:
        """Every n-gram of 1 to ``high`` tokens, and its count in each text."""
        if unit not in self._counted or self._counted[unit][0] < high:
            self._counted[unit] = (high, *learn(self._normal, unit=unit, high=high))
        _, vocabulary, counts = self._counted[unit]
        if len(vocabulary.sizes) <= high:
            return vocabulary, counts
        shorter = Vocabulary(unit, vocabulary.tokens, vocabulary.codes[: high - 1])
        position = np.arange(len(vocabulary), dtype=np.int32)
        position[len(shorter) :] = -1
        return shorter, counts.renumber(position)


def fit_linear(
    texts: Sequence[str] | Corpus,
    labels: Sequence[str],
    *,
    spec: LinearSpec | BlendSpec,
    seed: int,
    weights: Sequence[float] | None = None,
) -> LinearModel:
    """Fit a linear model, or every member of a blend.

    TF-IDF as in scikit-learn: ``idf = ln((1 + n) / (1 + df)) + 1``, rows of length one. ``nb`` weighting: binary rows of
    length one times the log-count ratio of each n-gram (Wang and Manning 2012, "Baselines and bigrams"), one-vs-rest
    where there are more than two labels.

    Args:
        texts: n texts, or a corpus of them.
        labels: n labels, at least two distinct.
        spec: the features and the penalty; what it leaves open is chosen by the language of the texts.
        seed: order in which the solver visits the rows.
        weights: n weights of the rows; all 1 when absent.

    Raises:
        DataError: the labels are not as many as the texts, or all the same.
    """
    names = tuple(sorted(set(labels)))
    corpus = texts if isinstance(texts, Corpus) else Corpus(texts)
    if len(labels) != len(corpus):
        raise DataError(f"labels must be as many as the texts ({len(corpus)}) but got {len(labels)}.")
    spec = resolve(spec, language=guess_language(corpus.texts), n_rows=len(corpus), n_labels=len(names))
    return fit_rows(corpus, labels, names=names, rows=np.arange(len(corpus)), spec=spec, seed=seed, weights=weights)


def fit_rows(
    corpus: Corpus,
    labels: Sequence[str],
    *,
    names: tuple[str, ...],
    rows: Ints,
    spec: LinearSpec | BlendSpec,
    seed: int,
    weights: Sequence[float] | None = None,
    extra: tuple[Sequence[str], Sequence[str]] | None = None,
) -> LinearModel:
    """The model of some rows of a corpus by a resolved spec; nothing of the other rows is in it.

    ``names`` are the model's labels, sorted; one without a row among ``rows`` is never the answer. ``extra`` are further
    training texts and their labels, of weight 1; n-grams that only they have are left out, as the random ones of
    augmented texts teach nothing and would be most of the vocabulary.
    """
    if len(names) < 2:
        raise DataError(
            f"The labels must be of at least 2 classes but got {len(names)}.",
            next_step="Check that the label column is the right one.",
        )
    number = {name: i for i, name in enumerate(names)}
    target = np.array([number[labels[row]] for row in rows], dtype=np.int64)
    weight = np.ones(len(rows)) if weights is None else np.asarray(weights, dtype=np.float64)[rows]
    more, more_labels = extra or ((), ())
    target = np.concatenate([target, np.array([number[label] for label in more_labels], dtype=np.int64)])
    weight = np.concatenate([weight, np.ones(len(more))])
    fit = _Fit(corpus, more, rows=rows, target=target, weight=weight, labels=len(names), seed=seed)
    specs = spec.members if isinstance(spec, BlendSpec) else (spec,)
    return LinearModel(labels=names, members=tuple(fit.member(one) for one in specs))


def fit_majority(labels: Sequence[str], *, names: tuple[str, ...] | None = None) -> LinearModel:
    """The model without features: every text gets the shares of the labels."""
    names = names or tuple(sorted(set(labels)))
    number = {name: i for i, name in enumerate(names)}
    counts = np.bincount([number[label] for label in labels], minlength=len(names))
    bias = np.log(np.maximum(counts, 1e-9) / max(len(labels), 1)).astype(np.float32)
    return LinearModel(labels=names, members=(Member(blocks=(), bias=bias, link="softmax"),))


@dataclass(frozen=True, eq=False)
class _Table:
    """The n-grams that some rows have often enough, and their counts there."""

    vocabulary: Vocabulary
    feature: npt.NDArray[np.bool_]
    """(nodes,) false for those that are only on the way to others."""
    counts: Counts


class _Fit:
    """What the members fitted on the same rows share."""

    def __init__(
        self,
        corpus: Corpus,
        extra: Sequence[str],
        *,
        rows: Ints,
        target: Ints,
        weight: Doubles,
        labels: int,
        seed: int,
    ) -> None:
        self.extra = [normalise(text) for text in extra]
        self.corpus, self.rows, self.target, self.weight = corpus, rows, target, weight
        self.labels, self.seed = labels, seed
        self._tables: dict[tuple[Unit, int, int, int], _Table] = {}

    def member(self, spec: LinearSpec) -> Member:
        """Fit one linear model."""
        assert spec.features, "the features of the spec must be resolved first"
        sides = [_Side(self._table(features), features) for features in spec.features]
        classes = range(1, 2) if self.labels == 2 else range(self.labels)
        link: Link = "sigmoid" if self.labels == 2 else "one_vs_rest"
        plain = None if any(side.naive for side in sides) else _beside([side.matrix for side in sides])
        found = [self._classifier(spec, sides, plain, positive=self.target == label) for label in classes]
        weights = np.stack([weight for weight, _, _ in found], axis=1).astype(np.float32)
        edges = np.cumsum([len(side.table.vocabulary) for side in sides])[:-1]
        return Member(
            blocks=tuple(side.block(part) for side, part in zip(sides, np.split(weights, edges), strict=True)),
            bias=np.array([bias for _, bias, _ in found], dtype=np.float32),
            link=link,
            converged=all(converged for _, _, converged in found),
        )

    def _classifier(
        self, spec: LinearSpec, sides: list[_Side], plain: csr_matrix | None, *, positive: npt.NDArray[np.bool_]
    ) -> tuple[Doubles, float, bool]:
        """(weights of all nodes, bias, whether it converged) of one label against the others."""
        total, share = self.weight.sum(), self.weight[positive].sum()
        size = sum(len(side.table.vocabulary) for side in sides)
        if not size or not 0 < positive.sum() < len(positive):
            return np.zeros(size), float(np.log((share + 0.5) / (total - share + 0.5))), True
        ratios = [side.ratio(positive, self.weight) for side in sides]
        scaled = (
            plain
            if plain is not None
            else _beside([_scale(side.matrix, r) for side, r in zip(sides, ratios, strict=True)])
        )
        solver = _solver(C=spec.C, seed=self.seed, tolerance=_TOLERANCE[min(self.labels - 1, 2)])
        with warnings.catch_warnings():
            # Not swallowed: the member says that it did not converge, and the run prints it.
            warnings.filterwarnings("ignore", message="Liblinear failed to converge")
            solver.fit(scaled, positive.astype(np.int64), sample_weight=self.weight)
        weights = solver.coef_[0] * np.concatenate(ratios)
        return weights, float(solver.intercept_[0]), bool(solver.n_iter_.max() < _ITERATIONS)

    def _table(self, features: LinearFeatures) -> _Table:
        key = (features.unit, features.low, features.high, features.min_df)
        if key not in self._tables:
            vocabulary, counts = self.corpus.grams(unit=features.unit, high=features.high)
            counts = counts.take(self.rows)
            wanted = np.bincount(counts.node, minlength=len(vocabulary)) >= features.min_df
            wanted &= vocabulary.levels >= features.low
            smaller, position = vocabulary.keep(wanted)
            counts = counts.renumber(position)
            if self.extra:
                counts = counts.followed_by(smaller.count(self.extra))
            self._tables[key] = _Table(smaller, wanted[position >= 0], counts)
        return self._tables[key]


class _Side:
    """One block of features: the rows as vectors of length one."""

    def __init__(self, table: _Table, features: LinearFeatures) -> None:
        self.table = table
        self.naive = features.weighting == "nb"
        self.occurrence: Occurrence = "once" if self.naive else "log" if features.sublinear else "count"
        counts, nodes, rows = table.counts, len(table.vocabulary), len(table.counts.start) - 1
        self._seen = np.bincount(counts.node, minlength=nodes)
        idf = np.ones(nodes) if self.naive else np.log((1 + rows) / (1 + self._seen)) + 1
        values, index = np.unique(np.where(table.feature, idf, 0.0).astype(np.float32), return_inverse=True)
        self._values, self._index = values, smallest(index)
        self.matrix = self._rows(values[index].astype(np.float64), nodes=nodes, rows=rows)

    def _rows(self, idf: Doubles, *, nodes: int, rows: int) -> csr_matrix:
        from scipy.sparse import csr_matrix

        counts = self.table.counts
        value = idf[counts.node]
        if self.occurrence != "once":
            value = value * (1 + np.log(counts.count) if self.occurrence == "log" else counts.count)
        row = np.repeat(np.arange(rows), np.diff(counts.start))
        length = np.sqrt(np.bincount(row, weights=value * value, minlength=rows))
        length[length == 0] = 1.0
        start = counts.start.astype(np.int32)
        return csr_matrix((value / length[row], counts.node, start), shape=(rows, nodes))

    def ratio(self, positive: npt.NDArray[np.bool_], weight: Doubles) -> Doubles:
        """(nodes,) the log-count ratio of each n-gram, smoothed by one; ones where the block is not naive-Bayes."""
        nodes = len(self.table.vocabulary)
        if not self.naive:
            return np.ones(nodes)
        counts = self.table.counts
        lengths = np.diff(counts.start)
        ours, all_ = (
            np.bincount(counts.node, weights=np.repeat(part, lengths), minlength=nodes)
            for part in (weight * positive, weight)
        )
        with_, without = 1 + ours, 1 + np.maximum(all_ - ours, 0.0)
        return np.asarray(np.log(with_ / with_.sum()) - np.log(without / without.sum()))

    def block(self, weights: npt.NDArray[np.float32]) -> Block:
        """The block of a fitted member."""
        return Block(
            vocabulary=self.table.vocabulary,
            occurrence=self.occurrence,
            idf_values=self._values,
            idf_index=self._index,
            weights=np.ascontiguousarray(weights),
            scale=np.ones(weights.shape[1], np.float32),
        )


def _beside(matrices: list[csr_matrix]) -> csr_matrix:
    from scipy.sparse import hstack

    return matrices[0] if len(matrices) == 1 else hstack(matrices, format="csr")


def _scale(matrix: csr_matrix, ratio: Doubles) -> csr_matrix:
    from scipy.sparse import csr_matrix

    return csr_matrix((matrix.data * ratio[matrix.indices], matrix.indices, matrix.indptr), shape=matrix.shape)


def _solver(*, C: float, seed: int, tolerance: float) -> Any:
    """Liblinear's dual coordinate descent: on 12,000 rows it took a quarter of the time of lbfgs, and came nearer."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(
        solver="liblinear", dual=True, C=C, tol=tolerance, max_iter=_ITERATIONS, random_state=seed % 2**32
    )
