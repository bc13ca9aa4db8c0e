"""Duplicates: further copies of a text, and texts that differ in punctuation only."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ratchet.checks.context import Context, Mask, Samples, counted, percent
from ratchet.checks.finding import Finding, patch
from ratchet.near.copies import representatives
from ratchet.text.columns import Rows

GIVES = ("duplicates.exact", "duplicates.wording")
ERROR = 0.05


def check(context: Context) -> Iterator[Finding]:
    """Further copies of a text, and texts of the same letters and digits."""
    known = np.flatnonzero(context.groups >= 0)
    copies = further(context.groups)
    if len(copies):
        share = len(copies) / len(known)
        distinct = len(known) - len(copies)
        leaked = leaked_share(context.groups, seed=context.seed)
        why = (
            "A model that saw the test rows in training is scored on its memory, and copies weigh more than other rows."
        )
        prompts = context.chat is not None and context.chat.form == "pairs"
        if prompts:
            why += " They may be answered differently, so dropping all but the first would lose answers."
        yield context.finding(
            "duplicates.exact",
            severity="error" if share >= ERROR else "warning",
            message=f"{counted(len(copies), 'row')} ({percent(share)}) {'is a' if len(copies) == 1 else 'are'} further "
            f"{'copy' if len(copies) == 1 else 'copies'} of another row's text, case, width and spaces aside: "
            f"{len(known):,} rows hold {counted(distinct, 'different text')}. A random 80/20 split puts a copy of "
            f"{percent(leaked)} of its test rows into train.",
            why=why,
            positions=copies,
            fix="" if prompts else patch({"prepare": {"duplicates": "drop"}}),
            samples=Samples(
                at=copies[_largest_first(context.groups, copies)][:3].tolist(), notes=_copies_noted(context, copies)
            ),
        ).among(len(known))
    yield from _wording(context)


def further(groups: Rows) -> Rows:
    """Positions of all rows of a group but its first; -1 is no group."""
    return np.flatnonzero(is_further(groups)).astype(np.int64)


def leaked_share(groups: Rows, *, seed: int) -> float:
    """Share of the test rows of one random 80/20 split whose group also has a row in train; -1 is no group."""
    rows = np.flatnonzero(groups >= 0)
    train, test = random_split(rows, seed=seed)
    if not len(test):
        return 0.0
    inside = np.zeros(int(groups.max()) + 1, bool)
    inside[groups[train]] = True
    return float(inside[groups[test]].mean())


def random_split(rows: Rows, *, seed: int) -> tuple[Rows, Rows]:
    """What everybody does: four fifths of the rows at random, and the rest."""
    order = np.random.default_rng(seed).permutation(rows)
    cut = round(0.8 * len(rows))
    return np.sort(order[:cut]), np.sort(order[cut:])


def is_further(groups: Rows) -> Mask:
    """Which rows are of a group that an earlier row is of; -1 is no group."""
    result = groups >= 0
    result[representatives(groups)] = False
    return result


def _largest_first(groups: Rows, copies: Rows) -> Rows:
    """The order of ``copies`` that shows one of each of the largest groups first."""
    _, first, size = np.unique(groups[copies], return_index=True, return_counts=True)
    return first[np.argsort(-size, kind="stable")]


def _copies_noted(context: Context, copies: Rows) -> dict[int, str]:
    size = np.bincount(context.groups[context.groups >= 0])
    shown_rows = copies[_largest_first(context.groups, copies)][:3]
    return {int(position): f"{size[context.groups[position]]:,} copies" for position in shown_rows}


def _wording(context: Context) -> Iterator[Finding]:
    """Different texts (after normalisation) with the same letters and digits."""
    rows = context.wordings
    extra = further(rows)
    extra = extra[~is_further(context.groups)[extra]]
    if not len(extra):
        return
    known = int((context.groups >= 0).sum())
    yield context.finding(
        "duplicates.wording",
        severity="note",
        message=f"{counted(len(extra), 'more text')} {'differs' if len(extra) == 1 else 'differ'} from another in punctuation "
        f"only: with these, {len(further(rows)):,} of {known:,} rows say what another row says.",
        why="Prepare does not take them for copies, but the split keeps them in one part: a model scored on one saw the other.",
        positions=extra,
    ).among(known)
