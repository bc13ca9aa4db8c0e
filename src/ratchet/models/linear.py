"""A linear model over n-gram counts: what it holds, and how it predicts with numpy alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from ratchet.models.batching import sigmoid
from ratchet.models.features import FeatureEncoder, add_features, require_features
from ratchet.models.inputs import Inputs
from ratchet.models.model import Answers
from ratchet.models.ngrams import Counts, Vocabulary, normalise
from ratchet.models.targets import Kind

if TYPE_CHECKING:
    from ratchet.recipe.sections import FeatureKind

Floats = npt.NDArray[np.float32]
Scores = npt.NDArray[np.float64]
"""Probabilities in float32, or values in float64: in float32 a value of a billion would be off by up to 32."""
Weights = npt.NDArray[np.float32] | npt.NDArray[np.int8]
Index = npt.NDArray[np.unsignedinteger]

Occurrence = Literal["count", "log", "once"]
"""How often an n-gram occurs counts fully, as 1 + ln(count), or not at all."""
Link = Literal["sigmoid", "softmax", "one_vs_rest", "independent", "identity"]
"""From scores to an answer: one of two labels, one of several, any of several, or a value."""


def answers(shape: tuple[int, int], *, kind: Kind) -> Answers:
    """Zeros of the type that answers of this kind have."""
    return np.zeros(shape, np.float64) if kind == "value" else np.zeros(shape, np.float32)


# Texts of one pass; bounds the memory, not the result: every text is scored by itself.
_BLOCK_CHARACTERS = 500_000
_BLOCK_TEXTS = 4096


@dataclass(frozen=True, kw_only=True, eq=False)
class Block:
    """The n-grams of one vocabulary, how a text's counts become a vector of length one, and the weights it is met with."""

    vocabulary: Vocabulary
    occurrence: Occurrence
    idf_values: Floats
    """The distinct factors of the n-grams; 0 for a node that is only on the way to others."""
    idf_index: Index
    """(nodes,) which of them a node has."""
    weights: Weights
    """(nodes, k)"""
    scale: Floats
    """(k,) unit of the weights: 1, or that of int8 weights."""

    def scores(self, counts: Counts) -> Scores:
        """(n, k) products of the texts' vectors with the weights."""
        rows = len(counts.start) - 1
        value = self._values(counts)
        row = np.repeat(np.arange(rows), np.diff(counts.start))
        length = np.sqrt(np.bincount(row, weights=value * value, minlength=rows))
        length[length == 0] = 1.0
        product = np.empty((rows, self.weights.shape[1]))
        # Sums run in float64 and in the order of the nodes, so a score depends neither on the other texts nor on BLAS.
        if self.weights.shape[1] == 1:
            product[:, 0] = np.bincount(row, weights=value * self.weights[counts.node, 0], minlength=rows)
        else:
            for i, (first, last) in enumerate(zip(counts.start[:-1], counts.start[1:], strict=True)):
                weights = self.weights[counts.node[first:last]].astype(np.float64)
                product[i] = np.einsum("i,ij->j", value[first:last], weights)
        return product / length[:, None] * self.scale

    def _values(self, counts: Counts) -> Scores:
        idf = self.idf_values.astype(np.float64)[self.idf_index[counts.node]]
        if self.occurrence == "once":
            return idf
        count = counts.count.astype(np.float64)
        return idf * (1 + np.log(count) if self.occurrence == "log" else count)


@dataclass(frozen=True, kw_only=True, eq=False)
class Member:
    """One linear model: blocks of n-grams side by side, and a bias; without blocks it always answers the same."""

    blocks: tuple[Block, ...]
    bias: Answers
    """(k,); k is 1 for a sigmoid, else the columns of the answer; float64 where they are values."""
    link: Link
    features: Floats | None = None
    """(width, k) weights of the encoded features beside the text."""
    converged: bool = True
    """Whether the fit reached its tolerance before its last iteration."""

    def answers(self, counts: dict[int, Counts], encoded: Scores) -> Scores:
        """(n, k) probabilities or values.

        Args:
            counts: those of each vocabulary, under its ``id``.
            encoded: (n, width) features beside the text.
        """
        score = np.repeat(self.bias.astype(np.float64)[None, :], len(encoded), axis=0)
        for block in self.blocks:
            score += block.scores(counts[id(block.vocabulary)])
        if self.features is not None:
            add_features(score, encoded, self.features)
        return self._linked(score)

    def _linked(self, score: Scores) -> Scores:
        if self.link == "identity":
            return score
        if self.link == "softmax":
            odds = np.exp(score - score.max(axis=1, keepdims=True))
            return np.asarray(odds / odds.sum(axis=1, keepdims=True))
        positive = sigmoid(score)
        if self.link == "independent":
            return positive
        if self.link == "sigmoid":
            return np.concatenate([sigmoid(-score), positive], axis=1)
        # The floor keeps a row whose every classifier says "not mine" from dividing by zero.
        positive = np.maximum(positive, 1e-12)
        return np.asarray(positive / positive.sum(axis=1, keepdims=True))


