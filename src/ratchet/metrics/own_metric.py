"""A metric of the user's own: any function of right and given answers, compared and given an interval by resampling.

Nothing is known of the function but that the order of the rows does not matter to it. So nothing is derived: it is called
on parts of the rows, on resamples of them, and on rows whose answers both contenders have swapped.
"""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ratchet.errors import RecipeError
from ratchet.metrics.bootstrap import bca_bounds
from ratchet.metrics.evidence import Evidence
from ratchet.metrics.means import one_worse
from ratchet.metrics.metric import Metric, Setting
from ratchet.metrics.own_function import Function, divided, own_function
from ratchet.metrics.paired_tests import Floats, Ints, Paired, permutation_z, quotient

GROUPS = 200
"""Parts that are left out one after the other; of fewer rows (or units) each is a part."""
RESAMPLES, SWAPS = 400, 400
FAILING = 0.1
"""Share of the resamples on which the function may have no value; of more nothing can be told."""
GIVEN = 0.5
"""From this probability on a label of several is given."""
NO_ANSWER = "(no answer)"
NEEDS = (("truth", "probability"), ("labels", "membership"), ("value",))
"""The columns of classification, multilabel and regression."""
CALLS = 2 * GROUPS + 2 * RESAMPLES + 2 * SWAPS
"""Calls of the function for a comparison, at most."""
Array = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """One contender's answers as the function gets them.

    Args:
        right: shape (n,), the right answers: labels, sets of labels, or numbers.
        given: shape (n,), likewise.
        probability: by label, shape (n,); empty where the task has none.
        rows: by column of ``data.features``, shape (n,).
    """

    right: Array
    given: Array
    probability: Mapping[str, Array]
    rows: Mapping[str, Array]

    @classmethod
    def of(cls, evidence: Evidence) -> Case:
        """Of classes, sets of labels, or values."""
        if "truth" in evidence.targets:
            shares = evidence.probability
            names = _names(evidence, shares.shape[-1])
            kept = np.array(names, dtype=object)
            right, given = kept[evidence.truth], kept[evidence.predicted]
        elif "labels" in evidence.targets:
            shares = evidence.outcomes["membership"]
            names = _names(evidence, shares.shape[-1])
            right, given = _sets(evidence.targets["labels"], names), _sets(shares >= GIVEN, names)
        else:
            right, given = (side["value"].astype(np.float64) for side in (evidence.targets, evidence.outcomes))
            names, shares = (), np.zeros((len(right), 0))
        by_label = {name: shares[:, column].astype(np.float64) for column, name in enumerate(names)}
        return cls(right=right, given=given, probability=by_label, rows=dict(evidence.features))

    def at(self, places: Array) -> Case:
        """Some of the rows, by their places or by a mask."""
        return Case(
            right=self.right[places],
            given=self.given[places],
            probability={name: values[places] for name, values in self.probability.items()},
            rows={name: values[places] for name, values in self.rows.items()},
        )

    def swapped(self, other: Case, swap: npt.NDArray[np.bool_]) -> Case:
        """With the answers of another contender to some of the rows."""
        return Case(
            right=self.right,
            given=np.where(swap, other.given, self.given),
            probability={
                name: np.where(swap, other.probability.get(name, 0.0), values)
                for name, values in self.probability.items()
            },
            rows=self.rows,
        )


def _names(evidence: Evidence, columns: int) -> tuple[str, ...]:
    """A name of each column; the one more of a file in which rows have no answer has its own."""
    known = evidence.labels or tuple(str(number) for number in range(columns))
    return (*known, NO_ANSWER)[:columns]


def _sets(member: Array, names: tuple[str, ...]) -> Array:
    found = np.empty(len(member), dtype=object)
    for row, labels in enumerate(member.astype(bool)):
        found[row] = frozenset(name for name, there in zip(names, labels.tolist(), strict=True) if there)
    return found


