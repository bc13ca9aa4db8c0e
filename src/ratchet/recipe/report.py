"""The section of the recipe about the report."""

from __future__ import annotations

from ratchet.recipe.section import Section


class ReportConfig(Section):
    """What the report tells apart."""

    slices: tuple[str, ...] = ()
    """Columns by whose values the champion's answers are told apart, beside ``data.features``, the length of the text and its
    language."""
