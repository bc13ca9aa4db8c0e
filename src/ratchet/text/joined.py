"""Several texts of a row as one, and back: a paragraph separator stands between them."""

from __future__ import annotations

from collections.abc import Sequence

SEPARATOR = "\u2029"
"""PARAGRAPH SEPARATOR (U+2029): white space to whatever looks at the whole, and no program writes it by itself."""


def joined(cells: Sequence[str | None]) -> str:
    """The texts of a row as one, a missing one as the empty text; a separator of their own becomes a line break.

    >>> joined(["a title", None]) == "a title" + SEPARATOR
    True
    """
    return SEPARATOR.join((cell or "").replace(SEPARATOR, "\n") for cell in cells)


def parted(text: str) -> list[str]:
    """The texts that :func:`joined` made one of, at least one; a missing one is empty."""
    return text.split(SEPARATOR)
