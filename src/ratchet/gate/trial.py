"""A claim about two contenders, tested on the rows that both were scored on; the level comes later."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ratchet.errors import RatchetError
from ratchet.gate.claim import Claim, Finding, word_of
from ratchet.gate.error_budget import Correlation, correlation_of
from ratchet.gate.overlap import out_of_fold, overlap, seed_noise
from ratchet.metrics.evidence import Evidence
from ratchet.metrics.metric import Metric, Setting
from ratchet.metrics.metrics import compare_measure, find_metric, is_measure, judged_by
from ratchet.metrics.paired_tests import Floats, Ints, Paired, design_effect, normal_quantile, z_of

POWER = 0.8
FEWEST_MEASURED = 20
"""Rows on which a cost or a latency must have been measured, where it was not on all."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Trial:
    """One claim about one challenger, tested; the level comes later."""

    claim: Claim
    paired: Paired
    rows: Ints
    unit: Ints | None
    units: int
    seed_sd: float | None

    def finding(self, *, alpha: float, level: float) -> Finding:
        """What is said of the claim at the challenge's level."""
        claim, paired = self.claim, self.paired
        fields: dict[str, Any] = {
            "metric": claim.metric,
            "claim": claim.kind,
            "margin": claim.margin,
            "estimate": paired.estimate,
            "low": paired.lower(level),
            "high": paired.upper(alpha),
            "p": paired.at_most(paired.null),
            "p_worse": paired.at_least(),
            "p_margin": paired.at_most(-claim.margin),
            "p_excess": paired.at_least(claim.margin),
            "n": len(self.rows),
            "units": self.units,
            "test": paired.test,
            "variance": paired.variance,
            "seed_sd": self.seed_sd,
            "rows_needed": None,
            "doubt": paired.doubt,
            "factor": claim.factor,
        }
        draft = Finding(**fields, outcome="undecided", holds=False)
        outcome, holds = word_of(draft, alpha=alpha, level=level)
        needed = None if holds or outcome == "worse" else _rows_needed(claim, paired, len(self.rows), level=level)
        return Finding(**{**fields, "rows_needed": needed}, outcome=outcome, holds=holds)


def trial_of(claim: Claim, challenger: Evidence, champion: Evidence, setting: Setting, *, copy: bool) -> Trial:
    """The paired test of one claim, with everything that the rows alone do not show."""
    setting = replace(setting, factor=claim.factor)
    if is_measure(claim.metric, challenger):
        paired = replace(compare_measure(claim.metric, challenger, champion), null=1 - 1 / claim.factor)
        rounds = np.arange(len(challenger.measures[claim.metric]))
        return Trial(claim=claim, paired=paired, rows=rounds, unit=None, units=len(rounds), seed_sd=None)
    a, b = _on_shared_rows(challenger, champion)
    metric = _able(claim, a, b)
    rows = np.intersect1d(a.measured(metric.needs), b.measured(metric.needs))
    if len(rows) < min(FEWEST_MEASURED, len(a.rows)):
        return _too_few(claim, rows, len(a.rows))
    a, b = (a.on(rows), b.on(rows)) if len(rows) < len(a.rows) else (a, b)
    paired = metric.compare(a, b, setting)
    unit, units = a.unit if a.unit is not None else b.unit, len(a.rows)
    if unit is not None:
        effect, units = design_effect(paired.influence, unit)
        if units < len(a.rows):
            paired = paired.widened(effect, freedom=max(units - 1, 1))
    if not copy:
        factor, freedom = overlap(a, b, paired.influence, bounded=metric.bounded)
        paired = paired.widened(factor, freedom=freedom)
    seed_sd = seed_noise(a, b, metric)
    counted = out_of_fold(a, b) and (a.chance or b.chance)  # the spread between folds has the seeds in it
    if seed_sd is not None and not copy and not counted:
        seeds = min(len(e.runs) for e in (a, b) if e.seeds)
        shown = float((paired.influence**2).sum()) / len(a.rows) ** 2 * paired.variance
        paired = paired.widened(1 + (seed_sd**2 / seeds / shown if shown else 0.0))
    return Trial(claim=claim, paired=paired, rows=a.rows, unit=unit, units=units, seed_sd=seed_sd)


