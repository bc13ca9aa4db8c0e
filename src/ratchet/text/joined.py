"""Several texts of a row as one, and back: a paragraph separator stands between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

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


def joined_columns(columns: Sequence[pa.ChunkedArray]) -> pa.ChunkedArray:
    """:func:`joined` of each row of some columns of strings; null where all of its cells are."""
    import pyarrow as pa
    import pyarrow.compute as pc

    cells = [pc.replace_substring(column.cast(pa.large_string()), SEPARATOR, "\n") for column in columns]
    whole = pc.binary_join_element_wise(
        *(pc.fill_null(one, "") for one in cells), pa.scalar(SEPARATOR, pa.large_string())
    )
    missing = pc.is_null(columns[0])
    for column in columns[1:]:
        missing = pc.and_(missing, pc.is_null(column))
    return pc.if_else(missing, pa.scalar(None, whole.type), whole).cast(columns[0].type)
