"""The report of a run: its records, made from a run that ended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from ratchet.bundle.bundle import Bundle
from ratchet.checks import Health
from ratchet.contenders.base import Contender
from ratchet.contenders.certainty import Certainty
from ratchet.contenders.rows import PartedRows
from ratchet.report.content import (
    Answered,
    BundleFacts,
    BundleFile,
    Challenges,
    Compression,
    Count,
    Curve,
    DataHealth,
    Environment,
    Epoch,
    Finding,
    Form,
    Leak,
    Mistake,
    Offer,
    ReportData,
    SealedTest,
)
from ratchet.report.ended import Ended, Offered, Tried
from ratchet.report.tuned import tuned_of
from ratchet.tasks.certainty import ABSTAIN
from ratchet.tasks.sureness import Reliability, Selection
from ratchet.tasks.views import View
from ratchet.versions.log import version_label

MISTAKES = 10
SHOWN = 4_000
"""Characters of a mistake's text that are kept."""


def report_of(ended: Ended) -> ReportData:
    """The records of the report."""
    rows, best, tried = ended.rows, ended.champion, ended.tried
    bet = None if tried is None else tried.best_bet
    return ReportData(
        name=ended.recipe.name,
        run_id=ended.run,
        date=ended.finished,
        champion="" if best is None else best.name,
        notes=(*(() if bet is None else (bet.line,)), *(() if rows is None else rows.parts.notes)),
        data=_health(ended.health, rows),
        leak=_leak(ended),
        challenges=None if tried is None else _challenges(ended, tried),
        sealed=_sealed(ended),
        curves=()
        if tried is None
        else tuple(_curve(one) for one in tried.contenders if one.card["facts"].get("epochs")),
        tuned=() if tried is None else tuple(found for one in tried.contenders if (found := tuned_of(one)) is not None),
        answered=None
        if rows is None or best is None or tried is None
        else _answered(rows, best, tried, ended.certainty),
        mistakes=None if rows is None or best is None or tried is None else _mistakes(rows, best),
        offers=() if tried is None else tuple(_offer(one, best) for one in tried.offers),
        compression=None if tried is None or not tried.forms else _compression(ended, tried),
        bundle=None if ended.bundle is None else _bundle(ended.bundle),
        environment=_environment(ended),
        not_run=dict(ended.not_run),
    )


def _health(health: Health, rows: PartedRows | None) -> DataHealth:
    facts = health.facts
    sizes: dict[str, int] = {}
    if rows is not None:
        parts = rows.parts
        sizes = {"train": len(parts.train), "valid": len(parts.valid), "test": len(parts.test)}
    return DataHealth(
        rows=facts.rows,
        unique_rows=facts.unique_rows,
        conflicting_texts=facts.conflicting_texts,
        files=facts.files,
        content_hash="" if rows is None else rows.parts.hash,
        language=facts.language,
        classes=tuple(Count(name=label.name, rows=label.rows) for label in facts.classes),
        lengths=facts.lengths,
        findings=tuple(Finding.of(finding) for finding in health.findings),
        removed=_counts({} if rows is None else rows.removed),
        changed=_counts({} if rows is None else rows.changed),
        parts=_counts(sizes),
    )


def _counts(rows: Mapping[str, int]) -> tuple[Count, ...]:
    return tuple(Count(name=name, rows=count) for name, count in rows.items())


def _leak(ended: Ended) -> Leak | None:
    """The check's naive split, beside the baseline's score on the rows of the verdicts where there is one."""
    naive = ended.health.facts.naive
    found = None if naive is None else Leak.of(naive)
    honest = None if ended.tried is None else ended.tried.honest
    alike = found is not None and honest is not None and honest.metric == found.naive.metric
    return replace(found, honest=honest) if found is not None and alike else found


def _challenges(ended: Ended, tried: Tried) -> Challenges:
    return Challenges(
        baseline=tried.contenders[0].name,
        baseline_score=tried.start,
        verdicts=tuple(replace(one, record=replace(one.record, body={})) for one in ended.judged),
        alpha=ended.recipe.gate.alpha,
        honest=tried.honest,
    )


def _sealed(ended: Ended) -> SealedTest | None:
    test, bundle = ended.test, ended.bundle
    if test is None or bundle is None:
        return None
    return SealedTest(
        model=bundle.name,
        scores=test.scores,
        opened=test.opened,
        lost=test.lost,
        rows=test.scores[0].n,
        judged=test.judged,
        refit_rows=test.refit_rows,
        promised=bundle.manifest.model.get(ABSTAIN, {}).get("error"),
        answered=None if test.answered is None else test.answered.answered,
        error=None if test.answered is None else test.answered.error,
    )


