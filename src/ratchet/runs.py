"""What a workspace remembers: its runs, its ledger, and its models side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ratchet.contenders.base import Contender
from ratchet.contenders.rows import PartedRows
from ratchet.errors import WorkspaceError
from ratchet.gate.evidence import Evidence
from ratchet.gate.ledger import CHALLENGE, ROOT, ROUND, Ledger, Record
from ratchet.gate.legacy import words as words_before
from ratchet.gate.metrics import Score, named
from ratchet.gate.verdict import Claim, Kind, Round, Verdict, compare
from ratchet.predictions import pair_files
from ratchet.prepare.saved import ROWS
from ratchet.report import ReportData, save
from ratchet.report.summary import Json
from ratchet.versions.log import log
from ratchet.workspace.finished import load_json
from ratchet.workspace.workspace import Workspace


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
                runs[body["run"]]["test"] = _shown(Score(**test))
    return list(runs.values())


def _shown(score: Score) -> str:
    """A score with its interval, with four decimals where it is a share."""
    value, low, high = (
        f"{one:.4f}" if named(score.metric)[0].unit == "points" else f"{one:.4g}" for one in score.shown
    )
    return f"{value} [{low}, {high}]"


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
    "list_records",
    "list_runs",
    "load_summary",
]
