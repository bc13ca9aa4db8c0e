"""Where the gate stands when a run ends: what is used of its error level, and what looks better but is not proven."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ratchet.contenders.base import Contender
from ratchet.contenders.rows import PartedRows
from ratchet.gate.error_budget import optimism
from ratchet.gate.ledger import Challenge
from ratchet.gate.verdict import compare
from ratchet.metrics.metrics import score
from ratchet.metrics.paired_tests import normal_quantile
from ratchet.report.ended import BestBet, GateState
from ratchet.stages.entrants import anchor, champion, family_of
from ratchet.stages.job import Job


def gate_state(job: Job, rows: PartedRows, judged: Sequence[Challenge]) -> GateState:
    """What is used of the error level, of the margin and of the rows' credit."""
    family, gate = family_of(rows), job.recipe.gate
    root = anchor(job, rows)
    proven, stands = (score(c.evidence(rows), gate.metrics[0]).value for c in (root, champion(job, rows)))
    improvements = [challenge for challenge in judged if challenge.account == "improvements"]
    errors = [
        (found.high - found.estimate) / normal_quantile(1 - challenge.verdict.alpha)
        for challenge in improvements
        if (found := challenge.verdict.findings[0]).high > found.estimate
    ]
    return GateState(
        anchor=root.name,
        margin=gate.margin * rows.margin_of(gate.metrics[0]),
        margin_used=max(0.0, proven - stands),
        level_left=job.ledger.family(family, alpha=gate.alpha).left,
        level_left_copies=job.ledger.family(family, alpha=gate.alpha, account="copies").left,
        looks=len(improvements),
        optimism=optimism(float(np.median(errors)), len(improvements)) if errors else 0.0,
    )


def best_bet(job: Job, rows: PartedRows, contenders: Sequence[Contender]) -> BestBet | None:
    """The contender that looks better than the one that stands, but is not proven to be; ``None`` when there is none."""
    root, metric = anchor(job, rows), job.recipe.gate.metrics[0]
    others = [one for one in contenders if one.folder != root.folder and "of_key" not in one.facts]
    found = [(one, compare(one.evidence(rows), root.evidence(rows), [metric]).findings[0]) for one in others]
    ahead = [pair for pair in found if pair[1].estimate > 0]
    if not ahead:
        return None
    contender, finding = max(ahead, key=lambda pair: pair[1].estimate)
    decide = "more labelled rows" if finding.rows_needed else "a run on new rows"
    if contender.facts.get("folds") and len(contender.rows) < len(rows.parts.compared):
        decide = "ratchet run --set gate.budget=120"
    return BestBet(
        name=contender.name,
        against=root.name,
        metric=metric,
        estimate=finding.estimate,
        low=finding.low,
        high=finding.high,
        n=finding.n,
        rows_needed=finding.rows_needed,
        decide=decide,
    )
