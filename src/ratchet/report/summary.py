"""The figures of a run for programs: ``summary.json``."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from ratchet.gate.ledger import Challenge
from ratchet.gate.selective import Point
from ratchet.metrics.metrics import Score
from ratchet.models.calibration import bins_of, ece
from ratchet.report.ended import Ended, Offered, Timed
from ratchet.report.robustness import Robustness
from ratchet.report.slices import Slices, line_of
from ratchet.report.story import p_of, remark

Json = dict[str, Any]


def summary(ended: Ended) -> Json:
    """The figures as JSON values; what was not reached is ``None``."""
    test, bundle, tried = ended.test, ended.bundle, ended.tried
    bet = None if tried is None else tried.best_bet
    return {
        "run": ended.run,
        "name": ended.recipe.name,
        "finished": ended.finished,
        "answer": "label" if ended.rows is None else ended.rows.task.answer,
        "data": _data(ended),
        "scores": _scores(ended),
        "verdicts": [_challenge(challenge) for challenge in ended.judged],
        "champion": None if ended.champion is None else ended.champion.name,
        "best_bet": None if bet is None else asdict(bet),
        "gate": None if ended.gate is None else asdict(ended.gate),
        "answering": _answering(ended),
        "bundle": None
        if bundle is None
        else {"path": str(bundle.path), "bytes": bundle.bytes, "sha256": bundle.sha256},
        "alpha": ended.recipe.gate.alpha,
        "ledger": {"records": ended.ledger.seq, "head": ended.ledger.hash},
        "test_opened": [] if test is None else list(test.opened),
        "test_openings_lost": test is not None and test.lost,
        "compression": [_form(form) for form in (() if tried is None else tried.forms)],
        "metrics": [one.to_dict() for one in (() if tried is None else tried.scores)],
        "slices": None if tried is None or tried.slices is None else _slices(tried.slices),
        "robustness": None if tried is None or tried.robustness is None else _robustness(tried.robustness),
        "offers": [_offer(offer) for offer in (() if tried is None else tried.offers)],
        "stages": {stage.name: {"seconds": stage.seconds, "status": stage.status} for stage in ended.stages},
        "seconds": round(sum(stage.seconds or 0.0 for stage in ended.stages), 2),
    }


def _answering(ended: Ended) -> Json | None:
    """How sure the model is and what it promises; ``None`` where its task has no confidence."""
    found, test = ended.certainty, ended.test
    if found is None:
        return None
    fitted, choice = found.calibration, found.choice
    figures: Json = {
        "model": found.contender.name,
        "temperature": fitted.temperature,
        "log_loss": {"before": fitted.loss_before, "after": fitted.loss_after, "p": fitted.p},
        "calibration_error": {name: ece(bins_of(side, found.right)) for name, side in found.sides.items()},
    }
    if choice is None:
        return figures
    on_test = None if test is None or test.answered is None else test.answered
    return figures | {
        "line": choice.line,
        "error": choice.error,
        "confidence": choice.confidence_level,
        "threshold": choice.threshold,
        "rows_needed": choice.rows_needed,
        "left_to_people": len(found.abstained),
        "chosen": _point(choice.chosen),
        "at_one_temperature": _point(found.at_one_temperature),
        "naive": _point(choice.naive),
        "test": _point(on_test),
    }


def _point(point: Point | None) -> Json | None:
    if point is None:
        return None
    error = None if point.error is None else point.error.to_dict()
    return {"answered": point.answered.to_dict(), "wrong": point.wrong, "error": error}


def _form(form: Timed) -> Json:
    of = form.contender.ref
    return {"name": of.name, "bytes": of.bytes, "p50_ms": form.p50_ms, "p95_ms": form.p95_ms}


def _offer(offer: Offered) -> Json:
    return {
        "name": offer.contender.name,
        "score": offer.score.to_dict(),
        "cost_per_row": offer.cost_per_row,
        "p50_ms": offer.p50_ms,
        "p95_ms": offer.p95_ms,
    }


def _slices(slices: Slices) -> Json:
    """The slices, and the worst in one line where one is proven to be worse than the other rows."""
    figures: Json = json.loads(json.dumps(asdict(slices)))  # lists, as who reads the file has them
    return {**figures, "line": line_of(slices)}


def _robustness(found: Robustness) -> Json:
    """The answers under noise, and the worst kind in one line."""
    figures: Json = json.loads(json.dumps(asdict(found)))  # lists, as who reads the file has them
    return {**figures, "line": found.line}


def _data(ended: Ended) -> Json:
    facts, rows = ended.health.facts, ended.rows
    naive = facts.naive if facts.naive and facts.naive.test_rows else None
    return {
        "rows": facts.rows,
        "unique_rows": facts.unique_rows,
        "conflicting_texts": facts.conflicting_texts,
        "naive_leak_share": None if naive is None else naive.leaked_share,
        "removed": None if rows is None else dict(rows.removed),
        "changed": None if rows is None else dict(rows.changed),
        "version": ended.version,
        "tags": list(ended.tags),
    }


def _scores(ended: Ended) -> Json:
    naive, tried = ended.health.facts.naive, ended.tried
    found: dict[str, Score | None] = {
        "naive": None if naive is None else naive.naive,
        "honest": None if tried is None else tried.honest,
        "champion": None if tried is None else tried.reached,
        "test": None if ended.test is None else ended.test.scores[0],
    }
    return {name: None if score is None else score.to_dict() for name, score in found.items()}


def _challenge(challenge: Challenge) -> Json:
    """A challenge for programs: the first claim's figures, and the whole verdict in one line."""
    verdict = challenge.verdict
    first, *others = verdict.findings
    return {
        "name": verdict.challenger,
        "against": verdict.champion,
        "outcome": verdict.outcome,
        "promoted": challenge.promoted,
        "metric": first.metric,
        "claim": first.claim,
        "estimate": first.estimate,
        "low": first.low,
        "high": first.high,
        "p": p_of(first),
        "level": verdict.level,
        "n": first.n,
        "test": first.test,
        "rows_needed": first.rows_needed,
        "kind": challenge.challenger.kind,
        "seconds": challenge.challenger.seconds,
        "line": challenge.line,
        "trials": challenge.challenger.trials,
        "remark": remark(verdict),
        "also": [
            {"metric": other.metric, "estimate": other.estimate, "low": other.low, "high": other.high, "p": other.p}
            for other in others
            if other.test != "exact"
        ],
    }
