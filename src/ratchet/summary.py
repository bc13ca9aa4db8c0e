"""What a run leaves: ``summary.json`` for programs, and the report for people."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ratchet.bundle.bundle import Bundle
from ratchet.checks.context import counted
from ratchet.contenders import Contender, PartedRows
from ratchet.gate.error_budget import optimism
from ratchet.gate.ledger import Challenge as Judged
from ratchet.gate.ledger import Record
from ratchet.gate.metrics import METRICS, Evidence, score
from ratchet.gate.paired_tests import normal_quantile
from ratchet.gate.verdict import Verdict, compare
from ratchet.models.linear import Answers
from ratchet.recipe.sections import Recipe
from ratchet.report import (
    BundleFacts,
    BundleFile,
    Challenge,
    Challenges,
    Compression,
    Confusion,
    Count,
    Curve,
    DataHealth,
    Difference,
    Environment,
    Epoch,
    Finding,
    Form,
    Leak,
    Lengths,
    Mistake,
    ReportData,
    Score,
    SealedTest,
    Stage,
    save,
)
from ratchet.workspace.workspace import write_atomic

Json = dict[str, Any]
MISTAKES = 10
SHOWN = 4_000
SHORT = 12


@dataclass(frozen=True, kw_only=True, eq=False)
class Recorded:
    """Predictions recorded at training time, in the shape of a model, so that an export is compared with them."""

    labels: tuple[str, ...]
    probability: Answers

    def predict(self, texts: Sequence[str]) -> Answers:
        """The recorded probabilities of the texts they were recorded for, all of them in their order."""
        assert len(texts) == len(self.probability)
        return self.probability


@dataclass(frozen=True, kw_only=True, eq=False)
class Standing:
    """Where the gate stands when a run ends."""

    anchor: Contender
    """Who must be beaten: the last that was proven better."""
    champion: Contender
    """The anchor, or a copy of it."""
    left: float
    """Of the error level, for challengers to come."""
    copies_left: float
    """Of the error level of copies."""
    margin: float


def summarise(
    *,
    run: str,
    recipe: Recipe,
    data: Json,
    health: Json,
    rows: PartedRows | None,
    contenders: Sequence[Contender],
    judged: Sequence[Judged],
    champion: str | None,
    standing: Standing | None,
    bundle: Bundle | None,
    test: Mapping[str, Any] | None,
    stages: Mapping[str, tuple[float, str]],
    ledger: Record,
    forms: Sequence[tuple[Contender, npt.NDArray[np.float64]]],
) -> Json:
    """The figures of a run as JSON values; what was not reached is ``None``."""
    facts, naive = health["facts"], health["facts"]["naive"]
    metric = recipe.gate.metrics[0]
    by_name = {contender.name: contender for contender in contenders}
    honest = None
    if rows is not None and (recipe.baseline.name or "tfidf-lr") in by_name:
        honest = score(by_name[recipe.baseline.name or "tfidf-lr"].evidence(rows), metric).to_dict()
    stands = None
    if rows is not None and champion in by_name:
        stands = score(by_name[champion].evidence(rows), metric).to_dict()
    return {
        "run": run,
        "name": recipe.name,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "data": {
            "rows": facts["rows"],
            "unique_rows": facts["unique_rows"],
            "conflicting_texts": facts["conflicting_texts"],
            "naive_leak_share": naive["leaked_rows"] / naive["test_rows"] if naive and naive["test_rows"] else None,
            "removed": None if rows is None else dict(rows.removed),
            "changed": None if rows is None else dict(rows.changed),
            "version": data["version"],
            "tags": data["tags"],
        },
        "scores": {
            "naive": naive["naive"] if naive else None,
            "honest": honest,
            "champion": stands,
            "test": None if test is None else test["scores"][0],
        },
        "verdicts": [_plain(challenge) for challenge in judged],
        "champion": champion,
        "best_bet": None if rows is None or standing is None else best_bet(rows, standing, contenders, metric=metric),
        "gate": None if rows is None or standing is None else _gate(rows, standing, judged, metric=metric),
        "bundle": None
        if bundle is None
        else {"path": str(bundle.path), "bytes": bundle.bytes, "sha256": bundle.sha256},
        "alpha": recipe.gate.alpha,
        "ledger": {"records": ledger.seq, "head": ledger.hash},
        "test_opened": [] if test is None else test["opened"],
        "test_openings_lost": test is not None and test["lost"],
        "compression": [
            {
                "name": contender.name,
                "bytes": contender.card["bytes"],
                "p50_ms": round(float(np.median(seconds)) * 1000, 3),
                "p95_ms": round(float(np.quantile(seconds, 0.95)) * 1000, 3),
            }
            for contender, seconds in forms
        ],
        "stages": {
            name: {"seconds": round(seconds, 2), "status": status} for name, (seconds, status) in stages.items()
        },
        "seconds": round(sum(seconds for seconds, _ in stages.values()), 2),
    }


def best_bet(rows: PartedRows, standing: Standing, contenders: Sequence[Contender], *, metric: str) -> Json | None:
    """The contender that looks better than the one that stands, but is not proven to be; ``None`` when there is none."""
    found: list[tuple[Contender, Verdict]] = []
    for contender in contenders:
        if contender.folder != standing.anchor.folder and contender.card["facts"].get("of") != standing.anchor.name:
            found.append((contender, compare(contender.evidence(rows), standing.anchor.evidence(rows), [metric])))
    ahead = [pair for pair in found if pair[1].findings[0].estimate > 0]
    if not ahead:
        return None
    contender, verdict = max(ahead, key=lambda pair: pair[1].findings[0].estimate)
    finding = verdict.findings[0]
    partly = len(contender.rows) < len(rows.parts.compared)
    return {
        "name": contender.name,
        "against": standing.anchor.name,
        "metric": metric,
        "estimate": finding.estimate,
        "low": finding.low,
        "high": finding.high,
        "n": finding.n,
        "rows_needed": finding.rows_needed,
        "decide": "ratchet run --set gate.budget=120"
        if partly
        else "more labelled rows"
        if finding.rows_needed
        else "a run on new rows",
    }


def bet_lines(summary: Json) -> list[str]:
    """The best bet for people; empty when what stands is also what looks best."""
    bet = summary.get("best_bet")
    if not bet:
        return []
    scale, unit = METRICS[bet["metric"]].scale, METRICS[bet["metric"]].unit
    rows = f", about {bet['rows_needed']:,} rows would decide (there are {bet['n']:,})" if bet["rows_needed"] else ""
    return [
        f"{bet['name']} looks better than {bet['against']} but is not proven: {bet['estimate'] * scale:+.2f} "
        f"[{bet['low'] * scale:+.2f}, {bet['high'] * scale:+.2f}] {unit}{rows}; what would decide: {bet['decide']}"
    ]


def _gate(rows: PartedRows, standing: Standing, judged: Sequence[Judged], *, metric: str) -> Json:
    """What is used of the error level, of the margin and of the rows' credit."""
    best, stands = (score(c.evidence(rows), metric).value for c in (standing.anchor, standing.champion))
    errors = [
        (finding.high - finding.estimate) / normal_quantile(1 - challenge.verdict.alpha)
        for challenge in judged
        for finding in challenge.verdict.findings[:1]
        if challenge.account == "improvements" and finding.high > finding.estimate
    ]
    looks = sum(challenge.account == "improvements" for challenge in judged)
    return {
        "anchor": standing.anchor.name,
        "margin": standing.margin,
        "margin_used": max(0.0, best - stands),
        "level_left": standing.left,
        "level_left_copies": standing.copies_left,
        "looks": looks,
        "optimism": optimism(float(np.median(errors)), looks) if errors else 0.0,
    }