@dataclass(frozen=True, kw_only=True, eq=False)
class LinearModel:
    """The average of the answers of its members; needs numpy alone to predict from text."""

    labels: tuple[str, ...]
    """Names of the columns of its answer: labels, or the name of a value."""
    members: tuple[Member, ...]
    encoder: FeatureEncoder | None = None
    """Of the features beside the text."""

    @property
    def beside(self) -> dict[str, FeatureKind]:
        """The features beside the text that it reads."""
        return {} if self.encoder is None else self.encoder.kinds

    @property
    def kind(self) -> Kind:
        """What it answers: one label, any labels, each by itself, or a value."""
        kinds: dict[Link, Kind] = {"independent": "labels", "identity": "value"}
        return kinds.get(self.members[0].link, "classes")

    def predict(self, texts: Sequence[str]) -> Answers:
        """Answers for the texts: shape (n, labels), columns in the order of ``labels``.

        Probabilities in float32, which sum to 1 where a row has one label; values in float64, shape (n, 1). A text's row does
        not depend on the texts beside it, and is the same to the last bit after ``save`` and ``load``. A model with
        features wants :class:`~ratchet.models.inputs.Inputs`.

        Raises:
            DataError: the texts come without the features that the model was trained with.

        >>> from ratchet.models.linear_fit import fit_majority
        >>> fit_majority(["a", "b", "a", "a"]).predict(["any text"]).tolist()
        [[0.75, 0.25]]
        """
        if self.encoder is not None:
            require_features(Inputs.of(texts), self.encoder.names)
        parts = [self._predict(block) for block in _in_blocks(texts)]
        found = answers((len(texts), len(self.labels)), kind=self.kind)
        np.concatenate([found[:0], *parts], out=found)
        return found

    def _predict(self, texts: Sequence[str]) -> Answers:
        normal = [normalise(text) for text in texts]
        counts = {id(vocabulary): vocabulary.count(normal) for vocabulary in self.vocabularies}
        encoded = np.zeros((len(texts), 0)) if self.encoder is None else self.encoder.encode(texts)
        mean = np.asarray(sum(member.answers(counts, encoded) for member in self.members) / len(self.members))
        return mean if self.kind == "value" else mean.astype(np.float32)

    @cached_property
    def vocabularies(self) -> tuple[Vocabulary, ...]:
        """The distinct vocabularies, each counted once a text."""
        found = {id(block.vocabulary): block.vocabulary for member in self.members for block in member.blocks}
        return tuple(found.values())

    @property
    def features(self) -> int:
        """N-grams over all vocabularies."""
        return sum(len(vocabulary) for vocabulary in self.vocabularies)

    @property
    def converged(self) -> bool:
        """Whether every member's fit did."""
        return all(member.converged for member in self.members)

    def save(self, folder: str | Path) -> int:
        """Write the model into a folder as three files, and return their bytes."""
        from ratchet.models.linear_files import write

        return write(self, Path(folder))

    @staticmethod
    def load(folder: str | Path) -> LinearModel:
        """Read what ``save`` wrote.

        Raises:
            BundleError: a file is missing, was changed, or is of another format.
        """
        from ratchet.models.linear_files import read

        return read(Path(folder))


def _in_blocks(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    first = characters = 0
    for i, text in enumerate(texts):
        if i > first and (characters + len(text) > _BLOCK_CHARACTERS or i - first == _BLOCK_TEXTS):
            yield texts[first:i]
            first, characters = i, 0
        characters += len(text)
    if first < len(texts):
        yield texts[first:]
