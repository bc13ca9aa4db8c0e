"""Two files of predictions as evidence: rows are matched by id or by content, never by place alone when content is there."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ratchet.errors import DataError
from ratchet.gate.evidence import Evidence
from ratchet.gate.metrics import named
from ratchet.prepare.labels import one_spelling
from ratchet.tables.read import read_table
from ratchet.tables.roles import IDS
from ratchet.text.personal import mask

PREDICTION, PROBABILITY = "prediction", "probability"
_SLACK = 0.01
"""How far the probabilities of a row may be from a sum of one: files are rounded."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _File:
    """One table of predictions."""

    path: Path
    columns: Mapping[str, Sequence[Any]]
    label: str
    rows: int

    @property
    def content(self) -> tuple[str, ...]:
        """Columns that say which row it is: neither answer nor true label."""
        return tuple(n for n in self.columns if n not in (self.label, PREDICTION) and not n.startswith(PROBABILITY))

    @property
    def id(self) -> str | None:
        """The column of ids, when there is one."""
        return next((name for name in self.content if name.strip().casefold() in (*IDS, "row_id")), None)

    @property
    def stated(self) -> dict[str, str]:
        """Labels that have a column of probabilities, with the name of that column."""
        start = f"{PROBABILITY}_"
        return {name.removeprefix(start): name for name in self.columns if name.startswith(start)}


def pair_files(
    challenger: Path, champion: Path, *, label: str, metrics: Sequence[str], labels: Sequence[str] = ()
) -> tuple[Evidence, Evidence, list[str]]:
    """Evidence of two tables of predictions on the same rows, and what should be said about them.

    Args:
        challenger: a table with the columns ``label`` and ``prediction``; ``probability_LABEL`` or ``probability`` are used
            where they are given, an id column or the other columns tell which row is which.
        champion: likewise, the same rows in any order.
        label: name of the column with the true label.
        metrics: what will be judged; some need probabilities.
        labels: names that are labels although no row has them.

    Raises:
        DataError: rows, labels or predictions do not fit together; the message counts them.
    """
    first, second = _read(challenger, label), _read(champion, label)
    a, b, notes = _matched(first, second)
    truths = [[_word(cell) for cell in file.columns[label]] for file in (first, second)]
    _agree(first, second, [truths[0][row] for row in a], [truths[1][row] for row in b], a)
    known = np.array([truths[0][row] is not None for row in a], dtype=bool)
    if not known.all():
        notes.append(f"{int((~known).sum()):,} rows without a true label are left out.")
        a, b = a[known], b[known]
    if not len(a):
        raise DataError(f"{challenger} must have a row with a true label but has none.")
    truth = [truths[0][row] for row in a]
    names = sorted({name for name in truth if name} | set(labels) | set(first.stated) | set(second.stated))
    place = {name: index for index, name in enumerate(names)}
    found = []
    for file, rows in ((first, a), (second, b)):
        classes = _classes(file, rows, place, notes)
        probability = _probability(file, rows, classes, names, metrics, notes)
        found.append(
            Evidence.of_classes(
                name=str(file.path) if first.path.name == second.path.name else file.path.name,
                rows=np.arange(len(rows)),
                truth=np.array([place[str(name)] for name in truth], dtype=np.int64),
                probability=probability,
            )
        )
    return found[0], found[1], notes


def _read(path: Path, label: str) -> _File:
    table = read_table(path).table
    for needed in (label, PREDICTION):
        if needed not in table.column_names:
            raise DataError(
                f"{path} must have the column {needed!r} but has {', '.join(table.column_names)}.",
                next_step="Name the column of the true label with --label; `ratchet predict` adds the predictions.",
            )
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    return _File(path=path, columns=columns, label=label, rows=table.num_rows)


def _matched(first: _File, second: _File) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], list[str]]:
    """Positions in both files of the same rows."""
    everything = np.arange(first.rows)
    keys: list[list[Any]]
    if first.id and first.id in second.columns:
        keys = [[_word(cell) for cell in file.columns[first.id]] for file in (first, second)]
        for file, cells in zip((first, second), keys, strict=True):
            twice = [cell for cell, count in Counter(cells).items() if count > 1 or cell is None]
            if twice:
                raise DataError(
                    f"The column {first.id!r} of {file.path} must name each row once but {len(twice):,} ids are empty or "
                    f"appear twice, {twice[0]!r} first.",
                    next_step="Give each row an id of its own, or remove the column: rows are then matched by content.",
                )
        by = f"the column {first.id!r}"
    else:
        shared = [name for name in first.content if name in second.columns]
        if not shared:
            if first.rows != second.rows:
                raise DataError(
                    f"{first.path} and {second.path} must have the same rows but have {first.rows:,} and {second.rows:,}.",
                    next_step="Predict the same file with both models.",
                )
            return everything, everything, ["There is no id and no text: rows are taken in their order."]
        keys = [
            [tuple(_word(cell) for cell in row) for row in zip(*(file.columns[name] for name in shared), strict=True)]
            for file in (first, second)
        ]
        by = "their content"
        labelled = [
            [*zip(cells, map(_word, file.columns[file.label]), strict=True)]
            for file, cells in zip((first, second), keys, strict=True)
        ]
        if Counter(labelled[0]) == Counter(labelled[1]):  # equal texts may have different labels
            keys = labelled
    counts: list[Counter[Any]] = [Counter(cells) for cells in keys]
    only = [sum((counts[one] - counts[1 - one]).values()) for one in (0, 1)]
    if any(only):
        raise DataError(
            f"{first.path} and {second.path} must have the same rows but, by {by}, {only[0]:,} are only in the first and "
            f"{only[1]:,} only in the second.",
            next_step="Predict the same file with both models.",
        )
    where: dict[Any, list[int]] = defaultdict(list)
    for row, key in reversed([*enumerate(keys[1])]):
        where[key].append(row)
    order = np.array([where[key].pop() for key in keys[0]], dtype=np.int64)
    if by != "their content":
        _same_content(first, second, order)
    notes = [] if (order == everything).all() else [f"The rows stand in another order; they are matched by {by}."]
    return everything, order, notes