def _too_few(claim: Claim, rows: Ints, of: int) -> Trial:
    """A claim about what was measured on a handful of the rows, which may be any."""
    doubt = f"it was measured on {len(rows):,} of {of:,} rows, and {FEWEST_MEASURED} are the fewest"
    paired = Paired(estimate=0.0, score=lambda _: 0.0, test="none", null=1 - 1 / claim.factor, doubt=doubt)
    return Trial(claim=claim, paired=paired, rows=rows, unit=None, units=len(rows), seed_sd=None)


def _on_shared_rows(challenger: Evidence, champion: Evidence) -> tuple[Evidence, Evidence]:
    """Both on the rows that they share."""
    shared = np.intersect1d(challenger.rows, champion.rows)
    if not len(shared):
        raise RatchetError(
            f"{challenger.name!r} and {champion.name!r} must have rows in common but got none.",
            next_step="Score both on the same part.",
        )
    a, b = challenger.on(shared), champion.on(shared)
    same = a.targets.keys() == b.targets.keys()
    if not same or not all(np.array_equal(a.targets[column], b.targets[column]) for column in a.targets):
        raise RatchetError(
            f"{challenger.name!r} and {champion.name!r} must agree on {_and(a.targets)} of the rows but got two tables."
        )
    return a, b


def _and(names: Iterable[str]) -> str:
    return " and ".join(sorted(names)) or "what is true"


def _able(claim: Claim, a: Evidence, b: Evidence) -> Metric:
    """The metric of the claim, which takes what both sides are."""
    metric = find_metric(claim.metric, a)
    if find_metric(claim.metric, b).needs != metric.needs:
        raise RatchetError(
            f"{a.name!r} and {b.name!r} must have the columns {', '.join(metric.needs)} but one has not."
        )
    if not metric.seeds and (a.seeds or b.seeds):
        able = [name for name in judged_by(a) if not is_measure(name, a) and find_metric(name, a).seeds]
        raise RatchetError(f"A metric over several seeds must be one of {', '.join(able)} but got {claim.metric!r}.")
    if claim.factor != 1 and not metric.saving:
        raise RatchetError(
            f"The factor of {claim.metric!r} must be 1 but got {claim.factor:g}: only a cost or a time has one.",
            next_step="Claim a margin instead.",
        )
    return metric


def correlated(sides: Sequence[Sequence[Trial]]) -> Correlation | None:
    """How the challengers' tests hang together; ``None`` where more than one metric is judged, or nothing is known."""
    tested = [[side for side in row if len(side.paired.influence)] for row in sides]
    if len(sides) == 1 or any(len(row) != 1 for row in tested):
        return None
    found = [row[0] for row in tested]
    known = np.unique(np.concatenate([side.rows for side in found]))
    aligned: list[Floats] = []
    for side in found:
        values = np.zeros(len(known))
        values[np.searchsorted(known, side.rows)] = side.paired.influence
        aligned.append(values)
    unit = next((side.unit for side in found if side.unit is not None and len(side.rows) == len(known)), None)
    if unit is not None:
        number = np.unique(unit, return_inverse=True)[1]
        aligned = [np.bincount(number, weights=values).astype(np.float64) for values in aligned]
    return correlation_of(aligned)


def _rows_needed(claim: Claim, paired: Paired, n: int, *, level: float) -> int | None:
    """Rows for 80 % power if the true difference is the one seen; the z-score grows with the root of the rows."""
    if paired.doubt:
        return None
    p = paired.at_most(paired.null if claim.kind == "superior" else -claim.margin)
    if claim.kind == "equivalent":
        p = max(p, paired.at_least(claim.margin))
    seen = z_of(p)
    if seen <= 0 or math.isinf(seen):
        return None
    needed = n * ((normal_quantile(POWER) - normal_quantile(level)) / seen) ** 2
    return max(n + 1, math.ceil(needed)) if needed < 1e9 else None
