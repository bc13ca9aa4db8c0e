"""Probabilities that a file of answers has beside them: ``probability_LABEL`` for each label, or ``probability``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ratchet.errors import DataError

PROBABILITY = "probability"
_SLACK = 0.01
"""How far the probabilities of a row may be from a sum of one: files are rounded."""
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Stated:
    """The columns of a file beside n answers.

    Attributes:
        path: the file.
        columns: by name, n cells each.
        places: the number of each answer in the file, from 1.
    """

    path: Path
    columns: Mapping[str, Sequence[str | None]]
    places: Sequence[int]


def stated_labels(columns: Mapping[str, object]) -> dict[str, str]:
    """Labels that have a column of probabilities, with the name of that column."""
    start = f"{PROBABILITY}_"
    return {name.removeprefix(start): name for name in columns if name.startswith(start)}


def label_probabilities(
    said: Stated, cells: Sequence[str | None], names: Sequence[str], *, metric: str
) -> npt.NDArray[np.float64]:
    """Probabilities of the labels, shape (n, labels); arguments and errors as of `Task.stated`."""
    stated = stated_labels(said.columns)
    if len(names) > 1 and set(stated) == set(names):
        found = np.stack([_probabilities(said, stated[name]) for name in names], axis=1)
        _require_sum(found, said, names=names)
        return found
    if len(names) == 2 and PROBABILITY in said.columns and None not in cells:
        given = _probabilities(said, PROBABILITY)
        first = np.array([cell == names[0] for cell in cells], dtype=bool)
        return np.stack([np.where(first, given, 1 - given), np.where(first, 1 - given, given)], axis=1)
    raise DataError(
        f"The metric {metric} must have probabilities but {said.path} has no columns "
        f"{', '.join(f'probability_{name}' for name in names[:3])}{' ...' if len(names) > 3 else ''}.",
        next_step="Write them with `ratchet predict --each-label`, or compare by accuracy.",
    )


def _require_sum(found: Floats, said: Stated, *, names: Sequence[str]) -> None:
    far = np.flatnonzero(np.abs(found.sum(axis=1) - 1) > _SLACK * len(names))
    if len(far):
        raise DataError(
            f"The probabilities of a row must add up to 1 but row {said.places[int(far[0])]:,} of {said.path} has "
            f"{found[far[0]].sum():.3f} ({len(far):,} such rows).",
            next_step="Write the probability of every label, as `ratchet predict --each-label` does.",
        )


def _probabilities(said: Stated, column: str) -> Floats:
    values = np.array([_number(cell) for cell in said.columns[column]], dtype=np.float64)
    wrong = np.flatnonzero(~((values >= 0) & (values <= 1)))
    if len(wrong):
        row = int(wrong[0])
        raise DataError(
            f"The column {column!r} of {said.path} must hold probabilities from 0 to 1 but row {said.places[row]:,} has "
            f"{said.columns[column][row]!r}.",
            next_step="Correct the row, or compare by accuracy.",
        )
    return values


def _number(cell: str | None) -> float:
    try:
        return float(cell or "nan")
    except ValueError:
        return float("nan")
