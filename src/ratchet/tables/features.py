"""Features beside the text: which columns are numbers and which are categories, and cells that no model can learn from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa

from ratchet.bounds import NUMBER
from ratchet.errors import DataError
from ratchet.recipe.sections import DataConfig, FeatureKind
from ratchet.tables.dataset import Dataset
from ratchet.text.numbers import infinite, numbers

MOSTLY = 0.9
"""Share of a column's filled cells that must be numbers for the column to be one."""


def kinds_of(table: pa.Table, wanted: Sequence[str] | Mapping[str, FeatureKind]) -> tuple[tuple[str, FeatureKind], ...]:
    """The kind of each feature, guessed from its cells where only its name is given."""
    if isinstance(wanted, Mapping):
        return tuple(wanted.items())
    return tuple((name, _guessed(*_counts(table.column(name)))) for name in wanted)


def with_kinds(config: DataConfig, dataset: Dataset) -> DataConfig:
    """The configuration with the kinds of the features as these rows have them, for rows that stand beside them."""
    return config.model_copy(update={"features": dict(dataset.roles.features)})


def guess_notes(dataset: Dataset) -> Iterator[str]:
    """What each guess rests on, for people."""
    for name, kind in dataset.roles.features:
        found, filled = _counts(dataset.table.column(name))
        yield f"the feature {name!r} is a {kind}: {found:,} of {filled:,} filled cells are numbers"


def require_numbers(dataset: Dataset) -> None:
    """Refuse a feature that is a number and has a cell that is none, is infinite, or is beyond ``bounds.NUMBER``.

    Raises:
        DataError: it names the first row and the column.
    """
    for name, kind in dataset.roles.features:
        if kind != "number":
            continue
        cells = dataset.table.column(name).combine_chunks()
        value, _ = numbers(cells)
        filled = cells.is_valid().to_numpy(zero_copy_only=False)
        wrong = np.flatnonzero(filled & (~(np.abs(value) <= NUMBER) | infinite(cells)))
        if len(wrong):
            row, cell = int(wrong[0]), cells[int(wrong[0])].as_py()
            others = f" ({len(wrong):,} such rows)" if len(wrong) > 1 else ""
            raise DataError(
                f"The feature {name!r} must be a number of at most {NUMBER:g} but {dataset.place(row)} has {cell!r}{others}.",
                next_step=f"Correct the cell or leave it empty; list words for nothing in data.missing; or set "
                f"data.features.{name} to category.",
            )


def _counts(column: pa.ChunkedArray) -> tuple[int, int]:
    """Filled cells that are numbers, and all that are filled."""
    value, _ = numbers(column.combine_chunks())
    return int((~np.isnan(value)).sum()), len(column) - int(column.null_count)


def _guessed(found: int, filled: int) -> FeatureKind:
    return "number" if filled and found >= MOSTLY * filled else "category"
