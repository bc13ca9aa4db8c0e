"""A diff for programs and people: its figures as JSON values, and a few rows of each kind with their cells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from ratchet.checks.context import SHOWN, shown
from ratchet.drift.brought_copies import Copies
from ratchet.drift.diff import Diff
from ratchet.drift.sides import Sides
from ratchet.tables.dataset import Dataset
from ratchet.text.columns import Rows
from ratchet.text.personal import brief

EXAMPLES = 3


@dataclass(frozen=True, kw_only=True)
class Change:
    """One row that is another than before, or the only one of its kind.

    Attributes:
        kind: ``changed``, ``added``, ``removed``, ``copy``, ``near-copy``, ``conflict`` or ``leak``.
        old: where the row is in the old table; empty where it is not; ``new`` likewise.
        cells: by column what it held and holds: of a changed row its text and the cells that differ, of any other its text
            and label. Shortened, with personal data masked.
    """

    kind: Literal["changed", "added", "removed", "copy", "near-copy", "conflict", "leak"]
    old: str
    new: str
    cells: dict[str, tuple[str, str]]


def examples(found: Diff, *, most: int = EXAMPLES) -> tuple[Change, ...]:
    """The first few rows of each kind."""
    made = [*_changed(found, most)]
    rows = found.rows
    made += [
        Change(kind="removed", old=found.a.place(row), new="", cells=_cells(found.a, row, old=True))
        for row in _first(rows.removed, most)
    ]
    new: list[tuple[Literal["added", "copy", "near-copy", "conflict", "leak"], Rows]] = [
        ("added", rows.added),
        ("copy", found.copies.exact),
        ("near-copy", np.zeros(0, np.int64) if found.copies.near is None else found.copies.near),
        ("conflict", found.copies.conflicts),
    ]
    if found.leaked is not None:
        new.append(("leak", found.leaked.rows))
    for kind, positions in new:
        made += [
            Change(kind=kind, old="", new=found.b.place(row), cells=_cells(found.b, row, old=False))
            for row in _first(positions, most)
        ]
    return tuple(made)


def to_dict(found: Diff, sides: Sides) -> dict[str, Any]:
    """Everything as plain JSON values."""
    rows, schema, leaked = found.rows, found.schema, found.leaked
    return {
        "a": _side(sides.names[0], found.a),
        "b": _side(sides.names[1], found.b),
        "same": found.same,
        "shifted": bool(found.alarms),
        "rows": {
            "kept": len(rows.kept[0]),
            "changed": len(rows.changed[0]),
            "added": len(rows.added),
            "removed": len(rows.removed),
            "matched_by": rows.by,
            "versions_of_one_table": rows.related,
            "changed_cells": found.cells,
            "relabelled": [{"from": old, "to": new, "rows": many} for (old, new), many in found.relabelled.items()],
        },
        "schema": {
            "added": list(schema.added),
            "removed": list(schema.removed),
            "kinds": {name: [asdict(share) for share in shares] for name, shares in schema.kinds.items()},
        },
        "labels": [asdict(share) for share in found.classes],
        "tests": {
            "alpha": found.alpha,
            "permutations": found.draws,
            "shifts": [asdict(shift) for shift in found.shifts],
        },
        "samples": [asdict(sample) for sample in found.samples],
        "copies": _copies(found.copies),
        "leaks": None
        if leaked is None
        else {"rows": len(leaked.rows), "test_rows": leaked.counts, "test_rows_not_leaked_before": leaked.fresh},
        "examples": [asdict(change) for change in examples(found)],
        "notes": [*sides.notes, *found.notes],
    }


def _side(name: str, side: Dataset) -> dict[str, Any]:
    return {
        "name": name,
        "files": list(side.files),
        "rows": len(side),
        "columns": side.table.column_names,
        "roles": asdict(side.roles),
    }


def _copies(copies: Copies) -> dict[str, Any]:
    return {
        "old": copies.old,
        "new": copies.new,
        "brought_exact": len(copies.exact),
        "brought_near": None if copies.near is None else len(copies.near),
        "conflicting_texts_old": copies.conflicts_old,
        "conflicting_texts_new": copies.conflicts_new,
        "brought_conflicts": len(copies.conflicts),
    }


def _changed(found: Diff, most: int) -> Iterator[Change]:
    text = found.a.roles.text
    names = [name for name in found.a.table.column_names if name in found.cells or name == text]
    for old, new in zip(*(_first(side, most) for side in found.rows.changed), strict=True):
        cells = {}
        for name in names:
            before, after = found.a.table.column(name)[old].as_py(), found.b.table.column(name)[new].as_py()
            if before != after:
                cells[name] = _apart(before or "", after or "")
            elif name == text:
                cells[name] = shown(before), shown(after)
        yield Change(kind="changed", old=found.a.place(old), new=found.b.place(new), cells=cells)


def _apart(before: str, after: str, *, lead: int = 24) -> tuple[str, str]:
    """Both cells from shortly before they differ, so that what is shown is what differs."""
    same = next(
        (i for i, (x, y) in enumerate(zip(before, after, strict=False)) if x != y), min(len(before), len(after))
    )
    start = max(0, same - lead) if same > 2 * lead else 0
    return brief(before, start, most=SHOWN), brief(after, start, most=SHOWN)


def _cells(side: Dataset, row: int, *, old: bool) -> dict[str, tuple[str, str]]:
    names = [name for name in (side.roles.text, side.roles.label) if name is not None]
    values = {name: shown(side.table.column(name)[row].as_py()) for name in names}
    return {name: (value, "") if old else ("", value) for name, value in values.items()}


def _first(rows: Rows, most: int) -> list[int]:
    return [int(row) for row in np.asarray(rows)[:most]]
