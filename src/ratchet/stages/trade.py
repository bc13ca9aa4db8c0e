"""Trading: a contender that is not better may replace the champion when it is not worse by a margin, and cheaper or faster."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ratchet.contenders.base import MEASURED, Contender
from ratchet.contenders.registry import kind_of
from ratchet.contenders.rows import PartedRows
from ratchet.gate.claim import Claim
from ratchet.gate.evidence import Evidence
from ratchet.gate.verdict import judge
from ratchet.recipe.sections import ClaimSpec
from ratchet.stages.contest import forget, tell
from ratchet.stages.entrants import anchor, champion, family_of
from ratchet.stages.job import Job, skip
from ratchet.stages.names import Stage
from ratchet.workspace.finished import key_of

HOUR = 3_600


def trade(job: Job, rows: PartedRows, *, later: int = 0) -> None:
    """Judge all contenders against the champion by the claims of the recipe, in one round.

    Args:
        job: the run.
        rows: the rows of the verdicts.
        later: smaller forms that are planned after this, whose share of the error level is left to them.
    """
    claims = job.recipe.gate.claims
    if not claims:
        return
    with job.stage(Stage.TRADE) as skipped:
        family, standing = family_of(rows), champion(job, rows)
        judged = {challenge.key: challenge for challenge in job.ledger.challenges(family)}
        able = _able(job, rows, standing, claims)
        keys = {one.name: key_of("trade", one.folder.name, standing.folder.name, claims) for one in able}
        new = [one for one in able if keys[one.name] not in judged]
        skipped += [True] * (len(able) - len(new))
        if new:
            skipped.append(False)
            _judge(job, rows, new, standing, keys, later=later)
        forget(job, rows, (*able, standing))
        judged = {challenge.key: challenge for challenge in job.ledger.challenges(family)}
        for one in able:
            if keys[one.name] in judged:
                tell(job, judged[keys[one.name]])


def _judge(
    job: Job, rows: PartedRows, new: Sequence[Contender], standing: Contender, keys: dict[str, str], *, later: int
) -> None:
    family, gate, root = family_of(rows), job.recipe.gate, anchor(job, rows)
    paid = job.ledger.family(family, alpha=gate.alpha, account="copies")
    wanted = {claim.metric for claim in gate.claims}
    found = judge(
        [_evidence(job, rows, one, wanted) for one in new],
        _evidence(job, rows, standing, wanted),
        [_claim(claim, rows) for claim in gate.claims],
        family=paid,
        level=paid.share(float(len(new)), later=later),
        anchor=_evidence(job, rows, root, wanted),
        seed=job.recipe.seed,
    )
    names = {one.name: keys[one.name] for one in new}
    job.ledger.judged(
        found,
        challengers={one.name: one.ref for one in new},
        keys=names,
        account="copies",
        run=job.run,
        key=f"round:{family}:{key_of(*sorted(names.values()))}",
    )


def _claim(spec: ClaimSpec, rows: PartedRows) -> Claim:
    if spec.times is not None:
        return Claim(metric=spec.metric, kind="superior", factor=spec.times)
    assert spec.margin is not None
    return Claim(metric=spec.metric, kind="noninferior", margin=spec.margin * rows.margin_of(spec.metric))


def _able(job: Job, rows: PartedRows, standing: Contender, claims: Sequence[ClaimSpec]) -> list[Contender]:
    """The contenders that were judged on these rows and learn something; the others are told apart with a reason."""
    found: dict[str, Contender] = {}
    for challenge in job.ledger.challenges(family_of(rows)):
        folder = job.workspace.models / challenge.challenger.key
        if folder == standing.folder or not folder.is_dir():
            continue
        contender = Contender.load(folder)
        lacking = _lacking(contender, claims)
        if lacking:
            skip(job, contender.name, f"Its {lacking} is not known, and a claim is about it.")
        elif contender.learns:
            found[contender.name] = contender
    lacking = _lacking(standing, claims)
    if lacking:
        skip(job, standing.name, f"Nothing can replace it by the claims: its {lacking} is not known.")
        return []
    return [*found.values()]


def _lacking(contender: Contender, claims: Sequence[ClaimSpec]) -> str:
    """The first measure that a claim is about and that nobody can know of this contender; empty: none."""
    wanted = [claim.metric for claim in claims if claim.metric in MEASURED]
    return "" if _runs_here(contender) else next((name for name in wanted if name not in contender.measured), "")


def _runs_here(contender: Contender) -> bool:
    return not contender.learns or kind_of(contender)[0].trained


def _evidence(job: Job, rows: PartedRows, of: Contender, wanted: set[str]) -> Evidence:
    """Its evidence, with cost and latency measured here where a claim is about them and the model is ours."""
    evidence = of.evidence(rows)
    missing = wanted & {*MEASURED} - {*evidence.outcomes}
    if not missing:
        return evidence
    measured = measured_here(of, rows, threads=job.recipe.threads, hour=job.recipe.gate.hour)
    return replace(evidence, outcomes={**evidence.outcomes, **{name: measured[name] for name in missing}})


def measured_here(of: Contender, rows: PartedRows, *, threads: int, hour: float) -> dict[str, npt.NDArray[np.float64]]:
    """Seconds and cost of each answer of a model of ours, one text at a time, shape (len(of.rows),).

    Args:
        of: a contender whose model runs here.
        rows: the rows of the verdicts.
        threads: cores; 0: all.
        hour: price of an hour of this machine.
    """
    model = of.model(threads=threads)
    texts = rows.inputs(of.placed(rows))
    model.predict(texts[:1])
    seconds = np.empty(len(texts))
    for row in range(len(texts)):
        begun = time.perf_counter()
        model.predict(texts[row : row + 1])
        seconds[row] = time.perf_counter() - begun
    return {"latency": seconds, "cost": seconds * hour / HOUR}
