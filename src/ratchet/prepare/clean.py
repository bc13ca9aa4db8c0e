"""Preparing a table: texts and labels are fixed, and rows that would mislead training go to the quarantine."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ratchet.errors import DataError
from ratchet.near.copies import exact_groups
from ratchet.prepare.fixes import REVIEWED, fix
from ratchet.prepare.quarantine import Quarantine, removed
from ratchet.prepare.review import Answers
from ratchet.recipe.sections import PrepareConfig
from ratchet.tables.dataset import Dataset
from ratchet.text.columns import Rows

_KEPT = -1
Find = Callable[[Dataset], Mapping[str, Rows]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Prepared:
    """The rows that stay, and the quarantine of the others and of changed cells."""

    dataset: Dataset
    quarantine: Quarantine


def prepare(
    dataset: Dataset, *, config: PrepareConfig, answers: Answers | None = None, find: Find | None = None
) -> Prepared:
    """Fix texts and labels; then take out rows without text or label, texts with contradicting labels, and further copies.

    A copy is a text that :func:`ratchet.near.copies.normalise` makes equal; the first one stays. The reasons are
    ``text.empty``, ``labels.missing``, ``labels.review``, the findings of ``config.remove``, ``labels.conflict`` and
    ``duplicates.exact``; each row has the first that holds. Changed cells have the reasons of
    :func:`ratchet.prepare.fixes.fix`. :func:`ratchet.prepare.quarantine.restore` undoes it all.

    Args:
        dataset: the rows as they were read.
        config: what to do.
        answers: what was decided about doubted labels.
        find: the positions of the rows of each finding of ``config.remove``, asked for the fixed rows.

    Raises:
        DataError: a column to drop does not exist or has a role, or no row would stay.
    """
    _require_droppable(dataset, config.drop_columns)
    fixed = fix(dataset, config=config, answers=answers)
    dataset = fixed.dataset
    out: dict[str, Rows] = {} if answers is None else {REVIEWED: answers.dropped}
    out |= find(dataset) if find is not None and config.remove else {}
    reasons = ("text.empty", "labels.missing", *out, "labels.conflict", "duplicates.exact")
    reason, kept = _judged(dataset, config=config, out=out, reasons=reasons)
    gone = np.flatnonzero(reason != _KEPT)
    if len(gone) == len(dataset):
        raise DataError(
            f"Some rows must stay but preparing takes out all {len(dataset):,}.",
            next_step="See the texts and labels of the table, or set prepare.conflicts to keep or majority.",
        )
    quarantine = removed(dataset, gone, reasons=[reasons[i] for i in reason[gone].tolist()], kept=kept[gone])
    quarantine = replace(quarantine, changes=fixed.changes)
    left = dataset.take(np.flatnonzero(reason == _KEPT))
    if config.drop_columns:
        quarantine = replace(quarantine, dropped=replace(left, table=left.table.select(list(config.drop_columns))))
        left = replace(left, table=left.table.drop_columns(list(config.drop_columns)))
    return Prepared(dataset=left, quarantine=quarantine)


def _judged(
    dataset: Dataset, *, config: PrepareConfig, out: Mapping[str, Rows], reasons: Sequence[str]
) -> tuple[Rows, Rows]:
    """For each row the number of its reason (-1: it stays) and the row that stands for it (-1: none)."""
    group = _rows_alike(dataset)
    label = exact_groups(dataset.labels, form=str)
    reason = np.full(len(dataset), _KEPT, np.int64)
    kept = np.full(len(dataset), -1, np.int64)
    reason[group == 0] = reasons.index("text.empty")
    if dataset.roles.label is not None:
        reason[(reason == _KEPT) & [not cell for cell in dataset.labels]] = reasons.index("labels.missing")
    for name, rows in out.items():
        reason[rows[reason[rows] == _KEPT]] = reasons.index(name)
    if config.conflicts != "keep":
        rows = np.flatnonzero(reason == _KEPT)
        against, stand_in = _conflicts(group[rows], label[rows], majority=config.conflicts == "majority")
        reason[rows[against]] = reasons.index("labels.conflict")
        kept[rows[against]] = np.where(stand_in[against] >= 0, rows[stand_in[against]], -1)
    if config.duplicates == "drop":
        rows = np.flatnonzero(reason == _KEPT)
        _, first, member = np.unique(
            group[rows] * (label.max() + 1) + label[rows], return_index=True, return_inverse=True
        )
        further = first[member] != np.arange(len(rows))
        reason[rows[further]] = reasons.index("duplicates.exact")
        kept[rows[further]] = rows[first[member][further]]
    return reason, kept


def _rows_alike(dataset: Dataset) -> Rows:
    """A number for each row, equal where the text and all features are; 0 where there is nothing to read."""
    group = exact_groups(["", *dataset.texts])[1:]
    if not dataset.roles.features:
        return group
    cells = zip(*(dataset.column(name) for name, _ in dataset.roles.features), strict=True)
    beside = exact_groups([repr(row) for row in cells], form=str)
    both = np.unique(np.stack([group, beside]), axis=1, return_inverse=True)[1].ravel() + 1
    return np.where(group == 0, 0, both)


def _conflicts(group: Rows, label: Rows, *, majority: bool) -> tuple[npt.NDArray[np.bool_], Rows]:
    """Which rows contradict another label of their group and go, and the row that stands for each (-1: none).

    With ``majority`` the rows of the label that most copies have stay; where two labels tie, all go.
    """
    width = int(label.max(initial=0)) + 1
    codes, first, member, counts = np.unique(
        group * width + label, return_index=True, return_inverse=True, return_counts=True
    )
    owner = codes // width
    contradicted = np.bincount(owner)[group] > 1
    if not majority:
        return contradicted, np.full(len(group), -1, np.int64)
    order = np.lexsort((-counts, owner))
    start = np.searchsorted(owner[order], np.arange(owner.max(initial=-1) + 1))
    best = order[start]
    second = order[np.minimum(start + 1, len(order) - 1)]
    tied = (second != best) & (owner[second] == owner[best]) & (counts[second] == counts[best])
    winner = np.where(tied, -1, best)[group]
    return contradicted & (winner != member), np.where(winner >= 0, first[winner], -1)


def _require_droppable(dataset: Dataset, columns: tuple[str, ...]) -> None:
    names = dataset.table.column_names
    for column in columns:
        if column not in names:
            near = difflib.get_close_matches(column, names, n=1)
            raise DataError(
                f"prepare.drop_columns must name columns of the table but got {column!r}.",
                next_step=f"Did you mean {near[0]!r}?" if near else f"It has {', '.join(map(repr, names))}.",
            )
        if column in dataset.roles.used:
            raise DataError(
                f"prepare.drop_columns must leave columns with a role alone but got {column!r}.",
                next_step="Take it out of prepare.drop_columns, or give the role to another column.",
            )
