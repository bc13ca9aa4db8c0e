"""A training step on answers: packed lines with logits at the answers, beside padded rows with all logits.

    python benchmarks/packing.py [LAYERS]

A network of the shape of SmolLM2-135M (576 wide, 49,152 entries) with random weights and fewer layers; rows of 40 to 200
tokens whose last fifth is the answer. The losses must agree.
"""

from __future__ import annotations

import sys
import time
from statistics import median

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from transformers import AutoConfig, AutoModelForCausalLM

from ratchet.models.batching import padded
from ratchet.train.batches import plan_epoch
from ratchet.train.language import Examples, LanguageObjective

ROWS, BUDGET, TRIES = 96, 2048, 3


def main(layers: int) -> None:
    """Print the seconds of an epoch either way, and what was wasted."""
    torch.manual_seed(0)
    shape = {"hidden_size": 576, "num_attention_heads": 9, "num_key_value_heads": 3, "intermediate_size": 1536}
    config = AutoConfig.for_model(
        "llama", vocab_size=49_152, num_hidden_layers=layers, tie_word_embeddings=True, **shape
    )
    model = AutoModelForCausalLM.from_config(config).train()
    dice = np.random.default_rng(0)
    sizes = dice.lognormal(4.5, 0.4, size=ROWS).clip(40, 200).astype(int)
    rows = [(dice.integers(3, 49_152, size=size), np.arange(size) >= size - size // 5) for size in sizes.tolist()]
    objective = LanguageObjective(model, train=Examples(rows=rows), valid=None, pad_id=0)
    plan = objective.plan(seed=0, epoch=0, budget=BUDGET)
    plain = plan_epoch(objective.lengths, seed=0, epoch=0, budget=BUDGET)
    ids = [one for one, _ in rows]

    def naive(batch: np.ndarray) -> torch.Tensor:
        tokens, mask = (torch.from_numpy(one) for one in padded(ids, batch, pad_id=0))
        labels = torch.full_like(tokens, -100)
        for line, row in enumerate(batch.tolist()):
            labels[line, : len(ids[row])] = torch.from_numpy(np.where(rows[row][1], ids[row], -100))
        logits = model(input_ids=tokens, attention_mask=mask, use_cache=False).logits[:, :-1]
        return cross_entropy(logits.flatten(0, 1).float(), labels[:, 1:].flatten(), reduction="sum")

    for name, step, batches, wasted in (
        ("padded rows, all logits", naive, plain.batches, plain.padding),
        ("packed lines, logits at answers", objective.loss, plan.batches, plan.padding),
    ):
        taken, total = [], 0.0
        for _ in range(TRIES):
            begun, total = time.perf_counter(), 0.0
            for batch in batches:
                loss = step(batch)
                loss.backward()
                total += float(loss.detach())
            model.zero_grad(set_to_none=True)
            taken.append(time.perf_counter() - begun)
        seconds = median(taken)
        print(
            f"{name}: {seconds:.2f} s an epoch, {int(sizes.sum()) / seconds:,.0f} real tokens/s, {wasted:.1%} padding, "
            f"{len(batches)} batches, loss of an answer token {total / objective.units(np.arange(ROWS)):.5f}"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 4)
