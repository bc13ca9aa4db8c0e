"""The numbers of a training that a recipe may leave open, chosen from the source and the rows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ratchet.models.checkpoints import Source
from ratchet.recipe.sections import EncoderSpec
from ratchet.recipe.training import TrainingKeys
from ratchet.train.batches import plan_epoch

SMALL = 512
"""Pretrained models up to this width bear the higher rate: MiniLM is 384 wide, BERT base 768."""
SCRATCH_RATE, SMALL_RATE, LARGE_RATE = 1e-3, 5e-4, 5e-5


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a training uses."""

    epochs: int
    lr: float
    batch_tokens: int


@dataclass(frozen=True, kw_only=True)
class Usual:
    """What a kind of model is trained with where the recipe says nothing."""

    rows: int
    """Rows of usual length in a batch."""
    tokens: tuple[int, int]
    """Bounds of a batch, in tokens."""
    steps: int
    """A training has at least so many, unless that takes more passes than `epochs` has."""
    epochs: tuple[int, int]
    """Bounds of the passes over the rows."""


USUAL = Usual(rows=32, tokens=(512, 8192), steps=500, epochs=(2, 20))
"""Of an encoder."""


def settle(spec: EncoderSpec, *, source: Source, lengths: npt.NDArray[np.int64], seed: int) -> Settings:
    """What the spec says, and where it says nothing, what was best on the two recipes' data in their minutes.

    The rate of a large pretrained model, which was not measured, is that of Devlin et al. (2019), "BERT".

    Args:
        spec: the recipe's section.
        source: of the weights.
        lengths: (n,) tokens of each row.
        seed: of the run; the batches of the first epoch are counted.
    """
    return settled(spec, USUAL, rate=_rate(source), lengths=lengths, seed=seed)


def settled(spec: TrainingKeys, usual: Usual, *, rate: float, lengths: npt.NDArray[np.int64], seed: int) -> Settings:
    """What the spec says, and where it says nothing what is usual: so many epochs that there are enough steps.

    Args:
        spec: the recipe's section.
        usual: of the kind of model.
        rate: usual for what is trained.
        lengths: (n,) tokens of each row.
        seed: of the run; the batches of the first epoch are counted.
    """
    low, high = usual.tokens
    budget = spec.batch_tokens or int(min(max(usual.rows * float(lengths.mean()), low), high))
    steps = math.ceil(len(plan_epoch(lengths, seed=seed, epoch=0, budget=budget).batches) / spec.accumulate)
    few, many = usual.epochs
    epochs = spec.epochs or min(max(math.ceil(usual.steps / steps), few), many)
    return Settings(epochs=epochs, lr=spec.lr or rate, batch_tokens=budget)


def _rate(source: Source) -> float:
    if source.folder is None:
        return SCRATCH_RATE
    width = int(source.config.get("hidden_size", source.config.get("dim", 0)))
    return SMALL_RATE if width <= SMALL else LARGE_RATE
