"""What a workspace remembers: its runs, its ledger, and its models side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ratchet.contenders import Contender, PartedRows
from ratchet.errors import WorkspaceError
from ratchet.gate.ledger import CHALLENGE, ROOT, ROUND, Ledger, Record
from ratchet.gate.legacy import words as words_before
from ratchet.gate.metrics import Evidence
from ratchet.gate.verdict import Claim, Kind, Round, Verdict, compare
from ratchet.predictions import pair_files
from ratchet.prepare.saved import ROWS
from ratchet.report import ReportData, save
from ratchet.screen import Screen
from ratchet.summary import SHORT, bet_lines, told
from ratchet.versions.log import log
from ratchet.workspace.finished import load_json
from ratchet.workspace.workspace import Workspace

Json = dict[str, Any]


def list_runs(root: Path) -> list[Json]:
    """Every run that the ledger knows, oldest first; one that was killed has no end."""
    workspace = _workspace(root)
    tags = {version.id: version.tags for version in log(workspace)}
    runs: dict[str, Json] = {}
    for record in Ledger(workspace.ledger).records():
        body = record.body
        if record.kind == "run-started":
            runs[body["run"]] = {
                "run": body["run"],
                "name": body["name"],
                "status": "unfinished",
                "started": record.time,
                "version": body.get("version"),
                "tags": list(tags.get(body.get("version", ""), ())),
                "champion": "",
                "test": "",
                "seconds": "",
            }
        elif record.kind in ("run-finished", "run-failed") and body["run"] in runs:
            status = "finished" if record.kind == "run-finished" else f"failed: {body.get('reason', '')}"
            runs[body["run"]].update(
                status=status, champion=body.get("champion") or "", seconds=body.get("seconds", "")
            )
            path = workspace.runs / body["run"] / "summary.json"
            test = _summary(path)["scores"].get("test") if path.is_file() else None
            if test:
                runs[body["run"]]["test"] = f"{test['value']:.4f} [{test['low']:.4f}, {test['high']:.4f}]"
    return list(runs.values())


def load_summary(root: Path, run: str) -> Json:
    """The summary of a run by its id, the beginning of it, or ``last``."""
    return _summary(_run_folder(root, run) / "summary.json")


def _summary(path: Path) -> Json:
    summary: Json = load_json(path, keys={"data": dict, "scores": dict, "verdicts": list})
    bundle = summary.get("bundle")
    if isinstance(bundle, dict) and not Path(bundle["path"]).exists():  # the workspace was moved or copied
        here = path.parent.parent.parent / "bundles" / Path(bundle["path"]).name
        summary["bundle"] = bundle | ({"path": str(here)} if here.exists() else {})
    return summary


def draw_report(root: Path, run: str, *, out: Path | None) -> Path:
    """Draw the report of a run again from its records."""
    folder = _run_folder(root, run)
    target = out or folder / "report.html"
    save(ReportData.from_dict(load_json(folder / "report.json")), path=target)
    return target


def tell(summary: Json, *, screen: Screen) -> None:
    """A run for people: the figures, then the staircase."""
    data, scores = summary["data"], summary["scores"]
    for line in bet_lines(summary):
        screen.say("best bet", line)
    screen.say("run", f"{summary['run']}  {summary['name']}  {summary['seconds']:.0f} s")
    if data.get("version"):
        screen.say("data", f"version {told(data)}; `ratchet data restore {data['version'][:SHORT]}` brings it back")
    screen.say(
        "data",
        f"{data['rows']:,} rows, {data['unique_rows']:,} different texts, {data['conflicting_texts']:,} with two labels",
    )
    if data["naive_leak_share"] is not None:
        screen.say(
            "data", f"{data['naive_leak_share']:.1%} of the test rows of a random split have a copy in its train rows"
        )
    for name, description in _SCORES.items():
        if scores[name]:
            screen.say("score", f"{description.format(champion=summary['champion'])}: {figures(scores[name])}")
    _tell_verdicts(summary["verdicts"], screen=screen)
    if summary.get("gate"):
        _tell_gate(summary["gate"], alpha=summary["alpha"], screen=screen)
    if summary["bundle"]:
        bundle = summary["bundle"]
        screen.say("bundle", f"{bundle['path']}  {bundle['bytes']:,} bytes  sha256 {bundle['sha256'][:16]}…")
        screen.say("serve", f"ratchet serve {bundle['path']}")


_SCORES = {
    "naive": "a random split would promise",
    "honest": "the same model without leaks",
    "champion": "the champion {champion}",
    "test": "the champion on the sealed test part",
}


def _tell_verdicts(verdicts: Sequence[Json], *, screen: Screen) -> None:
    rows = [
        (
            verdict["name"],
            verdict["outcome"].replace("_", " ") + (" ↑" if verdict["promoted"] else ""),
            verdict["against"],
            f"{verdict['estimate'] * 100:+.2f} [{verdict['low'] * 100:+.2f}, {verdict['high'] * 100:+.2f}]",
            f"{verdict['p']:.2g} of {verdict['level']:.2g}" if verdict["p"] > 1e-99 else "<1e-99",
            f"{verdict['n']:,}",
            verdict["test"],
        )
        for verdict in verdicts
    ]
    columns = ("challenger", "verdict", "against", "difference, points", "p of allowed", "rows", "test")
    screen.table("Verdicts (↑ became champion)", columns, rows)


def _tell_gate(gate: Json, *, alpha: float, screen: Screen) -> None:
    screen.say(
        "gate",
        f"{gate['looks']} challengers were judged on these rows; {gate['level_left']:.2g} of the error level "
        f"{alpha:g} is left for others. The best of so many estimates is expected to be up to "
        f"{gate['optimism'] * 100:.1f} points too high",
    )
    screen.say(
        "gate",
        f"{gate['margin_used'] * 100:.2f} of the margin of {gate['margin'] * 100:g} points is used since "
        f"{gate['anchor']} was proven better",
    )


def figures(score: Json) -> str:
    """A score with its interval: "accuracy 85.7 % [85.1, 86.2], 14,759 rows"."""
    low, high = score["low"] * 100, score["high"] * 100
    return f"{score['metric']} {score['value'] * 100:.1f} % [{low:.1f}, {high:.1f}], {score['n']:,} rows"


def list_records(root: Path) -> list[Json]:
    """All records of the ledger, verified, each with a line for people."""
    ledger = Ledger(_workspace(root).ledger)
    ledger.verify()
    return [
        {"seq": r.seq, "time": r.time, "kind": r.kind, "text": _words(r), "body": dict(r.body), "hash": r.hash}
        for r in ledger.records()
    ]


def _words(record: Record) -> str:
    if record.kind == CHALLENGE:
        return words_before(record.body)
    if record.kind == ROUND:
        found = Round.from_dict(dict(record.body))
        lines = [v.line + (" -> new champion" if v.challenger == found.winner else "") for v in found.verdicts]
        return "\n".join(lines)
    if record.kind == ROOT:
        return f"{record.body['contender']['name']} is the first champion of {record.body['family']}"
    return ", ".join(f"{key} {value}" for key, value in record.body.items() if isinstance(value, str | int | float))


def compare_named(
    challenger: str,
    champion: str,
    *,
    workspace: Path,
    metrics: Sequence[str],
    kind: Kind,
    margin: float,
    label: str,
    labels: Sequence[str] = (),
) -> tuple[Verdict, list[str]]:
    """Judge two models of the workspace, or two tables of predictions, and what to say beside; the ledger is not touched.

    Raises:
        RatchetError: one is unknown, or they were not scored on the same rows.
    """
    claims = [Claim(metric=metric, kind=kind, margin=margin) for metric in metrics]
    if Path(challenger).is_file() and Path(champion).is_file():
        paths = Path(challenger), Path(champion)
        first, second, notes = pair_files(*paths, label=label, metrics=metrics, labels=labels)
        return compare(first, second, claims), notes
    first, second = (_named(workspace, name) for name in (challenger, champion))
    return compare(first, second, claims), []


def _named(root: Path, name: str) -> Evidence:
    """Evidence of the newest contender with this name, or of the champion of a run."""
    workspace = _workspace(root)
    records = Ledger(workspace.ledger).records()
    started = {r.body["run"] for r in records if r.kind == "run-started"}
    if name == "last" or name in started:
        name = str(load_summary(root, name)["champion"])
    known: dict[str, tuple[str, str]] = {}
    for record in records:
        body = record.body
        entered = [body["contender"]] if record.kind == ROOT else []
        entered += [body["challenger"]] if record.kind == CHALLENGE else []
        entered += [entry["challenger"] for entry in body["challenges"]] if record.kind == ROUND else []
        for contender in entered:
            known[contender["name"]] = (contender["key"], body["family"])
    if name not in known:
        raise WorkspaceError(
            f"A model must be one of {', '.join(known) or 'none yet'}, a run, or a file but got {name!r}.",
            next_step="`ratchet show` lists them.",
        )
    key, family = known[name]
    return Contender.load(workspace.models / key).evidence(_rows_of(workspace, family))


def _rows_of(workspace: Workspace, family: str) -> PartedRows:
    for folder in sorted(workspace.data.glob("rows-*")):
        facts = load_json(folder / "facts.json", keys={"hash": str})
        if family.partition("-")[2] == facts["hash"][:16] and (folder / ROWS).is_file():
            return PartedRows.load(folder)
    raise WorkspaceError(
        f"The prepared rows of {family} must be in {workspace.data} but are not.", next_step="Run again."
    )


def _workspace(root: Path) -> Workspace:
    workspace = Workspace(root)
    if not workspace.ledger.is_file():
        raise WorkspaceError(
            f"{root} must be the workspace of a run but has no ledger.",
            next_step="Run `ratchet run` first, or name another folder with --workspace.",
        )
    return workspace


def _run_folder(root: Path, run: str) -> Path:
    workspace = _workspace(root)
    done = sorted(path.parent.name for path in workspace.runs.glob("*/summary.json"))
    found = done[-1:] if run == "last" else [name for name in done if name.startswith(run)]
    if len(found) != 1:
        problem = f"No finished run begins with {run!r}" if not found else f"{len(found)} runs begin with {run!r}"
        raise WorkspaceError(
            f"{problem}; the newest are {', '.join(done[-3:]) or 'none'}.", next_step="See `ratchet runs`."
        )
    return workspace.runs / found[0]


__all__ = [
    "compare_named",
    "draw_report",
    "figures",
    "list_records",
    "list_runs",
    "load_summary",
    "tell",
]
