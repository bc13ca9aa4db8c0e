"""Small generators of several kinds for the tests of fine-tuning."""

from __future__ import annotations

import numpy as np
import torch

from ratchet.train.language import Examples
from ratchet.train.reading import Example

VOCABULARY = 97


def network(kind: str = "llama", *, seed: int = 0, dropout: float = 0.0):  # type: ignore[no-untyped-def]
    """A random generator with weights large enough to say various things."""
    from transformers import AutoConfig, AutoModelForCausalLM

    own = {
        "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 128}
        | {"resid_pdrop": dropout, "embd_pdrop": 0.0, "attn_pdrop": 0.0},
        "bloom": {"hidden_size": 32, "n_layer": 2, "n_head": 4},
    }
    usual = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    usual |= {"max_position_embeddings": 128, "num_key_value_heads": 4, "head_dim": 8}
    further = {"logits_scaling": 3.0} if kind == "granite" else {}
    ends = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": None}
    torch.manual_seed(seed)
    config = AutoConfig.for_model(kind, vocab_size=VOCABULARY, **ends, **own.get(kind, usual), **further)
    made = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for weight in made.parameters():
            if weight.ndim > 1:
                weight.mul_(4)
    return made.eval()


def examples(sizes: list[int], *, seed: int = 0) -> Examples:
    """Random tokens; the last third of each row is its answer."""
    dice = np.random.default_rng(seed)
    rows: list[Example] = []
    for size in sizes:
        told = np.arange(size) >= size - max(size // 3, 1)
        rows.append((dice.integers(3, VOCABULARY, size=size), told))
    return Examples(rows=rows)
