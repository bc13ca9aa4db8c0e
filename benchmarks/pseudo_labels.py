"""Whether rows that the champion labels surely itself make it better: the baseline, at several confidences.

    python benchmarks/pseudo_labels.py ../shared/corpora/banking77 ../shared/corpora/sms_spam [--seeds 4]

The baseline (TF-IDF with logistic regression) is trained on some rows, with and without unlabelled rows that the labeller is
sure of, and scored on rows that no training saw. Writes benchmarks/results/pseudo_labels.md.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from label_filter import RESULTS, Table, banking, rows_of, spam
from run_all import command, machine
from sklearn.metrics import f1_score

from ratchet.contenders.change import Changing
from ratchet.contenders.labeller import Learner, training_in
from ratchet.contenders.material import Material, NothingMade
from ratchet.contenders.pseudo import Pseudo
from ratchet.contenders.rows import Ints, PartedRows
from ratchet.recipe.augment import PseudoSpec

LEVELS = (0.5, 0.7, 0.9)
UNLABELLED, TEST = 2_000, 2_500


def scored(rows: PartedRows, level: float | None, seed: int, truth: dict[str, str]) -> tuple[float, float, int, float]:
    """Accuracy and macro F1 on rows that nobody saw, how many rows were labelled, and the share labelled right."""
    changing = Changing(rows=rows, seed=seed, threads=1)
    learner, seen, out = Learner.of(changing), rows.parts.train, rows.parts.valid
    material = Material(rows=seen)
    if level is not None:
        try:
            material = Pseudo().material(PseudoSpec(confidence=level, cap=None), changing, seen, held_out=out)
        except NothingMade:
            print("nothing is so sure")

    def change(rows: Ints, *, held_out: Ints) -> Material:
        del rows, held_out
        return material

    training = replace(training_in(changing, rows, kind="linear"), change=change)
    given = learner.kind.tried(learner.spec, training).argmax(axis=1)
    right = rows.truth[out]
    hits = [truth[text] == label for text, label in zip(material.texts, material.labels, strict=True)]
    share = float(np.mean(hits)) if hits else math.nan
    return float((given == right).mean()), float(f1_score(right, given, average="macro")), len(hits), share


def measured(name: str, table: Table, train: int, seeds: int) -> list[str]:
    """Lines of the result."""
    texts, labels = table
    found: dict[float | None, list[tuple[float, float, int, float]]] = {}
    for seed in range(seeds):
        order = np.random.default_rng(seed).permutation(len(texts))
        own, more = order[: train + TEST], order[train + TEST : train + TEST + UNLABELLED]
        rows = rows_of([texts[row] for row in own], [labels[row] for row in own], train)
        given = rows_of([texts[row] for row in more], [labels[row] for row in more], len(more)).dataset
        rows, truth = replace(rows, unlabelled=given), {texts[row]: labels[row] for row in more}
        for level in (None, *LEVELS):
            found.setdefault(level, []).append(scored(rows, level, seed, truth))
            print(name, train, seed, level, found[level][-1], flush=True)
    plain, lines = np.array(found[None]), []
    for level, runs in found.items():
        values = np.array(runs)
        gain = values[:, :2] - plain[:, :2]
        error = gain.std(axis=0, ddof=1) / math.sqrt(len(gain))
        told = [
            f"{values[:, at].mean():.1%} ({100 * gain[:, at].mean():+.2f} ± {100 * error[at]:.2f})" for at in (0, 1)
        ]
        right = "" if level is None or not values[:, 2].any() else f"{np.nanmean(values[:, 3]):.1%}"
        said = "none" if level is None else f"from {level}"
        lines.append(f"| {name} | {train:,} | {said} | {values[:, 2].mean():,.0f} | {right} | {told[0]} | {told[1]} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("banking77", type=Path)
    parser.add_argument("sms_spam", type=Path)
    parser.add_argument("--seeds", type=int, default=4)
    args = parser.parse_args()
    lines = [
        *measured("sms_spam", spam(args.sms_spam), 300, args.seeds),
        *measured("banking77", banking(args.banking77), 800, args.seeds),
    ]
    head = [
        "# Pseudo-labels",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, `{command()}`, {machine()}.",
        "",
        f"{UNLABELLED:,} unlabelled rows, no cap; {args.seeds} draws of the rows; in brackets points over none ± their "
        "standard error.",
        "",
        "| table | training rows | pseudo-labels | rows labelled | of these right | accuracy | macro F1 |",
        "|---|---|---|---|---|---|---|",
    ]
    (RESULTS / "pseudo_labels.md").write_text("\n".join([*head, *lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
