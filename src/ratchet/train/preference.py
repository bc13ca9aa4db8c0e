"""Learning from preferences: of two answers to one prompt the chosen one is to become likelier than the rejected one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ratchet.errors import RatchetError
from ratchet.generators.chat import ChatTokens
from ratchet.tables.conversations import Turn
from ratchet.train.language import VALID_TOKENS, Packing
from ratchet.train.reading import Example, Ints

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

GOALS: Mapping[str, int] = {"loss": -1, "accuracy": 1, "margin": 1}
"""What is said of the valid pairs."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Preferences:
    """Prompts with two answers each."""

    chosen: Sequence[Example]
    rejected: Sequence[Example]
    counts: Mapping[str, int] = field(default_factory=dict)
    """What was left out, by name."""

    def __len__(self) -> int:
        return len(self.chosen)

    @property
    def lengths(self) -> Ints:
        """(n,) tokens of both."""
        both = zip(self.chosen, self.rejected, strict=True)
        return np.array([len(better[0]) + len(worse[0]) for better, worse in both], dtype=np.int64)

    def pairs(self, rows: Ints) -> list[Example]:
        """The chosen and the rejected example of each of these rows, in turn."""
        return [one for row in rows.tolist() for one in (self.chosen[row], self.rejected[row])]


def preferences(
    tokens: ChatTokens, rows: Sequence[tuple[Sequence[Turn], str, str]], *, watched: bool = False
) -> Preferences:
    """Rows of a table of preferences as tokens; one with an empty or twice the same answer prefers nothing and is left out.

    Args:
        tokens: of the generator.
        rows: the turns before the answer, the chosen answer, and the rejected one.
        watched: they are looked at alone, so that there may be none.

    Raises:
        RatchetError: no row prefers one answer to another.
    """
    before = dict(tokens.counts)
    chosen, rejected = [], []
    empty = alike = 0
    for prompt, better, worse in rows:
        if not better.strip() or not worse.strip():
            empty += 1
            continue
        first, second = tokens.example(prompt, better), tokens.example(prompt, worse)
        if np.array_equal(first[0], second[0]):
            alike += 1
            continue
        chosen.append(first)
        rejected.append(second)
    if not chosen and not watched:
        raise RatchetError(
            "At least one row must prefer an answer to another one but none does.",
            next_step="Give rows with a chosen and a rejected answer that differ.",
        )
    counts = {name: count - before.get(name, 0) for name, count in tokens.counts.items()}
    counts |= {"pairs with an empty answer": empty, "pairs of one answer": alike}
    return Preferences(
        chosen=chosen, rejected=rejected, counts={name: count for name, count in counts.items() if count}
    )


class PreferenceObjective(Packing):
    """Direct preference optimisation (Rafailov et al. 2023, "Direct preference optimization: your language model is secretly
    a reward model", equation 7); a unit is one pair.

    The loss of a pair is -log sigmoid(beta * ((log p(chosen) - log q(chosen)) - (log p(rejected) - log q(rejected)))), where q
    is the model as it was before the training. Its log-probabilities are computed once, in the numbers and batches of the first
    epoch (`ready`; before that they count as 0), so that the first margins are 0 and the first loss is log 2.

    Args:
        model: to be trained, still as it was.
        train: the pairs.
        valid: pairs to watch; or none.
        pad_id: fills a line.
        beta: how strongly it is held to what it was.
    """

    def __init__(
        self, model: PreTrainedModel, *, train: Preferences, valid: Preferences | None, pad_id: int, beta: float = 0.1
    ) -> None:
        super().__init__(model, pad_id=pad_id)
        self.train, self.valid, self.beta = train, valid, beta
        self.lengths = train.lengths
        self.goals: Mapping[str, int] = GOALS
        self.reference = np.zeros((len(train), 2), np.float32)
        self.valid_reference = None if valid is None else np.zeros((len(valid), 2), np.float32)

    def ready(self, batches: Sequence[Ints], *, computing: Callable[[], AbstractContextManager[Any]]) -> None:
        """As `Objective.ready`: the reference; of the valid pairs in the numbers that `validate` computes with."""
        self.reference = self._reference(self.train, batches, computing)
        if self.valid is not None:
            self.valid_reference = self._reference(self.valid, self._batches(self.valid), nullcontext)

    def units(self, rows: Ints) -> float:
        """Pairs."""
        return float(len(rows))

    def loss(self, rows: Ints) -> Tensor:
        """() summed over the pairs."""
        from torch.nn.functional import logsigmoid

        margins = self._margins(self.train, self.reference, rows, width=self.width)
        return -logsigmoid(margins).sum()

    def validate(self) -> dict[str, float]:
        """Of the valid pairs: the loss, the share in which the chosen answer gained more than the rejected one, and the mean
        difference of their rewards.
        """
        import torch

        if self.valid is None or self.valid_reference is None:
            return {}
        with torch.no_grad():
            found = [
                self._margins(self.valid, self.valid_reference, rows, width=self.width).double().cpu().numpy()
                for rows in self._batches(self.valid)
            ]
        margins = np.concatenate(found)
        loss = np.logaddexp(0, -margins)
        return {
            "loss": float(loss.mean()),
            "accuracy": float((margins > 0).mean()),
            "margin": float(margins.mean()),
            **(self.asked() if self.asked is not None else {}),
        }

    def _margins(self, of: Preferences, reference: npt.NDArray[np.float32], rows: Ints, *, width: int) -> Tensor:
        """(rows,) beta times how much more the chosen answer gained than the rejected one."""
        import torch

        gained = self._summed(of, rows, width=width)
        gained = gained - torch.from_numpy(reference[rows]).to(gained.device)  # (rows, 2)
        return self.beta * (gained[:, 0] - gained[:, 1])

    def _summed(self, of: Preferences, rows: Ints, *, width: int) -> Tensor:
        """(rows, 2) the log-probability of the chosen and of the rejected answer."""
        found, owner = self.told(of.pairs(rows), width=width)
        return found.new_zeros(2 * len(rows)).index_add(0, owner, found).view(-1, 2)

    def _reference(
        self, of: Preferences, batches: Sequence[Ints], computing: Callable[[], AbstractContextManager[Any]]
    ) -> npt.NDArray[np.float32]:
        """(n, 2) as `_summed`, by the model as it is now."""
        import torch

        found = np.zeros((len(of), 2), np.float32)
        training = self.network.training
        self.network.eval()
        with torch.no_grad():
            for rows in batches:
                with computing():
                    summed = self._summed(of, rows, width=self.width)
                found[rows] = summed.float().cpu().numpy()
        self.network.train(training)
        return found

    def _batches(self, of: Preferences) -> Sequence[Ints]:
        lengths = of.lengths
        width = max(self.width, int(lengths.max()))
        return self.laid(lengths, seed=0, epoch=0, budget=VALID_TOKENS, width=width).batches