@dataclass(frozen=True, kw_only=True, eq=False)
class OwnValue:
    """The function, and the arguments that it takes beside the answers."""

    name: str
    function: Function
    sign: float
    takes: tuple[str, ...]

    @classmethod
    def of(cls, name: str) -> OwnValue:
        """The function of a name, imported.

        Raises:
            RecipeError: there is none, or it takes other arguments.
        """
        own, goal = divided(name)
        function = own_function(own, noun="metric")
        try:
            parameters = [*inspect.signature(function).parameters.values()]
        except (TypeError, ValueError):  # a function of C does not tell
            parameters = []
        takes = tuple(one.name for one in parameters if one.name in ("probability", "rows"))
        needed = [one for one in parameters if one.default is one.empty and one.name not in takes]
        needed = [one for one in needed if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
        if parameters and (len(needed) > 2 or any(one.kind is one.KEYWORD_ONLY for one in needed)):
            raise RecipeError(
                f"The metric {own!r} must take the right and the given answers, and may take probability and rows, but needs "
                f"{', '.join(one.name for one in needed)}.",
                next_step="Write it like: def my_metric(right, given, probability, rows)",
            )
        return cls(name=own, function=function, sign=-1.0 if goal == "min" else 1.0, takes=takes)

    def __call__(self, case: Case) -> float:
        """The value on these rows, negated where less is better.

        Raises:
            RecipeError: the function fails, or gives no finite number.
        """
        if "probability" in self.takes and not case.probability:
            raise RecipeError(
                f"The metric {self.name!r} must not need probabilities, which a number has none of, but takes them.",
                next_step="Take right and given only.",
            )
        beside = {name: getattr(case, name) for name in self.takes}
        try:
            with redirect_stdout(sys.stderr):
                found = self.function(case.right, case.given, **beside)
        except (Exception, SystemExit) as problem:
            raise RecipeError(
                f"The metric {self.name!r} must give a number for {len(case.right):,} rows but failed: "
                f"{type(problem).__name__}: {problem}.",
                next_step="Call it on a few rows in Python, and mend it.",
            ) from problem
        number = _number(found)
        if number is None or not math.isfinite(number):
            got = f"{type(found).__name__} {str(found)[:60]!r}" if number is None else str(number)
            raise RecipeError(
                f"The metric {self.name!r} must return one finite number for {len(case.right):,} rows but returned {got}.",
                next_step="Return a float, and 0 or the worst value where there is nothing to divide by.",
            )
        return self.sign * number

    def or_nan(self, case: Case) -> float:
        """As a call, NaN where there is no value: a resample may lack what the function divides by."""
        try:
            return self(case)
        except RecipeError:
            return math.nan


def _number(found: object) -> float | None:
    if isinstance(found, np.ndarray) and found.ndim == 0:
        found = found.item()
    if isinstance(found, bool | np.bool_) or not isinstance(found, int | float | np.integer | np.floating):
        return None
    return float(found)


@dataclass(frozen=True, kw_only=True, eq=False)
class Parts:
    """How rows are resampled: units, which are never torn, and groups of them, which never cross folds."""

    unit: Ints
    """(n,) the unit of each row."""
    units: tuple[Ints, ...]
    """The rows of each unit."""
    group: Ints
    """(n,) the group of each row."""
    groups: int

    @classmethod
    def of(cls, evidence: Evidence, fold: Ints | None) -> Parts:
        """Units as the evidence has them, else the rows; up to `GROUPS` groups of equally many units of one fold."""
        n = len(evidence.rows)
        unit = np.arange(n) if evidence.unit is None else np.unique(evidence.unit, return_inverse=True)[1]
        order = np.argsort(unit, kind="stable")
        units = np.split(order, np.cumsum(np.bincount(unit))[:-1])
        folds = np.array([0 if fold is None else fold[rows[0]] for rows in units])
        count = min(len(units), GROUPS)
        rank = np.empty(len(units), dtype=np.int64)
        rank[np.lexsort((np.random.default_rng(0).random(len(units)), folds))] = np.arange(len(units))
        return cls(unit=unit, units=tuple(units), group=(rank * count // len(units))[unit], groups=count)

    def drawn(self, generator: np.random.Generator) -> Ints:
        """Rows of as many units as there are, drawn with replacement."""
        chosen = generator.integers(0, len(self.units), size=len(self.units))
        if len(self.units) == len(self.unit):
            return chosen
        return np.concatenate([self.units[unit] for unit in chosen.tolist()])

    def flipped(self, generator: np.random.Generator) -> npt.NDArray[np.bool_]:
        """(n,) a fair coin for each unit."""
        found: npt.NDArray[np.bool_] = (generator.random(len(self.units)) < 0.5)[self.unit]
        return found

    def influence(self, whole: float, value: Callable[[npt.NDArray[np.bool_]], float]) -> Floats:
        """What each group adds to the value, shape (groups,), centred, in the unit of `Paired.influence`: n times what is
        lost without it, by the rows that are left (the delete-a-group jackknife: Shao, Wu 1989, Annals of Statistics 17).
        """
        n, sizes = len(self.group), np.bincount(self.group, minlength=self.groups)
        if self.groups < 2:
            return np.zeros(self.groups)
        without = np.array([value(self.group != number) for number in range(self.groups)])
        added = (n - sizes) * (whole - without)
        found: Floats = added - sizes / n * added.sum()
        return found


def compare_own(a: Evidence, b: Evidence, own: OwnValue, setting: Setting) -> Paired:
    """The paired test of two values of any function: that they are equal on rows like these.

    The standard error is the larger of two: the delete-a-group jackknife's, and that of resampled rows (Efron 1979), which
    holds for what jumps as well, such as a recall at a precision. With it goes Student's t, as if one more group had been seen
    that is as bad for the claim as the loudest (`means.one_worse`), since nothing bounds what a row may weigh; and random
    swaps of both contenders' answers, exact where they could be exchanged. The weaker of both counts: swaps alone would also
    reject two that differ in law and are equally good, and t alone is too sure where rows are few.
    """
    first, second, parts = Case.of(a), Case.of(b), Parts.of(a, a.fold if a.fold is not None else b.fold)
    n, groups = len(a.rows), parts.groups
    estimate = own(first) - own(second)

    def gap(places: Array) -> float:
        return own.or_nan(first.at(places)) - own.or_nan(second.at(places))

    added, generator = parts.influence(estimate, gap), np.random.default_rng(setting.seed)
    drawn = np.array([gap(parts.drawn(generator)) for _ in range(RESAMPLES)])
    known = drawn[np.isfinite(drawn)]
    if not np.isfinite(added).all() or len(known) < (1 - FAILING) * len(drawn):
        doubt = f"{own.name} has no value on parts of these rows"
        return Paired(estimate=estimate, score=lambda _: 0.0, test="none", influence=np.zeros(n), doubt=doubt)
    jackknife = float((added**2).sum()) / n**2 * groups / max(groups - 1, 1)
    variance = max(jackknife, float(known.var())) if groups > 1 else math.inf
    added = added * math.sqrt(variance / jackknife) if jackknife and groups > 1 else added
    zero = quotient(estimate, math.sqrt(variance), freedom=groups - 1)
    if estimate:
        null = _swapped_gaps(first, second, own, parts, generator)
        exact = permutation_z(estimate, null) if len(null) >= (1 - FAILING) * SWAPS else 0.0
        zero = min(zero, exact) if estimate > 0 else max(zero, exact)

    def score(value: float) -> float:
        return zero if value == 0 else quotient(estimate - value, math.sqrt(variance), freedom=groups - 1)

    worst = float(np.abs(estimate + added * groups / n).max())
    influence = np.zeros(n)
    influence[np.unique(parts.group, return_index=True)[1]] = (
        added  # all of a group at its first row: sums, squares hold
    )
    return Paired(
        estimate=estimate,
        score=one_worse(score, estimate=estimate, error=math.sqrt(variance), n=groups, worst=worst),
        test="swaps and t of resampled rows, one worst more",
        influence=influence,
    )


def _swapped_gaps(first: Case, second: Case, own: OwnValue, parts: Parts, generator: np.random.Generator) -> Floats:
    """Differences under random swaps of both contenders' answers, shape (draws,); those without a value are left out."""
    null = np.empty(SWAPS)
    for draw in range(SWAPS):
        swap = parts.flipped(generator)
        null[draw] = own.or_nan(first.swapped(second, swap)) - own.or_nan(second.swapped(first, swap))
    found: Floats = null[np.isfinite(null)]
    return found


def own_interval(evidence: Evidence, own: OwnValue, *, alpha: float, seed: int) -> tuple[float, float]:
    """Interval of a value: the bias-corrected and accelerated bootstrap of units (Efron 1987), by as many calls as
    resamples and groups.

    Raises:
        RecipeError: the function has no value on most resamples.
    """
    case, parts, generator = Case.of(evidence), Parts.of(evidence, evidence.fold), np.random.default_rng(seed)
    observed = own(case)
    drawn = np.array([own.or_nan(case.at(parts.drawn(generator))) for _ in range(RESAMPLES)])
    known = drawn[np.isfinite(drawn)]
    if len(known) < len(drawn) / 2:
        raise RecipeError(
            f"The metric {own.name!r} must have a value on resamples of the rows but had one on {len(known)} of {len(drawn)}.",
            next_step="Return 0 or the worst value where there is nothing to divide by.",
        )
    added = parts.influence(observed, lambda kept: own.or_nan(case.at(kept)))
    squares = float((added**2).sum())
    skewed = float((added**3).sum()) / (6 * squares**1.5) if squares and np.isfinite(squares) else 0.0
    low, high = bca_bounds(known, observed, skewed, alpha=alpha)
    return min(low, observed), max(high, observed)


@lru_cache(maxsize=64)
def own_metrics(name: str) -> tuple[Metric, ...]:
    """The metric of a ``module:function``, one for each kind of answers; it is imported when it is asked for a value."""
    return tuple(
        Metric(
            name=name,
            needs=needs,
            value=lambda evidence: OwnValue.of(name)(Case.of(evidence)),
            compare=lambda a, b, setting: compare_own(a, b, OwnValue.of(name), setting),
            interval=lambda evidence, alpha, seed: own_interval(evidence, OwnValue.of(name), alpha=alpha, seed=seed),
            unit="",
            scale=1.0,
            sign=-1 if divided(name)[1] == "min" else 1,
            bounded=False,
        )
        for needs in NEEDS
    )
