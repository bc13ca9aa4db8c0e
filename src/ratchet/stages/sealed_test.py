"""The sealed test part, opened once for a bundle."""

from __future__ import annotations

import numpy as np

from ratchet.bundle.bundle import Bundle
from ratchet.bundle.predict import load_model
from ratchet.contenders.base import Contender
from ratchet.contenders.registry import kind_of
from ratchet.contenders.rows import JUDGE, PartedRows
from ratchet.gate.selective import told
from ratchet.metrics.evidence import Evidence
from ratchet.metrics.metrics import score
from ratchet.models.model import Answers
from ratchet.report.ended import Opened
from ratchet.stages.answer import kept
from ratchet.stages.entrants import training_of
from ratchet.stages.export import exportable
from ratchet.stages.job import Job
from ratchet.stages.names import Stage


def open_test(job: Job, rows: PartedRows, bundle: Bundle) -> Opened:
    """Score the bundle on the sealed test part; the opening is recorded first, and once for each champion."""
    with job.stage(Stage.TEST):
        best = exportable(job, rows)
        body = {"run": job.run, "seal": rows.seal, "champion": best.name, "bundle": bundle.sha256}
        job.ledger.note("test-opened", body, key=f"test:{rows.seal}:{bundle.sha256}")
        answers = rows.task.served(_answers(job, rows, best, bundle), bundle.manifest.model)
        evidence = _evidence(best.name, rows, answers)
        metrics, records = job.recipe.gate.metrics, job.ledger.records()
        opened = Opened(
            scores=tuple(score(evidence, metric) for metric in metrics),
            opened=tuple(r.time for r in records if r.kind == "test-opened" and r.body["seal"] == rows.seal),
            lost=any(r.kind == "ledger-gone" for r in records),
            judged=score(best.evidence(rows), metrics[0]),
            refit_rows=bundle.manifest.model.get("refit_rows"),
            answered=kept(rows, bundle, answers),
        )
    job.screen.say("test", f"{best.name}: {_line(opened)}")
    if opened.answered is not None:
        job.screen.say("test", f"it answers {told(opened.answered)}; the rest is left to people")
    return opened


def _evidence(name: str, rows: PartedRows, answers: Answers) -> Evidence:
    """The answers to the test rows, but those of which a judge said nothing of use."""
    test = rows.parts.test
    graded = rows.graded(test, answers)
    read = np.isfinite(graded.get(JUDGE, np.zeros(len(test))))
    columns = rows.columns(test[read], answers[read])
    outcomes = {**columns.outcomes, **{metric: values[read] for metric, values in graded.items()}}
    return Evidence(
        name=name,
        rows=test[read],
        targets=columns.targets,
        outcomes=outcomes,
        labels=rows.labels,
        features=rows.beside(test[read]),
    )


def _answers(job: Job, rows: PartedRows, best: Contender, bundle: Bundle) -> Answers:
    """The answers to the test rows: of the bundle, or, where the kind says so, by its own way."""
    if not best.learns:
        return load_model(bundle, threads=job.recipe.threads).predict(rows.inputs(rows.parts.test))
    kind, spec = kind_of(best)
    own = next((one for one in job.recipe.challengers or () if getattr(one, "name", "") == best.name), spec)
    spec = (
        own if isinstance(own, kind.spec) and kind.named_by(own) == kind.named_by(spec) else spec
    )  # a limit may be raised
    with job.screen.bar("test") as advance:
        training = training_of(job, rows, name=best.name, kind=best.ref.kind, key=best.folder.name, advance=advance)
        return kind.sealed(spec, training, best, bundle)


def _line(opened: Opened) -> str:
    """The opening for people: the first score, and the gap to what was judged."""
    first, judged, openings = opened.scores[0], opened.judged, len(opened.opened)
    times = "once" if openings == 1 else f"{openings} times, so it flatters"
    times += "; earlier openings are not known, since the ledger was lost" if opened.lost else ""
    return (
        f"{first.line} on {first.n:,} sealed rows (opened {times}); {first.beside(judged)} on the rows of the verdicts"
    )
