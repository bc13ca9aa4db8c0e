"""How many planted label errors does the review queue hold, and how many of its rows are planted ones?

    python benchmarks/review_queue.py [--corpora FOLDER] [--peers PYTHON] [--rows N] [--seeds N]

In each table 5 % of the labels are changed to another one, drawn evenly. The queue is that of `ratchet check --queue`; with
--peers, the interpreter of an environment that has cleanlab, its ``find_label_issues`` (defaults, ranked by self-confidence)
gets the same out-of-fold probabilities. Tables have errors of their own, which count as false alarms here, so precision is a
lower bound. Writes benchmarks/results/review_queue.md.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
from regret import Table, tables
from run_all import machine

from ratchet.checks import Context
from ratchet.checks.baseline_scores import baseline_scores
from ratchet.checks.label_noise import suspects_of
from ratchet.recipe.sections import Recipe
from ratchet.tables.dataset import Dataset, Roles

PAGE = Path(__file__).parent / "results" / "review_queue.md"
PLANTED = 0.05
NAMES = ("reviews", "docstrings", "sms", "intents-10", "banking77")
CLEANLAB = """
import sys
import numpy as np
from cleanlab.filter import find_label_issues
given = np.load(sys.argv[1])
found = find_label_issues(given["labels"], given["probabilities"], return_indices_ranked_by="self_confidence", n_jobs=1)
rest = np.setdiff1d(np.arange(len(given["labels"])), found)
own = given["probabilities"][np.arange(len(given["labels"])), given["labels"]]
np.savez(sys.argv[2], found=found, ranked=np.concatenate([found, rest[np.argsort(own[rest], kind="stable")]]))
"""


def planted(table: Table, *, rows: int, seed: int) -> tuple[Dataset, set[int]]:
    """A sample in which some labels are wrong, and the rows of these; each text stands in it once."""
    once = sorted(
        {" ".join(text.split()): (text, label) for text, label in zip(*table, strict=True) if text.strip()}.values()
    )
    rng = np.random.default_rng(seed)
    rng.shuffle(once)
    texts, labels = (list(column) for column in zip(*once[:rows], strict=True))
    names = sorted(set(labels))
    wrong = rng.choice(len(texts), round(PLANTED * len(texts)), replace=False).tolist()
    for row in wrong:
        labels[row] = str(rng.choice([name for name in names if name != labels[row]]))
    cells = pa.table({"text": pa.array(texts, pa.string()), "label": pa.array(labels, pa.string())})
    index = np.arange(len(texts))
    dataset = Dataset(
        table=cells, roles=Roles(text="text", label="label"), files=("t",), file_index=index * 0, origin=index + 1
    )
    return dataset, set(wrong)


def figures(ranked: Sequence[int], count: int, wrong: set[int]) -> tuple[float, float, float]:
    """Precision and recall of the first ``count``, and precision of as many as are wrong."""
    hits = sum(row in wrong for row in ranked[:count])
    first = sum(row in wrong for row in ranked[: len(wrong)])
    return hits / max(count, 1), hits / len(wrong), first / len(wrong)


def cleanlab(python: str, probabilities: np.ndarray, labels: np.ndarray) -> tuple[list[int], int]:
    """What cleanlab finds: all rows, ranked, and how many of them it names."""
    with tempfile.TemporaryDirectory() as folder:
        given, found = Path(folder, "given.npz"), Path(folder, "found.npz")
        np.savez(given, labels=labels, probabilities=probabilities.astype(np.float64))
        subprocess.run([python, "-c", CLEANLAB, str(given), str(found)], check=True)
        loaded = np.load(found)
        return loaded["ranked"].tolist(), len(loaded["found"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpora", type=Path)
    parser.add_argument("--peers")
    parser.add_argument("--rows", type=int, default=6_000)
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    known = tables(asked.corpora)
    lines = [
        "# The review queue\n",
        f"{datetime.now(UTC):%Y-%m-%d}, `python benchmarks/review_queue.py --corpora FOLDER --peers PYTHON "
        f"--rows {asked.rows} --seeds {asked.seeds}`, "
        f"{machine()}.\n",
        f"{PLANTED:.0%} of the labels of each table were changed; means of {asked.seeds} draws. *first*: the share of",
        "planted errors among as many rows at the head of the ranking. Errors that the tables have of their own count as false",
        "alarms.\n",
        "| table | rows | planted | who | flagged | precision | recall | first |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in (name for name in NAMES if name in known):
        table = known[name]()
        cells: dict[str, list[tuple[float, ...]]] = {}
        for seed in range(asked.seeds):
            dataset, wrong = planted(table, rows=asked.rows, seed=seed)
            context = Context(dataset=dataset, recipe=Recipe(), seed=seed)
            bench = baseline_scores(context)
            assert bench is not None
            place = {int(row): i for i, row in enumerate(bench.first)}
            flipped = {place[row] for row in wrong if row in place}
            queue = [place[suspect.row - 1] for suspect in suspects_of(context)]
            rest = np.setdiff1d(np.arange(len(bench.first)), queue)
            own = bench.out_of_fold[np.arange(len(bench.first)), bench.truth]
            ranked = [*queue, *rest[np.argsort(own[rest], kind="stable")].tolist()]
            found = {"ratchet": (ranked, len(queue))}
            if asked.peers:
                found["cleanlab"] = cleanlab(asked.peers, bench.out_of_fold, bench.truth)
            for who, (order, count) in found.items():
                cells.setdefault(who, []).append(
                    (len(bench.first), len(flipped), count, *figures(order, count, flipped))
                )
        for who, rows in cells.items():
            mean = np.mean(rows, axis=0)
            lines.append(
                f"| {name} | {mean[0]:,.0f} | {mean[1]:,.0f} | {who} | {mean[2]:,.0f} | "
                + " | ".join(f"{share:.1%}" for share in mean[3:])
                + " |"
            )
            print(lines[-1], flush=True)
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
