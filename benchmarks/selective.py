"""Is the promised error rate kept? 200 resamples of real tables: the tested threshold, and what people take without a test.

    python benchmarks/selective.py [--corpora FOLDER] [--rows N] [--resamples N] [--tables A,B]

A table's rows are answered out of fold by logistic regression over n-grams (no copy or near-copy of a row is in the folds that
answer it). These answers are the world: its error rate from a threshold on is known. Each resample draws ``--rows`` of them
with replacement, chooses a threshold by them alone, and the promise is kept where the world's error rate among what that
threshold answers is at most the wanted one. Beside it stand: the usual "probability over .9", and the loosest threshold whose
error on the drawn rows is at most the wanted one, which is what is chosen where nobody tests. Drawn rows are independent, so
each is a unit of its own here; what units do is simulated in tests/gate/test_selective.py.

The second table is the whole procedure, on ``--served`` draws of ``--rows`` rows without replacement, in whole units: folds are
answered out of fold, these answers choose the threshold, the model is fitted once more on all of the rows, and the promise is
kept where that model's error rate, on all rows of other units, is at most the wanted one. Writes
benchmarks/results/selective.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
from regret import Table, tables
from run_all import machine

from ratchet.gate.selective import NAIVE, choose_threshold, grid
from ratchet.metrics.proportions import wilson
from ratchet.models.linear_defaults import default_specs
from ratchet.models.linear_fit import fit_linear
from ratchet.prepare.split import split
from ratchet.recipe.sections import BlendSpec, LinearSpec, SplitConfig
from ratchet.tables.dataset import Dataset, Roles

PAGE = Path(__file__).parent / "results" / "selective.md"
NAMES = ("reviews", "banking77", "sms")
WANTED = (0.01, 0.02, 0.05, 0.1)
SERVED = ("reviews",)
"""Those with rows enough to judge on beside the rows that are drawn, and models that are fitted in a second."""
FOLDS = 5
Rule = Callable[[np.ndarray, np.ndarray, float], float | None]


@dataclass(frozen=True, kw_only=True)
class Known:
    """A table, each text once, its folds and units, and how it is answered."""

    texts: list[str]
    truth: np.ndarray
    spec: LinearSpec | BlendSpec
    fold: np.ndarray
    unit: np.ndarray

    @classmethod
    def of(cls, table: Table, *, name: str) -> Known:
        once = {" ".join(text.casefold().split()): (text, label) for text, label in zip(*table, strict=True)}
        once.pop("", None)
        texts, labels = (list(column) for column in zip(*sorted(once.values()), strict=True))
        cells = pa.table({"text": pa.array(texts, pa.string()), "label": pa.array(labels, pa.string())})
        index = np.arange(len(texts))
        dataset = Dataset(
            table=cells, roles=Roles(text="text", label="label"), files=("t",), file_index=index * 0, origin=index + 1
        )
        parts = split(dataset, config=SplitConfig(test=0.001), seed=7)
        names = sorted(set(labels))
        specs = default_specs("zh" if name == "reviews" else "en", n_rows=len(texts), n_labels=len(names))
        unit = index if parts.unit is None else np.unique(parts.unit, return_inverse=True)[1]
        truth = np.array([names.index(label) for label in labels])
        return cls(texts=texts, truth=truth, spec=specs["tfidf-lr"], fold=parts.fold, unit=unit)

    def answers(self, seen: np.ndarray, held: np.ndarray, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Confidence, and whether the answer is right, of the held rows by a model of those that it has seen."""
        labels = [f"{label:04d}" for label in self.truth[seen]]
        model = fit_linear([self.texts[i] for i in seen], labels, spec=self.spec, seed=seed)
        shares = model.predict([self.texts[i] for i in held])
        given = np.array([int(label) for label in model.labels])[shares.argmax(axis=1)]
        return shares.max(axis=1).astype(np.float64), given == self.truth[held]

    def world(self) -> tuple[np.ndarray, np.ndarray]:
        """The answers to all rows, out of fold."""
        confidence, right = np.zeros(len(self.texts)), np.zeros(len(self.texts), bool)
        for one in range(FOLDS):
            held = self.fold == one
            confidence[held], right[held] = self.answers(
                np.flatnonzero(~held & (self.fold >= 0)), np.flatnonzero(held), seed=7
            )
        dev = self.fold >= 0
        return confidence[dev], right[dev]


def tested(confidence: np.ndarray, right: np.ndarray, wanted: float) -> float | None:
    return choose_threshold(confidence, right, error=wanted).threshold


def usual(*_: object) -> float | None:
    return NAIVE


def seems(confidence: np.ndarray, right: np.ndarray, wanted: float) -> float | None:
    """The loosest threshold of the same grid whose error on these rows is at most the wanted one."""
    found = None
    for threshold in grid():
        taken = confidence >= threshold
        if taken.any() and (~right[taken]).mean() <= wanted:
            found = float(threshold)
    return found


RULES: dict[str, Rule] = {"tested (ratchet)": tested, "probability over .9": usual, "seems to do": seems}


