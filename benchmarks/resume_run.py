"""A whole `ratchet run`, several folds of a linear model and of an encoder, killed at random moments: what it leaves."""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

from resume_trainings import rows_of

RECIPE = """
name: killed
threads: 1
data: {{files: [table.csv]}}
workspace: {workspace}
gate: {{margin: 0.05}}
challengers:
- {{kind: linear, name: wide, features: [{{unit: char, low: 1, high: 3, sublinear: true}}]}}
- {{kind: encoder, name: small, source: scratch, layers: 2, width: 64, heads: 2, vocabulary: 600, epochs: 3, dropout: 0.1}}
- {{kind: eda, name: eda}}
compress: {{methods: [int8]}}
"""
OF_A_RUN = {
    "run",
    "started",
    "finished",
    "seconds",
    "time",
    "at",
    "id",
    "hash",
    "prev",
    "seq",
    "stages",
    "p50_ms",
    "p95_ms",
}
OF_A_RUN |= {"records", "head", "ledger_records", "ledger_head"}
"""Keys whose values are times, or say which of the runs wrote them and how many starts there were."""
_RUN, _STAMP = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}"), re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(\+00:00|Z)?")
_SPEED = re.compile(r"[\d,]+ tokens/s")
FILES = ("summary", "report")
OF_A_START = ("run-started", "run-failed", "skipped")
"""Records that every start writes."""


def killed_run(args: argparse.Namespace) -> dict[str, Any]:
    """Kill it until it was killed often enough, let it end, and compare it with the one that was never killed."""
    place: Path = args.place / "run"
    place.mkdir(parents=True)
    _table(args, place / "table.csv")
    begun = time.perf_counter()
    assert _life(place, "whole", after=None) == 0
    whole, dice, kills = time.perf_counter() - begun, random.Random(args.seed), 0
    begun = time.perf_counter()
    while kills < args.kills:
        assert _life(place, "cut", after=dice.uniform(0.05, 0.4) * whole) != 0, f"it ended after {kills} kills"
        kills += 1
    assert _life(place, "cut", after=None) == 0
    took = time.perf_counter() - begun
    one, other = place / "whole", place / "cut"
    return {
        "kills": kills,
        "seconds whole": round(whole, 1),
        "seconds killed": round(took, 1),
        **compared(one, other),
        "left over": [str(path) for path in other.rglob(".*.new-*")],
    }


def compared(one: Path, other: Path) -> dict[str, list[str]]:
    """What differs between two workspaces, times and names of runs apart."""
    return {
        "ledger": _differences(_ledger(one), _ledger(other)),
        **{name: _differences(_newest(one, f"{name}.json"), _newest(other, f"{name}.json")) for name in FILES},
        "bundle": _differences(_bundle(one), _bundle(other)),
    }


def _table(args: argparse.Namespace, path: Path) -> None:
    import csv

    texts, names = rows_of(argparse.Namespace(**{**vars(args), "rows": 100_000}))
    kept = sorted(set(names))[:6]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows(row for row in zip(texts, names, strict=True) if row[1] in kept)


def _life(place: Path, workspace: str, *, after: float | None) -> int:
    recipe = place / f"{workspace}.yaml"
    recipe.write_text(RECIPE.format(workspace=workspace), encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "ratchet", "run", str(recipe)],
        env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        return process.wait(timeout=after)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.wait()


def _read(workspace: Path, text: str) -> str:
    """A file without what names the run or the place."""
    text = text.replace(str(workspace), "PLACE")
    return _SPEED.sub("SPEED", _STAMP.sub("TIME", _RUN.sub("RUN", text)))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items() if key not in OF_A_RUN}
    return [_plain(one) for one in value] if isinstance(value, list) else value


def _ledger(workspace: Path) -> list[Any]:
    text = _read(workspace, (workspace / "ledger.jsonl").read_text(encoding="utf-8"))
    lines = (json.loads(line) for line in text.splitlines())
    return [_plain(line) for line in lines if line["kind"] not in OF_A_START]


def _newest(workspace: Path, name: str) -> Any:
    return _plain(json.loads(_read(workspace, max(workspace.glob(f"runs/*/{name}")).read_text(encoding="utf-8"))))


def _bundle(workspace: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path in sorted(path for path in (workspace / "bundles").rglob("*") if path.is_file()):
        data = path.read_bytes()
        found[path.relative_to(workspace).as_posix()] = (
            _plain(json.loads(_read(workspace, data.decode()))) if path.suffix == ".json" else sha256(data).hexdigest()
        )
    return found


def _differences(one: Any, other: Any, *, at: str = "") -> list[str]:
    """Where two values differ, and how."""
    if one == other:
        return []
    if isinstance(one, dict) and isinstance(other, dict):
        pairs = [(f"{at}.{key}", one.get(key), other.get(key)) for key in {**one, **other}]
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = [(f"{at}[{place}]", *pair) for place, pair in enumerate(zip(one, other, strict=True))]
    else:
        return [f"{at}: {str(one)[:200]} / {str(other)[:200]}"]
    return [line for place, left, right in pairs for line in _differences(left, right, at=place)]
