"""The champion's answers slice by slice: by a column, by the length of the text and by its language; and which slice is worse.

A slice is called worse than the other rows only where a test says so after Holm's correction (1979) for all slices of the
report: Fisher's exact test (1935) of right and wrong rows, where each row stands alone, else Student's t of the difference of
means with an error that takes rows which belong together as one (`gate.paired_tests.design_effect`). One-sided, at 5 %.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from ratchet.contenders.base import Contender
from ratchet.contenders.rows import PartedRows
from ratchet.errors import RatchetError
from ratchet.gate.holm import holm
from ratchet.metrics.evidence import Evidence
from ratchet.metrics.metric import row_interval
from ratchet.metrics.metrics import Score, named, score
from ratchet.metrics.paired_tests import quotient
from ratchet.text.language import language_of

STRICT = ConfigDict(extra="forbid")
FEWEST, MOST = 20, 12
"""Rows that a slice has at least, and slices of a column; smaller ones, and those beyond, are one together."""
ALPHA = 0.05
OTHER, MISSING = "(other)", "(missing)"
QUARTERS = 4
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Slice:
    """Some of the rows: their mean score, that of all others, and whether they are worse."""

    name: str
    rows: int
    mean: Score
    others: float
    """The mean of the other rows, higher is better."""
    p: float | None
    """Of "not worse than the others", one-sided, after Holm's correction; ``None`` where it was not tested."""
    also: Score | None = None
    """The metric of the gate, where that is another one and these rows have it."""

    @property
    def worse(self) -> bool:
        """Whether it is proven to be worse than the other rows."""
        return self.p is not None and self.p <= ALPHA and self.mean.value < self.others


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Slicing:
    """The rows divided by one thing."""

    by: str
    slices: tuple[Slice, ...]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Slices:
    """All ways in which the rows were divided."""

    whole: Score
    """Of all rows."""
    also: str
    """The metric of the gate, where that is another one; empty: it is not."""
    tests: int
    """How many slices were tested."""
    groups: tuple[Slicing, ...]

    @property
    def worst(self) -> tuple[str, Slice] | None:
        """What it was divided by, and of the slices that are proven to be worse the one that is by most."""
        worse = [(group.by, one) for group in self.groups for one in group.slices if one.worse]
        return max(worse, key=lambda pair: pair[1].others - pair[1].mean.value) if worse else None


@dataclass(frozen=True, kw_only=True)
class Division:
    """The slice of each of n rows, and the slices in their order where they have one."""

    cells: tuple[str, ...]
    order: tuple[str, ...] = ()


def slices_of(rows: PartedRows, best: Contender, *, columns: Sequence[str], metric: str) -> Slices | None:
    """The slices of a contender's answers; ``None`` where nothing divides the rows.

    Args:
        rows: the prepared rows.
        best: whose answers.
        columns: of the table, beside the features.
        metric: of the gate.
    """
    evidence = best.evidence(rows)
    kept = np.isin(best.placed(rows), evidence.rows)
    found = rows.task.row_quality(rows.targets.take(evidence.rows), best.answers[kept])
    if found is None:
        return None
    name, quality = found
    return divided(evidence, divisions(rows, evidence, columns), quality=quality, name=name, metric=metric)


def divisions(rows: PartedRows, evidence: Evidence, columns: Sequence[str]) -> dict[str, Division]:
    """By what the rows are divided, and the slice of each row."""
    texts, places = rows.texts(evidence.rows), evidence.rows.tolist()
    found: dict[str, Division] = {}
    for column in dict.fromkeys((*columns, *rows.kinds)):
        cells = rows.dataset.column(column)
        found[column] = _of_column([cells[place] for place in places], number=rows.kinds.get(column) == "number")
    lengths = np.array([len(text) for text in texts], dtype=np.float64)
    found["length of the text"] = _quarters(lengths, unit=" characters")
    found["language of the text"] = Division(cells=tuple(language_of(text) for text in texts))
    return found


def divided(
    evidence: Evidence, by: Mapping[str, Division], *, quality: Floats, name: str, metric: str
) -> Slices | None:
    """The slices of n rows.

    Args:
        evidence: of the n rows.
        by: what they are divided by.
        quality: shape (n,), a score of each row, higher is better; ``name`` is the metric that is its mean.
        metric: shown beside it.
    """
    found: list[tuple[str, str, Bools, float | None]] = []
    for column, division in by.items():
        names = _merged(division.cells)
        masks = {one: np.array([cell == one for cell in names]) for one in _ordered(names, division.order)}
        if len(masks) > 1:
            found += [(column, one, mask, _p_worse(quality, mask, evidence)) for one, mask in masks.items()]
    if not found:
        return None
    tested = iter(holm([p for *_, p in found if p is not None]))
    adjusted = [None if p is None else next(tested) for *_, p in found]
    also = "" if metric == name else metric
    made = [
        (column, _slice(evidence, mask, quality, name=one, metric=name, also=also, p=p))
        for (column, one, mask, _), p in zip(found, adjusted, strict=True)
    ]
    return Slices(
        whole=_mean(quality, name),
        also=also,
        tests=sum(p is not None for p in adjusted),
        groups=tuple(
            Slicing(by=column, slices=tuple(one for other, one in made if other == column))
            for column in dict.fromkeys(column for column, _ in made)
        ),
    )


