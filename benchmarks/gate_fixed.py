"""False "better" when a fixed model (a prompt, a file of answers) meets a procedure that is judged out of fold.

    python benchmarks/gate_fixed.py

Tables are drawn from logistic models; the procedure is logistic regression, judged over five folds; the fixed model is the best
possible answer with a share of flips, such that both are right equally often on average over tables. Both directions are
counted, one-sided at 5 %, with the gate's own test and without its factor for what the folds share.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
from run_all import machine
from sklearn.linear_model import LogisticRegression

from ratchet.gate.verdict import compare
from ratchet.metrics.evidence import Evidence

RESULTS = Path(__file__).parent / "results"
CASES = (
    (200, 20, 0.5, 2_000),
    (200, 60, 0.8, 2_000),
    (500, 20, 0.5, 2_000),
    (500, 100, 0.5, 2_000),
    (2_000, 50, 0.3, 600),
)
LEVEL, FOLDS = 0.05, 5
Ints = npt.NDArray[np.int64]


def drawn(
    generator: np.random.Generator, n: int, width: int, strength: float
) -> tuple[npt.NDArray[np.float64], Ints, Ints]:
    """Features, labels, and the best possible answers."""
    features = generator.normal(size=(n, width))
    score = strength * features[:, :3].sum(axis=1)
    labels = (generator.random(n) < 1 / (1 + np.exp(-score))).astype(np.int64)
    return features, labels, (score > 0).astype(np.int64)


def procedure(features: npt.NDArray[np.float64], labels: Ints, fold: Ints) -> Ints:
    """Answers out of fold."""
    answers = np.zeros(len(labels), dtype=np.int64)
    for number in range(FOLDS):
        model = LogisticRegression(C=0.1).fit(features[fold != number], labels[fold != number])
        answers[fold == number] = model.predict(features[fold == number])
    return answers


def evidence(name: str, labels: Ints, answers: Ints, fold: Ints | None) -> Evidence:
    shares = np.eye(2, dtype=np.float32)[answers]
    return Evidence.of_classes(name=name, rows=np.arange(len(labels)), truth=labels, probability=shares, fold=fold)


def main() -> None:
    generator = np.random.default_rng(20_261_128)
    lines = [
        "| rows | features | accuracy | fixed `better` | procedure `better` | the same without the factor | tables |",
        "|---|---|---|---|---|---|---|",
    ]
    for n, width, strength, tables in CASES:
        fold = np.arange(n) % FOLDS
        right, best = [], []
        for _ in range(tables):
            features, labels, ideal = drawn(generator, n, width, strength)
            right.append((procedure(features, labels, fold) == labels).mean())
            best.append((ideal == labels).mean())
        accuracy, ceiling = float(np.mean(right)), float(np.mean(best))
        flips = (ceiling - accuracy) / (2 * ceiling - 1)
        counts = np.zeros(4, dtype=np.int64)
        for _ in range(tables):
            features, labels, ideal = drawn(generator, n, width, strength)
            fixed = np.where(generator.random(n) < flips, 1 - ideal, ideal)
            ours = evidence("procedure", labels, procedure(features, labels, fold), fold)
            theirs = evidence("fixed", labels, fixed, None)
            bare = evidence("procedure", labels, ours.predicted, None)
            pairs = ((theirs, ours), (ours, theirs), (theirs, bare), (bare, theirs))
            counts += [compare(one, other, ["accuracy"]).outcome == "better" for one, other in pairs]
        shares = counts / tables
        error = math.sqrt(LEVEL * (1 - LEVEL) / tables)
        told = [f"{share:.1%}" for share in shares]
        figures = f"{n:,} | {width} | {accuracy:.3f} | {told[0]} | {told[1]} | {told[2]} and {told[3]}"
        lines.append(f"| {figures} | {tables:,} (± {error:.1%}) |")
        print(lines[-1], flush=True)
    date = f"{datetime.now(UTC):%Y-%m-%d}"
    head = (
        f"# A fixed model beside a procedure\n\n{date}, `python benchmarks/gate_fixed.py`, {machine()}, level 5 %.\n\n"
    )
    (RESULTS / "gate_fixed.md").write_text(head + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
