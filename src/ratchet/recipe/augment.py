"""More training rows: the keys that all augmenters share, and those of each."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ratchet.recipe.section import Name, Section


class AugmentFilters(Section):
    """Which new texts are kept. Copies, and whatever is near a valid or a test row, never are."""

    longer: float = Field(default=3.0, gt=1)
    """A new text is at most this many times as long as its parent, or as short; of parents under 8 characters any length."""
    language: bool = True
    """The new text is in its parent's language."""
    near: float | None = Field(default=None, gt=0, le=1)
    """It is less alike than this to any other row of its own part (Jaccard of character 3-grams); absent: not a copy."""
    label: float = Field(default=0.0, ge=0, le=1)
    """A model that never saw the parent must give its label at least this probability; 0: nobody is asked."""
    meaning: float = Field(default=0.0, ge=0, le=1)
    """Least likeness to the parent (cosine of character n-grams, or of vectors); 0: not asked."""
    vectors: str = ""
    """Where the vectors come from: a directory, ``package:NAME`` or a hub id of an encoder; empty: character n-grams."""


class AugmentKeys(Section):
    """The keys of every augmenter."""

    name: Name = ""
    """Its name in verdicts and reports; empty: made from its kind."""
    copies: int = Field(default=1, ge=1, le=64)
    """New texts that are tried from each row."""
    filters: AugmentFilters = AugmentFilters()
    """What is kept of them."""


class EdaSpec(AugmentKeys):
    """The champion's own model, trained on the train part plus easy data augmentation."""

    kind: Literal["eda"] = "eda"
    """Which kind of model this is."""
    alpha: float = Field(default=0.1, gt=0, le=0.5)
    """Share of the words (characters in Chinese) that each operation changes."""
    operations: tuple[Literal["swap", "delete", "insert", "replace"], ...] = Field(
        default=("swap", "delete", "insert", "replace"), min_length=1
    )
    """Random swaps, deletions, insertions and replacements."""
