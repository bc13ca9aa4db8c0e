"""The learning rate of each step: a linear warm-up, then a cosine, a line, a constant, or a constant that falls at the end."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Shape = Literal["cosine", "linear", "constant", "wsd"]


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Learning rates for ``steps`` steps.

    Cosine: Loshchilov and Hutter (2017), "SGDR: stochastic gradient descent with warm restarts", without restarts.
    Warm-up, stable, decay (wsd): Hu et al. (2024), "MiniCPM: unveiling the potential of small language models"; its decay
    is a line here.

    Args:
        shape: of the part after the warm-up; all but the constant end near zero.
        peak: highest rate.
        warmup: share of the steps with a rising rate.
        steps: of the whole training.
        cooldown: share of the steps with a falling rate, for wsd.
    """

    shape: Shape = "cosine"
    peak: float
    warmup: float
    steps: int
    cooldown: float = 0.2

    @property
    def rising(self) -> int:
        """Steps of the warm-up; the last step is never one of them."""
        return min(round(self.warmup * self.steps), self.steps - 1)

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        if step < self.rising:
            return self.peak * (step + 1) / (self.rising + 1)
        done = (step - self.rising) / max(self.steps - self.rising, 1)
        if self.shape == "cosine":
            return self.peak * 0.5 * (1 + math.cos(math.pi * done))
        if self.shape == "linear":
            return self.peak * (1 - done)
        if self.shape == "wsd":
            falling = max(min(round(self.cooldown * self.steps), self.steps - self.rising), 1)
            return self.peak * min(1.0, (self.steps - step) / (falling + 1))
        return self.peak
