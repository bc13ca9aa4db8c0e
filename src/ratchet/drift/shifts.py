"""Have distributions shifted? The tests of a diff, calibrated by permutation and corrected together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np

from ratchet.drift.compared_by import Trait, traits
from ratchet.drift.permutation import (
    STAGE,
    Floats,
    Mask,
    Permutation,
    Statistic,
    chi_square,
    jensen_shannon,
    kolmogorov,
    stability_index,
)
from ratchet.drift.vocabulary import TermCounts, count_terms
from ratchet.gate.holm import holm
from ratchet.near.copies import exact_groups, renumbered, united
from ratchet.tables.dataset import Dataset, concat, row_digests
from ratchet.text.columns import Rows
from ratchet.text.personal import brief

_SHOWN = 40  # characters of a cell or a term

Between = Literal["all", "added", "removed"]
"""Which rows are compared: all of ``b`` with all of ``a``; those only in ``b`` with all of ``a``; or those of ``a`` that are
gone with those that stayed."""
Test = Literal["chi-square", "KS", "PSI", "JS"]

LEAST = 10
"""Units that a sample must have to be tested."""
_TERMS = 1_000
_UNITS = 10_000  # of each sample, where units must be moved one by one
_PSI_BINS, _BARS = 10, 24
_LISTED = 12
_BUNDLE = 2, 8


@dataclass(frozen=True, kw_only=True)
class Shift:
    """One test of one trait.

    Attributes:
        trait: ``label``, ``length``, ``script``, ``vocabulary``, ``value`` or ``kind`` (missing, number, date, ...).
        column: the column that it is about.
        test: ``chi-square``, ``KS``, ``PSI`` or ``JS`` (Jensen-Shannon, in bits).
        between: which rows are compared.
        distance: the statistic; for chi-square Cramér's V, which is 0 to 1 as the others (PSI has no upper end).
        p: by permutation.
        p_adjusted: over all tests of the diff (Holm).
        alarm: whether ``p_adjusted`` is at most the level of the diff.
        words: what differs most, with figures.
    """

    trait: str
    column: str
    test: Test
    between: Between
    distance: float
    p: float
    p_adjusted: float
    alarm: bool
    words: str


@dataclass(frozen=True, kw_only=True)
class Share:
    """A share of the old and of the new rows, 0 to 1."""

    name: str
    old: float
    new: float


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The compared rows, for pictures.

    Attributes:
        old: number of old rows; ``new`` likewise.
        edges: bounds of the bars of text length, in characters; longer texts are in the last bar.
        lengths_old: texts in each bar; ``lengths_new`` likewise.
        terms: the words or pairs of characters that differ most, by their shares of the texts.
    """

    between: Between
    old: int
    new: int
    edges: tuple[float, ...]
    lengths_old: tuple[int, ...]
    lengths_new: tuple[int, ...]
    terms: tuple[Share, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Pool:
    """Old and new rows in one table, the old ones first; ``unit`` numbers what stays together."""

    between: Between
    rows: Dataset
    old: int
    unit: Rows

    @classmethod
    def of(cls, old: Dataset, new: Dataset, *, between: Between) -> Pool:
        """Rows of one group are a unit, and so are two copies of a row, or up to eight where most rows have more than two.

        All copies of a row in one unit would make a greeting that a thousand people wrote a single event; each copy a unit of
        its own would count a table that was written twice as double evidence.
        """
        rows = concat(old, new)
        side = np.repeat([0, 1], [len(old), len(new)])
        group = rows.roles.group if rows.roles.group in rows.table.column_names else None
        unit = _bundles(rows, side)
        if group is not None:
            cells = rows.column(group)
            named = (
                f"{s}\0" + (f"\0{row}" if cell is None else cell)
                for row, (s, cell) in enumerate(zip(side, cells, strict=True))
            )
            unit = united(unit, exact_groups(named, form=str))
        return cls(between=between, rows=rows, old=len(old), unit=renumbered(unit))

    @property
    def is_new(self) -> Mask:
        """Which rows are of the new sample."""
        return np.arange(len(self.rows)) >= self.old

    @property
    def least(self) -> int:
        """Units of the smaller sample."""
        return min(len(np.unique(self.unit[: self.old])), len(np.unique(self.unit[self.old :])))


def compare_pools(
    pools: Sequence[Pool], *, seed: int, alpha: float
) -> tuple[tuple[Shift, ...], tuple[Sample, ...], int]:
    """Run every test on every pool; the tests, what pictures show, and the number of permutations.

    There are a hundred times as many permutations as tests (with very many tests 25 times, at least 20,000), so that the
    smallest p-value survives its adjustment.
    """
    found = [traits(pool.rows) for pool in pools]
    tests = sum(2 if trait.values is not None else 1 for listed in found for trait in listed) + len(pools)
    draws = max(STAGE, min(100 * tests, max(20_000, 25 * tests)) - 1)
    raw: list[Shift] = []
    samples = []
    for number, (pool, listed) in enumerate(zip(pools, found, strict=True)):
        permutation = Permutation(new=pool.is_new, unit=pool.unit, draws=draws, seed=seed + number)
        for trait in listed:
            raw += _test(pool, trait, permutation)
        shift, terms = _vocabulary(pool, permutation)
        raw.append(shift)
        samples.append(_sample(pool, terms))
    adjusted = holm([shift.p for shift in raw])
    shifts = [
        Shift(**{**vars(shift), "p_adjusted": p, "alarm": p <= alpha}) for shift, p in zip(raw, adjusted, strict=True)
    ]
    return tuple(shifts), tuple(samples), draws


def _test(pool: Pool, trait: Trait, permutation: Permutation) -> list[Shift]:
    """The tests of one trait."""
    width = trait.width
    statistics: dict[Test, Statistic] = (
        {"chi-square": chi_square}
        if trait.values is None
        else {"KS": kolmogorov, "PSI": partial(_binned, stability_index, _bins(trait))}
    )
    table = permutation.table(trait.cells, width=width)
    if (np.diff(table.indptr) > 1).any():
        permutation, rows = permutation.thinned(_UNITS)
        table = permutation.table(trait.cells[rows], width=width)
    made = []
    words = _words(pool, trait)
    counted = int((trait.cells >= 0).sum())
    for name, (distance, p) in zip(statistics, permutation.p_values(table, list(statistics.values())), strict=True):
        size = float(np.sqrt(distance / max(counted, 1))) if name == "chi-square" else distance
        made.append(_shift(pool, trait.kind, trait.column, name, size, p, words))
    return made


def _shift(pool: Pool, trait: str, column: str, test: Test, distance: float, p: float, words: str) -> Shift:
    return Shift(
        trait=trait,
        column=column,
        test=test,
        between=pool.between,
        distance=distance,
        p=p,
        p_adjusted=1.0,
        alarm=False,
        words=words,
    )


def _vocabulary(pool: Pool, permutation: Permutation) -> tuple[Shift, tuple[Share, ...]]:
    """Jensen and Shannon's divergence of the term frequencies, and the terms that add most to it."""
    from scipy.sparse import coo_array

    permutation, rows = permutation.thinned(_UNITS)
    terms = count_terms([pool.rows.texts[row] for row in rows.tolist()], most=_TERMS)
    units = coo_array(
        (np.ones(len(rows)), (permutation.unit, np.arange(len(rows)))), shape=(len(permutation.new_units), len(rows))
    )
    ((distance, p),) = permutation.p_values((units.tocsr() @ terms.counts).tocsr(), [jensen_shannon])
    shares = _telling(terms, permutation.new)
    words = ", ".join(f"{share.name} {_percent(share.old)} -> {_percent(share.new)}" for share in shares[:3])
    words = words or "no term differs"
    return _shift(pool, "vocabulary", pool.rows.roles.text, "JS", distance, p, words), shares


def _telling(terms: TermCounts, is_new: Mask) -> tuple[Share, ...]:
    """The terms whose shares of the texts differ most, in standard errors of the difference."""
    sides = [terms.counts[np.flatnonzero(side)][:, :-1] for side in (~is_new, is_new)]
    texts = [max(side.shape[0], 1) for side in sides]
    old, new = (np.asarray(side.sum(axis=0), float) / many for side, many in zip(sides, texts, strict=True))
    both = (old * texts[0] + new * texts[1]) / sum(texts)
    score = np.abs(new - old) / np.sqrt(np.maximum(both * (1 - both) * (1 / texts[0] + 1 / texts[1]), 1e-12))
    order = np.argsort(-score, kind="stable")[:_LISTED]
    return tuple(
        Share(name=brief(terms.names[place], most=_SHOWN), old=float(old[place]), new=float(new[place]))
        for place in order.tolist()
        if score[place] > 0
    )


def _binned(statistic: Statistic, bins: Floats, old: Floats, new: Floats) -> Floats:
    return statistic(old @ bins, new @ bins)


def _bins(trait: Trait) -> Floats:
    """Which cells share a bin of PSI: ten bins of about equally many rows of both samples together."""
    counts = np.bincount(trait.cells[trait.cells >= 0], minlength=trait.width)
    middle = (np.cumsum(counts) - counts / 2) / max(counts.sum(), 1)
    bin_ = np.unique(np.minimum((middle * _PSI_BINS).astype(np.int64), _PSI_BINS - 1), return_inverse=True)[1]
    return np.eye(int(bin_.max(initial=0)) + 1)[bin_]


def _words(pool: Pool, trait: Trait) -> str:
    """What differs most."""
    new = pool.is_new
    if trait.values is not None:
        old_values, new_values = (trait.values[side & (trait.cells >= 0)] for side in (~new, new))
        if not len(old_values) or not len(new_values):
            return "one sample has none"
        before, after = (float(np.median(values)) for values in (old_values, new_values))
        if before != after:
            return f"median {before:g} -> {after:g}"
        return f"mean {old_values.mean():.4g} -> {new_values.mean():.4g}"
    sides = [np.bincount(trait.cells[side & (trait.cells >= 0)], minlength=trait.width) for side in (~new, new)]
    before, after = (side / max(side.sum(), 1) for side in sides)
    place = int(np.argmax(np.abs(after - before).round(9)))  # of two that mirror each other, the first
    return f"{brief(trait.names[place], most=_SHOWN)} {_percent(before[place])} -> {_percent(after[place])}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _sample(pool: Pool, terms: tuple[Share, ...]) -> Sample:
    lengths = np.fromiter(map(len, pool.rows.texts), np.int64, len(pool.rows))
    top = int(np.quantile(lengths, 0.99, method="inverted_cdf")) if len(lengths) else 0
    step = -(-(top + 1) // _BARS)
    bars = -(-(top + 1) // step)
    place = np.minimum(lengths // step, bars - 1)
    old, new = (np.bincount(place[side], minlength=bars) for side in (~pool.is_new, pool.is_new))
    return Sample(
        between=pool.between,
        old=pool.old,
        new=len(pool.rows) - pool.old,
        edges=tuple(float(step * bar) for bar in range(bars + 1)),
        lengths_old=tuple(old.tolist()),
        lengths_new=tuple(new.tolist()),
        terms=terms,
    )


def _bundles(rows: Dataset, side: Rows) -> Rows:
    """A number for each row, equal for the copies of a bundle."""
    apart = {rows.roles.id, rows.roles.time}
    names = [name for name in rows.table.column_names if name not in apart]
    digests = row_digests(replace(rows, table=rows.table.select(names)))
    content = exact_groups((f"{s}{digest.hex()}" for s, digest in zip(side.tolist(), digests, strict=True)), form=str)
    many = np.bincount(content)
    bundle = int(np.clip(np.median(many), *_BUNDLE)) if len(many) else 1
    order = np.argsort(content, kind="stable")
    rank = np.empty(len(content), np.int64)
    rank[order] = np.arange(len(content)) - np.repeat(np.cumsum(many) - many, many)
    return np.unique(np.stack([content, rank // bundle], axis=1), axis=0, return_inverse=True)[1].ravel()
