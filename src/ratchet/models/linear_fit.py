"""Logistic and ridge regression on n-gram counts: fits the members of a linear model."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ratchet.errors import DataError
from ratchet.models.features import FeatureEncoder, fair_scale, require_features, require_finite
from ratchet.models.inputs import Inputs
from ratchet.models.linear import Block, LinearModel, Link, Member, Occurrence
from ratchet.models.linear_defaults import resolve
from ratchet.models.linear_files import smallest
from ratchet.models.model import Answers
from ratchet.models.ngrams import Counts, Ints, Unit, Vocabulary, learn, normalise
from ratchet.models.ridge import fit_ridge
from ratchet.models.targets import Kind, Targets
from ratchet.recipe.sections import BlendSpec, FeatureKind, LinearFeatures, LinearSpec
from ratchet.text.language import guess_language

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Doubles = npt.NDArray[np.float64]

_ITERATIONS = 1000
# One-vs-rest fits one classifier a label, and each may be looser. On 77 intents a tolerance of .1 takes 13 s instead of 29,
# moves a probability by at most .007 and the answer of 1 row in 2,000.
_TOLERANCE = {1: 1e-3, 2: 0.1}
_LINKS: dict[Kind, Link] = {"labels": "independent", "value": "identity"}
_ENCODED_ROWS = 4096


class Corpus:
    """Rows whose n-grams are counted once, for any number of fits on any of them.

    Args:
        texts: n texts, with the features beside them where there are any.
        kinds: the columns of features that every fit is to use.

    Raises:
        DataError: a column is missing, or one of its numbers is infinite.
    """

    def __init__(self, texts: Sequence[str], *, kinds: Mapping[str, FeatureKind] | None = None) -> None:
        self.inputs, self.kinds = Inputs.of(texts), dict(kinds or {})
        self.texts = self.inputs.texts
        require_features(self.inputs, tuple(self.kinds))
        for name, kind in self.kinds.items():
            if kind == "number":
                require_finite(name, self.inputs.features[name])
        self._normal = [normalise(text) for text in self.texts]
        self._counted: dict[Unit, tuple[int, Vocabulary, Counts]] = {}

    def __len__(self) -> int:
        return len(self.texts)

    def using(self, columns: Collection[str]) -> Corpus:
        """The same rows, whose n-grams are counted once for both, for fits that use only these of the features."""
        narrow = copy.copy(self)
        narrow.kinds = {name: kind for name, kind in self.kinds.items() if name in columns}
        return narrow

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
    labels: Sequence[str] | Targets,
    *,
    spec: LinearSpec | BlendSpec,
    seed: int,
    weights: Sequence[float] | None = None,
) -> LinearModel:
    """Fit a linear model, or every member of a blend.

    TF-IDF as in scikit-learn: ``idf = ln((1 + n) / (1 + df)) + 1``, rows of length one. ``nb`` weighting: binary rows of
    length one times the log-count ratio of each n-gram (Wang and Manning 2012, "Baselines and bigrams"), one-vs-rest
    where there are more than two labels. Several labels a row are a logistic regression each; a value is a ridge
    regression.

    Args:
        texts: n texts, or a corpus of them.
        labels: n labels, at least two distinct, or what else is to be answered.
        spec: the features and the penalty; what it leaves open is chosen by the language of the texts.
        seed: order in which the solver visits the rows.
        weights: n weights of the rows; all 1 when absent.

    Raises:
        DataError: the targets are not as many as the texts, or the labels are all the same.
    """
    corpus = texts if isinstance(texts, Corpus) else Corpus(texts)
    targets = labels if isinstance(labels, Targets) else Targets.of_labels(labels)
    if len(labels) != len(corpus):
        raise DataError(f"labels must be as many as the texts ({len(corpus)}) but got {len(labels)}.")
    language = guess_language(corpus.texts)
    spec = resolve(spec, language=language, n_rows=len(corpus), n_labels=len(targets.names), kind=targets.kind)
    return fit_rows(corpus, targets, rows=np.arange(len(corpus)), spec=spec, seed=seed, weights=weights)


def fit_rows(
    corpus: Corpus,
    labels: Sequence[str] | Targets,
    *,
    names: tuple[str, ...] | None = None,
    rows: Ints,
    spec: LinearSpec | BlendSpec,
    seed: int,
    weights: Sequence[float] | None = None,
    extra: tuple[Sequence[str], Sequence[str] | Targets] | None = None,
) -> LinearModel:
    """The model of some rows of a corpus by a resolved spec; nothing of the other rows is in it.

    Args:
        corpus: n rows, with the features that the model is to use.
        labels: n labels, or what else is to be answered.
        names: the columns of the answer, sorted; absent: those of the targets, or all labels. One without a row among
            ``rows`` is never the answer.
        rows: those to be trained on; one may come several times.
        spec: resolved settings.
        seed: order in which the solver visits the rows.
        weights: n weights of the rows.
        extra: further training texts and their targets, of weight 1, with the features of the corpus. N-grams and
            categories that only they have are left out, as the random ones of augmented texts teach nothing and would be
            most of the vocabulary.

    Raises:
        DataError: there are fewer than two classes, or no label, or an extra text has not the features.
    """
    targets = _taken(labels, rows, names=names)
    if len(targets.names) < (2 if targets.kind == "classes" else 1):
        wanted = "2 classes" if targets.kind == "classes" else "1 label"
        raise DataError(
            f"The labels must be of at least {wanted} but got {len(targets.names)}.",
            next_step="Check that the label column is the right one.",
        )
    weight = np.ones(len(rows)) if weights is None else np.asarray(weights, dtype=np.float64)[rows]
    more, more_labels = extra or ((), ())
    if len(more):
        further = (
            more_labels if isinstance(more_labels, Targets) else Targets.of_labels(more_labels, names=targets.names)
        )
        targets, weight = targets.followed_by(further), np.concatenate([weight, np.ones(len(more))])
    fit = _Fit(corpus, more, rows=rows, targets=targets, weight=weight, seed=seed)
    specs = spec.members if isinstance(spec, BlendSpec) else (spec,)
    return LinearModel(labels=targets.names, members=tuple(map(fit.member, specs)), encoder=fit.encoder)


def _taken(labels: Sequence[str] | Targets, rows: Ints, *, names: tuple[str, ...] | None) -> Targets:
    if isinstance(labels, Targets):
        return labels.take(rows)
    return Targets.of_labels([labels[row] for row in rows.tolist()], names=names or tuple(sorted(set(labels))))


def fit_majority(labels: Sequence[str] | Targets, *, names: tuple[str, ...] | None = None) -> LinearModel:
    """The model without features: every text gets the shares of the labels, or the mean of the values."""
    targets = labels if isinstance(labels, Targets) else Targets.of_labels(labels, names=names)
    bias: Answers
    if targets.kind == "value":
        return _constant(targets, np.array([targets.values.mean() if len(targets) else 0.0]), link="identity")
    if targets.kind == "labels":
        share = np.clip(targets.values.mean(axis=0), 1e-9, 1 - 1e-9)
        return _constant(targets, np.log(share / (1 - share)).astype(np.float32), link="independent")
    counts = np.bincount(targets.values, minlength=len(targets.names))
    bias = np.log(np.maximum(counts, 1e-9) / max(len(targets), 1)).astype(np.float32)
    return _constant(targets, bias, link="softmax")


def _constant(targets: Targets, bias: Answers, *, link: Link) -> LinearModel:
    return LinearModel(labels=targets.names, members=(Member(blocks=(), bias=bias, link=link),))


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
        targets: Targets,
        weight: Doubles,
        seed: int,
    ) -> None:
        self.extra = [normalise(text) for text in extra]
        self.corpus, self.rows, self.targets, self.weight, self.seed = corpus, rows, targets, weight, seed
        self._tables: dict[tuple[Unit, int, int, int], _Table] = {}
        self.encoder: FeatureEncoder | None = None
        self._beside: list[csr_matrix] = []
        if corpus.kinds:
            own = corpus.inputs.take(rows)
            self.encoder = FeatureEncoder.learn(own, corpus.kinds)
            self._scale = fair_scale(self.encoder)
            self._beside = [_encoded(self.encoder, [own, Inputs.of(extra)] if len(extra) else [own], self._scale)]

    def member(self, spec: LinearSpec) -> Member:
        """Fit one linear model."""
        assert spec.features, "the features of the spec must be resolved first"
        sides = [_Side(self._table(features), features) for features in spec.features]
        weights, bias, converged = self._value(spec, sides) if self.targets.kind == "value" else self._any(spec, sides)
        edges = np.cumsum([len(side.table.vocabulary) for side in sides])
        *parts, beside = np.split(weights, edges)
        return Member(
            blocks=tuple(side.block(part) for side, part in zip(sides, parts, strict=True)),
            bias=bias,
            link=_LINKS.get(self.targets.kind, "sigmoid" if len(self.targets.names) == 2 else "one_vs_rest"),
            features=np.ascontiguousarray(beside) * np.float32(self._scale) if self.encoder else None,
            converged=converged,
        )

    def _any(self, spec: LinearSpec, sides: list[_Side]) -> tuple[npt.NDArray[np.float32], Answers, bool]:
        """(nodes and features, k) weights, (k,) biases, and whether all converged: a classifier for each label."""
        labels = len(self.targets.names)
        columns = range(1, 2) if self.targets.kind == "classes" and labels == 2 else range(labels)
        plain = None if any(side.naive for side in sides) else _beside([side.matrix for side in sides] + self._beside)
        weights, biases, converged = np.zeros((self._size(sides), len(columns)), np.float32), [], True
        for place, label in enumerate(columns):
            positive = self.targets.values[:, label] if self.targets.kind == "labels" else self.targets.values == label
            weight, bias, ended = self._classifier(spec, sides, plain, positive=positive)
            weights[:, place] = weight
            biases.append(bias)
            converged &= ended
        return weights, np.array(biases, dtype=np.float32), converged

    def _value(self, spec: LinearSpec, sides: list[_Side]) -> tuple[npt.NDArray[np.float32], Answers, bool]:
        """The same of a single column, in the unit of the values."""
        if any(side.naive for side in sides):
            raise DataError(
                "weighting must be tfidf where the answer is a value but got nb.",
                next_step="Naive-Bayes weights are of classes: leave the weighting out.",
            )
        matrix = _beside([side.matrix for side in sides] + self._beside)
        fitted = fit_ridge(matrix, self.targets.values, C=spec.C, weights=self.weight)
        return fitted.weights[:, None].astype(np.float32), np.array([fitted.bias]), fitted.converged

    def _size(self, sides: list[_Side]) -> int:
        return sum(len(side.table.vocabulary) for side in sides) + (self.encoder.width if self.encoder else 0)

    def _classifier(
        self, spec: LinearSpec, sides: list[_Side], plain: csr_matrix | None, *, positive: npt.NDArray[np.bool_]
    ) -> tuple[Doubles, float, bool]:
        """(weights of all nodes and features, bias, whether it converged) of one label against the others."""
        total, share = self.weight.sum(), self.weight[positive].sum()
        size = self._size(sides)
        if not size or not 0 < positive.sum() < len(positive):
            return np.zeros(size), float(np.log((share + 0.5) / (total - share + 0.5))), True
        ratios = [side.ratio(positive, self.weight) for side in sides]
        scaled = plain
        if scaled is None:
            own = [_scale(side.matrix, ratio) for side, ratio in zip(sides, ratios, strict=True)]
            scaled = _beside(own + self._beside)
        solver = _solver(C=spec.C, seed=self.seed, tolerance=_TOLERANCE[min(max(len(self.targets.names) - 1, 1), 2)])
        with warnings.catch_warnings():
            # Not swallowed: the member says that it did not converge, and the run prints it.
            warnings.filterwarnings("ignore", message="Liblinear failed to converge")
            solver.fit(scaled, positive.astype(np.int64), sample_weight=self.weight)
        weights = solver.coef_[0]
        nodes = size - (self.encoder.width if self.encoder else 0)
        weights[:nodes] *= np.concatenate(ratios)
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


def _encoded(encoder: FeatureEncoder, parts: Sequence[Inputs], scale: float) -> csr_matrix:
    """The features of all parts' rows, one below the other."""
    from scipy.sparse import csr_matrix, vstack

    blocks = [part[first : first + _ENCODED_ROWS] for part in parts for first in range(0, len(part), _ENCODED_ROWS)]
    return vstack([csr_matrix(encoder.encode(block) * scale) for block in blocks], format="csr")


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
