"""What contenders take beside what they give: the price of a row, and the latency of a text, measured side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ratchet.contenders.base import MODEL, Contender
from ratchet.contenders.latency import Timed, latency
from ratchet.contenders.registry import runs_here
from ratchet.contenders.rows import PartedRows
from ratchet.metrics.evidence import Evidence
from ratchet.metrics.metrics import find_metric, score
from ratchet.report.ended import Offered
from ratchet.report.ended import Timed as TimedForm
from ratchet.stages.entrants import champion
from ratchet.stages.job import Job

TIMED = 40
"""Texts on which the latency of a model is measured."""
TURNS = 9
"""How often each of them is timed."""
Milliseconds = tuple[float, float]
"""The median and the 95th percentile of a text."""


def measured(
    job: Job, rows: PartedRows, contenders: Sequence[Contender], *, metric: str, timed: bool
) -> tuple[tuple[TimedForm, ...], tuple[Offered, ...]]:
    """The forms of the last compressed contender, and what the best contender of each kind and the champion take.

    Args:
        contenders: all that were judged.
        metric: of the scores of the forms; those of the others are by the first metric of the gate.
        timed: whether our own models are timed, all in the same interleaved rounds; else what is known is told.
    """
    pair = _forms(contenders) if timed else []
    own = {one.folder: one for one in [*pair, *(_chosen(job, rows, contenders) if timed else [])]}
    places = rows.parts.valid[:TIMED]
    texts = rows.inputs(places)
    asked = [Timed(model=one.model(threads=job.recipe.threads), rows=places, texts=texts) for one in own.values()]
    seconds = latency(asked, rounds=TURNS, seed=job.recipe.seed) if asked else []
    took = {folder: _milliseconds(1000 * times[np.isfinite(times)]) for folder, times in zip(own, seconds, strict=True)}
    forms = tuple(
        TimedForm(
            contender=one,
            score=score(one.evidence(rows), metric),
            p50_ms=took[one.folder][0],
            p95_ms=took[one.folder][1],
        )
        for one in pair
    )
    others = {one.folder: one for one in contenders if one.folder not in own}
    offers = [_offered(job, rows, one, took.get(one.folder)) for one in [*own.values(), *others.values()]]
    return forms, tuple(offer for offer in offers if offer is not None)


def _forms(contenders: Sequence[Contender]) -> list[Contender]:
    """The last compressed contender after all that it was made from, the first form first; empty where there is none."""
    small = [one for one in contenders if "of_key" in one.facts]
    by_key = {one.folder.name: one for one in contenders}
    chain = small[-1:]
    while chain and (before := by_key.get(str(chain[0].facts.get("of_key")))) is not None:
        chain.insert(0, before)
    return chain


def _chosen(job: Job, rows: PartedRows, contenders: Sequence[Contender]) -> list[Contender]:
    """The champion and the best of each kind among the models that can be run here and now."""
    metric, best = job.recipe.gate.metrics[0], dict[str, tuple[float, Contender]]()
    able = [one for one in contenders if (one.folder / MODEL).is_dir() and runs_here(one)]
    for one in (one for one in able if one.learns):
        evidence = one.evidence(rows)
        value = find_metric(metric, evidence).value(evidence)
        if one.ref.kind not in best or value > best[one.ref.kind][0]:
            best[one.ref.kind] = value, one
    standing = champion(job, rows)
    return [*(one for one in able if one.folder == standing.folder), *(one for _, one in best.values())]


def _offered(job: Job, rows: PartedRows, one: Contender, took: Milliseconds | None) -> Offered | None:
    """What is known of a contender; ``None`` where that is nothing."""
    evidence = one.evidence(rows)
    cost = one.facts.get("cost_per_row", _mean(evidence, "cost"))
    cost = 0.0 if cost is None and took is not None else cost
    ends = took or _told(one, evidence)
    if cost is None and ends is None:
        return None
    p50, p95 = ends or (None, None)
    return Offered(
        contender=one,
        score=score(evidence, job.recipe.gate.metrics[0]),
        cost_per_row=None if cost is None else float(cost),
        p50_ms=p50,
        p95_ms=p95,
    )


def _told(one: Contender, evidence: Evidence) -> Milliseconds | None:
    """The latency that its card has, or that of its rows, which is in seconds."""
    card = one.facts.get("latency_ms")
    if card is not None:
        return float(card["p50"]), float(card["p95"])
    known = _known(evidence, "latency")
    return _milliseconds(1000 * known) if len(known) else None


def _mean(evidence: Evidence, name: str) -> float | None:
    known = _known(evidence, name)
    return float(known.mean()) if len(known) else None


def _known(evidence: Evidence, name: str) -> npt.NDArray[np.float64]:
    return np.asarray(evidence.outcomes.get(name, ()), np.float64)


def _milliseconds(times: npt.NDArray[np.float64]) -> Milliseconds:
    return round(float(np.median(times)), 3), round(float(np.quantile(times, 0.95)), 3)
