"""The section about what a model answers itself: how often it may be wrong, and what its probabilities say."""

from __future__ import annotations

from pydantic import Field

from ratchet.recipe.section import Section


class AnswerConfig(Section):
    """Which answers go out by themselves and which are left to people; for tasks with labels."""

    error: float | None = Field(default=None, gt=0, lt=0.5)
    """At most this share of what the model answers itself may be wrong, such as 0.01; the rest is left to people
    (``"abstain": true``). Absent: it answers everything."""
    confidence: float = Field(default=0.95, ge=0.5, lt=1)
    """The probability with which that promise is kept, over the rows that choose the threshold."""
    calibrate: bool = True
    """Serve probabilities at the temperature that lowers the log loss, where it is proven to."""
