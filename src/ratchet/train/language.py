"""Language modelling from texts, and fine-tuning on answers: the loss of the next token, where there is one to be learnt."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ratchet.errors import RatchetError
from ratchet.train.batches import Plan, plan_epoch
from ratchet.train.objective import Objective
from ratchet.train.packing import lines, packed, plan_packed
from ratchet.train.reading import Example, Ints, chances, packs, reader

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import PreTrainedModel

    from ratchet.generators.chat import ChatTokens
    from ratchet.tables.conversations import Turn

LINE = 512
"""Tokens of a line in which examples are packed, unless one is longer: attention takes the square of it."""
VALID_TOKENS = 4096
"""Tokens of a batch of valid rows."""
GOALS: Mapping[str, int] = {"loss": -1, "perplexity": -1}
"""What is said of the valid rows."""
ROUND = 1_000_003
"""Between the bits of dropout of two runs."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Examples:
    """What is learnt: tokens, and which of them are to be foretold."""

    rows: Sequence[Example]
    counts: Mapping[str, int] = field(default_factory=dict)
    """What was cut and left out, by name."""

    @property
    def lengths(self) -> Ints:
        """(n,) tokens of each."""
        return np.array([len(ids) for ids, _ in self.rows], dtype=np.int64)

    @property
    def told(self) -> Ints:
        """(n,) tokens of each that are foretold; nothing foretells the first one."""
        return np.array([int(told[1:].sum()) for _, told in self.rows], dtype=np.int64)


def documents(texts: Iterable[Ints], *, end: int, context: int, stride: int) -> Examples:
    """Texts to be learnt as a whole; one longer than the context becomes windows that begin ``stride`` apart.

    What a window shares with the one before it is read but not learnt again, so that each token counts once.

    Args:
        texts: token ids of each, without the end.
        end: token behind each text.
        context: most tokens of a window, at least 2.
        stride: from 1 to ``context`` - 1.

    Raises:
        RatchetError: there is no token to learn, or the stride would leave tokens out.
    """
    if not 1 <= stride < context:
        raise RatchetError(f"stride must be from 1 to {context - 1}, one less than the context, but got {stride}.")
    rows: list[Example] = []
    cut = empty = 0
    for text in texts:
        if not len(text):
            empty += 1
            continue
        ids = np.append(text, end).astype(np.int64)
        cut += len(ids) > context
        start, known = 0, 0
        while known < len(ids):
            window = ids[start : start + context]
            told = np.arange(start, start + len(window)) >= max(known, 1)
            rows.append((window, told))
            known = start + len(window)
            start += stride
    found = Examples(rows=rows, counts=_some({"documents cut into windows": cut, "empty texts": empty}))
    return _required(found, "A language model must be trained on texts with at least one token but all are empty.")


def answered(
    tokens: ChatTokens, prompts: Sequence[Sequence[Turn]], answers: Sequence[str], *, what: str = "train"
) -> Examples:
    """Conversations whose answers are learnt, and nothing else of them; an empty answer teaches nothing and is left out.

    Args:
        tokens: of the generator.
        prompts: the turns before each answer.
        answers: of each.
        what: these rows are, for an error.

    Raises:
        RatchetError: no row has an answer.
    """
    before = dict(tokens.counts)
    given = [(prompt, answer) for prompt, answer in zip(prompts, answers, strict=True) if answer.strip()]
    rows = [tokens.example(prompt, answer) for prompt, answer in given]
    counts = {name: count - before.get(name, 0) for name, count in tokens.counts.items()}
    found = Examples(rows=rows, counts=_some({**counts, "empty answers": len(answers) - len(given)}))
    return _required(found, f"At least one {what} row must have an answer to learn but none has.")


def _some(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: int(count) for name, count in counts.items() if count}


def _required(found: Examples, problem: str) -> Examples:
    if not found.told.sum():
        raise RatchetError(problem, next_step="Look at the answers of the table: ratchet check TABLE.")
    return found


