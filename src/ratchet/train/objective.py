"""What a training learns: its network, its rows, their batches and their loss; the loop knows nothing else of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ratchet.errors import RecipeError
from ratchet.recipe.training import TrainingKeys
from ratchet.train.batches import Plan, plan_epoch

if TYPE_CHECKING:
    from torch import Tensor, nn

Ints = npt.NDArray[np.int64]


class Objective(ABC):
    """One thing to learn. `train.loop.fit` trains its network; the objective never changes a weight itself."""

    network: nn.Module
    """What is trained: its parameters that require a gradient."""
    lengths: Ints
    """(n,) tokens of each row, by position."""
    goals: Mapping[str, int]
    """What `validate` gives, by name: 1 where more is better, -1 where less is."""

    waiting: Callable[[], AbstractContextManager[Any]] = nullcontext
    """What the objective makes a batch in, so that the loop knows how long the network waits for data."""

    def plan(self, *, seed: int, epoch: int, budget: int) -> Plan:
        """The batches of an epoch, a pure function of its arguments and the lengths.

        Args:
            seed: of the run.
            epoch: counted from 0.
            budget: most tokens of a batch, padding included.
        """
        return plan_epoch(self.lengths, seed=seed, epoch=epoch, budget=budget)

    def ready(self, batches: Sequence[Ints], *, computing: Callable[[], AbstractContextManager[Any]]) -> None:
        """Compute once what every epoch needs again, and what the loss compares with: called before the first step, with the
        weights as they came, after a kill too; the same numbers must give the same bytes.

        Args:
            batches: of the first epoch.
            computing: what the loss of a batch is computed in.
        """
        del batches, computing

    @abstractmethod
    def units(self, rows: Ints) -> float:
        """What the loss of these rows is divided by: rows, or answer tokens; known without the network."""

    @abstractmethod
    def loss(self, rows: Ints) -> Tensor:
        """() the loss of a batch, summed over its units, in float32.

        Steps that are accumulated are divided by the units of all of them together, so that their gradient is that of one
        large batch.
        """

    @abstractmethod
    def validate(self) -> dict[str, float]:
        """The metrics in `goals` on the valid rows, ``loss`` among them; empty without valid rows."""

    @abstractmethod
    def throw(self, seed: int, *, step: int) -> None:
        """Start the random numbers of a batch (dropout), a pure function of (seed, step), so that a resume needs no state."""

    @abstractmethod
    def stages(self) -> Sequence[nn.Module]:
        """The parts of the network from the embeddings up to the head, for freezing and rates by layer."""

    def flops(self, tokens: int) -> float:
        """Floating-point operations of a forward and backward pass over so many tokens, for the utilisation.

        Six for each weight of a matrix and token, four where its gradient is not wanted but something below it is trained,
        two below everything that is trained (Kaplan et al. 2020, "Scaling laws for neural language models", section 2.1);
        attention is not counted.
        """
        total, wanted = 0.0, False
        for stage in self.stages():
            for name, weight in stage.named_parameters():
                if weight.ndim < 2 or "embedding" in name.lower():
                    continue
                trained = weight.requires_grad
                wanted = wanted or trained
                total += (6 if trained else 4 if wanted else 2) * weight.numel()
        return total * tokens


def require_goal(spec: TrainingKeys, goals: Mapping[str, int]) -> None:
    """Refuse to keep the epoch that is best by what is not measured.

    Raises:
        RecipeError: ``keep`` is none of the goals.
    """
    if spec.keep != "last" and spec.keep not in goals:
        raise RecipeError(
            f"keep must be last or one of {', '.join(goals)} but got {spec.keep!r}.",
            next_step="Set keep of this challenger.",
        )
