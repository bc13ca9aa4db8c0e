"""Smaller linear models: int8 weights, fewer n-grams."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ratchet.models.linear import Block, Floats, LinearModel, Weights
from ratchet.models.linear_files import smallest
from ratchet.models.ngrams import Mask, Vocabulary

PRUNED = 0.5
"""Share of the n-grams, those with the smallest weights, that the pruned form leaves out."""
_STEPS = 127  # of an int8 weight, on either side of 0
_FACTORS = 16  # distinct idf values, so that four bits tell them apart


def quantise_linear(model: LinearModel, *, prune: float = 0.0) -> LinearModel:
    """The model with one byte a weight and half a byte an idf factor, and without its least important n-grams.

    A weight is ``round(w / scale)`` with one scale for each block and label, the largest weight being 127; it makes up for
    the rounding of its idf factor, so that this only touches a text's length. The int8 model predicts from these very
    bytes. An n-gram's importance is its largest ``|idf * weight|`` over members and labels, as a
    share of the member's largest. The weights of features beside the text stay as they are: they are few.

    Args:
        model: a fitted model; its weights may be int8 already.
        prune: share of the n-grams of each vocabulary to leave out, from 0 up to, but not, 1.
    """
    return _with_fewer(model, prune, _small)


def prune_linear(model: LinearModel, *, share: float = PRUNED) -> LinearModel:
    """The model without its least important n-grams; the weights of the others stay as they are.

    Args:
        model: a fitted model; its weights may be int8 already.
        share: of the n-grams of each vocabulary to leave out, from 0 up to, but not, 1.
    """
    return _with_fewer(model, share, _fewer)


def _with_fewer(model: LinearModel, share: float, smaller: Callable[[Block, _Shrunk], Block]) -> LinearModel:
    """The model with every block made smaller, without this share of the n-grams."""
    assert 0 <= share < 1
    shrunk = {id(one): _Shrunk(one, _kept(model, one, prune=share)) for one in model.vocabularies}
    members = tuple(
        replace(member, blocks=tuple(smaller(block, shrunk[id(block.vocabulary)]) for block in member.blocks))
        for member in model.members
    )
    return LinearModel(labels=model.labels, members=members, encoder=model.encoder)


class _Shrunk:
    """A vocabulary without some of its n-grams, once for all blocks that use it."""

    def __init__(self, vocabulary: Vocabulary, kept: Mask) -> None:
        self.vocabulary, position = vocabulary.keep(kept)
        self._old = np.flatnonzero(position >= 0)
        self._way = ~kept[self._old]

    def rows(self, array: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The rows of the n-grams that are left, zero for those that are only on the way to others."""
        rows = array[self._old]
        rows[self._way] = 0.0
        return rows


def _kept(model: LinearModel, vocabulary: Vocabulary, *, prune: float) -> Mask:
    importance, used = np.zeros(len(vocabulary)), np.zeros(len(vocabulary), dtype=bool)
    for member in model.members:
        for block in member.blocks:
            if block.vocabulary is vocabulary:
                importance = np.maximum(importance, _importance(block))
                used |= _factors(block) > 0
    grams = np.flatnonzero(used)
    # Ties are broken by the order of the n-grams, so that the share is exact.
    kept = np.zeros(len(vocabulary), dtype=bool)
    kept[grams[np.argsort(-importance[grams], kind="stable")[: len(grams) - int(prune * len(grams))]]] = True
    return kept


def _importance(block: Block) -> npt.NDArray[np.float64]:
    effect = np.abs(_weights(block) * _factors(block)[:, None]).max(axis=1)
    return np.asarray(effect / max(float(effect.max(initial=0.0)), 1e-30), dtype=np.float64)


def _fewer(block: Block, shrunk: _Shrunk) -> Block:
    values, index = np.unique(shrunk.rows(_factors(block)[:, None])[:, 0], return_inverse=True)
    weights = shrunk.rows(_weights(block))
    return Block(
        vocabulary=shrunk.vocabulary,
        occurrence=block.occurrence,
        idf_values=values,
        idf_index=smallest(index),
        weights=weights,
        scale=np.ones(weights.shape[1], np.float32),
    )


def _small(block: Block, shrunk: _Shrunk) -> Block:
    exact = shrunk.rows(_factors(block)[:, None])
    factors = _in_steps(exact)
    fit = np.divide(exact, factors, out=np.ones_like(exact), where=factors > 0)
    weights, scale = _int8(shrunk.rows(_weights(block)) * fit)
    values, index = np.unique(factors[:, 0], return_inverse=True)
    return Block(
        vocabulary=shrunk.vocabulary,
        occurrence=block.occurrence,
        idf_values=values,
        idf_index=smallest(index),
        weights=weights,
        scale=scale,
    )


def _weights(block: Block) -> Floats:
    return np.asarray(block.weights * block.scale, dtype=np.float32)


def _factors(block: Block) -> Floats:
    return block.idf_values[block.idf_index]


def _int8(weights: Floats) -> tuple[Weights, Floats]:
    scale = np.abs(weights).max(axis=0, initial=0.0) / np.float32(_STEPS)
    scale[scale == 0] = 1.0
    return np.rint(weights / scale).astype(np.int8), scale.astype(np.float32)


def _in_steps(factors: Floats) -> Floats:
    """The same factors if they are few, else each moved to the middle of its step; 0 stays 0."""
    some = factors[factors > 0]
    if len(np.unique(some)) < _FACTORS:
        return factors
    low, width = some.min(), (some.max() - some.min()) / (_FACTORS - 2)
    moved = low + np.rint((factors - low) / width) * width
    return np.where(factors > 0, moved, 0.0).astype(np.float32)
