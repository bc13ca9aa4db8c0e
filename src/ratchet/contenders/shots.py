"""Which rows a model that is not trained here is shown as examples, and which it is judged on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ratchet.contenders.kind import Training
from ratchet.contenders.rows import Ints
from ratchet.endpoint.examples import choose
from ratchet.endpoint.prompt import Example

POOL = 20
"""Rows drawn for each example: those that are shown, and all that belong to them, are not judged."""


def divided(training: Training, *, shots: int) -> tuple[Ints, Sequence[Example]]:
    """The rows to ask about, and the examples, which come from other rows: nothing of one unit is on both sides."""
    rows = training.rows
    compared = rows.parts.compared
    if not shots:
        return compared, ()
    unit = rows.parts.unit if rows.parts.unit is not None else np.arange(len(rows.dataset))
    pool_rows = rows.parts.train if rows.parts.order == "time" else compared
    generator = np.random.default_rng(training.seed)
    units = np.unique(unit[pool_rows])
    drawn = generator.choice(units, size=min(len(units) // 2, POOL * shots), replace=False)
    pool = pool_rows[np.isin(unit[pool_rows], drawn)]
    judged = compared[~np.isin(unit[compared], drawn)]
    unseen = [rows.dataset.take(judged), rows.dataset.take(rows.parts.test)]
    chosen = choose(rows.dataset.take(pool), shots=shots, seed=training.seed, unseen=unseen)
    shown = unit[pool[list(chosen.rows)]]
    return compared[~np.isin(unit[compared], shown)], chosen.examples
