"""What is frozen for good is computed once for each row, and not again in every epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ratchet.models.batching import by_length, padded
from ratchet.models.network import Classifier, layer_stack

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
MOST_BYTES = 1 << 30
"""More than this is not kept in memory; the frozen layers are then computed in every epoch."""
BATCH_TOKENS = 8192
FEW = 8
"""Rows that are computed by both ways."""
CLOSE = 1e-4
"""The logits by either way differ by rounding alone; by more than this, the shorter way is not taken."""


class FrozenStates:
    """The hidden states (tokens, width) of each row above the frozen layers, in float32."""

    def __init__(self, network: Classifier, *, layers: int, states: list[Floats]) -> None:
        self.network, self.layers, self.states = network, layers, states

    def batch(self, rows: Ints) -> Tensor:
        """(rows, longest, width) states, zeros where there is padding."""
        width = max(len(self.states[row]) for row in rows)
        found = np.zeros((len(rows), width, self.states[rows[0]].shape[1]), np.float32)
        for line, row in enumerate(rows):
            found[line, : len(self.states[row])] = self.states[row]
        return torch.from_numpy(found)

    @contextmanager
    def given(self, hidden: Tensor) -> Iterator[None]:
        """Inside the block the network takes these states for what its frozen layers would give."""
        backbone, stack = self.network.backbone, layer_stack(self.network.backbone)
        owner, name = _embeddings(backbone)
        before: list[nn.Module] = [getattr(owner, name), *stack[: self.layers]]
        setattr(owner, name, _Given(hidden))
        for place in range(self.layers):
            stack[place] = _Passed()
        try:
            yield
        finally:
            setattr(owner, name, before[0])
            for place, layer in enumerate(before[1:]):
                stack[place] = layer


def frozen_states(
    network: Classifier, ids: Sequence[Ints], *, pad_id: int, numbers: AbstractContextManager[Any]
) -> FrozenStates | None:
    """The states of all rows, or ``None`` where nothing is frozen, it is too much, or the network cannot be cut in two.

    Args:
        network: whose lowest layers, embeddings included, may be frozen for good.
        ids: token ids of n rows.
        pad_id: of the tokenizer.
        numbers: what the states are computed in: that of the training, so that they cost what it costs.
    """
    layers = _frozen(network)
    width = int(getattr(network.backbone.config, "hidden_size", 0))
    if not layers or 4 * width * sum(map(len, ids)) > MOST_BYTES:
        return None
    training = network.training
    network.eval()
    try:
        if not _agrees(network, ids[:FEW], pad_id=pad_id, layers=layers):
            return None
        with numbers:
            return FrozenStates(network, layers=layers, states=_states(network, ids, pad_id=pad_id, layers=layers))
    finally:
        network.train(training)


def _states(network: Classifier, ids: Sequence[Ints], *, pad_id: int, layers: int) -> list[Floats]:
    """(tokens, width) of each row; none where the network's layers give something else."""
    states: dict[int, Floats] = {}
    lengths = np.array([len(row) for row in ids], dtype=np.int64)
    for rows in by_length(lengths, budget=BATCH_TOKENS):
        found = _below(network, layers, *_batch(ids, rows, pad_id=pad_id, network=network))
        if found is None:
            return []
        for line, row in enumerate(rows.tolist()):
            states[row] = found[line, : lengths[row]].float().cpu().numpy().copy()
    return [states[row] for row in range(len(ids))]


def _frozen(network: Classifier) -> int:
    """How many of the lowest layers are frozen for good, below which all is frozen too."""
    embeddings, *layers, _ = network.stages()

    def trained(part: nn.Module) -> bool:
        return any(weight.requires_grad or getattr(weight, "waits", False) for weight in part.parameters())

    if trained(embeddings):
        return 0
    return next((place for place, layer in enumerate(layers) if trained(layer)), len(layers))


def _batch(ids: Sequence[Ints], rows: Ints, *, pad_id: int, network: Classifier) -> tuple[Tensor, Tensor]:
    device = next(network.parameters()).device
    tokens, mask = padded(ids, rows, pad_id=pad_id)
    return torch.from_numpy(tokens).to(device), torch.from_numpy(mask).to(device)


class _Enough(Exception):
    """The states are there; what lies above need not be computed."""


def _below(network: Classifier, layers: int, tokens: Tensor, mask: Tensor) -> Tensor | None:
    """(rows, tokens, width) states above so many layers."""
    kept: list[Any] = []

    def keep(module: nn.Module, given: Any, found: Any) -> None:
        del module, given
        kept.append(found)
        raise _Enough

    hook = layer_stack(network.backbone)[layers - 1].register_forward_hook(keep)
    try:
        with torch.no_grad():
            network.backbone(input_ids=tokens, attention_mask=mask)
    except _Enough:
        pass
    finally:
        hook.remove()
    return kept[0] if kept and isinstance(kept[0], Tensor) else None


def _agrees(network: Classifier, ids: Sequence[Ints], *, pad_id: int, layers: int) -> bool:
    """Whether these rows get the same logits by either way, in float32."""
    made = FrozenStates(network, layers=layers, states=_states(network, ids, pad_id=pad_id, layers=layers))
    if not made.states:
        return False
    rows = np.arange(len(ids))
    batch = _batch(ids, rows, pad_id=pad_id, network=network)
    with torch.no_grad():
        whole = network(*batch)
        try:
            with made.given(made.batch(rows).to(batch[0].device)):
                short = made.network(*batch)
        except (AttributeError, TypeError, RuntimeError):  # a family whose layers are asked for more than this
            return False
    return bool((whole - short).abs().max() <= CLOSE * max(1e-2, float(whole.abs().max())))


def _embeddings(backbone: nn.Module) -> tuple[nn.Module, str]:
    """The module that holds the embeddings, and its name for them."""
    path = next(name for name, _ in backbone.named_modules() if name.rpartition(".")[2] == "embeddings")
    owner, _, name = path.rpartition(".")
    return backbone.get_submodule(owner), name


class _Given(nn.Module):
    def __init__(self, hidden: Tensor) -> None:
        super().__init__()
        self.hidden = hidden

    def forward(self, *given: Any, **named: Any) -> Tensor:
        del given, named
        return self.hidden


class _Passed(nn.Module):
    def forward(self, hidden: Tensor, *given: Any, **named: Any) -> Tensor:
        del given, named
        return hidden
