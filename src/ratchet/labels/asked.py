"""A queue of rows to label: as the table that people fill in, and as a page to look through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import ratchet
from ratchet.labels.queue import Queue
from ratchet.report.frame import render_page
from ratchet.tables.queues import OWN, RANK, as_csv

HEADER = (RANK, f"{OWN}answer", f"{OWN}uncertainty", f"{OWN}density", f"{OWN}row")


@dataclass(frozen=True, kw_only=True, eq=False)
class Asked:
    """The rows to label, the most useful first."""

    queue: Queue
    columns: tuple[str, ...]
    """Of the labelled table, which the queue has too."""
    label: str
    """The column that people fill in."""
    cells: tuple[Mapping[str, str | None], ...]
    """The cells of each row by column, those that the table has."""
    texts: tuple[str, ...]
    answers: tuple[str, ...]
    """What the model would say."""
    rows: int
    """Of the unlabelled table."""
    model: str
    source: str
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "source": self.source,
            "model": self.model,
            "rows": self.rows,
            "queued": len(self.texts),
            "left_out": self.queue.left_out,
            "notes": list(self.notes),
        }


def queue_csv(asked: Asked) -> bytes:
    """The queue as `tables.queues.as_csv` writes it.

    It has the columns of the labelled table, the label's empty, and some of its own, which reading leaves out: once labels
    are filled in, the file is one more of ``data.files``.
    """
    own = zip(asked.answers, asked.queue.uncertainty, asked.queue.density, asked.queue.rows.tolist(), strict=True)
    rows = (
        [*(cells.get(name) or "" for name in asked.columns), rank, answer, f"{unsure:.4f}", f"{dense:.4f}", row + 1]
        for rank, (cells, (answer, unsure, dense, row)) in enumerate(zip(asked.cells, own, strict=True), 1)
    )
    return as_csv([*asked.columns, *HEADER], rows)


def render_queue(asked: Asked) -> str:
    """The queue as one page; every text is escaped."""
    rows = zip(
        asked.texts,
        asked.answers,
        asked.queue.uncertainty.tolist(),
        asked.queue.density.tolist(),
        asked.queue.rows.tolist(),
        strict=True,
    )
    return render_page(
        "queue.html",
        shown={
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "version": ratchet.__version__,
            "asked": asked,
            "left_out": asked.queue.left_out,
            "rows": [*rows],
        },
    )


def told(asked: Asked) -> list[str]:
    """The queue for people, in a line or two: how many of how many rows, and what was left out."""
    listed = ", ".join(f"{count:,} {reason}" for reason, count in asked.queue.left_out.items())
    left = [f"left out: {listed}"] if listed else []
    return [*asked.notes, f"{len(asked.texts):,} of {asked.rows:,} rows of {asked.source}, by {asked.model!r}", *left]
