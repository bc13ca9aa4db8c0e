"""A claim about one metric, what was found of it, and the words for that."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from ratchet.errors import RatchetError
from ratchet.metrics.means import ROUNDS, SAVING
from ratchet.metrics.metric import Metric
from ratchet.metrics.metrics import named

Outcome = Literal["better", "not_worse", "worse", "undecided"]
Kind = Literal["superior", "noninferior", "equivalent"]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What is to be shown on one metric.

    Args:
        metric: name of a metric, or of a measured quantity.
        kind: better, not worse by the margin, or neither better nor worse by it.
        margin: in the metric's own units (0.01: one point).
        factor: of a cost or a time: "superior" then says that the challenger takes less than one ``factor``-th.
    """

    metric: str
    kind: Kind = "superior"
    margin: float = 0.01
    factor: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.margin < math.inf:
            raise RatchetError(f"The margin of {self.metric!r} must be above 0 but got {self.margin}.")
        if not 1 <= self.factor < math.inf or (self.factor > 1 and self.kind != "superior"):
            raise RatchetError(
                f"The factor of {self.metric!r} must be 1 or more, in a claim of the kind 'superior', but got "
                f"{self.factor:g} in one of the kind {self.kind!r}."
            )


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One claim judged: the difference "challenger minus champion" with its interval, and whether the claim holds.

    All p-values are one-sided. ``low`` is above `null` only where ``p`` is within the level, ``high`` below 0 only where
    ``p_worse`` is within ``alpha``: the interval and the word never contradict each other.
    """

    metric: str
    claim: Kind
    margin: float
    outcome: Outcome
    holds: bool
    estimate: float
    low: float
    """Lower confidence bound at the challenge's level."""
    high: float
    """Upper confidence bound at ``alpha``."""
    p: float
    """Of "not better", or of "not less than one ``factor``-th"."""
    p_worse: float
    """Of "not worse"."""
    p_margin: float
    """Of "worse by the margin or more"."""
    p_excess: float
    """Of "better by the margin or more"."""
    n: int
    units: int
    """Rows that belong together are one unit; as many as rows where each stands alone."""
    test: str
    variance: float
    """How many times larger the variance is than the rows alone show (units, folds, seeds); 1 for one fixed pair."""
    seed_sd: float | None
    """Standard deviation of the difference over seeds; ``None`` for a single seed."""
    rows_needed: int | None
    """Rows at which this difference would be decided with 80 % power; ``None`` when it is decided or cannot be."""
    doubt: str = ""
    """Why these rows cannot tell; empty where they can."""
    factor: float = 1.0
    """By which a cost or a time had to be lower."""

    @property
    def null(self) -> float:
        """The difference above which a claim of "superior" holds."""
        return 1 - 1 / self.factor


def word_of(found: Finding, *, alpha: float, level: float) -> tuple[Outcome, bool]:
    """The outcome on one metric, and whether the claim holds; the only place where figures become words."""
    better = found.estimate > found.null and found.p <= level
    worse = found.estimate < 0 and found.p_worse <= alpha
    not_worse = found.p_margin <= level
    if found.claim == "equivalent":
        equal = not_worse and found.p_excess <= level
        order: list[tuple[bool, Outcome]] = [(equal, "not_worse"), (better, "better"), (worse, "worse")]
        return next((word for true, word in order if true), "undecided"), equal
    if found.claim == "noninferior":
        order = [(better, "better"), (not_worse, "not_worse"), (worse, "worse")]
        return next((word for true, word in order if true), "undecided"), better or not_worse
    order = [(better, "better"), (worse, "worse"), (not_worse, "not_worse")]
    return next((word for true, word in order if true), "undecided"), better


def sentence(finding: Finding, level: float) -> str:
    """A finding in one line for people."""
    metric = read_as(finding)
    unit = f" {metric.unit}" if metric.unit else ""
    if finding.test == "exact":
        return f"{finding.metric} {finding.estimate * 100:+.1f} % saved"
    if finding.doubt:
        return f"{finding.metric} {metric.told(finding.estimate)}{unit}, cannot be told: {finding.doubt}"
    low, high = metric.told(finding.low), metric.told(finding.high)
    words = f"{finding.metric} {metric.told(finding.estimate)} [{low}, {high}]{unit}"
    if finding.test.startswith(SAVING):
        words += f" saved, {_times(finding.estimate)} [{_times(finding.low)}, {_times(finding.high)}] times less"
        words += f", {finding.factor:g} claimed" if finding.factor > 1 else ""
    words += ", + is better" if metric.sign < 0 and not metric.saving else ""
    if finding.claim == "noninferior":
        words += f", margin {finding.margin * metric.scale:g}, {_p(finding.p_margin)} of {level:.2g}"
    else:
        words += f", {_p(finding.p)} of {level:.2g}"
    words += f", n={finding.n:,}"
    words += f" in {finding.units:,} groups" if finding.units < finding.n else ""
    words += f", {finding.test}"
    if finding.rows_needed:
        words += f", about {finding.rows_needed:,} rows would decide"
    return words


def read_as(finding: Finding) -> Metric:
    """The metric whose unit the figures have: a quantity that was measured in rounds is a relative saving."""
    if finding.test == "exact" or finding.test.startswith(ROUNDS):
        return named("cost")[0]
    return named(finding.metric)[0]


def _times(saving: float) -> str:
    """How many times less is taken to save this share."""
    return f"{1 / (1 - saving):.3g}" if saving < 1 else "inf"


def _p(p: float) -> str:
    return f"p={p:.2g}" if p > 1e-99 else "p<1e-99"
