"""The numbers of a training that a recipe may leave open, chosen from the source and the rows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ratchet.models.checkpoints import Source
from ratchet.recipe.sections import EncoderSpec
from ratchet.train.batches import plan_epoch

ROWS = 32
"""Rows of usual length in a batch."""
TOKENS = (512, 8192)
"""Bounds of a batch, in tokens."""
STEPS = 500
"""A training has at least this many steps, unless that takes more than ``EPOCHS``."""
EPOCHS = (2, 20)
"""Bounds of the passes over the rows."""
SMALL = 512
"""Pretrained models up to this width bear the higher rate: MiniLM is 384 wide, BERT base 768."""
SCRATCH_RATE, SMALL_RATE, LARGE_RATE = 1e-3, 5e-4, 5e-5


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a training uses."""

    epochs: int
    lr: float
    batch_tokens: int


def settle(spec: EncoderSpec, *, source: Source, lengths: npt.NDArray[np.int64], seed: int) -> Settings:
    """What the spec says, and where it says nothing, what was best on the two recipes' data in their minutes.

    The rate of a large pretrained model, which was not measured, is that of Devlin et al. (2019), "BERT".

    Args:
        spec: the recipe's section.
        source: of the weights.
        lengths: (n,) tokens of each row.
        seed: of the run; the batches of the first epoch are counted.
    """
    low, high = TOKENS
    budget = spec.batch_tokens or int(min(max(ROWS * float(lengths.mean()), low), high))
    steps = math.ceil(len(plan_epoch(lengths, seed=seed, epoch=0, budget=budget).batches) / spec.accumulate)
    few, many = EPOCHS
    epochs = spec.epochs or min(max(math.ceil(STEPS / steps), few), many)
    return Settings(epochs=epochs, lr=spec.lr or _rate(source), batch_tokens=budget)


def _rate(source: Source) -> float:
    if source.folder is None:
        return SCRATCH_RATE
    width = int(source.config.get("hidden_size", source.config.get("dim", 0)))
    return SMALL_RATE if width <= SMALL else LARGE_RATE
