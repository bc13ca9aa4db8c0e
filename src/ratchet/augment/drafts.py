"""What an augmenter makes before anything is filtered out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ratchet.augment.source import Ints


@dataclass(frozen=True, kw_only=True, eq=False)
class Drafts:
    """m new texts, or the reasons why there is none."""

    texts: Sequence[str | None]
    """(m,) ``None``: nothing could be made of it, for the reason in ``failed``."""
    parent: Ints
    """(m,) the row of the source that each was made from; of several (examples shown to a model) the one whose label it has.
    All -1: they were made from no row; then they have ``labels`` of their own."""
    operation: Sequence[str]
    """(m,) what was done to the parent."""
    parents: Sequence[Sequence[int]] | None = None
    """(m,) all rows that each was made from, ``parent`` first; ``None``: of that one alone."""
    labels: Sequence[str] | None = None
    """(m,) ``None``: each has the label of its parent."""
    failed: Mapping[int, str] = field(default_factory=dict)
    """Why a draft has no text, by its place; a place that is not here had ``nothing_to_change``."""
    facts: Mapping[str, object] = field(default_factory=dict)
    """For the card (``made_with``), as JSON values: the model, a licence, what was asked and what it cost."""