def told(data: Mapping[str, Any]) -> str:
    """A version of the data for people, as `ratchet data log` has it: "15f3f25fa6e3 [raw]"; empty where there is none."""
    tags = "".join(f" [{tag}]" for tag in data["tags"])
    return "" if data["version"] is None else data["version"][:SHORT] + tags


def _plain(challenge: Judged) -> Json:
    """A challenge as the summary lists it: the first claim's figures, and the whole verdict in one line."""
    verdict = challenge.verdict
    finding = verdict.findings[0]
    return {
        "name": verdict.challenger,
        "against": verdict.champion,
        "outcome": verdict.outcome,
        "promoted": challenge.promoted,
        "metric": finding.metric,
        "claim": finding.claim,
        "estimate": finding.estimate,
        "low": finding.low,
        "high": finding.high,
        "p": finding.p if finding.claim == "superior" else finding.p_margin,
        "level": verdict.level,
        "n": finding.n,
        "test": finding.test,
        "rows_needed": finding.rows_needed,
        "kind": challenge.challenger.kind,
        "seconds": challenge.challenger.seconds,
        "line": verdict.line,
        "remark": _remark(verdict),
        "also": [
            {"metric": other.metric, "estimate": other.estimate, "low": other.low, "high": other.high, "p": other.p}
            for other in verdict.findings[1:]
            if other.test != "exact"
        ],
    }


