"""Parts: rows of the test files that the training files hold too."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ratchet.checks.context import Context, counted, percent, shown
from ratchet.checks.finding import Finding
from ratchet.data.leaks import leaks
from ratchet.data.moments import moments
from ratchet.data.table import Dataset

GIVES = ("parts.leak", "parts.time")
_LISTED = 3
_KINDS = {
    "exact": ("with the same wording",) * 2,
    "near": ("near-duplicate", "near-duplicates"),
    "group": ("of a group that is in both",) * 2,
}


def check(context: Context) -> Iterator[Finding]:
    """Rows of the test files that are in the training files too, and test rows older than training rows."""
    if context.test is not None and len(context.test):
        yield from _shared(context, context.test)
        yield from _order(context, context.test)


def _shared(context: Context, test: Dataset) -> Iterator[Finding]:
    train = context.dataset
    check = context.recipe.check
    found = leaks(train, test, ngram=check.near_ngram, threshold=check.near_threshold)
    counts = found.counts
    rows = np.flatnonzero(found.right_rows).astype(np.int64)
    if not len(rows):
        return
    kinds = ", ".join(
        f"{counts[kind]:,} {one if counts[kind] == 1 else more}" for kind, (one, more) in _KINDS.items() if counts[kind]
    )
    other = Context(dataset=test, recipe=context.recipe, seed=context.seed)
    notes = {}
    for shared in (found.group, found.near, found.exact):
        for row in np.flatnonzero(shared.right >= 0)[:_LISTED].tolist():
            match = int(shared.right[row])
            notes[row] = f"{shared.right_similarity[row]:.2f} like {train.place(match)}: {shown(train.texts[match])}"
    first = sorted(notes, key=lambda row: (found.exact.right[row] < 0, found.near.right[row] < 0, row))[:_LISTED]
    yield other.finding(
        "parts.leak",
        severity="error",
        message=f"{counted(len(rows), 'row')} of the test files ({percent(len(rows) / len(test))}) "
        f"{'is' if len(rows) == 1 else 'are'} in the training files too: {kinds}.",
        why="The model is asked what it was told: the score on such rows says nothing about new texts.",
        positions=rows,
        shown=first,
        notes=notes,
    )


def _order(context: Context, test: Dataset) -> Iterator[Finding]:
    """Test rows that lie before the last training row: the model knows their future."""
    time = context.dataset.roles.time
    if time is None or time not in test.table.column_names:
        return
    seen, asked = (moments(dataset.table.column(time)).seconds for dataset in (context.dataset, test))
    if np.isnan(seen).all() or np.isnan(asked).all():
        return
    rows = np.flatnonzero(asked <= np.nanmax(seen)).astype(np.int64)
    if not len(rows):
        return
    last = context.dataset.column(time)[int(np.nanargmax(seen))]
    other = Context(dataset=test, recipe=context.recipe, seed=context.seed)
    yield other.finding(
        "parts.time",
        severity="warning",
        message=f"{counted(len(rows), 'row')} of the test files ({percent(len(rows) / len(test))}) "
        f"{'is' if len(rows) == 1 else 'are'} not later than the last training row ({last}).",
        why="In use a model is asked about what comes after its training; tested on the past it knows what came of it.",
        positions=rows,
        column=time,
    )
