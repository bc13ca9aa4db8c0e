"""Trading: a contender that is not better may replace the champion when it is not worse by a margin, and cheaper or faster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ratchet.contenders.base import Contender
from ratchet.contenders.latency import Timed, latency
from ratchet.contenders.registry import runs_here
from ratchet.contenders.rows import NLL, Ints, PartedRows
from ratchet.gate.claim import Claim
from ratchet.gate.verdict import judge
from ratchet.metrics.evidence import Evidence
from ratchet.metrics.metrics import MEASURED
from ratchet.metrics.own_function import is_own, known_as
from ratchet.recipe.sections import ClaimSpec, GateConfig
from ratchet.stages.contest import forget, record, tell
from ratchet.stages.entrants import anchor, champion, family_of
from ratchet.stages.job import Job, skip
from ratchet.stages.names import Stage
from ratchet.workspace.finished import key_of

HOUR = 3_600
Measures = Mapping[Path, Mapping[str, npt.NDArray[np.float64]]]


def trade(job: Job, rows: PartedRows, *, later: int = 0) -> None:
    """Judge all contenders against the champion by the claims of the recipe, in one round.

    Args:
        job: the run.
        rows: the rows of the verdicts.
        later: smaller forms that are planned after this, whose share of the error level is left to them.
    """
    gate = job.recipe.gate
    claims = gate.claims
    if not claims:
        return
    with job.stage(Stage.TRADE) as skipped:
        family, standing = family_of(rows), champion(job, rows)
        judged = {challenge.key: challenge for challenge in job.ledger.challenges(family)}
        able = _able(job, rows, standing, claims)
        proven = anchor(job, rows)
        keys = {one.name: _key(one, proven, gate) for one in able}
        new = [one for one in able if keys[one.name] not in judged]
        skipped += [True] * (len(able) - len(new))
        if new:
            skipped.append(False)
            _judge(job, rows, new, standing, keys, later=later)
        forget(job, rows, (*able, standing))
        judged = {challenge.key: challenge for challenge in job.ledger.challenges(family)}
        for one in (*able, standing):
            found = judged.get(_key(one, proven, gate))
            if found is not None:
                tell(job, found)


def _key(one: Contender, proven: Contender, gate: GateConfig) -> str:
    """What names its verdict: it is judged once by the same claims, as long as nothing is proven better."""
    hour = [gate.hour] if any(claim.metric == "cost" for claim in gate.claims) else []
    seconds = [gate.seconds] if any(claim.metric in MEASURED for claim in gate.claims) else []
    own = [known_as(claim.metric) for claim in gate.claims if is_own(claim.metric)]
    return key_of("trade", one.folder.name, proven.folder.name, gate.claims, *hour, *seconds, *own)


def _judge(
    job: Job, rows: PartedRows, new: Sequence[Contender], standing: Contender, keys: dict[str, str], *, later: int
) -> None:
    gate, root = job.recipe.gate, anchor(job, rows)
    paid = job.ledger.family(family_of(rows), alpha=gate.alpha, account="copies")
    here = _measured_here(job, rows, [*new, standing, root], {claim.metric for claim in gate.claims})
    found = judge(
        [_evidence(one, rows, here) for one in new],
        _evidence(standing, rows, here),
        [_claim(claim, rows) for claim in gate.claims],
        family=paid,
        level=paid.share(float(len(new)), later=later),
        anchor=_evidence(root, rows, here),
        seed=job.recipe.seed,
    )
    record(job, found, new, keys={one.name: keys[one.name] for one in new}, account="copies")


def _claim(spec: ClaimSpec, rows: PartedRows) -> Claim:
    if spec.times is not None:
        return Claim(metric=spec.metric, kind="superior", factor=spec.times)
    assert spec.margin is not None
    return Claim(metric=spec.metric, kind="noninferior", margin=spec.margin * rows.margin_of(spec.metric))


def _able(job: Job, rows: PartedRows, standing: Contender, claims: Sequence[ClaimSpec]) -> list[Contender]:
    """The contenders that were judged on these rows and learn something; those whose measures are unknown are said.

    Whoever was proven better last has been the champion himself, and smaller forms have a claim of their own.
    """
    found: dict[str, Contender] = {}
    gone = {standing.folder, anchor(job, rows).folder}
    for key in dict.fromkeys(challenge.challenger.key for challenge in job.ledger.challenges(family_of(rows))):
        folder = job.workspace.models / key
        if folder in gone or not folder.is_dir():
            continue
        contender = Contender.load(folder)
        if "of_key" in contender.facts:
            continue
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
    if any(claim.metric == "perplexity" for claim in claims) and NLL not in contender.measured:
        return "likelihood"
    wanted = [claim.metric for claim in claims if claim.metric in MEASURED]
    return "" if runs_here(contender) else next((name for name in wanted if name not in contender.measured), "")


def _measured_here(
    job: Job, rows: PartedRows, of: Sequence[Contender], wanted: set[str]
) -> dict[Path, dict[str, npt.NDArray[np.float64]]]:
    """Cost and latency of each answer of the models that run here, by the folder of the contender."""
    if not wanted & {*MEASURED}:
        return {}
    ours = [one for one in {one.folder: one for one in of}.values() if runs_here(one)]
    if not ours:
        return {}
    gate, places = job.recipe.gate, [one.placed(rows) for one in ours]
    asked = [
        Timed(model=one.model(threads=job.recipe.threads), rows=own, texts=rows.inputs(own))
        for one, own in zip(ours, places, strict=True)
    ]
    with job.screen.bar("latency") as advance:
        found = latency(asked, most=gate.seconds, seed=job.recipe.seed, advance=advance)
    seconds = [np.median(rounds, axis=0) for rounds in found]
    _tell_measured(job, places, seconds)
    hour = gate.hour
    if "cost" in wanted and not hour:
        job.screen.say("challenge", "gate.hour is 0: models that run here count as costing nothing")
    return {
        one.folder: {"latency": taken, "cost": taken * hour / HOUR} for one, taken in zip(ours, seconds, strict=True)
    }


def _tell_measured(job: Job, places: Sequence[Ints], seconds: Sequence[npt.NDArray[np.float64]]) -> None:
    """Say it where there was no time for all rows."""
    every = len(np.unique(np.concatenate(places)))
    read = [own[np.isfinite(taken)] for own, taken in zip(places, seconds, strict=True)]
    count = len(np.unique(np.concatenate(read)))
    if count < every:
        slowest = max(np.nanmedian(taken) for taken in seconds if np.isfinite(taken).any())
        job.screen.say(
            "challenge",
            f"latency was measured on {count:,} of {every:,} rows, drawn at random: gate.seconds is"
            f" {job.recipe.gate.seconds:g}, and the slowest model takes {slowest:.2g} s a row",
        )


def _evidence(of: Contender, rows: PartedRows, here: Measures) -> Evidence:
    """Its evidence, with cost and latency measured here where the model is ours and they are not known."""
    evidence = of.evidence(rows)
    read = np.isin(of.placed(rows), evidence.rows)  # a judge may have left some out
    here_alone = {
        name: values[read] for name, values in here.get(of.folder, {}).items() if name not in evidence.outcomes
    }
    known = {name: np.isfinite(values) for name, values in here_alone.items()}
    measured = {name: np.nan_to_num(values) for name, values in here_alone.items()}
    return replace(evidence, outcomes={**measured, **evidence.outcomes}, known=known)