def _remark(verdict: Verdict) -> str:
    """What no column of the report's table says: the margin, and what was measured without chance."""
    first = verdict.findings[0]
    parts = [f"Margin: {100 * first.margin:g} points."] if first.claim == "noninferior" else []
    parts += [
        f"{100 * other.estimate:.1f} % of the {other.metric} saved."
        for other in verdict.findings
        if other.test == "exact"
    ]
    return " ".join(parts)


def write_report(
    folder: Path,
    *,
    summary: Json,
    rows: PartedRows | None,
    health: Json,
    contenders: Sequence[Contender],
    test: Mapping[str, Any] | None,
    bundle: Bundle | None,
) -> None:
    """Write ``report.html`` and the records it is drawn from."""
    by_name = {contender.name: contender for contender in contenders}
    best = by_name.get(summary["champion"])
    report = ReportData(
        name=summary["name"],
        run_id=summary["run"],
        date=summary["finished"],
        champion=summary["champion"] or "",
        notes=(*bet_lines(summary), *(() if rows is None else rows.parts.notes)),
        data=_health(health, rows),
        leak=_leak(summary, health),
        challenges=None if rows is None or not contenders else _challenges(summary, rows, contenders),
        sealed=_sealed(summary, test),
        curves=tuple(_curve(contender) for contender in contenders if contender.card.get("facts", {}).get("epochs")),
        confusion=None if rows is None or best is None else _confusion(rows, best),
        mistakes=None if rows is None or best is None else _mistakes(rows, best),
        compression=_compression(summary, by_name, rows),
        bundle=None if bundle is None else _bundle(bundle),
        environment=_environment(folder, summary),
        not_run=_not_run(summary),
    )
    text = json.dumps(report.to_dict(), ensure_ascii=False, indent=1)
    write_atomic(folder / "report.json", text.encode("utf-8", "surrogatepass"))
    save(report, path=folder / "report.html")


def health_lines(health: Json) -> list[str]:
    """The check for people: the table, what a random split would have claimed, and what must be mended."""
    facts, naive = health["facts"], health["facts"]["naive"]
    lines = [
        f"{facts['rows']:,} rows, {facts['unique_rows']:,} different texts, "
        f"{counted(facts['conflicting_texts'], 'text')} with two labels or more; {counted(facts['labels'], 'label')}; "
        f"{facts['language']}"
    ]
    if naive and naive["test_rows"]:
        share = naive["leaked_rows"] / naive["test_rows"]
        lines.append(f"a random split puts a copy of {share:.1%} of its test rows into its train rows")
    if naive and naive["naive"] and naive["honest"]:
        lines.append(f"it would promise {_figures(naive['naive'])}; without leaks: {_figures(naive['honest'])}")
        if naive["leaked"] and naive["clean"]:
            lines.append(
                f"(rows with a copy in train {_figures(naive['leaked'])}, clean rows {_figures(naive['clean'])})"
            )
    if naive and naive["ordered"]:
        lines.append(f"on the latest fifth of the texts, by a fit on the earlier ones: {_figures(naive['ordered'])}")
    for severity in ("error", "warning", "note"):
        ids = [finding["id"] for finding in health["findings"] if finding["severity"] == severity]
        said = f"{len(ids)} would make a model or its score lie" if severity == "error" else counted(len(ids), severity)
        if ids:
            lines.append(f"{said}: {', '.join(dict.fromkeys(ids))}")
    return lines


