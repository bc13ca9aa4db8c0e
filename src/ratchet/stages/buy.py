"""Buying an entrant's further folds and seeds one after the other, as long as it may still win."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ratchet.contenders.base import Contender
from ratchet.contenders.folded import fold_folder
from ratchet.contenders.rows import PartedRows
from ratchet.gate.error_budget import Family, looks
from ratchet.gate.verdict import Claim, Finding, judge
from ratchet.metrics.metrics import named
from ratchet.metrics.paired_tests import normal_quantile
from ratchet.stages.entrants import Entrant, anchor, paid_by, train_folds
from ratchet.stages.job import Job, Json
from ratchet.workspace.finished import load_json

SEEDS = 3
"""With so many seeds at most an encoder is trained, where that may decide."""


def buy(
    job: Job, rows: PartedRows, entrant: Entrant, contender: Contender, *, claims: Sequence[Claim], level: float
) -> tuple[Contender, float, float]:
    """Buy evidence for a challenger that is undecided but may still win: one fold more, then all folds with another seed.

    The looks are planned: one after each number of folds and of seeds, each with its part of the challenger's level
    (`family.looks`). It ends when the challenger is decided, cannot win any more, or the next step would take more than
    ``gate.budget``; whether a look is the last is settled before it is made, and then it gets all that is left. A look is
    recorded before the next step is trained, so that a killed run makes the same looks, and none twice.

    Returns the challenger with the folds and seeds it has, the part of its level for the verdict, and that of all looks.
    """
    if rows.parts.order != "random":
        return contender, 1.0, 1.0
    total = rows.parts.folds
    plan = [(tuple(range(count)), 1) for count in range(len(entrant.folds), total + 1)]
    if takes_seeds(job):
        plan += [(tuple(range(total)), seeds) for seeds in range(2, SEEDS + 1)]
    used, spent = 0.0, 0.0
    family, store = paid_by(job, rows), job.workspace.models
    for number, ((folds, seeds), part) in enumerate(zip(plan, looks(len(plan)), strict=True)):
        if number:
            contender = train_folds(job, entrant, folds, [], seeds=seeds)
            used += _seconds(store, entrant, folds if seeds > 1 else folds[-1:], turn=seeds - 1)
        key = f"look:{family.name}:{entrant.judged}:{len(folds)}" + (f":{seeds}" if seeds > 1 else "")
        seen = job.ledger.find(key)
        reseeds = number + 1 < len(plan) and plan[number + 1][1] > 1
        if seen is None:
            price = _seconds(store, entrant, folds if reseeds else folds[-1:])
            last = number + 1 == len(plan) or used + price > 60 * job.recipe.gate.budget
            share = 1.0 - spent if last else part
            body = _look(job, rows, contender, claims, level=level, share=share, last=last)
            seen = job.ledger.note("look", body, key=key)
        look = seen.body
        if number or not look["last"]:
            more = "all folds are trained with another seed" if reseeds else "one more fold is trained"
            after = f"{len(folds)} of {total} folds" + (f" and {seeds} seeds" if seeds > 1 else "")
            job.screen.say("buy", _bought_line(entrant.name, look, after=after, more=more))
        if look["last"] or look["decision"] != "buy":
            return contender, float(look["share"]), spent + float(look["share"])
        spent += part
    return contender, 1.0, 1.0


def takes_seeds(job: Job) -> bool:
    """Whether all metrics of the gate can be judged over several seeds."""
    return all(found.seeds for metric in job.recipe.gate.metrics for found in named(metric))


def _look(
    job: Job,
    rows: PartedRows,
    contender: Contender,
    claims: Sequence[Claim],
    *,
    level: float,
    share: float,
    last: bool,
) -> Json:
    """One look at a challenger: what it says, and what follows."""
    gate = job.recipe.gate
    seeds = takes_seeds(job)
    found = judge(
        [contender.evidence(rows, seeds=seeds)],
        anchor(job, rows).evidence(rows, seeds=seeds),
        claims,
        family=Family(name=paid_by(job, rows).name, alpha=gate.alpha),
        level=level,
        spend=[share],
        seed=job.recipe.seed,
    ).verdicts[0]
    finding = found.findings[0]
    share_of_rows = finding.n / len(rows.parts.compared)
    share_of_seeds = contender.card["facts"].get("seeds", 1) / SEEDS if share_of_rows == 1.0 else 1.0
    may_win = not last and _wins(finding, share=share_of_rows * share_of_seeds, level=level, alpha=gate.alpha)
    decision = "decided" if found.promotes else "buy" if may_win else "stop"
    return {
        "name": contender.name,
        "n": finding.n,
        "metric": finding.metric,
        "estimate": finding.estimate,
        "p": finding.p,
        "level": found.level,
        "share": share,
        "last": last,
        "decision": decision,
    }


def _wins(finding: Finding, *, share: float, level: float, alpha: float) -> bool:
    """Whether a challenger may still be proven when all is bought: even one who is as good as the upper 99 % bound.

    Args:
        finding: of a look at ``share`` of the rows, or of the seeds once all rows are there.
        level: of the last look; ``alpha``: of the finding's upper bound.
    """
    error = (finding.high - finding.estimate) / normal_quantile(1 - alpha)
    return bool(finding.estimate + normal_quantile(0.99) * error > -normal_quantile(level) * error * share**0.5)


def _bought_line(name: str, look: Mapping[str, Any], *, after: str, more: str) -> str:
    metric = named(look["metric"])[0]
    unit = f" {metric.unit}" if metric.unit else f" of {metric.name}"
    better = " (+ is better)" if metric.sign < 0 and not metric.saving else ""
    seen = f"{name} after {after}: {metric.told(look['estimate'])}{unit}{better} on {look['n']:,} rows"
    words = {
        "decided": "proven already, no more is bought",
        "buy": f"undecided but may still win, so {more}",
        "stop": "it cannot win any more" if not look["last"] else "nothing more can be bought within gate.budget",
    }
    return f"{seen}, p={look['p']:.2g} of {look['level']:.2g}: {words[look['decision']]}"


def _seconds(store: Path, entrant: Entrant, folds: Sequence[int], *, turn: int = 0) -> float:
    """What these folds took; those that could not be trained took nothing."""
    paths = [fold_folder(store, entrant.key, fold, turn) / "fold.json" for fold in folds]
    return sum(float(load_json(path, keys={"seconds": int | float})["seconds"]) for path in paths if path.is_file())
