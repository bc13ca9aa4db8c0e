"""How any network is trained: the keys that encoders and generators share."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from ratchet.recipe.metric import KeepName
from ratchet.recipe.section import Section


class TrainingKeys(Section):
    """The keys of a training that do not depend on what is learnt."""

    epochs: int | None = Field(default=None, ge=1, le=10_000)
    """Passes over the train part; absent: 2, and up to 20 where that makes fewer than 500 steps."""
    lr: float | None = Field(default=None, gt=0, le=10)
    """Highest learning rate; absent: 1e-3 from scratch, 5e-4 for a pretrained model up to 512 wide, 5e-5 for a wider one."""
    schedule: Literal["cosine", "linear", "constant", "wsd"] = "cosine"
    """How the learning rate goes on after the warm-up; wsd: it stays, then falls over the last steps (``cooldown``)."""
    warmup: float = Field(default=0.1, ge=0, lt=1)
    """Share of the steps with a rising learning rate."""
    cooldown: float = Field(default=0.2, gt=0, le=1)
    """Share of the steps with a falling learning rate, where the schedule is wsd."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Decoupled weight decay (AdamW)."""
    layer_decay: float = Field(default=1.0, gt=0, le=1)
    """Each layer learns at this share of the rate of the layer above it; 1: all alike."""
    unfreeze: Literal["at_once", "head_first", "gradual"] = "at_once"
    """head_first: the first epoch trains the head alone; gradual: each epoch trains one layer more, from the top."""
    clip: float = Field(default=1.0, ge=1e-6)
    """Largest norm of the gradient."""
    batch_tokens: int | None = Field(default=None, ge=16, le=100_000_000)
    """Tokens of a batch, padding included; absent: room for 32 rows of mean length, from 512 to 8192."""
    accumulate: int = Field(default=1, ge=1, le=10_000)
    """Batches whose gradients make one step together, as one large batch would."""
    ema: float = Field(default=0.0, ge=0, lt=1)
    """Decay of an exponential moving average of the weights, which is validated and kept in their place; 0: none."""
    keep: KeepName = "last"
    """Which epoch's weights are kept: the last, or the best by ``loss`` or any metric of the task, ``module:function`` of your
    own too (``{metric: "module:function", goal: min}`` where less is better), on training rows that are set apart."""
    patience: int = Field(default=0, ge=0)
    """Stop after this many epochs without a better one by ``keep`` (not with ``last``); 0: never."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Numbers that the network computes with; auto: the fastest on this very device, measured where a training is long."""
    gradient_checkpointing: bool = False
    """Compute the activations again on the way back: less memory, about a third more time."""
    compile: Literal["never", "measured"] = "never"
    """measured: torch.compile is used where it saves more than it costs, by a measurement before the training."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where it is trained; auto: on the first graphics card, where there is one."""

    @model_validator(mode="after")
    def _patient(self) -> Self:
        if self.patience and self.keep == "last":
            raise ValueError("patience must be 0 where keep is last, since no epoch is then better than another.")
        return self
