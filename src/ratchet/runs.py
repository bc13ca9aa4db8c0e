"""What a workspace remembers: its runs, its ledger, and its models side by side."""

from __future__ import annotations

from pathlib import Path

from ratchet.compare.files import compare_files
from ratchet.compare.question import Comparison, Question, judged
from ratchet.contenders.base import Contender
from ratchet.contenders.rows import PartedRows
from ratchet.errors import DataError, WorkspaceError
from ratchet.gate.ledger import CHALLENGE, ROOT, ROUND, Ledger, Record
from ratchet.gate.legacy import words as words_before
from ratchet.gate.verdict import Round
from ratchet.metrics.evidence import Evidence
from ratchet.metrics.metrics import Score, named
from ratchet.prepare.saved import ROWS
from ratchet.report import ReportData, save
from ratchet.report.summary import Json
from ratchet.stages.entrants import family_of
from ratchet.tasks.task import Task
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


def compare_named(challenger: str, champion: str, *, workspace: Path, question: Question | None = None) -> Comparison:
    """Judge two models of the workspace, or two files of answers; the ledger is not touched.

    Args:
        challenger: a file or a folder of answers, with its part behind a ``#``; or the name of a model, or a run for its
            champion. ``champion`` likewise.
        workspace: where models are.
        question: by what, and how; the first metric of the task when absent.

    Raises:
        RatchetError: one is unknown, or they were not scored on the same rows.
    """
    question = question or Question()
    there = [_is_answers(workspace, name) for name in (challenger, champion)]
    if all(there):
        return compare_files(challenger, champion, question)
    if any(there):
        lost, found = (challenger, champion) if there[1] else (champion, challenger)
        raise DataError(
            f"{lost} must be a file of answers, as {found} is, but is not there.",
            next_step="Check the path. A model is compared with a model, a file with a file.",
        )
    (first, task), (second, _) = (_named(workspace, name) for name in (challenger, champion))
    return judged(first, second, question=question, metrics=question.metrics or task.metrics[:1], task=task.name)


def _is_answers(root: Path, name: str) -> bool:
    """Whether it is a file, with a part behind a ``#`` or without, or a folder that is called as no model is."""
    path = Path(name) if Path(name).exists() else Path(name.partition("#")[0])
    return path.is_file() or (path.is_dir() and name not in _models(root))


def _models(root: Path) -> dict[str, tuple[str, str]]:
    """Key and family of the newest contender of each name; none without a ledger."""
    ledger = Workspace(root).ledger
    known: dict[str, tuple[str, str]] = {}
    for record in Ledger(ledger).records() if ledger.is_file() else ():
        body = record.body
        entered = [body["contender"]] if record.kind == ROOT else []
        entered += [body["challenger"]] if record.kind == CHALLENGE else []
        entered += [entry["challenger"] for entry in body["challenges"]] if record.kind == ROUND else []
        for contender in entered:
            known[contender["name"]] = (contender["key"], body["family"])
    return known


def _named(root: Path, name: str) -> tuple[Evidence, Task]:
    """Evidence of the newest contender with this name, or of the champion of a run, and its task."""
    workspace = _workspace(root)
    records = Ledger(workspace.ledger).records()
    started = {r.body["run"] for r in records if r.kind == "run-started"}
    if name == "last" or name in started:
        name = str(load_summary(root, name)["champion"])
    known = _models(root)
    if name not in known:
        raise WorkspaceError(
            f"A model must be one of {', '.join(known) or 'none yet'}, a run, or a file but got {name!r}.",
            next_step="`ratchet show` lists them.",
        )
    key, family = known[name]
    rows = _rows_of(workspace, family)
    return Contender.load(workspace.models / key).evidence(rows), rows.task


def _rows_of(workspace: Workspace, family: str) -> PartedRows:
    """The rows that a family was judged on; of equal rows those of its task and features."""
    alike = []
    for folder in sorted(workspace.data.glob("rows-*")):
        facts = load_json(folder / "facts.json", keys={"hash": str})
        if family.split("-")[1] == facts["hash"][:16] and (folder / ROWS).is_file():
            alike.append(PartedRows.load(folder))
    if not alike:
        raise WorkspaceError(
            f"The prepared rows of {family} must be in {workspace.data} but are not.", next_step="Run again."
        )
    return next((rows for rows in alike if family_of(rows) == family), alike[0])


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
