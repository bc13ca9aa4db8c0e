"""What changed between two tables: rows, columns, distributions with calibrated tests, copies and leaks."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import pyarrow.compute as pc

from ratchet.drift.brought_copies import Copies, Leaked, copies, leaked
from ratchet.drift.compared_by import KINDS, cell_kinds
from ratchet.drift.match import Match, match
from ratchet.drift.shifts import LEAST, Between, Pool, Sample, Share, Shift, compare_pools
from ratchet.errors import DataError
from ratchet.near.copies import THRESHOLD
from ratchet.tables.dataset import Dataset, Roles
from ratchet.text.columns import Rows

NOTICEABLE = 0.0005
"""Change of the share of a kind of cells from which it is listed."""


@dataclass(frozen=True, kw_only=True)
class Schema:
    """Columns that only one table has; and of the others the kinds of their cells, where the shares changed."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    kinds: dict[str, tuple[Share, ...]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Diff:
    """Everything that changed from table ``a`` to table ``b``.

    Attributes:
        rows: which rows were kept, changed, removed and added.
        cells: by column, changed rows in which its cell differs.
        relabelled: changed rows by old and new label, the most first.
        classes: shares of the labels in both tables, the largest first.
        shifts: every test.
        samples: the compared rows, for pictures.
        copies: copies and contradictions, and which of them the new rows brought.
        leaked: what new rows give away of the test rows; ``None`` without test rows.
        alpha: chance that any test of the diff raises a false alarm.
        draws: permutations of each test.
        notes: what a reader should know of how rows were matched and compared.
    """

    a: Dataset
    b: Dataset
    rows: Match
    schema: Schema
    cells: dict[str, int]
    relabelled: dict[tuple[str, str], int]
    classes: tuple[Share, ...]
    shifts: tuple[Shift, ...]
    samples: tuple[Sample, ...]
    copies: Copies
    leaked: Leaked | None
    alpha: float
    draws: int
    notes: tuple[str, ...]

    @property
    def alarms(self) -> tuple[Shift, ...]:
        """The tests that raised the alarm, the surest first."""
        return tuple(sorted((shift for shift in self.shifts if shift.alarm), key=lambda shift: shift.p_adjusted))

    @property
    def same(self) -> bool:
        """Whether both tables have the same rows and columns, in whatever order."""
        rows, schema = self.rows, self.schema
        return not (len(rows.changed[0]) or len(rows.removed) or len(rows.added) or schema.added or schema.removed)


def diff(
    a: Dataset,
    b: Dataset,
    *,
    seed: int = 0,
    alpha: float = 0.05,
    test: Dataset | None = None,
    near: float | None = THRESHOLD,
) -> Diff:
    """Compare two tables.

    Rows that both tables have say nothing about a change, and would make any two tables look alike. So between two versions
    of a table the rows only in ``b`` (added or changed) are compared with the whole of ``a``, and the rows gone from ``a`` with
    those that stayed. Tables that are no versions of each other (:attr:`ratchet.drift.match.Match.related`) are compared whole.

    Every test is a permutation test of the compared rows (:mod:`ratchet.drift.permutation`), and all tests of the diff
    are one family (Holm): when nothing shifted, the chance of any alarm is at most ``alpha``. Copies of a row are permuted in
    bundles, and the rows of a group together where there is a group column.

    Args:
        a: the old table.
        b: the new one; columns have the roles that they have in ``a``.
        seed: of the permutations.
        alpha: chance of any false alarm.
        test: rows that models are measured on: which of them do the new rows give away?
        near: Jaccard similarity of character trigrams from which texts are near-duplicates; ``None``: do not look for them,
            which is most of the time on a million rows.

    Raises:
        DataError: ``b`` has no column of the name of the text column.
    """
    b = replace(b, roles=_roles(a, b))
    found = match(a, b, near=near)
    fresh = np.sort(np.concatenate([found.changed[1], found.added]))
    pools, notes = _pools(a, b, found, fresh)
    shifts, samples, draws = compare_pools(pools, seed=seed, alpha=alpha)
    return Diff(
        a=a,
        b=b,
        rows=found,
        schema=_schema(a, b),
        cells=_changed_cells(a, b, found),
        relabelled=_relabelled(a, b, found),
        classes=_classes(a, b),
        shifts=shifts,
        samples=samples,
        copies=copies(a, b, fresh, near=near),
        leaked=None if test is None else leaked(a, b, fresh, test, near=near or THRESHOLD),
        alpha=alpha,
        draws=draws,
        notes=(*found.notes, *notes),
    )


