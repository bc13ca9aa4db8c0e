"""Evidence: what one contender answered to rows it was not trained on, and what is true of these rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ratchet.errors import RatchetError
from ratchet.metrics.paired_tests import Floats, Ints

Array = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """What one contender did on rows it was not trained on.

    Args:
        name: the contender's name.
        rows: shape (n,), distinct row ids; two contenders are compared on the ids they share.
        targets: what is true of each row, rows on axis 0; equal for all contenders of a table.
        outcomes: what the contender answered, or the score of each answer, rows on axis 0.
        seeds: the outcomes of further seeds of the same training, with the columns of ``outcomes``.
        fold: shape (n,), the fold each row was held out in; ``None`` for one fixed model.
        unit: shape (n,), equal for rows that belong together (a group, near-copies, one user); ``None``: each row alone.
        chance: whether training draws lots, so that another seed of it is another model (a neural network).
        measures: quantities where less is better ("bytes", "latency"), each of shape (r,): r interleaved rounds, or one
            value that does not vary.
        labels: names of the classes, in the order of their columns; what a metric of the user's reads.
        known: of an outcome that was measured on some rows alone, shape (n,): on which. See `measured`.
        features: columns of the table beside the text, shape (n,) each, likewise.

    Columns have names by convention; a metric says which of them it needs:

    | task | targets | outcomes |
    |---|---|---|
    | classification | truth (n,) classes 0 ... k - 1 | probability (n, k) |
    | multilabel | labels (n, k) bool | membership (n, k), the probability of each label, which is given from .5 on |
    | regression | value (n,) | value (n,) |
    | generation | reference (n,) fingerprints | a float column (n,) a score, or sums (n, d) of a corpus metric |
    | any | | cost (n,), latency (n,) |

    Raises:
        RatchetError: a column with another number of rows, a row twice, or a figure that is not finite.
    """

    name: str
    rows: Ints
    targets: Mapping[str, Array]
    outcomes: Mapping[str, Array]
    seeds: tuple[Mapping[str, Array], ...] = ()
    fold: Ints | None = None
    unit: Ints | None = None
    chance: bool = False
    measures: Mapping[str, Floats] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    known: Mapping[str, npt.NDArray[np.bool_]] = field(default_factory=dict)
    features: Mapping[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.rows)
        for what, columns in (("targets", self.targets), *(("outcomes", run) for run in self.runs)):
            for column, values in columns.items():
                if not values.ndim or len(values) != n:
                    raise RatchetError(
                        f"Evidence of {self.name!r} must have as many rows in {what} {column!r} as row ids but got "
                        f"{values.shape} and {n}."
                    )
                if values.dtype.kind == "f" and not np.isfinite(values).all():
                    raise RatchetError(f"Evidence of {self.name!r} must hold finite {column} but got NaN or infinity.")
        for what, numbers in (("fold", self.fold), ("unit", self.unit)):
            if numbers is not None and len(numbers) != n:
                raise RatchetError(
                    f"Evidence of {self.name!r} must have as many rows in {what} as row ids but got {len(numbers)} and {n}."
                )
        if len(np.unique(self.rows)) != n:
            raise RatchetError(f"Evidence of {self.name!r} must name each row once but got a row twice.")
        shapes = {column: values.shape for column, values in self.outcomes.items()}
        for further in self.seeds:
            if {column: values.shape for column, values in further.items()} != shapes:
                raise RatchetError(
                    f"Evidence of {self.name!r} must have the same columns in each seed but got others in one."
                )

    @classmethod
    def of_classes(
        cls,
        *,
        name: str,
        rows: Ints,
        truth: Ints,
        probability: npt.NDArray[np.float32] | Floats,
        fold: Ints | None = None,
        unit: Ints | None = None,
        chance: bool = False,
        measures: Mapping[str, Floats] | None = None,
    ) -> Evidence:
        """Evidence of a classifier.

        Args:
            name: as of `Evidence`; likewise ``rows``, ``fold``, ``unit``, ``chance`` and ``measures``.
            truth: shape (n,), true classes 0 ... k - 1.
            probability: shape (n, k), or (s, n, k) for s seeds of the same training.
        """
        if probability.ndim not in (2, 3):
            raise RatchetError(
                f"The probabilities of {name!r} must have the shape (rows, classes) but got {probability.shape}."
            )
        runs: list[Mapping[str, Array]] = [
            {"probability": run} for run in (probability[None] if probability.ndim == 2 else probability)
        ]
        return cls(
            name=name,
            rows=rows,
            targets={"truth": truth},
            outcomes=runs[0],
            seeds=tuple(runs[1:]),
            fold=fold,
            unit=unit,
            chance=chance,
            measures=measures or {},
        )

    @property
    def runs(self) -> tuple[Mapping[str, Array], ...]:
        """The outcomes of each seed, shape (s,)."""
        return (self.outcomes, *self.seeds)

    @property
    def columns(self) -> frozenset[str]:
        """Names of all targets and outcomes."""
        return frozenset(self.targets) | frozenset(self.outcomes)

    @property
    def truth(self) -> Ints:
        """True classes, shape (n,); of a classifier."""
        classes: Ints = self.targets["truth"]
        return classes

    @property
    def probability(self) -> Floats:
        """Probabilities of the classes, shape (n, k); of a classifier's first seed."""
        shares: Floats = self.outcomes["probability"]
        return shares

    @property
    def predicted(self) -> Ints:
        """Predicted classes, shape (n,); of a classifier's first seed."""
        classes: Ints = self.probability.argmax(axis=-1)
        return classes

    def seed_runs(self) -> tuple[Evidence, ...]:
        """Evidence of each seed alone."""
        if not self.seeds:
            return (self,)
        return tuple(replace(self, outcomes=run, seeds=()) for run in self.runs)

    def on(self, rows: Ints) -> Evidence:
        """The evidence restricted to the given row ids, in that order."""
        order = np.argsort(self.rows)
        where = order[np.searchsorted(self.rows, rows, sorter=order)]
        return replace(
            self,
            rows=rows,
            targets={column: values[where] for column, values in self.targets.items()},
            outcomes={column: values[where] for column, values in self.outcomes.items()},
            seeds=tuple({column: values[where] for column, values in run.items()} for run in self.seeds),
            fold=None if self.fold is None else self.fold[where],
            unit=None if self.unit is None else self.unit[where],
            known={column: values[where] for column, values in self.known.items()},
            features={column: values[where] for column, values in self.features.items()},
        )

    def measured(self, columns: Sequence[str]) -> Ints:
        """The ids of the rows on which all of these columns are known."""
        known = [self.known[column] for column in columns if column in self.known]
        rows: Ints = self.rows[np.logical_and.reduce(known)] if known else self.rows
        return rows