def _same_content(first: _File, second: _File, order: npt.NDArray[np.int64]) -> None:
    """Refuse ids that were numbered anew in each file: the rows that they match are not the same."""
    for name in first.content:
        if name == first.id or name not in second.columns:
            continue
        cells, others = first.columns[name], second.columns[name]
        different = [row for row, other in enumerate(order) if _word(cells[row]) != _word(others[other])]
        if different:
            raise DataError(
                f"The ids of {first.path} and {second.path} must name the same rows but {len(different):,} differ in {name!r}, "
                f"row {different[0] + 1} of the first file before the others.",
                next_step=f"Remove the column {first.id!r}: rows are then matched by content.",
            )


def _agree(
    first: _File, second: _File, one: list[str | None], other: list[str | None], rows: npt.NDArray[np.int64]
) -> None:
    different = [n for n, (x, y) in enumerate(zip(one, other, strict=True)) if x != y]
    if different:
        n = different[0]
        raise DataError(
            f"{first.path} and {second.path} must have the same true label in each row but {len(different):,} of "
            f"{len(one):,} differ: row {int(rows[n]) + 1} has {one[n]!r} and {other[n]!r}.",
            next_step="Predict the same file with both models.",
        )


def _classes(
    file: _File, rows: npt.NDArray[np.int64], place: Mapping[str, int], notes: list[str]
) -> npt.NDArray[np.int64]:
    """The class that each row was given; -1 where there is no answer.

    Raises:
        DataError: an answer is no label.
    """
    said = [_word(file.columns[PREDICTION][row]) for row in rows]
    foreign = Counter(name for name in said if name is not None and name not in place)
    if foreign:
        name, _ = foreign.most_common(1)[0]
        meant = next((other for other in place if one_spelling(other) == one_spelling(name)), None)
        hint = f" Did you mean {meant!r}?" if meant else ""
        total = sum(foreign.values())
        raise DataError(
            f"{total:,} of {len(rows):,} predictions of {file.path} are not one of the labels "
            f"({', '.join([*place][:5])}{' ...' if len(place) > 5 else ''}): {mask(name)!r} {foreign[name]:,} times.{hint}",
            next_step="Write them as the labels are written, or name further labels with --labels.",
        )
    missing = sum(name is None for name in said)
    if missing:
        notes.append(f"{missing:,} rows of {file.path.name} have no prediction and count as wrong.")
    return np.array([-1 if name is None else place[name] for name in said], dtype=np.int64)


def _probability(
    file: _File,
    rows: npt.NDArray[np.int64],
    classes: npt.NDArray[np.int64],
    names: Sequence[str],
    metrics: Sequence[str],
    notes: list[str],
) -> npt.NDArray[np.float64]:
    """Probabilities where the file has them, and else one for the class that was said; shape (n, labels)."""
    wanted = [metric for metric in metrics if any(found.needs_probability for found in named(metric))]
    hard = np.zeros((len(rows), len(names) + 1))
    hard[np.arange(len(rows)), classes] = 1.0  # no answer is the last column, which is nobody's class
    unanswered = bool((classes < 0).any())
    if not wanted:
        return hard if unanswered else hard[:, :-1]
    stated = file.stated
    if len(names) > 1 and set(stated) == set(names):
        found = np.stack([_numbers(file, stated[name], rows) for name in names], axis=1)
        far = np.flatnonzero(np.abs(found.sum(axis=1) - 1) > _SLACK * len(names))
        if len(far):
            raise DataError(
                f"The probabilities of a row must add up to 1 but row {int(rows[far[0]]) + 1} of {file.path} has "
                f"{found[far[0]].sum():.3f} ({len(far):,} such rows)."
            )
    elif len(names) == 2 and PROBABILITY in file.columns and not unanswered:
        said = _numbers(file, PROBABILITY, rows)
        found = np.stack([np.where(classes == 0, said, 1 - said), np.where(classes == 0, 1 - said, said)], axis=1)
    else:
        raise DataError(
            f"The metric {wanted[0]} must have probabilities but {file.path} has no columns "
            f"{', '.join(f'probability_{name}' for name in names[:3])}{' ...' if len(names) > 3 else ''}.",
            next_step="Write them with `ratchet predict --each-label`, or compare by accuracy.",
        )
    differ = int((found.argmax(axis=1) != classes).sum())
    if differ and len(wanted) < len(metrics):
        raise DataError(
            f"{differ:,} predictions of {file.path} are not the most probable label, so accuracy and {wanted[0]} are "
            "about two things.",
            next_step="Compare with one --metric at a time.",
        )
    if differ:
        notes.append(
            f"{differ:,} predictions of {file.path.name} are not its most probable label; {wanted[0]} does not ask."
        )
    return found


def _numbers(file: _File, column: str, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    cells = file.columns[column]
    values = np.empty(len(rows))
    for n, row in enumerate(rows):
        try:
            values[n] = float(cells[row])
        except (TypeError, ValueError):
            values[n] = math.nan
        if not 0 <= values[n] <= 1:
            raise DataError(
                f"The column {column!r} of {file.path} must hold probabilities from 0 to 1 but row {int(row) + 1} has "
                f"{cells[row]!r}."
            )
    return values


def _word(cell: Any) -> str | None:
    """A cell as a name; ``None`` where nothing is written."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return None
    return str(cell).strip() or None
