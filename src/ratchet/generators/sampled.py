"""Sampling: each token drawn with its probability, by the seed and the prompt alone, whoever is answered beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import Tensor

Ints = npt.NDArray[np.int64]
_SLACK = 1e-4
"""So much of the probability may be in the nucleus or not, by the rounding of a batch."""
_LIKE = 1e-3
"""Two probabilities whose quotient is nearer to 1 may change places."""
_LEAST = 1e-30
_FIRST = 1024
"""So many tokens are put in order at first; a nucleus is seldom larger."""


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How tokens are drawn."""

    temperature: float = 1.0
    """Above 0: logits are divided by it."""
    top_p: float = 1.0
    """Only the most probable tokens are drawn that together have this share (Holtzman et al. 2020, "The curious case of neural
    text degeneration")."""
    seed: int = 0

    def dice(self, prompt: Ints) -> np.random.Generator:
        """What the answer to a prompt is drawn with: its own numbers, from the beginning."""
        digest = hashlib.blake2b(self.seed.to_bytes(16, "little") + prompt.astype("<i8").tobytes(), digest_size=16)
        return np.random.Generator(np.random.Philox(int.from_bytes(digest.digest(), "little")))


def drawn(logits: Tensor, dice: Sequence[np.random.Generator], how: Sampling) -> tuple[Tensor, Tensor]:
    """(rows,) a token drawn for each row of logits, and (rows,) how much a logit may change without another being drawn.

    The largest of the logits, each with noise of its own, is a draw from their softmax (the Gumbel-max trick; Maddison, Tarlow
    and Minka 2014, "A* sampling"). So rounding only matters where two are nearly the same, as where nothing is drawn.

    Args:
        logits: (rows, vocabulary)
        dice: of each row; each moves on by one number for each token of the vocabulary.
        how: temperature and nucleus.
    """
    import torch

    scores = logits.float() / how.temperature
    noise = np.stack([one.standard_exponential(scores.shape[1], dtype=np.float32) for one in dice])
    noisy = scores + torch.from_numpy(-np.log(np.maximum(noise, _LEAST))).to(scores.device)
    inner = noisy
    if how.top_p < 1:
        loose, strict = _nucleus(scores, how.top_p)
        noisy, inner = noisy.masked_fill(~loose, -torch.inf), noisy.masked_fill(~strict, -torch.inf)
    top = noisy.topk(min(2, noisy.shape[1]), dim=-1).values
    best = noisy.argmax(-1)
    gaps = (top[:, 0] - top[:, -1]) * how.temperature
    return best, torch.where(inner.argmax(-1) == best, gaps, 0.0)


def _nucleus(scores: Tensor, top_p: float) -> tuple[Tensor, Tensor]:
    """(rows, vocabulary) which tokens may be in the nucleus, and which are in it however the probabilities were rounded."""
    import torch

    chances = torch.softmax(scores, -1)
    ordered = chances.topk(min(_FIRST, chances.shape[1]), dim=-1).values
    before = ordered.cumsum(-1) - ordered
    if bool((before[:, -1] < top_p + _SLACK).any()):  # some nucleus is larger
        ordered = chances.sort(dim=-1, descending=True).values
        before = ordered.cumsum(-1) - ordered
    last = (before < top_p + _SLACK).sum(-1, keepdim=True) - 1
    loose = chances >= ordered.gather(1, last) * (1 - _LIKE)
    inside = (before < top_p - _SLACK).sum(-1, keepdim=True)
    outside = ordered.gather(1, inside.clamp(max=ordered.shape[1] - 1))
    outside = torch.where(inside < ordered.shape[1], outside, -1.0)
    return loose, (chances > outside * (1 + _LIKE)) | (chances == ordered[:, :1])
