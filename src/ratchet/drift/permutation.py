"""Permutation tests: could rows divided at random into two samples differ as much as these two do?

What is permuted are units: rows that belong together (copies, rows of one group) go to one sample together. If both samples
come from one population, every permutation is as likely as the one that was seen, so the p-values are right at any size,
whatever the statistic. p = (1 + permutations at least as far apart) / (1 + permutations), which is never 0 (Phipson, Smyth
2010, "Permutation p-values should never be zero", Statistical Applications in Genetics and Molecular Biology 9).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ratchet.text.columns import Rows

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Statistic = Callable[[Floats, Floats], Floats]
"""From the counts of the old and of the new sample, shape (permutations, cells) each, to one distance per permutation."""

STAGE = 1_999
"""Permutations after which a statistic that many of them reach is decided."""
_ENOUGH = 20
_TINY = 1e-9
_BLOCK = 1 << 22  # numbers in one block of permutations


@dataclass(frozen=True, kw_only=True, eq=False)
class Permutation:
    """The rows of two samples, and how often they are permuted.

    ``new[i]`` says whether row ``i`` is in the new sample; ``unit[i]`` is the number of its unit, from 0. A unit lies in one
    sample.
    """

    new: Mask
    unit: Rows
    draws: int
    seed: int

    @cached_property
    def new_units(self) -> Mask:
        """Which units are in the new sample."""
        found = np.zeros(int(self.unit.max(initial=-1)) + 1, bool)
        found[self.unit[self.new]] = True
        return found

    def thinned(self, most: int) -> tuple[Permutation, Rows]:
        """The permutation of at most ``most`` units of each sample, drawn at random, and the rows that stay."""
        sides = [np.flatnonzero(side) for side in (self.new_units, ~self.new_units)]
        if max(map(len, sides)) <= most:
            return self, np.arange(len(self.new))
        random = np.random.default_rng(self.seed)
        stays = np.zeros(len(self.new_units), bool)
        for members in sides:
            stays[random.choice(members, min(len(members), most), replace=False)] = True
        rows = np.flatnonzero(stays[self.unit])
        unit = np.unique(self.unit[rows], return_inverse=True)[1]
        return replace(self, new=self.new[rows], unit=unit), rows

    def table(self, cells: Rows, *, width: int) -> csr_array:
        """Rows of each unit in each of ``width`` cells; a row in cell -1 is in none."""
        from scipy.sparse import coo_array

        kept = np.flatnonzero(cells >= 0)
        shape = (len(self.new_units), width)
        return coo_array((np.ones(len(kept)), (self.unit[kept], cells[kept])), shape=shape).tocsr()

    def p_values(self, table: csr_array, statistics: Sequence[Statistic]) -> list[tuple[float, float]]:
        """The distance of the two samples by each statistic, and its p-value.

        A statistic that 20 of the first 1,999 permutations reach is decided by these: its p-value stays valid, as further ones
        only serve to tell small p-values apart (after Besag, Clifford 1991, "Sequential Monte Carlo p-values", Biometrika 78).

        Args:
            table: counts of each unit in each cell, shape (units, cells).
            statistics: each grows with the distance.
        """
        total, new = table.sum(axis=0)[None], table[np.flatnonzero(self.new_units)].sum(axis=0)[None]
        seen = [float(statistic(total - new, new)[0]) for statistic in statistics]
        beyond, tried = np.zeros(len(statistics), np.int64), np.zeros(len(statistics), np.int64)
        still = np.ones(len(statistics), bool)
        for permuted in self._permuted(table):
            for place in np.flatnonzero(still).tolist():
                least = seen[place] - _TINY * max(1.0, abs(seen[place]))
                beyond[place] += int((statistics[place](total - permuted, permuted) >= least).sum())
                tried[place] += len(permuted)
            still &= (tried < STAGE) | (beyond < _ENOUGH)
            if not still.any():
                break
        return [(value, (1 + int(b)) / (1 + int(n))) for value, b, n in zip(seen, beyond, tried, strict=True)]

    def _permuted(self, table: csr_array) -> Iterator[Floats]:
        """The counts of the new sample in every permutation, a block at a time: shape (permutations, cells)."""
        random = np.random.default_rng(self.seed)
        chosen = int(self.new_units.sum())
        kinds, many = _kinds(table)
        done, step = 0, max(1, _BLOCK // max(kinds.shape))
        while done < self.draws:
            size = min(step, (STAGE if done < STAGE < self.draws else self.draws) - done)
            if many is None:
                picked = random.permuted(np.tile(self.new_units, (size, 1)), axis=1).astype(float)
            else:
                picked = random.multivariate_hypergeometric(many, chosen, size=size, method="marginals")
            done += size
            yield np.asarray(picked @ kinds, float)


def _kinds(table: csr_array) -> tuple[Any, Rows | None]:
    """The different rows of the table and how often each is there, or the table itself where most units differ.

    Units with equal counts are interchangeable, and how many of each kind a random permutation takes is multivariate
    hypergeometric: a million rows in ten cells cost no more than a hundred.
    """
    filled = np.diff(table.indptr)
    if (filled > 1).any():
        return table, None
    keys = np.zeros((len(filled), 2))
    keys[filled == 1] = np.stack([table.indices + 1, table.data], axis=1)
    unique, many = np.unique(keys, axis=0, return_counts=True)
    kinds = np.zeros((len(unique), table.shape[1] + 1))
    kinds[np.arange(len(unique)), unique[:, 0].astype(np.int64)] = unique[:, 1]
    return kinds[:, 1:], many


def chi_square(old: Floats, new: Floats) -> Floats:
    """Pearson's chi-square of the two rows of counts; cells that are empty in both count nothing."""
    total = old + new
    share = new.sum(axis=1, keepdims=True) / np.maximum(total.sum(axis=1, keepdims=True), 1)
    expected = total * share
    spread = np.where(total > 0, total * share * (1 - share), 1.0)
    return _sums((new - expected) ** 2 / np.maximum(spread, _TINY))


def kolmogorov(old: Floats, new: Floats) -> Floats:
    """Kolmogorov and Smirnov's largest distance of the two cumulative shares, 0 to 1."""
    apart = np.cumsum(_shares(old), axis=1) - np.cumsum(_shares(new), axis=1)
    return np.asarray(np.abs(apart).max(axis=1), float)


def stability_index(old: Floats, new: Floats) -> Floats:
    """The population stability index: the sum of (q - p) ln(q / p), half a row added to each cell."""
    p, q = _shares(old + 0.5), _shares(new + 0.5)
    return _sums((q - p) * np.log(q / p))


def jensen_shannon(old: Floats, new: Floats) -> Floats:
    """Jensen and Shannon's divergence in bits, 0 (equal) to 1 (nothing in common).

    Lin 1991, "Divergence measures based on the Shannon entropy", IEEE Transactions on Information Theory 37.
    """
    p, q = _shares(old), _shares(new)
    middle = np.maximum((p + q) / 2, _TINY)
    parts = [side * np.log2(np.maximum(side, _TINY) / middle) for side in (p, q)]
    return _sums(parts[0] + parts[1]) / 2


def _shares(counts: Floats) -> Floats:
    return np.asarray(counts / np.maximum(counts.sum(axis=1, keepdims=True), _TINY), float)


def _sums(parts: Floats) -> Floats:
    return np.asarray(parts.sum(axis=1), float)
