"""Rows to which somebody else gave no usable answer: which, why, and what was said instead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from ratchet.contenders.rows import Ints, PartedRows

LISTED = 20
"""Failed rows that a card lists."""
SHOWN = 200
"""Characters of what was said instead."""
_FIRST = 3


def failed_rows(
    failures: Mapping[int, str], said: Mapping[int, str | None], rows: PartedRows, wanted: Ints
) -> list[dict[str, Any]]:
    """The first rows of every reason: where each stands in the table, the reason, and the beginning of what was said.

    Args:
        failures: why, by place among the wanted rows.
        said: the text of the answer, by the same place; absent or ``None``: there was none.
        rows: the table.
        wanted: the rows that were asked about.
    """
    turns = Counter[str]()
    order: list[tuple[int, int]] = []
    for place in sorted(failures):
        order.append((turns[failures[place]], place))
        turns[failures[place]] += 1
    return [
        {
            "row": rows.dataset.place(int(wanted[place])),
            "reason": failures[place],
            "said": (said.get(place) or "")[:SHOWN],
        }
        for _, place in sorted(order)[:LISTED]
    ]


def told_failures(failed: list[dict[str, Any]], counts: Mapping[str, int]) -> list[str]:
    """A line for each reason, with the first rows that it befell."""
    lines = []
    for reason, count in counts.items():
        first = [str(one["row"]) for one in failed if one["reason"] == reason][:_FIRST]
        more = f": {'; '.join(first)}" if first else ""
        lines.append(f"{count:,} of the rows have no usable answer and count as wrong, {reason}{more}")
    return lines
