"""The sealed test part, opened once for a bundle."""

from __future__ import annotations

from ratchet.bundle.bundle import Bundle
from ratchet.bundle.predict import load_model
from ratchet.contenders.rows import PartedRows
from ratchet.gate.evidence import Evidence
from ratchet.gate.ledger import Challenge
from ratchet.gate.metrics import score
from ratchet.stages.entrants import champion, family_of
from ratchet.stages.job import Job, Json


def challenges(job: Job, rows: PartedRows) -> tuple[Challenge, ...]:
    """All challenges on these rows, in order."""
    return job.ledger.challenges(family_of(rows))


def open_test(job: Job, rows: PartedRows, bundle: Bundle) -> Json:
    """Score the bundle on the sealed test part; the opening is recorded first, and once for each champion."""
    with job.stage("test"):
        best, test = champion(job, rows), rows.parts.test
        body = {"run": job.run, "seal": rows.seal, "champion": best.name, "bundle": bundle.sha256}
        job.ledger.note("test-opened", body, key=f"test:{rows.seal}:{bundle.sha256}")
        probability = load_model(bundle, threads=job.recipe.threads).predict(rows.texts(test))
        evidence = Evidence.of_classes(name=best.name, rows=test, truth=rows.truth[test], probability=probability)
        scores = [score(evidence, metric).to_dict() for metric in job.recipe.gate.metrics]
        records = job.ledger.records()
        openings = [r.time for r in records if r.kind == "test-opened" and r.body["seal"] == rows.seal]
        lost = any(r.kind == "ledger-gone" for r in records)
    first = scores[0]
    judged = score(best.evidence(rows), first["metric"])
    times = "once" if len(openings) == 1 else f"{len(openings)} times, so it flatters"
    times += "; earlier openings are not known, since the ledger was lost" if lost else ""
    job.screen.say(
        "test",
        f"{best.name}: {first['metric']} {first['value']:.1%} [{first['low']:.1%}, {first['high']:.1%}] on {first['n']:,} "
        f"sealed rows (opened {times}); {(first['value'] - judged.value) * 100:+.1f} points beside {judged.value:.1%} on the "
        "rows of the verdicts",
    )
    return {
        "scores": scores,
        "opened": openings,
        "lost": lost,
        "judged": judged.to_dict(),
        "refit_rows": bundle.manifest.model.get("refit_rows"),
        "predicted": probability,
        "evidence": evidence,
    }
