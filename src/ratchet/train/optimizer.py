"""What the optimizer changes and how fast: groups by layer, which layers wait, and the moving average of the weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ratchet.recipe.training import TrainingKeys

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

BETAS = (0.9, 0.98)
SCALE = "scale"
"""Key of a parameter group: what its learning rate is multiplied by."""


def make_optimizer(network: nn.Module, stages: Sequence[nn.Module], *, spec: TrainingKeys) -> Optimizer:
    """AdamW (Loshchilov and Hutter 2019, "Decoupled weight decay regularization"); biases and norms do not decay.

    With ``layer_decay`` each stage below the head learns at that share of the rate of the one above it (Howard and Ruder
    2018, "Universal language model fine-tuning for text classification", section 3.2).

    Args:
        network: whose parameters are trained; what is not in a stage learns at the full rate.
        stages: from the embeddings up to the head.
        spec: of the training.
    """
    import torch

    depth = {id(weight): len(stages) - 1 - place for place, stage in enumerate(stages) for weight in stage.parameters()}
    groups: dict[tuple[int, bool], list[Tensor]] = {}
    for weight in network.parameters():
        if weight.requires_grad:
            below = depth.get(id(weight), 0) if spec.layer_decay != 1 else 0
            groups.setdefault((below, weight.ndim > 1), []).append(weight)
    return torch.optim.AdamW(
        [
            {"params": weights, "weight_decay": spec.weight_decay if decays else 0.0, SCALE: spec.layer_decay**below}
            for (below, decays), weights in sorted(groups.items(), key=lambda item: (item[0][0], not item[0][1]))
        ],
        betas=BETAS,
        fused=True,
    )


def set_rate(optimizer: Optimizer, rate: float) -> None:
    """The learning rate of the next step, by group."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group[SCALE]


def hold_back(stages: Sequence[nn.Module], *, spec: TrainingKeys, epoch: int) -> None:
    """Let the stages that this epoch trains learn, and those that are to come wait; what is frozen for good stays so.

    Args:
        stages: from the embeddings up to the head.
        spec: of the training.
        epoch: counted from 0.
    """
    if spec.unfreeze == "at_once":
        return
    head_alone = spec.unfreeze == "head_first" and epoch == 0
    first = len(stages) - 1 if head_alone else 0
    if spec.unfreeze == "gradual":
        first = max(len(stages) - 1 - epoch, 0)
    for place, stage in enumerate(stages):
        for weight in stage.parameters():
            if weight.requires_grad or getattr(weight, "waits", False):
                weight.waits = place < first  # type: ignore[attr-defined]
                weight.requires_grad_(place >= first)


class Average:
    """The exponential moving average of the trained weights, in float32.

    Its decay rises from the first step on, so that the start is forgotten: min(decay, (1 + step) / (10 + step)).
    """

    def __init__(self, network: nn.Module, *, decay: float) -> None:
        self.decay = decay
        self.trained = {name: weight for name, weight in network.named_parameters() if weight.requires_grad}
        self.values = {name: weight.detach().float().clone() for name, weight in self.trained.items()}

    def update(self, step: int) -> None:
        """Take in the weights after a step, counted from 0."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, weight in self.trained.items():
            self.values[name].lerp_(weight.detach().float(), 1 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The network has the average as its weights inside the block."""
        before = {name: weight.detach().clone() for name, weight in self.trained.items()}
        try:
            for name, weight in self.trained.items():
                weight.data.copy_(self.values[name])
            yield
        finally:
            for name, weight in self.trained.items():
                weight.data.copy_(before[name])
