"""Generation: at each step the most probable token, or a drawn one; many prompts side by side, each answered as if alone."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ratchet.generators.sampled import Sampling, drawn
from ratchet.models.batching import pack

if TYPE_CHECKING:
    from torch import Tensor, nn

Ints = npt.NDArray[np.int64]
BATCH_TOKENS = 4096
"""Tokens of a batch, padding and the answers to come included: what their keys and values take in memory is bounded by it."""
TIE = 1e-3
"""Two logits nearer than this may change places with the shape of a batch (float32 sums in another order differ by 1e-5 or
less): such a row is answered again alone. In half precision rounding is coarser, and a batch may decide a tie."""
NLL_FLOATS = 1 << 25
"""Logits that are held at once where answers are scored: 128 MB."""


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """How a network is asked: what ends an answer, how long one may be, and what fills a batch."""

    stops: frozenset[int]
    new_tokens: int
    pad_id: int
    budget: int = BATCH_TOKENS
    sampling: Sampling | None = None
    """How tokens are drawn; ``None``: the most probable one is taken."""
    enough: Callable[[Sequence[int]], bool] | None = None
    """Whether an answer is long enough after these tokens; ``None``: it ends where the model ends it."""


def decode(network: nn.Module, prompts: Sequence[Ints], how: Decoding) -> list[list[int]]:
    """The tokens of the answer to each prompt, without the one that ends it; deterministic.

    Rows of like length are answered together, filled up on the left. A row that came near a tie in company is answered again
    alone, so that no answer depends on its neighbours.
    """
    found: list[list[int]] = [[] for _ in prompts]
    lengths = np.array([len(one) + how.new_tokens for one in prompts], dtype=np.int64)
    for rows in pack(np.argsort(-lengths, kind="stable"), lengths, budget=how.budget):
        answers, unsure = _batch(network, [prompts[row] for row in rows], how)
        for place, row in enumerate(rows.tolist()):
            alone = unsure[place] and len(rows) > 1
            found[row] = _batch(network, [prompts[row]], how)[0][0] if alone else answers[place]
    return found


def _batch(network: nn.Module, prompts: Sequence[Ints], how: Decoding) -> tuple[list[list[int]], list[bool]]:
    """The answers of one batch, and which of its rows met two logits that are nearly the same."""
    import torch

    device = next(network.parameters()).device
    dice = [how.sampling.dice(one) for one in prompts] if how.sampling is not None else []
    answers: list[list[int]] = [[] for _ in prompts]
    unsure = [False] * len(prompts)
    active = [*range(len(prompts))]
    ids, mask = (torch.from_numpy(one).to(device) for one in _left_padded(prompts, pad_id=how.pad_id))
    position = mask.cumsum(1).sub(1).clamp(min=0)
    cache: Any = None
    for _ in range(how.new_tokens):
        out = _forward(network, ids, mask, position, cache)
        cache = out.past_key_values
        best, gaps = _next(out.logits[:, -1], how.sampling, [dice[row] for row in active] if dice else [])
        going = []
        for place, (row, token, gap) in enumerate(zip(active, best.tolist(), gaps.tolist(), strict=True)):
            unsure[row] = unsure[row] or gap < TIE
            if token not in how.stops:
                answers[row].append(token)
                if how.enough is None or not how.enough(answers[row]):
                    going.append(place)
        if not going:
            break
        if len(going) < len(active):
            kept = torch.tensor(going, device=device)
            cache.batch_select_indices(kept)
            active, best, mask, position = [active[place] for place in going], best[kept], mask[kept], position[kept]
        ids = best[:, None]  # (rows, 1)
        mask = torch.cat([mask, mask.new_ones(len(active), 1)], 1)
        position = position[:, -1:] + 1
    return answers, unsure


def _next(logits: Tensor, sampling: Sampling | None, dice: Sequence[np.random.Generator]) -> tuple[Tensor, Tensor]:
    """(rows,) the token of each row, and (rows,) how near another one came."""
    return _chosen(logits) if sampling is None else drawn(logits, dice, sampling)


def _chosen(logits: Tensor) -> tuple[Tensor, Tensor]:
    """(rows,) the first of the largest logits, and (rows,) how far the second largest lies below it."""
    logits = logits.float()
    top = logits.topk(min(2, logits.shape[-1]), dim=-1).values
    return logits.argmax(-1), top[:, 0] - top[:, -1]


def _left_padded(prompts: Sequence[Ints], *, pad_id: int) -> tuple[Ints, Ints]:
    width = max(len(one) for one in prompts)
    ids = np.full((len(prompts), width), pad_id, dtype=np.int64)
    mask = np.zeros((len(prompts), width), dtype=np.int64)
    for row, one in enumerate(prompts):
        ids[row, width - len(one) :] = one
        mask[row, width - len(one) :] = 1
    return ids, mask


def _forward(network: nn.Module, ids: Tensor, mask: Tensor, position: Tensor, cache: Any) -> Any:
    last = {"logits_to_keep": 1} if "logits_to_keep" in inspect.signature(network.forward).parameters else {}
    return network(
        input_ids=ids, attention_mask=mask, position_ids=position, past_key_values=cache, use_cache=True, **last
    )


def answer_losses(
    network: nn.Module, examples: Sequence[tuple[Ints, npt.NDArray[np.bool_]]], *, pad_id: int, vocabulary: int
) -> npt.NDArray[np.float64]:
    """(n, 2) negative log-likelihood of each answer, summed over its tokens, and how many they are.

    Args:
        network: a causal language model.
        examples: token ids and which of them are of the answer, both (tokens,).
        pad_id: fills a batch on the right, where nothing looks at it.
        vocabulary: logits of a token.
    """
    import torch
    from torch.nn.functional import cross_entropy

    from ratchet.models.batching import by_length, padded

    device = next(network.parameters()).device
    ids = [one for one, _ in examples]
    lengths = np.array([len(one) for one in ids], dtype=np.int64)
    found = np.zeros((len(examples), 2), dtype=np.float64)
    for rows in by_length(lengths, budget=max(1, NLL_FLOATS // max(vocabulary, 1))):
        tokens, mask = (torch.from_numpy(one).to(device) for one in padded(ids, rows, pad_id=pad_id))
        logits = network(input_ids=tokens, attention_mask=mask, use_cache=False).logits  # (rows, tokens, vocabulary)
        for line, row in enumerate(rows.tolist()):
            said = np.flatnonzero(examples[row][1][1:])  # the token before it foretells it
            places = torch.from_numpy(said).to(device)
            losses = cross_entropy(logits[line, places].float(), tokens[line, places + 1], reduction="sum")
            found[row] = float(losses), len(said)
    return found


def choice_losses(
    network: nn.Module, prompt: Ints, choices: Sequence[Ints], *, pad_id: int, budget: int = BATCH_TOKENS
) -> npt.NDArray[np.float64]:
    """(k,) negative log-likelihood of each continuation of one prompt, which is read once for all that fit in a batch.

    Args:
        network: a causal language model.
        prompt: (tokens,)
        choices: token ids of each continuation, at least one.
        pad_id: fills a batch on the right, where nothing looks at it.
        budget: most tokens of a batch, those of the prompt counted for each continuation.
    """
    import torch

    from ratchet.models.batching import padded

    device = next(network.parameters()).device
    asked = torch.from_numpy(prompt)[None].to(device)
    lengths = np.array([len(prompt) + len(one) for one in choices], dtype=np.int64)
    found = np.zeros(len(choices), dtype=np.float64)
    for rows in pack(np.argsort(-lengths, kind="stable"), lengths, budget=budget):
        place = torch.arange(len(prompt), device=device)[None]
        out = _forward(network, asked, torch.ones_like(asked), place, None)
        tokens, mask = (torch.from_numpy(one).to(device) for one in padded(choices, rows, pad_id=pad_id))
        logits = out.logits[:, -1:].expand(len(rows), -1, -1)  # (rows, 1, vocabulary)
        if tokens.shape[1] > 1:
            out.past_key_values.batch_repeat_interleave(len(rows))
            further = network(
                input_ids=tokens[:, :-1],
                attention_mask=torch.cat([mask.new_ones(len(rows), len(prompt)), mask[:, :-1]], 1),
                position_ids=torch.arange(tokens.shape[1] - 1, device=device)[None] + len(prompt),
                past_key_values=out.past_key_values,
                use_cache=True,
            )
            logits = torch.cat([logits, further.logits], 1)  # (rows, tokens, vocabulary)
        chances = torch.log_softmax(logits.float(), -1).gather(2, tokens[:, :, None])[:, :, 0]  # (rows, tokens)
        found[rows] = -(chances.double() * mask).sum(1).cpu().numpy()
    return found
