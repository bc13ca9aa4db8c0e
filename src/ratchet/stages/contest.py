"""One round of verdicts: the only way to the top."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence

from ratchet.contenders.base import CARD, Contender
from ratchet.contenders.registry import runs_here
from ratchet.contenders.rows import PartedRows
from ratchet.errors import RatchetError, WorkspaceError
from ratchet.gate.ledger import Account, Challenge
from ratchet.gate.verdict import Claim, Round, judge
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
    family = family_of(rows)
    known = {challenge.key for challenge in job.ledger.challenges(family)}
    new = [entrant for entrant in entrants if entrant.judged not in known]
    skipped += [True] * (len(entrants) - len(new))
    trained: dict[str, Contender] = {}
    for entrant in new:
        try:
            trained[entrant.name] = train_first(job, entrant, skipped)
        except RatchetError as error:
            if (required and entrant is entrants[0]) or isinstance(error, WorkspaceError):
                raise
            skip(job, entrant.name, str(error))
    on_top = {anchor(job, rows).folder, champion(job, rows).folder}
    # who is on top was judged by other metrics before, and nobody challenges himself
    trained = {name: contender for name, contender in trained.items() if contender.folder not in on_top}
    new = [entrant for entrant in new if entrant.name in trained]
    if new:
        trained = _judged(job, rows, new, trained, later=later, weight=weight, copies=copies)
    verdicts = {challenge.key: challenge for challenge in job.ledger.challenges(family)}
    for entrant in entrants:
        if entrant.name in trained:
            found = trained[entrant.name]
            word = "train" if runs_here(found) else "answers"  # an endpoint and a file of answers are not trained
            for line in (*found.facts.get("said", ()), *found.facts.get("told", ())):
                job.screen.say(word, f"{entrant.name}: {line}")
        if entrant.judged in verdicts:
            tell(job, verdicts[entrant.judged])


def _judged(
    job: Job,
    rows: PartedRows,
    new: Sequence[Entrant],
    trained: Mapping[str, Contender],
    *,
    later: int,
    weight: float,
    copies: bool,
) -> dict[str, Contender]:
    """Judge trained entrants in one round, buying folds where one may be proven so; the contenders as they were judged."""
    gate, root, standing = job.recipe.gate, anchor(job, rows), champion(job, rows)
    account: Account = "copies" if copies else "improvements"
    claims = [
        Claim(metric=m, kind="noninferior" if copies else "superior", margin=gate.margin * rows.margin_of(m))
        for m in gate.metrics
    ]
    paid = job.ledger.family(family_of(rows), alpha=gate.alpha, account=account)
    level = paid.share((1.0 if root.learns else weight) * len(new), later=later)
    judged, spend, paid_for = dict(trained), dict.fromkeys(trained, 1.0), dict.fromkeys(trained, 1.0)
    for entrant in new:
        if entrant.folds:
            name = entrant.name
            bought = buy(job, rows, entrant, judged[name], claims=claims, level=level / len(new))
            judged[name], spend[name], paid_for[name] = bought
    seeds = not copies and takes_seeds(job)
    found = judge(
        [contender.evidence(rows, seeds=seeds) for contender in judged.values()],
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
    record(job, found, judged.values(), keys={entrant.name: entrant.judged for entrant in new}, account=account)
    if not gate.claims:  # a claim may still bring one of them to the top
        forget(job, rows, (*judged.values(), standing, root))
    for entrant in new:
        for spare in job.workspace.models.glob(f"{entrant.key}.fold-*"):
            shutil.rmtree(spare, ignore_errors=True)
    return judged


def record(
    job: Job, found: Round, challengers: Iterable[Contender], *, keys: Mapping[str, str], account: Account
) -> None:
    """Write a round into the ledger, once.

    Args:
        job: the run.
        found: the verdicts.
        challengers: who was judged.
        keys: of each challenger, what names its verdict.
        account: which of the family's two accounts pays.
    """
    job.ledger.judged(
        found,
        challengers={contender.name: contender.ref for contender in challengers},
        keys=keys,
        account=account,
        run=job.run,
        key=f"round:{found.family}:{key_of(*sorted(keys.values()))}",
    )


def forget(job: Job, rows: PartedRows, contenders: Sequence[Contender]) -> None:
    """Remove the folds' models of all but the champion and the last that was proven better."""
    kept = {champion(job, rows).folder, anchor(job, rows).folder}
    for contender in contenders:
        if contender.folder not in kept:
            contender.forget_folds()


def tell(job: Job, challenge: Challenge) -> None:
    """A verdict for people."""
    arrow = " -> new champion" if challenge.promoted else ""
    job.screen.say("challenge", f"{challenge.line}{arrow}")
    card = load_json(job.workspace.models / challenge.challenger.key / CARD)
    if not card["facts"].get("converged", True):
        name = challenge.challenger.name
        job.screen.say("challenge", f"{name}: the solver ended before it converged; another C may serve it better")