def changed_lines(facts: Json) -> list[str]:
    """What preparing changed, for people: texts and labels with their reasons, out of all rows that were read."""
    lines = []
    texts = {reason: count for reason, count in facts["changed"].items() if reason.startswith("text.")}
    labels = {reason: count for reason, count in facts["changed"].items() if reason not in texts}
    for noun, rows, reasons in (("text", facts["changed_texts"], texts), ("label", sum(labels.values()), labels)):
        if rows:
            listed = ", ".join(f"{count:,} {reason}" for reason, count in reasons.items())
            lines.append(f"{rows:,} {noun if rows == 1 else noun + 's'} changed ({rows / facts['read']:.1%}: {listed})")
    return lines


def _figures(found: Json) -> str:
    return f"{found['value']:.1%} [{found['low']:.1%}, {found['high']:.1%}]"


def _health(health: Json, rows: PartedRows | None) -> DataHealth:
    facts = health["facts"]
    parts = (
        ()
        if rows is None
        else tuple(
            Count(name=name, rows=len(where))
            for name, where in (("train", rows.parts.train), ("valid", rows.parts.valid), ("test", rows.parts.test))
        )
    )
    return DataHealth(
        rows=facts["rows"],
        unique_rows=facts["unique_rows"],
        conflicting_texts=facts["conflicting_texts"],
        files=tuple(facts["files"]),
        content_hash="" if rows is None else rows.parts.hash,
        language=facts["language"],
        classes=tuple(Count(name=label["name"], rows=label["rows"]) for label in facts["classes"]),
        lengths=Lengths(**facts["lengths"]) if facts["lengths"] else None,
        findings=tuple(
            Finding(
                id=finding["id"],
                severity=finding["severity"],
                rows=finding["rows"],
                share=finding["share"],
                message=finding["message"],
                why=finding["why"],
                fix=finding["fix"],
                examples=tuple(
                    f"row {example['row']}: {example['text']}" + (f" ({example['note']})" if example["note"] else "")
                    for example in finding["examples"]
                ),
            )
            for finding in health["findings"]
        ),
        removed=() if rows is None else tuple(Count(name=name, rows=n) for name, n in rows.removed.items()),
        changed=() if rows is None else tuple(Count(name=name, rows=n) for name, n in rows.changed.items()),
        parts=parts,
    )


def _leak(summary: Json, health: Json) -> Leak | None:
    naive = health["facts"]["naive"]
    if not naive or not naive["naive"]:
        return None
    honest = summary["scores"]["honest"] or naive["honest"]
    return Leak(
        model=naive["model"],
        test_rows=naive["test_rows"],
        leaked_rows=naive["leaked_rows"],
        naive=Score(**naive["naive"]),
        leaked=Score(**naive["leaked"]) if naive["leaked"] else None,
        clean=Score(**naive["clean"]) if naive["clean"] else None,
        honest=Score(**honest) if honest else None,
    )


def _challenges(summary: Json, rows: PartedRows, contenders: Sequence[Contender]) -> Challenges:
    verdicts = tuple(
        Challenge(
            name=verdict["name"],
            kind=verdict["kind"],
            against=verdict["against"],
            outcome=verdict["outcome"],
            promoted=verdict["promoted"],
            metric=verdict["metric"],
            estimate=verdict["estimate"],
            low=verdict["low"],
            high=verdict["high"],
            p=verdict["p"],
            alpha=verdict["level"],
            n=verdict["n"],
            test=verdict["test"],
            rows_needed=verdict["rows_needed"],
            sentence=verdict["remark"],
            also=tuple(Difference(**extra) for extra in verdict["also"]),
        )
        for verdict in summary["verdicts"]
    )
    metric = verdicts[0].metric if verdicts else "accuracy"
    first = score(contenders[0].evidence(rows), metric).to_dict()
    return Challenges(
        baseline=contenders[0].name, baseline_score=Score(**first), verdicts=verdicts, alpha=summary["alpha"]
    )


def _sealed(summary: Json, test: Mapping[str, Any] | None) -> SealedTest | None:
    if test is None:
        return None
    scores = tuple(Score(**found) for found in test["scores"])
    return SealedTest(
        model=summary["champion"],
        scores=scores,
        opened=tuple(test["opened"]),
        lost=test["lost"],
        rows=scores[0].n,
        judged=Score(**test["judged"]),
        refit_rows=test["refit_rows"],
    )


