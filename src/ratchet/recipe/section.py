"""What every section of the recipe is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A part of the recipe: frozen, and unknown keys are refused.

    The line under a key is its description in the JSON Schema and in the recipe that ``ratchet init`` writes. A
    validator's message begins with the key it is about: "high must be at least low (3) but got 2."
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=False, allow_inf_nan=False, use_attribute_docstrings=True
    )


Name = Annotated[str, Field(max_length=60, pattern=r"^([^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*)?$")]
"""A name that is also part of a folder's name: no slash, no control character, no dot first, at most 60 characters."""


def name_after(file: str) -> str:
    """A :data:`Name` from the name of a file: up to its first dot, what a name must not have as hyphens.

    >>> name_after("data/评论\\n2024.v2.csv")
    '评论-2024'
    """
    stem = Path(file).name.split(".")[0]
    return "".join(c if c.isprintable() and c not in "/\\" else "-" for c in stem).strip()[:60]
