"""What a model is to answer for each row: one label, any number of labels, or a number."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ratchet.bounds import NUMBER
from ratchet.errors import DataError

Kind = Literal["classes", "labels", "value"]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Targets:
    """The right answers of n rows.

    Args:
        kind: ``classes``: one label a row; ``labels``: any number of labels a row, none included; ``value``: a number.
        names: the columns of a model's answer: the labels, sorted, or one name for a value.
        values: classes: (n,) int64, the column of the row's label; labels: (n, k) bool; value: (n,) float64.

    Raises:
        DataError: a value is not a number of at most ``bounds.NUMBER``, which leaves room for squares and sums.
    """

    kind: Kind
    names: tuple[str, ...]
    values: npt.NDArray[Any]

    def __post_init__(self) -> None:
        wanted = {"classes": np.int64, "labels": np.bool_, "value": np.float64}[self.kind]
        assert self.values.dtype == wanted, f"{self.kind} must be of the type {wanted} but are {self.values.dtype}"
        assert self.values.shape[1:] == ((len(self.names),) if self.kind == "labels" else ())
        if self.kind == "value":
            far = np.flatnonzero(~(np.abs(self.values) <= NUMBER))
            if len(far):
                raise DataError(
                    f"Row {far[0] + 1}: {self.names[0]!r} must be a number of at most {NUMBER:g} "
                    f"but got {self.values[far[0]]:g}.",
                    next_step="Correct the row, or leave it out.",
                )

    @classmethod
    def of_labels(cls, labels: Sequence[str], *, names: tuple[str, ...] | None = None) -> Targets:
        """One label a row.

        >>> Targets.of_labels(["b", "a", "b"]).values.tolist()
        [1, 0, 1]
        """
        names = names or tuple(sorted(set(labels)))
        place = {name: column for column, name in enumerate(names)}
        return cls(kind="classes", names=names, values=np.array([place[label] for label in labels], dtype=np.int64))

    @classmethod
    def of_sets(cls, sets: Sequence[Collection[str]], *, names: tuple[str, ...] | None = None) -> Targets:
        """Any number of labels a row.

        >>> Targets.of_sets([{"b", "a"}, {"b"}, ()]).values.tolist()
        [[True, True], [False, True], [False, False]]
        """
        names = names or tuple(sorted({label for labels in sets for label in labels}))
        place = {name: column for column, name in enumerate(names)}
        values = np.zeros((len(sets), len(names)), dtype=np.bool_)
        for row, labels in enumerate(sets):
            values[row, [place[label] for label in labels]] = True
        return cls(kind="labels", names=names, values=values)

    @classmethod
    def of_values(cls, values: Sequence[float] | npt.NDArray[np.float64], *, name: str = "value") -> Targets:
        """A number a row."""
        return cls(kind="value", names=(name,), values=np.asarray(values, dtype=np.float64))

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: Rows) -> Targets:
        """Those of the given rows, in that order."""
        return Targets(kind=self.kind, names=self.names, values=self.values[rows])

    def followed_by(self, other: Targets) -> Targets:
        """Those of both."""
        assert (self.kind, self.names) == (other.kind, other.names)
        return Targets(kind=self.kind, names=self.names, values=np.concatenate([self.values, other.values]))