class Packing(Objective):
    """An objective over examples of a generator, packed where the model heeds positions that start again.

    A subclass sets ``lengths`` and gives the loss.
    """

    asked: Callable[[], dict[str, float]] | None = None
    """Asks the generator for answers to some valid rows, and gives their metrics."""

    def __init__(self, model: PreTrainedModel, *, pad_id: int) -> None:
        self.model, self.pad_id = model, pad_id
        self.network: nn.Module = reader(model)
        self.packs = packs(model)
        self.width = LINE
        """Tokens of a line, as the last plan has them."""

    @property
    def notes(self) -> list[str]:
        """What a person should know of how the rows were laid."""
        return [] if self.packs else [f"a {self.model.config.model_type} cannot read packed rows, so they were padded"]

    def plan(self, *, seed: int, epoch: int, budget: int) -> Plan:
        """As `Objective.plan`, packed."""
        self.width = max(int(self.lengths.max(initial=1)), min(LINE, budget))
        return self.laid(self.lengths, seed=seed, epoch=epoch, budget=budget, width=self.width)

    def laid(self, lengths: Ints, *, seed: int, epoch: int, budget: int, width: int) -> Plan:
        """Batches of rows of these lengths: packed, or padded where this model cannot be told where an example begins."""
        if not self.packs:
            return plan_epoch(lengths, seed=seed, epoch=epoch, budget=budget)
        return plan_packed(lengths, seed=seed, epoch=epoch, budget=budget, width=width)

    def told(self, rows: Sequence[Example], *, width: int) -> tuple[Tensor, Tensor]:
        """(answer tokens,) their log-probabilities, and (answer tokens,) which of the rows each belongs to.

        Args:
            rows: of one batch, in its order.
            width: most tokens of a line.
        """
        import torch

        lengths = np.array([len(ids) for ids, _ in rows], dtype=np.int64)
        every = np.arange(len(rows))
        grouped = lines(every, lengths, width=width) if self.packs else [every[place : place + 1] for place in every]
        batch = packed(rows, [line.tolist() for line in grouped], pad_id=self.pad_id)
        found = chances(self.network, batch, masked=not self.packs)
        return found, torch.from_numpy(batch.owner).to(found.device)

    def throw(self, seed: int, *, step: int) -> None:
        """Start the random numbers of dropout."""
        import torch

        torch.manual_seed((seed * ROUND + step) % (1 << 63))

    def stages(self) -> Sequence[nn.Module]:
        """Embeddings, layers, and the head with all that is above the layers."""
        return stages(self.model)

    def flops(self, tokens: int) -> float:
        """As `Objective.flops`; the head is computed at the tokens to be foretold alone."""
        total, wanted = 0.0, False
        for layer in layers(self.model):
            for weight in layer.parameters():
                if weight.ndim > 1:
                    wanted = wanted or weight.requires_grad
                    total += (6 if weight.requires_grad else 4 if wanted else 2) * weight.numel()
        head = self.model.get_output_embeddings().weight
        units = self.units(np.arange(len(self.lengths)))
        share = units / max(int(self.lengths.sum()), 1)
        return float(tokens * (total + (6 if head.requires_grad else 4) * head.numel() * share))


class LanguageObjective(Packing):
    """The next token, wherever the examples say that it is to be foretold; a unit is one such token."""

    def __init__(self, model: PreTrainedModel, *, train: Examples, valid: Examples | None, pad_id: int) -> None:
        super().__init__(model, pad_id=pad_id)
        self.train, self.valid = train, valid
        self.lengths, self._told = train.lengths, train.told
        self.goals: Mapping[str, int] = GOALS

    def units(self, rows: Ints) -> float:
        """Tokens that these rows teach."""
        return float(self._told[rows].sum())

    def loss(self, rows: Ints) -> Tensor:
        """() negative log-likelihood, summed over the tokens to be foretold."""
        found, _ = self.told([self.train.rows[row] for row in rows.tolist()], width=self.width)
        return -found.sum()

    def validate(self) -> dict[str, float]:
        """Mean loss of a token to be foretold, and the perplexity, which is its exponential."""
        import torch

        if self.valid is None or not self.valid.rows:
            return {}
        lengths, total = self.valid.lengths, 0.0
        width = max(LINE, int(lengths.max()))
        with torch.no_grad():
            for rows in self.laid(lengths, seed=0, epoch=0, budget=VALID_TOKENS, width=width).batches:
                found, _ = self.told([self.valid.rows[row] for row in rows.tolist()], width=width)
                total -= float(found.sum())
        loss = total / max(int(self.valid.told.sum()), 1)
        further = self.asked() if self.asked is not None else {}
        return {"loss": loss, "perplexity": math.exp(min(loss, 700.0)), **further}


def layers(model: PreTrainedModel) -> Sequence[nn.Module]:
    """The layers of a generator, from the lowest: the longest list of modules under it."""
    from torch import nn

    lists = [module for module in model.modules() if isinstance(module, nn.ModuleList)]
    return [*max(lists, key=len)] if lists else []


def stages(model: PreTrainedModel) -> Sequence[nn.Module]:
    """The parts of a generator from the embeddings up to the head; a norm above the layers is of the head."""
    from torch import nn

    inside = layers(model)
    bottom = model.get_input_embeddings()
    below = {id(module) for part in (bottom, *inside) for module in part.modules()}
    above = [
        module
        for module in model.modules()
        if id(module) not in below and not any(module.children()) and any(True for _ in module.parameters())
    ]
    positions = [module for module in above if isinstance(module, nn.Embedding)]
    rest = [module for module in above if module not in positions]
    return [nn.ModuleList([bottom, *positions]), *inside, nn.ModuleList(rest)]
