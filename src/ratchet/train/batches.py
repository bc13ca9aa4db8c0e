"""Which rows each step sees: batches of like length within a token budget, a pure function of (seed, epoch, lengths)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ratchet.models.batching import pack

Ints = npt.NDArray[np.int64]

JITTER = 0.05
"""Lengths are stretched by up to this share before they are sorted, so that an epoch's batches are other rows."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """The batches of one epoch, in the order they are trained."""

    batches: tuple[Ints, ...]
    """Positions of the rows of each batch; each row is in exactly one."""
    lengths: Ints
    """(n,) tokens of each row, by position."""

    @cached_property
    def tokens(self) -> int:
        """Real tokens of the epoch."""
        return int(self.lengths.sum())

    @cached_property
    def padding(self) -> float:
        """Share of the computed tokens that are padding."""
        computed = sum(self.computed(rows) for rows in self.batches)
        return 1 - self.tokens / computed if computed else 0.0

    def computed(self, rows: Ints) -> int:
        """Tokens that are computed for a batch, padding included."""
        return len(rows) * int(self.lengths[rows].max())


def plan_epoch(lengths: Ints, *, seed: int, epoch: int, budget: int) -> Plan:
    """The batches of an epoch: the same arguments always give the same plan, so a position in it is one integer.

    Args:
        lengths: (n,) tokens of each row.
        seed: of the run.
        epoch: counted from 0.
        budget: most tokens of a batch, padding included; a longer row is a batch of its own.
    """
    dice = np.random.Generator(np.random.PCG64([seed, epoch]))
    stretched = lengths * (1 + JITTER * dice.random(len(lengths))) + dice.random(len(lengths))
    batches = pack(np.argsort(stretched, kind="stable"), lengths, budget=budget)
    return Plan(batches=tuple(batches[place] for place in dice.permutation(len(batches))), lengths=lengths)
