"""Balance: how uneven the classes are, and which are too small to be learned and scored."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ratchet.checks.context import Context, Samples, counted, percent
from ratchet.checks.finding import Finding, patch

GIVES = ("balance.imbalance", "balance.rare")
_NAMED = 5


def check(context: Context) -> Iterator[Finding]:
    """The ratio of the largest to the smallest class, and classes with hardly any different text."""
    names, counts = context.labels.values, context.labels.counts
    if len(names) < 2:
        return
    texts = class_texts(context)
    order = np.lexsort((np.array(names), counts))
    small, large = int(order[0]), int(order[-1])
    ratio = counts[large] / counts[small]
    if ratio >= context.recipe.check.imbalance:
        rows = np.flatnonzero(context.labels.member == small).astype(np.int64)
        yield context.finding(
            "balance.imbalance",
            severity="warning",
            message=f"The class {names[large]!r} has {counts[large]:,} rows, {ratio:,.0f} times as many as {names[small]!r} "
            f"({counts[small]:,}); always answering {names[large]!r} is right on "
            f"{percent(counts[large] / counts.sum())}.",
            why="Accuracy then rewards a model that never finds the rare class; macro-F1 counts every class the same.",
            positions=rows,
            fix=_macro(context),
        ).among(int(counts.sum()))
    yield from _rare(context, texts)


def class_texts(context: Context) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Different texts of each label, in the order of ``context.labels.values``."""
    return np.bincount(context.group_labels[1], minlength=max(len(context.labels), 1))


def _rare(context: Context, texts: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Iterator[Finding]:
    """Classes with fewer different texts than there are parts to be in."""
    names = context.labels.values
    parts = 3 if context.recipe.split.order == "time" else context.recipe.split.folds + 1
    few = np.flatnonzero(texts < parts)
    if not len(few):
        return
    order = few[np.lexsort((few, texts[few]))]
    rows = np.flatnonzero(np.isin(context.labels.member, few)).astype(np.int64)
    listed = ", ".join(f"{names[i]!r} ({texts[i]:,})" for i in order[:_NAMED])
    yield context.finding(
        "balance.rare",
        severity="error" if texts[order[0]] < 2 else "warning",
        message=f"{counted(len(few), 'class', plural='classes')} {'has' if len(few) == 1 else 'have'} fewer than {parts} "
        f"different texts, one for each part: {listed}{' ...' if len(few) > _NAMED else ''}.",
        why="A class with one text is either not learned or not scored; with a few, its score is mostly chance.",
        positions=rows,
        samples=Samples(
            at=[int(np.flatnonzero(context.labels.member == i)[0]) for i in order[:3]],
            notes={int(np.flatnonzero(context.labels.member == i)[0]): names[i] for i in order[:3]},
        ),
    )


def _macro(context: Context) -> str:
    metrics = list(context.recipe.gate.metrics) or ["accuracy"]
    return patch({"gate": {"metrics": metrics if "macro_f1" in metrics else [*metrics, "macro_f1"]}})
