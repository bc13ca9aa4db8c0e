"""The end of a run: its summary and its report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from ratchet.bundle.bundle import Bundle
from ratchet.contenders.base import Contender
from ratchet.contenders.latency import latency
from ratchet.contenders.rows import PartedRows
from ratchet.stages.entrants import anchor, champion, family_of
from ratchet.stages.job import Job, Json
from ratchet.stages.sealed_test import challenges
from ratchet.summary import Standing, bet_lines, summarise, write_report
from ratchet.workspace.finished import load_json
from ratchet.workspace.workspace import write_atomic


def finish(
    job: Job,
    *,
    health: Json,
    rows: PartedRows | None,
    bundle: Bundle | None = None,
    test: Mapping[str, Any] | None = None,
) -> Json:
    """Write the summary and the report, and close the run in the ledger."""
    contenders: list[Contender] = []
    forms: list[tuple[Contender, np.ndarray[Any, Any]]] = []
    judged = () if rows is None else challenges(job, rows)
    if rows is not None and bundle is not None:
        with job.stage("report") as skipped:
            skipped.append(False)
            root = job.ledger.find(f"root:{family_of(rows)}")
            keys = [] if root is None else [root.body["contender"]["key"]]
            keys += [challenge.challenger.key for challenge in judged]
            contenders = [Contender.load(job.workspace.models / key) for key in dict.fromkeys(keys)]
            forms = _forms(job, rows, contenders)
    summary = summarise(
        run=job.run,
        recipe=job.recipe,
        data=load_json(job.folder / "environment.json", keys={"data": dict})["data"],
        health=health,
        rows=rows,
        contenders=contenders,
        judged=judged,
        champion=None if rows is None or not judged else champion(job, rows).name,
        standing=None if rows is None or not judged else standing_of(job, rows),
        bundle=bundle,
        test=test,
        stages=job.stages,
        ledger=job.ledger.records()[-1],
        forms=forms,
    )
    write_report(job.folder, summary=summary, rows=rows, health=health, contenders=contenders, test=test, bundle=bundle)
    write_atomic(job.folder / "summary.json", json.dumps(summary, ensure_ascii=False, indent=1).encode())
    job.ledger.note("run-finished", {"run": job.run, "champion": summary["champion"], "seconds": summary["seconds"]})
    for line in bet_lines(summary):
        job.screen.say("best bet", line)
    job.screen.say("report", str(job.folder / "report.html"))
    if bundle is not None:
        job.screen.say("serve", f"ratchet serve {bundle.path}")
    return summary


def standing_of(job: Job, rows: PartedRows) -> Standing:
    """Where the gate stands on these rows: who must be beaten, and what is left of the error level and of the margin."""
    family, gate = family_of(rows), job.recipe.gate
    return Standing(
        anchor=anchor(job, rows),
        champion=champion(job, rows),
        left=job.ledger.family(family, alpha=gate.alpha).left,
        copies_left=job.ledger.family(family, alpha=gate.alpha, account="copies").left,
        margin=gate.margin,
    )


def _forms(job: Job, rows: PartedRows, contenders: list[Contender]) -> list[tuple[Contender, np.ndarray[Any, Any]]]:
    """The compressed contenders beside what they were made from, with their latencies in interleaved rounds."""
    small = [contender for contender in contenders if contender.ref.kind == "int8"]
    if not small:
        return []
    of = next((c for c in contenders if c.name == small[-1].card["facts"]["of"]), None)
    pair = [contender for contender in (of, small[-1]) if contender is not None]
    texts = rows.texts(rows.parts.valid[:40])
    models = [contender.model(threads=job.recipe.threads) for contender in pair]
    return list(zip(pair, latency(models, texts), strict=True))