def _curve(contender: Contender) -> Curve:
    facts = contender.card["facts"]
    note = f"from {facts['source']}; {facts['tokens_per_second']:,} tokens/s, {facts['padding']:.1%} padding"
    return Curve(name=contender.name, note=note, epochs=tuple(Epoch(**epoch) for epoch in facts["epochs"]))


def _on_dev(rows: PartedRows, best: Contender) -> tuple[Evidence, str]:
    evidence = best.evidence(rows)
    return evidence, "valid part" if len(best.rows) == len(rows.parts.valid) else "dev rows, out of fold"


def _confusion(rows: PartedRows, best: Contender) -> Confusion:
    evidence, part = _on_dev(rows, best)
    names = np.array(rows.labels, dtype=object)
    return Confusion.of(names[evidence.truth].tolist(), names[evidence.predicted].tolist(), model=best.name, part=part)


def _mistakes(rows: PartedRows, best: Contender) -> tuple[Mistake, ...]:
    """The wrong predictions that the champion was surest of, on rows it was not trained on."""
    evidence, _ = _on_dev(rows, best)
    sure = evidence.probability.max(axis=1)
    wrong = np.flatnonzero(evidence.predicted != evidence.truth)
    worst = wrong[np.argsort(-sure[wrong], kind="stable")][:MISTAKES]
    data = rows.dataset
    return tuple(
        Mistake(
            text=data.texts[row][:SHOWN],
            true=rows.labels[evidence.truth[place]],
            predicted=rows.labels[evidence.predicted[place]],
            probability=float(sure[place]),
            row=int(data.origin[row]),
            file=data.files[data.file_index[row]],
        )
        for place, row in zip(worst.tolist(), evidence.rows[worst].tolist(), strict=True)
    )


def _compression(summary: Json, by_name: Mapping[str, Contender], rows: PartedRows | None) -> Compression | None:
    if rows is None or not summary["compression"]:
        return None
    outcomes = {verdict["name"]: verdict["outcome"] for verdict in summary["verdicts"]}
    metric = summary["verdicts"][0]["metric"]
    forms = tuple(
        Form(
            name=form["name"],
            bytes=form["bytes"],
            p50_ms=form["p50_ms"],
            p95_ms=form["p95_ms"],
            score=Score(**score(by_name[form["name"]].evidence(rows), metric).to_dict()),
            outcome=outcomes.get(form["name"]) if number else None,
        )
        for number, form in enumerate(summary["compression"])
    )
    return Compression(forms=forms, note="One text at a time, the forms in turn, on this machine.")


def _bundle(bundle: Bundle) -> BundleFacts:
    facts = bundle.manifest.model
    return BundleFacts(
        path=str(bundle.path),
        bytes=bundle.bytes,
        sha256=bundle.sha256,
        files=tuple(BundleFile(name=e.path, bytes=e.bytes, sha256=e.sha256) for e in bundle.manifest.files),
        commands=(f"ratchet serve {bundle.path}", f"ratchet predict {bundle.path} FILE"),
        parity=f"{facts['parity_rows']:,} valid rows were predicted again by the exported files: the largest difference of "
        f"a probability is {facts['parity_max_difference']:.1e}, and {facts['parity_disagreements']} labels differ.",
    )


def _environment(folder: Path, summary: Json) -> Environment:
    record = json.loads((folder / "environment.json").read_bytes())
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
        recipe=(folder / "recipe.yaml").read_text(encoding="utf-8"),
        git_commit=git.get("commit") or "",
        git_dirty=git.get("dirty"),
        data_version=told(record["data"]),
        ledger_records=summary["ledger"]["records"],
        ledger_head=summary["ledger"]["head"],
        stages=tuple(
            Stage(name=name, seconds=stage["seconds"], status=stage["status"])
            for name, stage in summary["stages"].items()
        ),
    )


def _not_run(summary: Json) -> dict[str, str]:
    reached = summary["stages"]
    later = {"challenges": "baseline", "bundle": "export", "sealed": "test", "compression": "compress"}
    return {
        section: f"The run ended before the stage {stage!r}."
        for section, stage in later.items()
        if stage not in reached
    }
