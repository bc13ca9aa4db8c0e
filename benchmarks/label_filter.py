"""Whether easy data augmentation is better where a model that never saw the parent must bear out the label of a new text.

    python benchmarks/label_filter.py ../shared/corpora [--seeds 4]

The baseline (TF-IDF with logistic regression) is trained on some rows, with and without new ones, and scored on rows that no
training saw. Figures are the mean over draws of the training rows, and the standard error of the difference to no new rows,
which is paired by draw. Writes benchmarks/results/label_filter.md.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
from regret import Table, banking, sms
from run_all import command, machine
from sklearn.metrics import f1_score

from ratchet.augment.eda import Eda
from ratchet.contenders.augmented import Augmented
from ratchet.contenders.change import Changing
from ratchet.contenders.labeller import Learner, training_in
from ratchet.contenders.material import Material
from ratchet.contenders.rows import Ints, PartedRows
from ratchet.prepare.parts import parts_of
from ratchet.recipe.augment import AugmentFilters, EdaSpec
from ratchet.tables.dataset import Dataset, Roles
from ratchet.tasks.registry import task_of

RESULTS = Path(__file__).parent / "results"
COPIES = 2
LEVELS = (0.0, 0.3, 0.5, 0.7)
Make = Callable[[Changing, Ints, Ints], Material]
"""What a model is trained on, by the rows that it may see and those that it is to predict."""


def rows_of(texts: Sequence[str], labels: Sequence[str], train: int) -> PartedRows:
    """The first rows are the train part, in four folds; the others are what is predicted."""
    dataset = Dataset(
        table=pa.table({"text": list(texts), "label": list(labels)}),
        roles=Roles(text="text", label="label"),
        files=("table",),
        file_index=np.zeros(len(texts), np.int64),
        origin=np.arange(1, len(texts) + 1),
    )
    fold = np.where(np.arange(len(texts)) < train, 1 + np.arange(len(texts)) % 4, 0)
    parts = parts_of(dataset, fold, labelled=False)
    return PartedRows(dataset=dataset, parts=parts, language="en", seal="", key="rows", task=task_of("classification"))


def unchanged(changing: Changing, seen: Ints, held_out: Ints) -> Material:
    """The rows as they are."""
    del changing, held_out
    return Material(rows=seen)


def scored(rows: PartedRows, seed: int, make: Make) -> tuple[float, float, Material]:
    """Accuracy and macro F1 on the rows that nobody saw, and what was trained on."""
    changing = Changing(rows=rows, seed=seed, threads=1)
    learner, out = Learner.of(changing), rows.parts.valid
    material = make(changing, rows.parts.train, out)

    def change(rows: Ints, *, held_out: Ints) -> Material:
        del rows, held_out
        return material

    training = replace(training_in(changing, rows, kind="linear"), change=change)
    given = learner.kind.tried(learner.spec, training).argmax(axis=1)
    right = rows.truth[out]
    return float((given == right).mean()), float(f1_score(right, given, average="macro")), material


def points(runs: Sequence[tuple[float, ...]], plain: Sequence[tuple[float, ...]]) -> str:
    """Accuracy and macro F1, and their gain over the plain runs of the same draws, as cells of a table."""
    values = np.array(runs)[:, :2]
    gain = values - np.array(plain)[:, :2]
    error = gain.std(axis=0, ddof=1) / math.sqrt(len(gain))
    return " | ".join(
        f"{values[:, at].mean():.1%} ({100 * gain[:, at].mean():+.2f} ± {100 * error[at]:.2f})" for at in (0, 1)
    )


def augmented(level: float) -> Make:
    """Rows of easy data augmentation beside the others, whose label is borne out so far."""
    spec = EdaSpec(copies=COPIES, filters=AugmentFilters(label=level))

    def make(changing: Changing, seen: Ints, held_out: Ints) -> Material:
        return Augmented(Eda()).material(spec, changing, seen, held_out=held_out)

    return make


def measured(name: str, table: Table, train: int, seeds: int, *, test: int = 3_000) -> list[str]:
    """Lines of the result."""
    texts, labels = table
    found: dict[float | None, list[tuple[float, float, int]]] = {}
    for seed in range(seeds):
        order = np.random.default_rng(seed).permutation(len(texts))[: train + test]
        rows = rows_of([texts[row] for row in order], [labels[row] for row in order], train)
        for level in (None, *LEVELS):
            accuracy, f1, material = scored(rows, seed, unchanged if level is None else augmented(level))
            found.setdefault(level, []).append((accuracy, f1, len(material.texts)))
            print(name, train, seed, level, found[level][-1], flush=True)
    lines = []
    for level, runs in found.items():
        said = "no new rows" if level is None else "EDA, no label filter" if not level else f"EDA, label {level}"
        new = np.mean([count for *_, count in runs])
        lines.append(f"| {name} | {train:,} | {said} | {new:,.0f} | {points(runs, found[None])} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--seeds", type=int, default=4)
    args = parser.parse_args()
    lines = [
        *measured("sms_spam", sms(args.corpora), 300, args.seeds),
        *measured("banking77", banking(args.corpora), 800, args.seeds),
        *measured("banking77", banking(args.corpora), 2_500, args.seeds),
    ]
    head = [
        "# A label filter for easy data augmentation",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, `{command()}`, {machine()}.",
        "",
        f"EDA with {COPIES} copies; {args.seeds} draws of the training rows; in brackets points over no new rows ± their "
        "standard error.",
        "",
        "| table | training rows | | new rows | accuracy | macro F1 |",
        "|---|---|---|---|---|---|",
    ]
    (RESULTS / "label_filter.md").write_text("\n".join([*head, *lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
