"""One round of verdicts: the only way to the top."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import Literal

from ratchet.contenders.base import CARD, Contender
from ratchet.contenders.rows import PartedRows
from ratchet.errors import RatchetError, WorkspaceError
from ratchet.gate.ledger import Challenge
from ratchet.gate.verdict import Claim, judge
from ratchet.stages.buy import buy, takes_seeds
from ratchet.stages.entrants import Entrant, anchor, champion, family_of, train_first
from ratchet.stages.job import Job, skip
from ratchet.workspace.finished import key_of, load_json


def contest(
    job: Job,
    rows: PartedRows,
    entrants: Sequence[Entrant],
    skipped: list[bool],
    *,
    later: int = 0,
    weight: float = 1.0,
    required: bool = False,
    copies: bool = False,
) -> None:
    """Train challengers and judge them in one round, unless the ledger has their verdicts; the only way to the top.

    Args:
        entrants: who is judged.
        skipped: takes whether each was there already.
        later: how many more are planned after these, whose share of the error level is left to them.
        weight: of each of these beside one of those, while the first champion stands, which is easily beaten.
        required: the run ends where the first of them cannot be trained; another is skipped and the reason recorded.
        copies: they are forms of the champion, which need not be better, only smaller and not worse.
    """
    family, gate = family_of(rows), job.recipe.gate
    known = {challenge.key: challenge for challenge in job.ledger.challenges(family)}
    new = [entrant for entrant in entrants if entrant.judged not in known]
    skipped += [True] * (len(entrants) - len(new))
    trained: dict[str, Contender] = {}
    for entrant in list(new):
        try:
            trained[entrant.name] = train_first(job, entrant, skipped)
        except RatchetError as error:
            if (required and entrant is entrants[0]) or isinstance(error, WorkspaceError):
                raise
            new.remove(entrant)
            skip(job, entrant.name, str(error))
    root, standing = anchor(job, rows), champion(job, rows)
    for name in [name for name, contender in trained.items() if contender.folder in (root.folder, standing.folder)]:
        del trained[name]  # judged by other metrics before, and nobody challenges himself
    new = [entrant for entrant in new if entrant.name in trained]
    if trained:
        account: Literal["improvements", "copies"] = "copies" if copies else "improvements"
        claims = [
            Claim(metric=m, kind="noninferior" if copies else "superior", margin=gate.margin * rows.margin_of(m))
            for m in gate.metrics
        ]
        paid = job.ledger.family(family, alpha=gate.alpha, account=account)
        own = 1.0 if root.learns else weight
        level = paid.share(own * len(trained), later=later)
        spend, paid_for = dict.fromkeys(trained, 1.0), dict.fromkeys(trained, 1.0)
        for entrant in new:
            if entrant.folds:
                bought = buy(job, rows, entrant, trained[entrant.name], claims=claims, level=level / len(trained))
                trained[entrant.name], spend[entrant.name], paid_for[entrant.name] = bought
        seeds = not copies and takes_seeds(job)
        found = judge(
            [contender.evidence(rows, seeds=seeds) for contender in trained.values()],
            (standing if copies else root).evidence(rows, seeds=seeds),
            [*claims, Claim(metric="bytes")] if copies else claims,
            family=paid,
            level=level,
            spend=[*spend.values()],
            paid=[*paid_for.values()],
            anchor=root.evidence(rows),
            copy=copies,
            seed=job.recipe.seed,
        )
        keys = {entrant.name: entrant.judged for entrant in new}
        job.ledger.judged(
            found,
            challengers={name: contender.ref for name, contender in trained.items()},
            keys=keys,
            account=account,
            run=job.run,
            key=f"round:{family}:{key_of(*sorted(keys.values()))}",
        )
        if not gate.claims:  # a claim may still bring one of them to the top
            forget(job, rows, (*trained.values(), standing, root))
        for entrant in new:
            for spare in job.workspace.models.glob(f"{entrant.key}.fold-*"):
                shutil.rmtree(spare, ignore_errors=True)
    known = {challenge.key: challenge for challenge in job.ledger.challenges(family)}
    for entrant in entrants:
        if entrant.name in trained:
            for line in trained[entrant.name].facts.get("said", ()):
                job.screen.say("answers", f"{entrant.name}: {line}")
        if entrant.judged in known:
            tell(job, known[entrant.judged])


def forget(job: Job, rows: PartedRows, contenders: Sequence[Contender]) -> None:
    """Remove the folds' models of all but the champion and the last that was proven better."""
    kept = {champion(job, rows).folder, anchor(job, rows).folder}
    for contender in contenders:
        if contender.folder not in kept:
            contender.forget_folds()


def tell(job: Job, challenge: Challenge) -> None:
    """A verdict for people."""
    arrow = " -> new champion" if challenge.promoted else ""
    job.screen.say("challenge", f"{challenge.verdict.line}{arrow}")
    card = load_json(job.workspace.models / challenge.challenger.key / CARD)
    if not card["facts"].get("converged", True):
        name = challenge.challenger.name
        job.screen.say("challenge", f"{name}: the solver ended before it converged; another C may serve it better")
