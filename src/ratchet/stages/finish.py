"""The end of a run: its summary and its report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from ratchet.bundle.bundle import Bundle
from ratchet.checks import Health
from ratchet.contenders.base import Contender
from ratchet.contenders.rows import PartedRows
from ratchet.gate.ledger import Challenge
from ratchet.metrics.metrics import Score, score
from ratchet.monitoring.track import clean, track_run
from ratchet.report import content, save
from ratchet.report.ended import Ended, Opened, Tried
from ratchet.report.robustness import robustness_of
from ratchet.report.run_report import report_of
from ratchet.report.slices import all_scores, line_of, slices_of
from ratchet.report.summary import Json, summary
from ratchet.stages.answer import sure, tell
from ratchet.stages.challenge import baseline_name
from ratchet.stages.entrants import champion, family_of, tracker_of
from ratchet.stages.job import Job
from ratchet.stages.names import SECTIONS, Stage
from ratchet.stages.offers import measured
from ratchet.stages.standing import best_bet, gate_state
from ratchet.tasks.registry import task_of
from ratchet.workspace.finished import load_json
from ratchet.workspace.workspace import write_atomic


def finish(
    job: Job,
    *,
    health: Health,
    rows: PartedRows | None = None,
    bundle: Bundle | None = None,
    test: Opened | None = None,
) -> Json:
    """Write the summary and the report, and close the run in the ledger."""
    ended = _ended(job, health=health, rows=rows, bundle=bundle, test=test)
    report, figures = report_of(ended), summary(ended)
    if rows is not None and ended.certainty is not None:
        tell(job, rows, ended.certainty)
    text = json.dumps(report.to_dict(), ensure_ascii=False, indent=1)
    write_atomic(job.folder / "report.json", text.encode("utf-8", "surrogatepass"))
    save(report, path=job.folder / "report.html")
    write_atomic(job.folder / "summary.json", json.dumps(figures, ensure_ascii=False, indent=1).encode())
    job.ledger.note("run-finished", {"run": job.run, "champion": figures["champion"], "seconds": figures["seconds"]})
    if job.recipe.track.uri:
        _track(job, figures)
    if ended.tried is not None and ended.tried.best_bet is not None:
        job.screen.say("best bet", ended.tried.best_bet.line)
    if ended.tried is not None and ended.tried.slices is not None and (worst := line_of(ended.tried.slices)):
        job.screen.say("slices", worst)
    if ended.tried is not None and ended.tried.robustness is not None:
        job.screen.say("robustness", ended.tried.robustness.line)
    job.screen.say("report", str(job.folder / "report.html"))
    if bundle is not None:
        job.screen.say("serve", f"ratchet serve {bundle.path}{bundle.consent}")
    return figures


def _track(job: Job, figures: Json) -> None:
    """Send the scores and the verdicts to the recipe's tracking server."""
    scores = {f"score/{name}": score["value"] for name, score in figures["scores"].items() if score is not None}
    verdicts = {f"verdict/{verdict['name']}": verdict["estimate"] for verdict in figures["verdicts"]}
    track_run(
        tracker_of(job.recipe),
        name=f"{job.recipe.name} {job.run}",
        parameters=job.recipe.model_dump(mode="json", exclude={"track", "alerts"}),
        metrics={clean(name): float(value) for name, value in {**scores, **verdicts}.items() if value is not None},
        tags={
            "ratchet.run": job.run,
            "ratchet.champion": str(figures["champion"]),
            "ratchet.ledger": figures["ledger"]["head"],
            **{clean(f"ratchet.verdict.{verdict['name']}"): verdict["line"] for verdict in figures["verdicts"]},
        },
        say=lambda line: job.screen.say("track", line),
    )


def _ended(job: Job, *, health: Health, rows: PartedRows | None, bundle: Bundle | None, test: Opened | None) -> Ended:
    """The run as its stages leave it."""
    judged = () if rows is None else job.ledger.challenges(family_of(rows))
    data = load_json(job.folder / "environment.json", keys={"data": dict})["data"]
    best = champion(job, rows) if rows is not None and judged else None
    tried = _tried(job, rows, judged, bundle) if rows is not None and judged and Stage.BASELINE in job.stages else None
    return Ended(
        run=job.run,
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        recipe=job.recipe,
        folder=job.folder,
        version=data["version"],
        tags=tuple(data["tags"]),
        health=health,
        ledger=job.ledger.records()[-1],
        stages=tuple(
            content.Stage(name=name.value, seconds=round(seconds, 2), status=status)
            for name, (seconds, status) in job.stages.items()
        ),
        not_run=_not_run(job),
        rows=rows,
        judged=judged,
        champion=best,
        gate=gate_state(job, rows, judged) if rows is not None and judged else None,
        tried=tried,
        bundle=bundle,
        test=test,
        certainty=None
        if rows is None or best is None or tried is None
        else sure(job, rows, _answering(job, best, bundle)),
    )


def _answering(job: Job, best: Contender, bundle: Bundle | None) -> Contender:
    """Who answers: the contender whose model is in the bundle, as it was judged, and before there is one the champion."""
    return best if bundle is None else Contender.load(job.workspace.models / str(bundle.manifest.model["judged"]))


def _tried(job: Job, rows: PartedRows, judged: Sequence[Challenge], bundle: Bundle | None) -> Tried:
    """The contenders with their scores; forms are timed when the run came to a bundle."""
    with job.stage(Stage.REPORT) as skipped:
        skipped.append(False)
        contenders = _contenders(job, rows, judged)
        first = judged[0].verdict.findings[0].metric  # an earlier run may have judged by another one
        rows = replace(rows, metrics=tuple(dict.fromkeys((*rows.judged_by, first))))
        start = score(contenders[0].evidence(rows), first)
        best, metric = champion(job, rows), job.recipe.gate.metrics[0]
        forms, offers = measured(job, rows, contenders, metric=start.metric, timed=bundle is not None)
        return Tried(
            contenders=contenders,
            start=start,
            honest=_honest(job, rows, contenders),
            reached=score(best.evidence(rows), metric),
            best_bet=best_bet(job, rows, contenders),
            scores=all_scores(rows, best),
            slices=slices_of(rows, best, columns=job.recipe.report.slices, metric=metric),
            robustness=robustness_of(rows, best, metric=metric, threads=job.recipe.threads)
            if job.recipe.report.robustness
            else None,
            forms=forms,
            offers=offers,
        )


def _contenders(job: Job, rows: PartedRows, judged: Sequence[Challenge]) -> tuple[Contender, ...]:
    """The first champion, then all that were judged."""
    root = job.ledger.find(f"root:{family_of(rows)}")
    keys = [] if root is None else [root.body["contender"]["key"]]
    keys += [challenge.challenger.key for challenge in judged]
    return tuple(Contender.load(job.workspace.models / key) for key in dict.fromkeys(keys))


def _honest(job: Job, rows: PartedRows, contenders: Sequence[Contender]) -> Score | None:
    """The score of the recipe's baseline on the rows of the verdicts."""
    name = baseline_name(job.recipe)
    found = [contender for contender in contenders if contender.name == name]
    return score(found[-1].evidence(rows), job.recipe.gate.metrics[0]) if found else None


def _not_run(job: Job) -> dict[str, str]:
    """Why a section of the report is empty."""
    task = task_of(job.recipe.task)
    scored = {} if "leaks" not in task.checks_apart else {"leak": f"No random split is scored for {task.name}."}
    return scored | {
        section: f"The run ended before the stage {stage.value!r}."
        for section, stage in SECTIONS.items()
        if stage not in job.stages
    }
