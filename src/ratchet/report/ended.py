"""A run that ended, as its stages leave it: the summary and the report are made from this and from nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ratchet.bundle.bundle import Bundle
from ratchet.checks import Health
from ratchet.contenders.base import Contender
from ratchet.contenders.certainty import Certainty
from ratchet.contenders.rows import PartedRows
from ratchet.gate.ledger import Challenge, Record
from ratchet.gate.selective import Point
from ratchet.metrics.metrics import Score, named
from ratchet.recipe.sections import Recipe
from ratchet.report.content import Stage
from ratchet.report.robustness import Robustness
from ratchet.report.slices import Slices


@dataclass(frozen=True, kw_only=True)
class Opened:
    """The sealed test part, opened for the bundle."""

    scores: tuple[Score, ...]
    """Of the bundle on the test rows, one for each metric of the gate."""
    opened: tuple[str, ...]
    """ISO times of all openings that the ledger knows."""
    lost: bool
    """The ledger was lost at some time, so there may have been openings that nobody knows."""
    judged: Score
    """What the model that was judged scored on the rows of the verdicts, on the first metric."""
    refit_rows: int | None
    """Rows that the bundle was trained on, when it was trained once more."""
    answered: Point | None = None
    """What the bundle answers itself of the test rows; ``None`` where it promises nothing."""


@dataclass(frozen=True, kw_only=True)
class GateState:
    """Where the gate stands: what is used of the error level, of the margin, and of the credit of the rows."""

    anchor: str
    """Who must be beaten: the last that was proven better; the champion is this one, or a copy of it."""
    margin: float
    margin_used: float
    level_left: float
    """Of the error level, for challengers to come."""
    level_left_copies: float
    looks: int
    """Challengers that were judged on these rows, copies apart."""
    optimism: float
    """By how much the best of so many estimates is expected to be too high, at most."""


@dataclass(frozen=True, kw_only=True)
class BestBet:
    """The contender that looks better than the one that stands, but is not proven to be."""

    name: str
    against: str
    metric: str
    estimate: float
    low: float
    high: float
    n: int
    rows_needed: int | None
    decide: str
    """What would decide."""

    @property
    def line(self) -> str:
        """The bet in one line for people."""
        metric = named(self.metric)[0]
        estimate, low, high = (metric.told(value) for value in (self.estimate, self.low, self.high))
        unit = f" {metric.unit}" if metric.unit else ""
        rows = f", about {self.rows_needed:,} rows would decide (there are {self.n:,})" if self.rows_needed else ""
        return (
            f"{self.name} looks better than {self.against} but is not proven: {estimate} [{low}, {high}]{unit}"
            f"{rows}; what would decide: {self.decide}"
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Timed:
    """A form of the champion with its latencies in milliseconds a text."""

    contender: Contender
    score: Score
    p50_ms: float
    p95_ms: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Offered:
    """A contender with its score and what it takes; ``None`` where that is not known."""

    contender: Contender
    score: Score
    cost_per_row: float | None
    p50_ms: float | None
    p95_ms: float | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Tried:
    """The contenders of a run and their scores on the rows of the verdicts."""

    contenders: tuple[Contender, ...]
    """The first champion, then all that were judged, in the order of the ledger."""
    start: Score
    """Of the first champion, by the metric of the first verdict: the staircase begins there."""
    honest: Score | None
    """Of the recipe's baseline, by the first metric of the gate."""
    reached: Score
    """Of the champion, likewise."""
    best_bet: BestBet | None
    forms: tuple[Timed, ...]
    """The champion before and after it was compressed; empty where it was not."""
    offers: tuple[Offered, ...] = ()
    """The champion and others whose price or latency is known."""
    scores: tuple[Score, ...] = ()
    """Of the champion, by every metric of the task that its answers have."""
    slices: Slices | None = None
    """Of the champion's answers."""
    robustness: Robustness | None = None
    """Of the champion's answers, where they were asked for again with noise."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Ended:
    """A run that ended; what was not reached is ``None`` or empty."""

    run: str
    finished: str
    """ISO time."""
    recipe: Recipe
    folder: Path
    """Of the run, with its recipe and its environment."""
    version: str | None
    """Id of the version of the data."""
    tags: tuple[str, ...]
    health: Health
    ledger: Record
    """The last record that there was."""
    stages: tuple[Stage, ...]
    not_run: Mapping[str, str]
    """For each section of the report that was not reached, why."""
    rows: PartedRows | None
    judged: tuple[Challenge, ...]
    """All challenges on these rows, of earlier runs too."""
    champion: Contender | None
    gate: GateState | None
    tried: Tried | None
    bundle: Bundle | None
    test: Opened | None
    certainty: Certainty | None = None
    """How sure the champion, or the contender that is served, is of its answers."""
