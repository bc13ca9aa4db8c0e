"""What the page of a check shows beyond its findings and facts: columns one by one, clusters of copies, the leak matrix."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from ratchet.check_report.check_terminal import short_names
from ratchet.check_report.clusters import Clusters, find_clusters
from ratchet.check_report.leak_rows import LeakMatrix, between_files, of_random_split
from ratchet.checks.context import Context, shown
from ratchet.checkup.checkup import Checkup
from ratchet.checkup.target import Target
from ratchet.tables.dataset import Dataset
from ratchet.tables.roles import ROLES

FILES = 8
"""More files than this are not compared with each other."""
ROWS = 500_000
"""Of a larger table clusters and matrix are not drawn: near-duplicates would be searched a second time."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column: its role and what spoke for it, missing cells, different values, and its first value as it may be shown."""

    name: str
    role: str
    why: str
    missing: int
    distinct: int
    first: str


@dataclass(frozen=True, kw_only=True)
class Details:
    """See the fields' types; ``None`` where it was not looked for, and ``why`` says why."""

    columns: tuple[Column, ...]
    clusters: Clusters | None
    matrix: LeakMatrix | None
    why: str = ""


def details(found: Checkup) -> Details:
    """The details of a check-up; near-duplicates are searched again for them."""
    target = found.target
    ran = {step.check.id for step in found.steps if not step.skipped}
    context = Context(dataset=target.dataset, recipe=target.recipe, seed=target.recipe.seed, scored=False)
    columns = tuple(_columns(target))
    rows = len(target.dataset) + (len(target.test) if target.test is not None else 0)
    if rows > ROWS:
        return Details(columns=columns, clusters=None, matrix=None, why=f"Not drawn: more than {ROWS:,} rows.")
    clusters = find_clusters(context) if ran & {"duplicates", "near"} else None
    matrix = _matrix(target, context) if ran & {"duplicates", "near", "parts", "leaks"} else None
    return Details(columns=columns, clusters=clusters, matrix=matrix, why="Not looked for.")


def _matrix(target: Target, context: Context) -> LeakMatrix | None:
    """Between the files of a target; of a single file, between the parts of a random split."""
    files = list(_files(target))
    if len(files) == 1:
        return of_random_split(context)
    if len(files) > FILES:
        return None
    check = target.recipe.check
    return between_files(files, ngram=check.near_ngram, threshold=check.near_threshold)


def _files(target: Target) -> Iterator[tuple[str, Dataset]]:
    names = short_names(target.files)
    for dataset in (target.dataset, target.test):
        if dataset is not None:
            for number, name in enumerate(dataset.files):
                yield names[name], dataset.take(np.flatnonzero(dataset.file_index == number))


def _columns(target: Target) -> Iterator[Column]:
    data = target.dataset
    roles = {getattr(data.roles, role): role for role in ROLES}
    why = target.guess.why if target.guess else {}
    for name in data.table.column_names:
        cells = data.table.column(name)
        first = next((cell for cell in cells.slice(0, 1_000).to_pylist() if cell is not None), None)
        role = roles.get(name, "")
        yield Column(
            name=name,
            role=role,
            why=why.get(role, "named" if role else ""),
            missing=int(cells.null_count),
            distinct=int(pc.count_distinct(cells, mode="only_valid").as_py()),
            first=shown(first),
        )
