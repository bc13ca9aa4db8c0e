"""Dividing units of rows into parts so that every label has its share of every part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ratchet.text.columns import Rows

Keys = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float64]
_PASSES = 4


def assign(unit: Rows, *, label: Rows, order: Keys, shares: Floats, first_fold: int) -> Rows:
    """The part of each row.

    Units of several rows go first, largest first, each to the part whose labels and size it brings nearest to their
    shares (after Sechidis et al. 2011, "On the stratification of multi-label data"). Units of one row then fill each
    label's gaps by quotas that are within a row of the ideal, rounded so that the sizes of the parts add up too. Last, a
    label that train or a second fold lacks gets a unit from where it has one to spare.

    Args:
        unit: number of each row's unit, 0 to u - 1.
        label: number of each row's label, 0 to k - 1.
        order: a random key of each unit, shape (u,); ties and the draw of single rows go by it.
        shares: wanted share of each part, shape (parts,), sum 1.
        first_fold: the part that is the first fold; those before it are no folds, those after it are train; -1: all parts are.
    """
    draw = _Draw(unit, label=label, order=order, shares=shares, first_fold=first_fold)
    draw.place_several()
    draw.place_single()
    for _ in range(_PASSES):
        if not draw.mend():
            break
    return draw.part[unit]


def folds(unit: Rows, label: Rows, *, count: int, seed: int) -> Rows:
    """The fold of each row, by :func:`assign` with equal shares: units stay whole, and one seed gives one answer.

    Folds are numbered without a gap, also where there are fewer units than ``count``.
    """
    numbered = np.unique(unit, return_inverse=True)[1]
    order = np.random.default_rng(seed).integers(0, 1 << 63, int(numbered.max(initial=-1)) + 1, dtype=np.uint64)
    fold = assign(numbered, label=label, order=order, shares=np.full(count, 1 / count), first_fold=-1)
    return np.unique(fold, return_inverse=True)[1]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Contents:
    """The labels in each unit: unit ``u`` has ``amounts[i]`` rows of ``labels[i]`` for i in bounds[u] : bounds[u + 1]."""

    owners: Rows
    labels: Rows
    amounts: Rows
    bounds: Rows

    @classmethod
    def of(cls, unit: Rows, *, label: Rows, units: int) -> _Contents:
        width = int(label.max(initial=-1)) + 1
        codes, amounts = np.unique(unit * width + label, return_counts=True)
        owners = codes // width
        bounds = np.searchsorted(owners, np.arange(units + 1))
        return cls(owners=owners, labels=codes % width, amounts=amounts.astype(np.int64), bounds=bounds)


class _Draw:
    """The parts while they fill up; ``have`` and ``want`` count rows and have the shape (labels, parts)."""

    def __init__(self, unit: Rows, *, label: Rows, order: Keys, shares: Floats, first_fold: int) -> None:
        self.order = order
        self.first_fold = first_fold
        self.contents = _Contents.of(unit, label=label, units=len(order))
        self.sizes = np.bincount(unit, minlength=len(order))
        self.want = np.bincount(label)[:, None] * shares
        self.wanted_rows = len(unit) * shares
        self.have = np.zeros_like(self.want)
        self.rows = np.zeros(len(shares))
        self.part = np.full(len(order), -1, np.int64)

    def _content(self, u: int) -> tuple[Rows, Rows]:
        here = slice(self.contents.bounds[u], self.contents.bounds[u + 1])
        return self.contents.labels[here], self.contents.amounts[here]

    def _put(self, u: int, part: int) -> None:
        labels, amounts = self._content(u)
        if (before := self.part[u]) >= 0:
            self.have[labels, before] -= amounts
            self.rows[before] -= self.sizes[u]
        self.part[u] = part
        self.have[labels, part] += amounts
        self.rows[part] += self.sizes[u]

    def place_several(self) -> None:
        """Units of several rows, largest first."""
        several = np.flatnonzero(self.sizes > 1)
        for u in several[np.lexsort((self.order[several], -self.sizes[several]))].tolist():
            labels, amounts = self._content(u)
            size = self.sizes[u]
            want, rows = self.want[labels], self.wanted_rows
            # How much nearer each part comes to its share: the change of sum((have - want)^2 / want), labels and rows.
            off = ((2 * (self.have[labels] - want) + amounts[:, None]) * (amounts[:, None] / want)).sum(axis=0)
            off += (2 * (self.rows - rows) + size) * (size / rows)
            too_big = size > 1.5 * rows
            too_big[self.first_fold + 1 :] = False  # what is far larger than the test or the valid part is for train
            off[too_big] = np.inf
            best = np.flatnonzero(off <= off.min() + 1e-9)
            self._put(u, int(best[int(self.order[u]) % len(best)]))

    def place_single(self) -> None:
        """Units of one row: per label by quotas, rarest label first, so that the frequent ones even out the sizes."""
        single = np.flatnonzero(self.sizes == 1)
        label = self.contents.labels[self.contents.bounds[single]]
        by_label = np.lexsort((self.order[single], label))
        single, label = single[by_label], label[by_label]
        labels, starts, counts = np.unique(label, return_index=True, return_counts=True)
        owed = np.zeros(len(self.rows))
        for i in np.argsort(counts, kind="stable").tolist():
            ideal = _gaps(self.have[labels[i]], shares=self.wanted_rows, rows=int(counts[i]))
            quota = _rounded(ideal, owed=owed)
            owed += ideal - quota
            self.part[single[starts[i] : starts[i] + counts[i]]] = np.repeat(np.arange(len(quota)), quota)
            self.have[labels[i]] += quota
            self.rows += quota

    def mend(self) -> bool:
        """Give each label a unit in train and units in two folds; true if anything moved."""
        shape = self.have.shape
        inside = np.zeros(shape, np.int64)
        np.add.at(inside, (self.contents.labels, self.part[self.contents.owners]), 1)
        no_train = (inside[:, self.first_fold + 1 :] > 0).sum(axis=1) == 0
        one_fold = (inside[:, max(self.first_fold, 0) :] > 0).sum(axis=1) < 2
        moved = False
        for label in np.flatnonzero(no_train | one_fold).tolist():
            moved |= self._mend_label(label)
        return moved

    def _mend_label(self, label: int) -> bool:
        owners = self.contents.owners[self.contents.labels == label]
        spare = np.bincount(self.part[owners], minlength=self.have.shape[1])  # now: another label may have moved a unit
        train = np.arange(len(spare)) > self.first_fold
        target = train & (spare == 0)
        # The donor: the fold with two units or more, else a part that is no fold; else, for train's sake, valid.
        donors = np.flatnonzero((spare > 1) | ((spare > 0) & (np.arange(len(spare)) < self.first_fold)))
        if not len(donors) and not spare[train].any():
            donors = np.flatnonzero(spare)
        if not len(donors) or not target.any():
            return False
        donor = donors[np.argmax(spare[donors])]
        units = owners[self.part[owners] == donor]
        u = units[np.lexsort((self.order[units], self.sizes[units]))[0]]
        targets = np.flatnonzero(target)
        self._put(int(u), int(targets[np.argmin((self.rows / self.wanted_rows)[targets])]))
        return True


def _gaps(have: Floats, *, shares: Floats, rows: int) -> Floats:
    """How to add ``rows`` to what each part has so that the result is nearest to the shares: never negative, sum rows."""
    open_ = np.ones(len(have), bool)
    while True:
        level = (rows + have[open_].sum()) / shares[open_].sum()
        gaps = np.where(open_, level * shares - have, 0.0)
        if (gaps >= 0).all():
            return gaps
        open_ &= gaps > 0


def _rounded(ideal: Floats, *, owed: Floats) -> Rows:
    """Whole numbers of the same sum, each less than one off; those that earlier roundings owe most are rounded up."""
    total = round(float(ideal.sum()))
    down = np.floor(ideal + 1e-9).astype(np.int64)
    rest = ideal - down
    up = np.lexsort((-(rest + owed), rest < 1e-9))[: total - down.sum()]
    down[up] += 1
    return down
