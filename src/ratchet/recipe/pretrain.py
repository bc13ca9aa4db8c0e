"""The section about language modelling before answers are learnt."""

from __future__ import annotations

from pydantic import Field

from ratchet.recipe.place import Files
from ratchet.recipe.section import Section


class PretrainSpec(Section):
    """Language modelling, each next token, before the answers are learnt; for a model from scratch.

    It reads the texts and the answers of the rows that the model may see, and the corpus. All else about its training is said
    by the challenger's own keys (``schedule``, ``weight_decay``, ``clip``, ``precision``, ``keep`` ...).
    """

    corpus: Files = ()
    """Text files to read as well, each one document; one with a text of a row that is judged (or, with ``keep`` or tuned,
    of any row), or nearly so, is refused."""
    epochs: int | None = Field(default=None, ge=1, le=10_000)
    """Passes over these texts; absent: 2, and up to 10 where that makes fewer than 500 steps."""
    lr: float | None = Field(default=None, gt=0, le=10)
    """Highest learning rate; absent: 1e-3."""
    batch_tokens: int | None = Field(default=None, ge=16, le=100_000_000)
    """Tokens of a batch; absent: room for 16 documents of mean length, from 512 to 4096."""
