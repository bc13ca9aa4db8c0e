"""A generator as training reads it: packed lines in, logits at the answers alone out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ratchet.train.packing import Packed, packed

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import PreTrainedModel

Ints = npt.NDArray[np.int64]
Example = tuple[Ints, npt.NDArray[np.bool_]]
SAME = 1e-3
"""Logits of a packed example may differ by this share of the largest from those of the example alone."""


def reader(model: PreTrainedModel) -> nn.Module:
    """The network that an objective trains: ``(tokens, positions, mask, places)`` to logits (places, vocabulary).

    Only the hidden states at ``places`` go through the head, which has as many weights as several layers; where a model does
    more to its logits than that (a scale, a cap), all of them are computed and the wanted ones taken.
    """
    from torch import nn

    head_alone = _head_alone(model)

    class Reader(nn.Module):
        """The model with logits at the places that are asked for."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, tokens: Tensor, positions: Tensor, mask: Tensor | None, places: Tensor) -> Tensor:
            given = {"input_ids": tokens, "position_ids": positions, "attention_mask": mask, "use_cache": False}
            if not head_alone:
                logits: Tensor = self.model(**given).logits  # (lines, width, vocabulary)
                return logits.flatten(0, 1)[places]
            hidden = self.model.base_model(**given).last_hidden_state  # (lines, width, hidden)
            found: Tensor = self.model.get_output_embeddings()(hidden.flatten(0, 1)[places])
            return found

    return Reader()


def chances(network: nn.Module, batch: Packed, *, masked: bool) -> Tensor:
    """(answer tokens,) the log-probability of each wanted token, in float32.

    Args:
        network: a `reader`.
        batch: of lines.
        masked: whether the lines hold one example each and their padding is hidden by a mask, for a network that cannot be
            told by positions where an example begins.
    """
    import torch
    from torch.nn.functional import cross_entropy

    device = next(network.parameters()).device
    tokens, positions, places, wanted = (
        torch.from_numpy(one).to(device) for one in (batch.tokens, batch.positions, batch.places, batch.wanted)
    )
    mask = None
    if masked:  # padding is the second run of positions
        mask = (positions.diff(dim=1, prepend=positions[:, :1] - 1) == 1).cumprod(1)
    logits = network(tokens, positions, mask, places)  # (answer tokens, vocabulary)
    return -cross_entropy(logits.float(), wanted, reduction="none")


def packs(model: PreTrainedModel) -> bool:
    """Whether examples in one line leave each other alone in this very model: tried with two, since not every kind of model
    heeds positions that start again.
    """
    dice = np.random.default_rng(0)
    rows = [dice.integers(0, model.get_input_embeddings().weight.shape[0], size=size) for size in (5, 4)]
    together = _logits(model, rows, [[0, 1]])
    alone = np.concatenate([_logits(model, rows, [[one]]) for one in range(2)])
    return bool(np.abs(together - alone).max() <= SAME * np.abs(alone).max())


def _logits(model: PreTrainedModel, rows: Sequence[Ints], grouped: Sequence[Sequence[int]]) -> npt.NDArray[np.float32]:
    """(tokens, vocabulary) the logits of one line."""
    import torch

    batch = packed([(row, np.ones(len(row), np.bool_)) for row in rows], grouped, pad_id=0)
    device = next(model.parameters()).device
    tokens, positions = (torch.from_numpy(one).to(device) for one in (batch.tokens, batch.positions))
    with _still(model), torch.no_grad():
        logits = model(input_ids=tokens, position_ids=positions, use_cache=False).logits[0]
    found: npt.NDArray[np.float32] = logits.float().cpu().numpy()
    return found


def _head_alone(model: PreTrainedModel) -> bool:
    """Whether the logits are the head's, of the last hidden states, and nothing more."""
    import torch

    head = model.get_output_embeddings()
    if head is None or model.base_model is model or getattr(model.config, "final_logit_softcapping", None):
        return False
    device = next(model.parameters()).device
    tokens = torch.arange(4, device=device)[None] % model.get_input_embeddings().weight.shape[0]
    with _still(model), torch.no_grad():
        whole = model(input_ids=tokens, use_cache=False).logits
        hidden = model.base_model(input_ids=tokens, use_cache=False).last_hidden_state
        return bool(torch.allclose(head(hidden), whole, rtol=1e-4, atol=1e-5))


class _still:
    """The model without dropout inside the block."""

    def __init__(self, model: nn.Module) -> None:
        self.model, self.training = model, model.training

    def __enter__(self) -> None:
        self.model.eval()

    def __exit__(self, *_: object) -> None:
        self.model.train(self.training)
