from __future__ import annotations

import statistics

import pytest
from scipy.stats import norm

from ratchet.contenders.base import Contender
from ratchet.contenders.rows import PartedRows
from ratchet.metrics.metrics import named
from ratchet.stages.entrants import anchor, champion, family_of
from ratchet.stages.job import Job
from ratchet.stages.standing import best_bet, gate_state


@pytest.fixture
def rows(job: Job) -> PartedRows:
    (folder,) = job.workspace.data.glob("rows-*")
    return PartedRows.load(folder)


def test_the_gate_tells_what_is_used(job: Job, rows: PartedRows) -> None:
    judged = job.ledger.challenges(family_of(rows))
    found = gate_state(job, rows, judged)
    improvements = [one.verdict for one in judged if one.account == "improvements"]
    root, best = anchor(job, rows), champion(job, rows)
    value = named("accuracy")[0].value
    assert found.anchor == root.name
    assert found.looks == len(improvements) == 3
    assert found.margin_used == max(0.0, value(root.evidence(rows)) - value(best.evidence(rows)))
    assert 0 < found.level_left < job.recipe.gate.alpha
    errors = [(one.findings[0].high - one.findings[0].estimate) / norm.ppf(0.95) for one in improvements]
    highest = statistics.NormalDist().inv_cdf
    assert 0 < found.optimism < 2 * statistics.median(errors) * highest(0.95)


def test_the_best_bet_is_what_looks_best_without_being_proven(job: Job, rows: PartedRows) -> None:
    judged = job.ledger.challenges(family_of(rows))
    contenders = [Contender.load(job.workspace.models / one.challenger.key) for one in judged]
    root, value = anchor(job, rows), named("accuracy")[0].value
    others = {
        one.name: value(one.evidence(rows)) - value(root.evidence(rows))
        for one in contenders
        if one.folder != root.folder and one.card["facts"].get("of") != root.name
    }
    bet = best_bet(job, rows, contenders)
    best = max(others, key=lambda name: others[name], default="")
    if not others or others[best] <= 0:
        assert bet is None
    else:
        assert bet is not None
        assert (bet.name, bet.against) == (best, root.name)
        assert bet.estimate == pytest.approx(others[best])
    assert best_bet(job, rows, [root]) is None
