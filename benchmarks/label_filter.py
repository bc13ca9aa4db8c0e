"""Whether easy data augmentation is better where a model that never saw the parent must bear out the label of a new text.

    python benchmarks/label_filter.py ../shared/corpora/banking77 ../shared/corpora/sms_spam [--seeds 4]

The baseline (TF-IDF with logistic regression) is trained on some rows, with and without new ones, and scored on rows that no
training saw. Figures are the mean over draws of the training rows, and the standard error of the difference to no new rows,
which is paired by draw. Writes benchmarks/results/label_filter.md.
"""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
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
Table = tuple[list[str], list[str]]


def banking(folder: Path) -> Table:
    rows = [
        row
        for name in ("train.csv", "test.csv")
        for row in csv.DictReader((folder / name).open(encoding="utf-8", newline=""))
    ]
    return [row["text"] for row in rows], [row["category"] for row in rows]


def spam(folder: Path) -> Table:
    lines = (folder / "SMSSpamCollection").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("\t")[:2] for line in lines if "\t" in line]
    return [text for _, text in pairs], [label for label, _ in pairs]


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


def scored(rows: PartedRows, level: float | None, seed: int) -> tuple[float, float, int]:
    """Accuracy and macro F1 on the rows that nobody saw, and how many new rows there were."""
    changing = Changing(rows=rows, seed=seed, threads=1)
    learner, seen, out = Learner.of(changing), rows.parts.train, rows.parts.valid
    material = Material(rows=seen)
    if level is not None:
        spec = EdaSpec(copies=COPIES, filters=AugmentFilters(label=level))
        material = Augmented(Eda()).material(spec, changing, seen, held_out=out)

    def change(rows: Ints, *, held_out: Ints) -> Material:
        del rows, held_out
        return material

    training = replace(training_in(changing, rows, kind="linear"), change=change)
    given = learner.kind.tried(learner.spec, training).argmax(axis=1)
    right = rows.truth[out]
    return float((given == right).mean()), float(f1_score(right, given, average="macro")), len(material.texts)


def measured(name: str, table: Table, train: int, test: int, seeds: int) -> list[str]:
    """Lines of the result."""
    texts, labels = table
    found: dict[float | None, list[tuple[float, float, int]]] = {}
    for seed in range(seeds):
        order = np.random.default_rng(seed).permutation(len(texts))[: train + test]
        rows = rows_of([texts[row] for row in order], [labels[row] for row in order], train)
        for level in (None, *LEVELS):
            found.setdefault(level, []).append(scored(rows, level, seed))
            print(name, train, seed, level, found[level][-1], flush=True)
    lines = []
    plain = np.array(found[None])
    for level, runs in found.items():
        values = np.array(runs)
        gain = values[:, :2] - plain[:, :2]
        error = gain.std(axis=0, ddof=1) / math.sqrt(len(gain))
        said = "no new rows" if level is None else "EDA, no label filter" if not level else f"EDA, label {level}"
        told = [
            f"{values[:, at].mean():.1%} ({100 * gain[:, at].mean():+.2f} ± {100 * error[at]:.2f})" for at in (0, 1)
        ]
        lines.append(f"| {name} | {train:,} | {said} | {values[:, 2].mean():,.0f} | {told[0]} | {told[1]} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("banking77", type=Path)
    parser.add_argument("sms_spam", type=Path)
    parser.add_argument("--seeds", type=int, default=4)
    args = parser.parse_args()
    lines = [
        *measured("sms_spam", spam(args.sms_spam), 300, 3_000, args.seeds),
        *measured("banking77", banking(args.banking77), 800, 3_000, args.seeds),
        *measured("banking77", banking(args.banking77), 2_500, 3_000, args.seeds),
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
