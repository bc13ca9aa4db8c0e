"""Near-duplicates: edited copies, and clusters so large that they rule the split."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ratchet.checks.context import Context, Samples, counted, percent, shown
from ratchet.checks.duplicates import further, is_further
from ratchet.checks.finding import Finding, patch
from ratchet.near.copies import near_pairs
from ratchet.prepare.together import CHAIN_TEXTS, TEMPLATE
from ratchet.text.columns import Rows

GIVES = ("duplicates.near", "duplicates.giant")
WARNING = 0.01
GIANT = 0.10
_LOOKED_AT = 200


def check(context: Context) -> Iterator[Finding]:
    """Near-duplicates that are no copies, and clusters so large that they rule the split."""
    cluster, groups = context.clusters, context.groups
    first_of_group = np.flatnonzero((groups >= 0) & ~is_further(groups))
    extra = further(cluster)
    extra = extra[~is_further(groups)[extra]]
    texts = len(first_of_group)
    if len(extra):
        share = len(extra) / texts
        check = context.recipe.check
        examples, notes = _near_examples(context, extra)
        yield context.finding(
            "duplicates.near",
            severity="warning" if share >= WARNING else "note",
            message=f"{counted(len(extra), 'different text')} ({percent(share)} of {texts:,}) "
            f"{'is' if len(extra) == 1 else 'are'} a near-duplicate of another: {check.near_threshold:.0%} or more of their "
            f"character {check.near_ngram}-grams in common, or the same wording.",
            why="Edited copies leak the test part into train just as copies do, and no search for copies finds them.",
            positions=extra,
            fix=patch({"split": {"near": True}}),
            samples=Samples(at=examples, notes=notes),
        ).among(texts)
    yield from _giant(context, texts=texts)


def _near_examples(context: Context, extra: Rows) -> tuple[list[int], dict[int, str]]:
    """Three near-duplicates, each with what it resembles and how much."""
    looked = extra[:_LOOKED_AT]
    wanted = np.unique(context.clusters[looked])
    members = np.flatnonzero(np.isin(context.clusters, wanted) & ~is_further(context.groups))[: 5 * _LOOKED_AT]
    texts = context.texts.some(context.texts.member[members])
    check = context.recipe.check
    pairs = near_pairs(texts, ngram=check.near_ngram, threshold=check.near_threshold)
    rows: list[int] = []
    notes: dict[int, str] = {}
    for left, right, jaccard in zip(pairs.left, pairs.right, pairs.jaccard, strict=True):
        row, other = int(members[right]), int(members[left])
        if row not in notes:
            rows.append(row)
            notes[row] = f"{jaccard:.2f} like row {context.dataset.origin[other]}: {shown(texts[left])}"
        if len(rows) == 3:
            break
    return rows or extra[:3].tolist(), notes


def _giant(context: Context, *, texts: int) -> Iterator[Finding]:
    """A cluster with a tenth of the different texts: no split can divide it."""
    distinct = ~is_further(context.groups) & (context.groups >= 0)
    sizes = np.bincount(context.clusters[distinct]) if distinct.any() else np.zeros(1, np.int64)
    largest = int(sizes.argmax())
    if texts < 10 or sizes[largest] < max(GIANT * texts, 3):
        return
    rows = np.flatnonzero((context.clusters == largest) & distinct).astype(np.int64)
    split = context.recipe.split
    clusters, parts = int(np.count_nonzero(sizes)), split.folds + (context.test is None)
    what = f"it stays in one part, whose size can then miss what the recipe asks (test {percent(split.test)})"
    refused = clusters <= parts and sizes[largest] <= CHAIN_TEXTS
    if refused:
        what = (
            f"it stays in one part, and {counted(clusters, 'cluster')} cannot fill {parts} parts: prepare will refuse this "
            "table"
        )
    elif clusters <= parts or sizes[largest] > TEMPLATE * texts:
        what = "its texts look as if made from a template, and prepare divides them by a finer measure"
    yield context.finding(
        "duplicates.giant",
        severity="error" if refused else "warning",
        message=f"One cluster of near-duplicates holds {percent(sizes[largest] / texts)} of the different texts "
        f"({sizes[largest]:,} of {texts:,}); {what}.",
        why="Texts that are all made from one template are one example many times over: the score says how well it is known.",
        positions=rows,
    ).among(texts)
