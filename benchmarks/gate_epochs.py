"""What counting every answer as a row does, where each item was asked several times.

    python benchmarks/gate_epochs.py [--quick]

Two equally good models answer 200 items 5 times each. Whether a model knows an item varies from item to item, and its five
answers are alike. The share of comparisons that call the challenger better has to be at most 5 %: with items as rows
(`epochs.mean_of_epochs`), and with answers as rows that `Evidence.unit` keeps together, but not with answers as rows that
stand alone. Writes benchmarks/results/gate_epochs.md.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
from run_all import machine

from ratchet.gate.epochs import mean_of_epochs
from ratchet.gate.verdict import compare
from ratchet.metrics.evidence import Evidence

RESULTS = Path(__file__).parent / "results"
ITEMS, EPOCHS, DRAWS = 200, 5, 499
WAYS = {
    "answers as rows, each alone": "alone",
    "answers as rows, `unit` the item": "units",
    "items as rows, `mean_of_epochs`": "items",
}


def null_run(way: str, seed: int) -> bool:
    """Whether the challenger is called better; ``way`` says what is a row."""
    rng = np.random.default_rng(seed)
    item = np.repeat(np.arange(ITEMS), EPOCHS)
    hard = rng.normal(size=ITEMS)
    sides = []
    for name in ("b", "a"):
        knows = 1 / (1 + np.exp(-(0.8 + hard + 3 * rng.normal(size=ITEMS))))  # of each item, by this model
        right = (rng.random(len(item)) < knows[item]).astype(np.float64)
        rows, outcomes = np.arange(len(item)), {"exact_match": right}
        if way == "items":
            rows, outcomes = mean_of_epochs(item, outcomes)
        unit = item if way == "units" else None
        sides.append(Evidence(name=name, rows=rows, targets={"reference": rows}, outcomes=outcomes, unit=unit))
    return compare(sides[0], sides[1], ["exact_match"], seed=seed, draws=DRAWS).promotes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a fifth of the repeats")
    repeats = 800 if parser.parse_args().quick else 4_000
    started, lines = time.time(), [f"{ITEMS} items, {EPOCHS} answers to each, {repeats:,} comparisons.\n"]
    lines.append("| what is a row | called better | standard error | |\n|---|---|---|---|")
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for title, way in WAYS.items():
            share = sum(pool.map(partial(null_run, way), range(repeats), chunksize=50)) / repeats
            error = math.sqrt(share * (1 - share) / repeats)
            lines.append(f"| {title} | {share:.1%} | {error:.1%} | {'above 5 %' if share - 2 * error > 0.05 else ''} |")
    lines.append(f"\n{time.time() - started:.0f} s.")
    print("\n".join(lines))
    head = f"# Several answers to one item\n\n{datetime.now(UTC):%Y-%m-%d}, "
    head += f"`python benchmarks/gate_epochs.py`, {machine()}.\n\n"
    if repeats == 4_000:
        (RESULTS / "gate_epochs.md").write_text(head + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
