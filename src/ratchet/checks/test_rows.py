"""Parts: rows and labels of the test files beside those of the training files, and a column that divides the table."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ratchet.checks.context import Context, Samples, counted, percent, shown
from ratchet.checks.finding import Finding
from ratchet.prepare.labels import one_spelling
from ratchet.prepare.leaks import leaks
from ratchet.tables.dataset import Dataset
from ratchet.text.dates import together

GIVES = ("parts.leak", "parts.time", "parts.labels", "parts.column")
_LISTED = 3
_COLUMNS = ("split", "subset", "part", "partition", "set", "fold", "is_test", "数据集", "划分", "集合")
_TEST = ("test", "testing", "eval", "evaluation", "heldout", "holdout", "测试", "测试集")
_TRAIN = ("train", "training", "trn", "训练", "训练集")
_KINDS = {
    "exact": ("with the same wording",) * 2,
    "near": ("near-duplicate", "near-duplicates"),
    "group": ("of a group that is in both",) * 2,
}


def check(context: Context) -> Iterator[Finding]:
    """Rows of the test files that are in the training files too, labels that only they have, and test rows that are older."""
    yield from _divided(context)
    if context.test is not None and len(context.test):
        yield from _labels(context, context.test)
        yield from _shared(context, context.test)
        yield from _order(context, context.test)


def _divided(context: Context) -> Iterator[Finding]:
    """A column that says which part a row belongs to: read as one table, test rows become training rows."""
    roles = context.dataset.roles
    for name in context.dataset.table.column_names:
        if name in (roles.text, *roles.texts, roles.label) or name.strip().casefold() not in _COLUMNS:
            continue
        cells = context.cells(name)
        if not 2 <= len(cells) <= 8:
            continue
        parts = {value.strip().casefold(): number for number, value in enumerate(cells.values)}
        test = [number for value, number in parts.items() if value in _TEST]
        if not test or not set(parts) & set(_TRAIN):
            continue
        rows = cells.rows(np.isin(np.arange(len(cells)), test))
        word = cells.values[test[0]]
        yield context.finding(
            "parts.column",
            severity="warning",
            message=f"The column {name!r} divides the table: {counted(len(rows), 'row')} of "
            f"{', '.join(f'{value!r} ({count:,})' for value, count in zip(cells.values, cells.counts, strict=True))} are "
            f"{word!r} rows, but the table is read as one.",
            why="What was meant for the test is trained on. Write those rows to a file of their own and name it in "
            "data.test_files (--test FILE), and the others in data.files.",
            positions=rows,
            column=name,
        )


def _labels(context: Context, test: Dataset) -> Iterator[Finding]:
    """Test rows whose label no training row has: whatever a model answers, they are wrong."""
    column = context.dataset.roles.label
    if column is None or column not in test.table.column_names:
        return
    other = Context(dataset=test, recipe=context.recipe, seed=context.seed)
    known, cells = set(context.labels.values), other.cells(column)
    foreign = np.array([name not in known for name in cells.values], bool)
    rows = cells.rows(foreign)
    if not len(rows):
        return
    spelled = {one_spelling(name): name for name in context.labels.values}
    named = [
        f"{name!r} ({count:,})"
        + (f", in training {spelled[one_spelling(name)]!r}" if one_spelling(name) in spelled else "")
        for name, count, odd in zip(cells.values, cells.counts, foreign, strict=True)
        if odd
    ]
    yield other.finding(
        "parts.labels",
        severity="error",
        message=f"{counted(len(rows), 'row')} of the test files ({percent(len(rows) / len(test))}) "
        f"{'has a label' if len(rows) == 1 else 'have labels'} that no training row has: {'; '.join(named[:5])}"
        f"{' ...' if len(named) > 5 else ''}.",
        why="No model can give such a label, so each of these rows is counted as wrong.",
        positions=rows,
        column=column,
    )


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
        why="The model has seen these rows in training: the score on them says nothing about new texts.",
        positions=rows,
        samples=Samples(at=first, notes=notes),
    )


def _order(context: Context, test: Dataset) -> Iterator[Finding]:
    """Test rows that lie before the last training row: the model knows their future."""
    time = context.dataset.roles.time
    if time is None or time not in test.table.column_names:
        return
    seen, asked = (one.seconds for one in together(context.dataset.table.column(time), test.table.column(time)))
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