def all_scores(rows: PartedRows, best: Contender) -> tuple[Score, ...]:
    """Every metric of the task that these answers have, with its interval; those that they cannot have are left out."""
    evidence, task = best.evidence(rows), rows.task
    kept = np.isin(best.placed(rows), evidence.rows)
    targets, answers, found = rows.targets.take(evidence.rows), best.answers[kept], []
    for name in dict.fromkeys((*rows.judged_by, *(task.told or task.metrics))):
        try:
            columns = task.columns(targets, answers, metrics=(name,))
            found.append(score(replace(evidence, outcomes={**evidence.outcomes, **columns.outcomes}), name))
        except RatchetError:  # an AUC of three classes, a perplexity of what has no likelihood
            continue
    return tuple(found)


def line_of(slices: Slices) -> str:
    """The worst slice in one line for people; empty where none is proven to be worse."""
    if slices.worst is None:
        return ""
    by, one = slices.worst
    others = named(one.mean.metric)[0].shown(one.others)
    return (
        f"worse where {by} is {one.name}: {one.mean.line}, {others} on the other rows "
        f"({one.rows:,} rows, p={one.p:.2g} after Holm's correction for {slices.tests} slices)"
    )


def _of_column(cells: Sequence[str | None], *, number: bool) -> Division:
    """A slice for each value, or four for numbers: a feature that is one, or a column of more numbers than slices."""
    given = [(cell or "").strip() for cell in cells]
    if number or len({*given}) > MOST:
        import pyarrow as pa

        from ratchet.text.numbers import numbers

        values, _ = numbers(pa.array([cell or None for cell in given], pa.string()))
        if number or np.isfinite(values).sum() == sum(map(bool, given)):
            return _quarters(values)
    return Division(cells=tuple(cell or MISSING for cell in given))


def _quarters(values: Floats, *, unit: str = "") -> Division:
    """Four slices of about equally many rows; fewer where many values are equal."""
    there = np.isfinite(values)
    known = values[there]
    if not len(known):
        return Division(cells=(MISSING,) * len(values))
    edges = np.unique(np.quantile(known, np.arange(1, QUARTERS) / QUARTERS, method="inverted_cdf"))
    place = np.searchsorted(edges, values)
    names = {}
    for number in np.unique(place[there]).tolist():
        low, high = (float(end(values[there & (place == number)])) for end in (np.min, np.max))
        names[number] = (f"{low:,.6g}" if low == high else f"{low:,.6g} to {high:,.6g}") + unit
    cells = (names[at] if ok else MISSING for at, ok in zip(place.tolist(), there.tolist(), strict=True))
    return Division(cells=tuple(cells), order=tuple(names.values()))


def _merged(cells: Sequence[str]) -> list[str]:
    """The slice of each row, the smallest ones together."""
    counts = Counter(cells)
    kept = [name for name, rows in counts.most_common() if rows >= FEWEST]
    kept = kept if len(counts) <= MOST and len(kept) == len(counts) else kept[: MOST - 1]
    return [cell if cell in kept else OTHER for cell in cells]


def _ordered(names: Sequence[str], order: Sequence[str]) -> list[str]:
    """In their own order, else the largest first; the other ones last."""
    counts = Counter(names)
    place = {name: number for number, name in enumerate(order)}
    return sorted(counts, key=lambda name: (name == OTHER, place.get(name, len(place)), -counts[name], name))


def _slice(
    evidence: Evidence, mask: Bools, quality: Floats, *, name: str, metric: str, also: str, p: float | None
) -> Slice:
    beside = None
    if also:
        try:
            beside = score(evidence.on(evidence.rows[mask]), also)
        except RatchetError:  # an AUC where all rows are of one class
            beside = None
    mean, others = _mean(quality[mask], metric), float(quality[~mask].mean())
    return Slice(name=name, rows=int(mask.sum()), mean=mean, others=others, p=p, also=beside)


def _mean(quality: Floats, name: str) -> Score:
    low, high = row_interval(quality, 0.05, 0)
    return Score(value=float(quality.mean()), low=low, high=high, n=len(quality), metric=name)


def _p_worse(quality: Floats, mask: Bools, evidence: Evidence) -> float | None:
    """One-sided p-value of "the slice is not worse than the other rows"; ``None`` for too few rows."""
    inside, outside = quality[mask], quality[~mask]
    if min(len(inside), len(outside)) < FEWEST:
        return None
    alone = evidence.unit is None or len(np.unique(evidence.unit)) == len(quality)
    if alone and ((quality == 0) | (quality == 1)).all():
        from scipy.stats import hypergeom

        return float(hypergeom.cdf(inside.sum(), len(quality), quality.sum(), len(inside)))
    unit = np.arange(len(quality)) if evidence.unit is None else np.unique(evidence.unit, return_inverse=True)[1]
    away = np.where(mask, (quality - inside.mean()) / len(inside), -(quality - outside.mean()) / len(outside))
    sums = np.bincount(unit, weights=away)
    freedom = min(len(np.unique(unit[mask])), len(np.unique(unit[~mask]))) - 1
    if freedom < 1:
        return None
    error = float(np.sqrt((sums**2).sum() * (freedom + 1) / freedom))
    from scipy.special import ndtr

    return float(ndtr(quotient(float(inside.mean() - outside.mean()), error, freedom=freedom)))
