"""What `ratchet compare` makes of several answers to a row, and what counting each answer as a row would make of them.

    python benchmarks/compare_epochs.py [--quick]

Two equally good models answer 200 rows 5 times each, as in gate_epochs.py; here the answers go through files and the very
function that the command calls. Once the files number the answers in a column `epoch`, once each answer has an id of its own,
as a row would. The share of comparisons that end in `better` has to be at most 5 %. Writes
benchmarks/results/compare_epochs.md.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
from run_all import machine

from ratchet.compare.files import compare_files
from ratchet.compare.question import Question

RESULTS = Path(__file__).parent / "results"
ROWS, EPOCHS, REPEATS = 200, 5, 600
WAYS = {"each answer an id of its own": False, "a column `epoch`: the row is the unit": True}


def called_better(numbered: bool, seed: int) -> bool:
    """Whether the first of two equally good models is called better."""
    rng = np.random.default_rng(seed)
    hard = rng.normal(size=ROWS)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("b.csv", "a.csv")]
        for path in paths:
            knows = 1 / (1 + np.exp(-(0.8 + hard + 3 * rng.normal(size=ROWS))))  # of each row, by this model
            right = rng.random((ROWS, EPOCHS)) < knows[:, None]
            with path.open("w", newline="", encoding="utf-8") as file:
                table = csv.writer(file)
                table.writerow(["id", "reference", "output", *(["epoch"] if numbered else [])])
                for row in range(ROWS):
                    for epoch in range(EPOCHS):
                        said = "yes" if right[row, epoch] else "no"
                        table.writerow([row, "yes", said, epoch] if numbered else [f"{row}-{epoch}", "yes", said])
        question = Question(task="generation", metrics=("exact_match",), seed=seed)
        return compare_files(str(paths[0]), str(paths[1]), question).verdict.outcome == "better"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the repeats")
    repeats = REPEATS // 10 if parser.parse_args().quick else REPEATS
    started, lines = time.time(), [f"{ROWS} rows, {EPOCHS} answers to each, {repeats:,} comparisons of two files.\n"]
    lines.append("| the files | called better | standard error | |\n|---|---|---|---|")
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for title, numbered in WAYS.items():
            share = sum(pool.map(partial(called_better, numbered), range(repeats), chunksize=10)) / repeats
            error = math.sqrt(share * (1 - share) / repeats)
            lines.append(f"| {title} | {share:.1%} | {error:.1%} | {'above 5 %' if share - 2 * error > 0.05 else ''} |")
    lines.append(f"\n{time.time() - started:.0f} s.")
    print("\n".join(lines))
    head = f"# Several answers to a row, in files\n\n{datetime.now(UTC):%Y-%m-%d}, "
    head += f"`python benchmarks/compare_epochs.py`, {machine()}.\n\n"
    if repeats == REPEATS:
        (RESULTS / "compare_epochs.md").write_text(head + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
