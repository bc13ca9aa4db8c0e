"""Whether rows that the champion labels surely itself make it better: the baseline, at several confidences.

    python benchmarks/pseudo_labels.py ../shared/corpora [--seeds 4]

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
from label_filter import RESULTS, Make, points, rows_of, scored, unchanged
from regret import Table, banking, sms
from run_all import command, machine

from ratchet.contenders.change import Changing
from ratchet.contenders.material import Material, NothingMade
from ratchet.contenders.pseudo import Pseudo
from ratchet.contenders.rows import Ints
from ratchet.recipe.augment import PseudoSpec

LEVELS = (0.5, 0.7, 0.9)
UNLABELLED, TEST = 2_000, 2_500


def labelled(level: float) -> Make:
    """Unlabelled rows beside the others, whose label is so sure."""
    spec = PseudoSpec(confidence=level, cap=None)

    def make(changing: Changing, seen: Ints, held_out: Ints) -> Material:
        try:
            return Pseudo().material(spec, changing, seen, held_out=held_out)
        except NothingMade:
            print("nothing is so sure")
            return Material(rows=seen)

    return make


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
            accuracy, f1, material = scored(rows, seed, unchanged if level is None else labelled(level))
            hits = [truth[text] == label for text, label in zip(material.texts, material.labels, strict=True)]
            share = float(np.mean(hits)) if hits else math.nan
            found.setdefault(level, []).append((accuracy, f1, len(hits), share))
            print(name, train, seed, level, found[level][-1], flush=True)
    lines = []
    for level, runs in found.items():
        _, _, counts, shares = np.array(runs).T
        right = f"{np.nanmean(shares):.1%}" if counts.any() else ""
        said = "none" if level is None else f"from {level}"
        cells = [name, f"{train:,}", said, f"{counts.mean():,.0f}", right, points(runs, found[None])]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--seeds", type=int, default=4)
    args = parser.parse_args()
    lines = [
        *measured("sms_spam", sms(args.corpora), 300, args.seeds),
        *measured("banking77", banking(args.corpora), 800, args.seeds),
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
