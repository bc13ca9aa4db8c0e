"""Parts: rows of the test files that the training files hold too."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ratchet.checks.context import Context, counted, percent, shown
from ratchet.checks.finding import Finding
from ratchet.data.leaks import leaks

GIVES = ("parts.leak",)
_LISTED = 3
_KINDS = {"exact": "with the same wording", "near": "near-duplicates", "group": "of a group that is in both"}


def check(context: Context) -> Iterator[Finding]:
    """Rows of the test files that are in the training files too."""
    train, test = context.dataset, context.test
    if test is None:
        return
    check = context.recipe.check
    found = leaks(train, test, ngram=check.near_ngram, threshold=check.near_threshold)
    counts = found.counts
    rows = np.flatnonzero(found.right_rows).astype(np.int64)
    if not len(rows):
        return
    kinds = ", ".join(f"{counts[kind]:,} {word}" for kind, word in _KINDS.items() if counts[kind])
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
