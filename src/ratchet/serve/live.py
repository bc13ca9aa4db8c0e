"""Live drift: whether what is asked, and what is answered, is still like the rows of the training; counts only, no contents."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ratchet.bundle.reference import LONGEST, Counts, Reference
from ratchet.gate.holm import holm
from ratchet.models.inputs import Inputs
from ratchet.models.model import Answers

logger = logging.getLogger("ratchet.serve")

TOGETHER = 64
"""Rows that are held until they are counted, and forgotten."""
WINDOW = 1000
"""Rows that are tested together."""
DRAWS = 999
LEVEL = 0.01
LARGE = 0.1
"""Cramér's V that is worth an alarm: with enough rows any difference is proven, however small."""


@dataclass(frozen=True, kw_only=True)
class Shift:
    """What a window showed of one trait.

    Attributes:
        trait: as `Reference.counts` has it.
        distance: Cramér's V between the window and the reference, 0 to 1.
        p: by random divisions of all rows into two such parts (multivariate hypergeometric), corrected over the traits (Holm).
        words: the cell that differs most, with its shares.
    """

    trait: str
    distance: float
    p: float
    words: str

    @property
    def is_large(self) -> bool:
        """Whether it is proven, and large enough to be worth a look."""
        return self.p <= LEVEL and self.distance >= LARGE


class Live:
    """Counts what is served, and compares each window of rows with the reference.

    A trait raises an alarm when it is shifted, and by much, in two windows one after the other, and ends it with the first
    window that is not.
    """

    def __init__(self, reference: Reference, *, name: str, seed: int = 0) -> None:
        self._reference, self._name = reference, name
        self._random = np.random.default_rng(seed)
        self._texts: list[str] = []
        self._answers: list[Answers] = []
        self._window: dict[str, Counts] = {}
        self._before: set[str] = set()
        self.alarms: set[str] = set()
        self.latest: tuple[Shift, ...] = ()
        self.windows = 0

    def see(self, rows: Sequence[str], answers: Answers) -> None:
        """Rows that were answered: they are counted after a few more, and forgotten."""
        self._texts.extend(text[:LONGEST] for text in Inputs.of(rows).texts)
        self._answers.append(answers)
        if len(self._texts) >= TOGETHER:
            self._count()

    def _count(self) -> None:
        found = self._reference.counted(self._texts, np.concatenate(self._answers))
        self._texts, self._answers = [], []
        for trait, counts in found.items():
            self._window[trait] = self._window[trait] + counts if trait in self._window else counts
        if self._window["length"].sum() >= WINDOW:
            self._compare()

    def _compare(self) -> None:
        names = self._reference.cells(tuple(self._reference.counts))
        window, self._window = self._window, {}
        shared = [trait for trait in self._reference.counts if trait in window]
        tested = [_tested(self._reference.counts[trait], window[trait], self._random) for trait in shared]
        self.latest = tuple(
            Shift(
                trait=trait,
                distance=distance,
                p=p,
                words=_words(self._reference.counts[trait], window[trait], names[trait]),
            )
            for trait, (distance, _), p in zip(shared, tested, holm([p for _, p in tested]), strict=True)
        )
        self.windows += 1
        large = {shift.trait for shift in self.latest if shift.is_large}
        fresh = (large & self._before) - self.alarms
        for shift in self.latest:
            if shift.trait in fresh:
                words = "what is served by %s is no longer like the training rows in its %s: %s (V %.2f, p %.3f)"
                logger.warning(words, self._name, shift.trait, shift.words, shift.distance, shift.p)
        self.alarms = (self.alarms | fresh) & large
        self._before = large


def _tested(old: Counts, new: Counts, random: np.random.Generator) -> tuple[float, float]:
    """Cramér's V of two rows of counts, and its p-value by permutation."""
    total = old + new
    used = total > 0
    if used.sum() < 2:
        return 0.0, 1.0
    drawn = random.multivariate_hypergeometric(total[used], int(new.sum()), size=DRAWS, method="marginals")
    statistics = _chi_square(total[used], np.vstack([new[used], drawn]))
    p = (1 + np.count_nonzero(statistics[1:] >= statistics[0] * (1 - 1e-12))) / (1 + DRAWS)
    return float(np.sqrt(statistics[0] / total.sum())), float(p)


def _chi_square(total: Counts, new: Counts) -> npt.NDArray[np.float64]:
    """(n,) Pearson's chi-square of each row of new counts against what is left of the total."""
    share = new.sum(axis=1, keepdims=True) / total.sum()
    expected = total * share
    return np.asarray(((new - expected) ** 2 / (expected * (1 - share))).sum(axis=1))


def _words(old: Counts, new: Counts, names: Sequence[str]) -> str:
    before, now = old / max(old.sum(), 1), new / max(new.sum(), 1)
    place = int(np.abs(now - before).argmax())
    return f"{names[place]}: {100 * before[place]:.1f} % became {100 * now[place]:.1f} %"