def _curve(contender: Contender) -> Curve:
    facts = contender.card["facts"]
    note = f"from {facts['source']}; {facts['tokens_per_second']:,} tokens/s, {facts['padding']:.1%} padding"
    return Curve(name=contender.name, note=note, epochs=tuple(Epoch(**epoch) for epoch in facts["epochs"]))


def _answered(rows: PartedRows, best: Contender, tried: Tried, certainty: Certainty | None) -> Answered:
    """The champion's answers to the rows of the verdicts, as the task shows them, and how sure it is of them."""
    places = best.placed(rows)
    targets, texts = rows.targets.take(places), rows.texts(places)
    return Answered(
        views=(
            *rows.task.views(targets, best.answers, texts=texts, metrics=rows.judged_by),
            *(_sureness(certainty) if certainty is not None and certainty.contender.folder == best.folder else ()),
        ),
        model=best.name,
        part="valid part" if len(places) == len(rows.parts.valid) else "dev rows, out of fold",
        rows=len(places),
        scores=tried.scores,
        slices=tried.slices,
        robustness=tried.robustness,
    )


def _sureness(found: Certainty) -> tuple[View, ...]:
    """Whether its probabilities hold, and what is wrong among the answers that it is sure of."""
    return (
        Reliability.of(found.calibration, found.raw, found.confidence, found.right),
        Selection.of(found.choice, found.confidence, found.right),
    )


def _offer(one: Offered, best: Contender | None) -> Offer:
    return Offer(
        name=one.contender.name,
        score=one.score,
        cost_per_row=one.cost_per_row,
        p50_ms=one.p50_ms,
        p95_ms=one.p95_ms,
        champion=best is not None and one.contender.folder == best.folder,
    )


def _mistakes(rows: PartedRows, best: Contender) -> tuple[Mistake, ...]:
    """The rows that the champion answered worst, among those it was not trained on."""
    places, data = best.placed(rows), rows.dataset
    worst = rows.task.worst(rows.targets.take(places), best.answers, most=MISTAKES)
    return tuple(
        Mistake(
            text=data.texts[row][:SHOWN],
            true=wrong.right[:SHOWN],
            predicted=wrong.given[:SHOWN],
            probability=wrong.certainty,
            row=int(data.origin[row]),
            file=data.files[data.file_index[row]],
        )
        for wrong in worst
        for row in (int(places[wrong.place]),)
    )


def _compression(ended: Ended, tried: Tried) -> Compression:
    outcomes = {one.challenger.key: one.verdict.outcome for one in ended.judged}
    forms = tuple(
        Form(
            name=form.contender.name,
            bytes=form.contender.ref.bytes,
            p50_ms=form.p50_ms,
            p95_ms=form.p95_ms,
            score=form.score,
            outcome=outcomes.get(form.contender.ref.key) if number else None,
        )
        for number, form in enumerate(tried.forms)
    )
    return Compression(forms=forms, note="One text at a time, the forms in turn, on this machine.")


def _bundle(bundle: Bundle) -> BundleFacts:
    facts = bundle.manifest.model
    return BundleFacts(
        path=str(bundle.path),
        bytes=bundle.bytes,
        sha256=bundle.sha256,
        files=tuple(BundleFile(name=e.path, bytes=e.bytes, sha256=e.sha256) for e in bundle.manifest.files),
        commands=(
            f"ratchet serve {bundle.path}{bundle.consent}",
            f"ratchet predict {bundle.path} FILE{bundle.consent}",
        ),
        parity=f"{facts['parity_rows']:,} valid rows were predicted again by the exported files: the largest difference "
        f"is {facts['parity_max_difference']:.1e}, and {facts['parity_disagreements']} answers differ.",
    )


def _environment(ended: Ended) -> Environment:
    record = json.loads((ended.folder / "environment.json").read_bytes())
    git = record.get("git") or {}
    return Environment(
        ratchet=record["ratchet"]["version"],
        python=f"{record['python']['implementation']} {record['python']['version']}",
        platform=" ".join(str(value) for value in record["platform"].values() if value),
        cpu=record["cpu"]["model"],
        cores=record["cpu"]["usable_cores"],
        memory_bytes=record["memory"]["bytes"],
        packages=dict(package.split("==", 1) for package in record["packages"]),
        seeds=record["seeds"],
        recipe=(ended.folder / "recipe.yaml").read_text(encoding="utf-8"),
        git_commit=git.get("commit") or "",
        git_dirty=git.get("dirty"),
        data_version=version_label(ended.version, ended.tags),
        ledger_records=ended.ledger.seq,
        ledger_head=ended.ledger.hash,
        stages=ended.stages,
    )