def _roles(a: Dataset, b: Dataset) -> Roles:
    """The roles of ``a`` as far as ``b`` has their columns."""
    names = set(b.table.column_names)
    roles = a.roles
    if roles.text not in names:
        raise DataError(
            f"{b.files[0]} must have the text column {roles.text!r} as {a.files[0]} has but it has none of this name.",
            next_step="Name a column that both have as the text.",
        )
    label, group, time, id = (
        name if name in names else None for name in (roles.label, roles.group, roles.time, roles.id)
    )
    return Roles(text=roles.text, label=label, group=group, time=time, id=id)


def _pools(a: Dataset, b: Dataset, found: Match, fresh: Rows) -> tuple[list[Pool], list[str]]:
    """The samples to compare, and what is said about those that are too small."""
    if not found.related:
        wanted: list[tuple[Between, Dataset, Dataset]] = [("all", a, b)]
    else:
        stayed = np.setdiff1d(np.arange(len(a)), found.removed)
        wanted = [("added", a, b.take(fresh)), ("removed", a.take(stayed), a.take(found.removed))]
    pools, notes = [], []
    for between, old, new in wanted:
        if not len(new) or not len(old):
            continue
        pool = Pool.of(old, new, between=between)
        if pool.least >= LEAST:
            pools.append(pool)
        else:
            what = {"all": "one table has", "added": "the new rows are", "removed": "the removed rows are"}[between]
            notes.append(f"Not tested: {what} only {pool.least} different rows or groups, and a test needs {LEAST}.")
    return pools, notes


def _schema(a: Dataset, b: Dataset) -> Schema:
    here, there = a.table.column_names, b.table.column_names
    kinds = {}
    for name in (name for name in here if name in there):
        old, new = (cell_kinds(side, name) / max(len(side), 1) for side in (a, b))
        if np.abs(old - new).max() >= NOTICEABLE:
            shares = zip(KINDS, old.tolist(), new.tolist(), strict=True)
            kinds[name] = tuple(Share(name=kind, old=p, new=q) for kind, p, q in shares if p or q)
    return Schema(
        added=tuple(name for name in there if name not in here),
        removed=tuple(name for name in here if name not in there),
        kinds=kinds,
    )


def _changed_cells(a: Dataset, b: Dataset, found: Match) -> dict[str, int]:
    counts = {}
    for name in a.table.column_names:
        if name in b.table.column_names and not (found.by == "content" and name == a.roles.id):
            old, new = (side.table.column(name).take(rows) for side, rows in zip((a, b), found.changed, strict=True))
            equal = pc.fill_null(pc.equal(old, new), False).to_numpy(zero_copy_only=False)
            both = pc.and_(pc.is_null(old), pc.is_null(new)).to_numpy(zero_copy_only=False)
            if differ := int((~(equal | both)).sum()):
                counts[name] = differ
    return counts


def _relabelled(a: Dataset, b: Dataset, found: Match) -> dict[tuple[str, str], int]:
    if a.roles.label is None or b.roles.label is None:
        return {}
    pairs = zip(found.changed[0].tolist(), found.changed[1].tolist(), strict=True)
    moves = Counter((a.labels[here], b.labels[there]) for here, there in pairs)
    return {
        pair: many for pair, many in sorted(moves.items(), key=lambda item: (-item[1], item[0])) if pair[0] != pair[1]
    }


def _classes(a: Dataset, b: Dataset) -> tuple[Share, ...]:
    if a.roles.label is None or b.roles.label is None:
        return ()
    old, new = (Counter(label for label in side.labels if label) for side in (a, b))
    totals = max(old.total(), 1), max(new.total(), 1)
    names = sorted(old.keys() | new.keys(), key=lambda name: (-old[name] - new[name], name))
    return tuple(Share(name=name, old=old[name] / totals[0], new=new[name] / totals[1]) for name in names)
