"""What every section of the recipe is."""

from __future__ import annotations

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