def line(
    name: str, wanted: float, rule: str, thresholds: list[float | None], outcomes: list[tuple[float, float]]
) -> str:
    """How often the promise was kept; a rule that answers nothing keeps it."""
    errors, shares = (np.array(side) for side in zip(*outcomes, strict=True))
    kept = int((errors <= wanted + 1e-12).sum())
    low, high = wilson(kept, len(errors))
    none = sum(threshold is None for threshold in thresholds)
    return (
        f"| {name} | {wanted:.0%} | {rule} | {kept / len(errors):.1%} [{low:.1%}, {high:.1%}] | {errors.mean():.2%} | "
        f"{errors.max():.2%} | {shares.mean():.1%} | {none} |"
    )


def at(threshold: float | None, confidence: np.ndarray, right: np.ndarray) -> tuple[float, float]:
    """The error among what is answered, and the share that is; both 0 where nothing is."""
    taken = confidence >= threshold if threshold is not None else np.zeros(len(confidence), bool)
    return (float((~right[taken]).mean()) if taken.any() else 0.0), float(taken.mean())


def resampled(
    world: tuple[np.ndarray, ...], rule: Rule, *, wanted: float, rows: int, resamples: int, name: str, label: str
) -> str:
    confidence, right = world
    rng = np.random.default_rng(7)
    thresholds = []
    for _ in range(resamples):
        drawn = rng.integers(len(confidence), size=rows)
        thresholds.append(rule(confidence[drawn], right[drawn], wanted))
    return line(name, wanted, label, thresholds, [at(one, confidence, right) for one in thresholds])


def served(known: Known, *, rows: int, repeats: int, name: str) -> list[str]:
    """The threshold of the rows' out-of-fold answers, with the model that is fitted to all of them, judged on the others."""
    rng, found = np.random.default_rng(8), {wanted: ([], []) for wanted in WANTED}
    for seed in range(repeats):
        order = rng.permutation(int(known.unit.max()) + 1)[known.unit]
        drawn = np.argsort(order, kind="stable")[:rows]
        drawn = np.flatnonzero(order < order[drawn].max())  # whole units
        others = np.setdiff1d(np.arange(len(order)), drawn)
        fold = order[drawn] % FOLDS
        confidence, right = np.zeros(len(drawn)), np.zeros(len(drawn), bool)
        for one in range(FOLDS):
            held = fold == one
            confidence[held], right[held] = known.answers(drawn[~held], drawn[held], seed=seed)
        on_others = known.answers(drawn, others, seed=seed)
        for wanted, (thresholds, outcomes) in found.items():
            choice = choose_threshold(confidence, right, error=wanted, unit=known.unit[drawn])
            thresholds.append(choice.threshold)
            outcomes.append(at(choice.threshold, *on_others))
    return [line(name, wanted, "tested (ratchet)", *both) for wanted, both in found.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpora", type=Path)
    parser.add_argument("--rows", type=int, default=4_000)
    parser.add_argument("--resamples", type=int, default=200)
    parser.add_argument("--served", type=int, default=30)
    parser.add_argument("--tables", default=",".join(NAMES))
    asked = parser.parse_args()
    found = tables(asked.corpora)
    known = {name: Known.of(found[name](), name=name) for name in asked.tables.split(",") if name in found}
    worlds = {name: one.world() for name, one in known.items()}
    command = (
        f"python benchmarks/selective.py --corpora FOLDER --rows {asked.rows} --resamples {asked.resamples} "
        f"--served {asked.served} --tables {','.join(worlds)}"
    )
    head = (
        "| table | wanted | threshold | kept [95 %] | mean error | worst | answered | no threshold |\n"
        + "|---" * 8
        + "|"
    )
    lines = [
        "# Selective answers: is the promise kept?\n",
        f"{datetime.now(UTC):%Y-%m-%d}, `{command}`, {machine()}.\n",
        "Promised with probability .95: at most the wanted share of what is answered is wrong. *kept*: resamples in which that",
        "holds in the world that the rows were drawn from (Wilson's interval); *mean error*, *worst*: that error over the",
        "resamples; *answered*: the mean share of rows answered; *no threshold*: resamples that leave everything to people.",
        "Probabilities are those of the model as it is, without a temperature.\n",
        "Worlds: "
        + "; ".join(f"{name} {len(w[0]):,} rows, {w[1].mean():.1%} right" for name, w in worlds.items())
        + ".\n",
        f"## {asked.resamples} resamples of {asked.rows:,} rows\n",
        head,
    ]
    for name, world in worlds.items():
        for wanted in WANTED:
            for label, rule in RULES.items():
                lines.append(
                    resampled(
                        world, rule, wanted=wanted, rows=asked.rows, resamples=asked.resamples, name=name, label=label
                    )
                )
                print(lines[-1], flush=True)
    lines += [
        f"\n## The model that is served: {asked.served} tables of about {asked.rows:,} rows\n",
        "Chosen out of fold, fitted once more on all rows, judged on all rows of other units (near-copies).\n",
        head,
    ]
    for name in (name for name in SERVED if name in known):
        lines += served(known[name], rows=asked.rows, repeats=asked.served, name=name)
        print(*lines[-len(WANTED) :], sep="\n", flush=True)
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
