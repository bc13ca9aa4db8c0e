"""The section of the recipe about the report."""

from __future__ import annotations

from ratchet.recipe.section import Section


class ReportConfig(Section):
    """What the report tells apart."""

    slices: tuple[str, ...] = ()
    """Columns by whose values the champion's answers are told apart, beside ``data.features``, the length of the text and its
    language."""
    robustness: bool = True
    """Ask the champion again with mistakes of typing and scanning in the texts, and tell how many answers change: of linear
    models on 500 rows, of encoders on 200; models that cost more, or money, are never asked."""
