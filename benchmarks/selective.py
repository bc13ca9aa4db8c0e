"""Is the promised error rate kept? 200 resamples of real tables: the tested threshold, and what people take without a test.

    python benchmarks/selective.py [--corpora FOLDER] [--rows N] [--resamples N] [--tables A,B]

A table's rows are answered out of fold by logistic regression over n-grams (no copy or near-copy of a row is in the folds that
answer it). These answers are the world: its error rate from a threshold on is known. Each resample draws ``--rows`` of them
with replacement, chooses a threshold by them alone, and the promise is kept where the world's error rate among what that
threshold answers is at most the wanted one. Beside it stand: the usual "probability over .9", and the loosest threshold whose
error on the drawn rows is at most the wanted one, which is what is chosen where nobody tests. Drawn rows are independent, so
each is a unit of its own here; what units do is simulated in tests/gate/test_selective.py.

The second table cuts the rows in two halves 200 times, no unit across: a threshold of one half, judged on the other, whose own
chance is in the figure. Writes benchmarks/results/selective.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
from regret import Table, tables
from run_all import machine

from ratchet.gate.proportions import wilson
from ratchet.gate.selective import NAIVE, choose_threshold, grid
from ratchet.models.linear_defaults import default_specs
from ratchet.models.linear_fit import fit_linear
from ratchet.prepare.split import split
from ratchet.recipe.sections import SplitConfig
from ratchet.tables.dataset import Dataset, Roles

PAGE = Path(__file__).parent / "results" / "selective.md"
NAMES = ("reviews", "docstrings", "banking77", "sms")
WANTED = (0.01, 0.02, 0.05, 0.1)
Rule = Callable[[np.ndarray, np.ndarray, float], float | None]


def answered(table: Table, *, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Confidence, whether the answer is right, and the unit of each row, out of fold; each text once."""
    once = {" ".join(text.casefold().split()): (text, label) for text, label in zip(*table, strict=True)}
    once.pop("", None)
    texts, labels = (list(column) for column in zip(*sorted(once.values()), strict=True))
    cells = pa.table({"text": pa.array(texts, pa.string()), "label": pa.array(labels, pa.string())})
    index = np.arange(len(texts))
    dataset = Dataset(
        table=cells, roles=Roles(text="text", label="label"), files=("t",), file_index=index * 0, origin=index + 1
    )
    parts = split(dataset, config=SplitConfig(test=0.001), seed=7)
    language = "zh" if name == "reviews" else "en"
    spec = default_specs(language, n_rows=len(texts), n_labels=len(set(labels)))["tfidf-lr"]
    names = sorted(set(labels))
    truth = np.array([names.index(label) for label in labels])
    confidence, right = np.zeros(len(texts)), np.zeros(len(texts), bool)
    for fold in range(parts.folds):
        seen, held = np.flatnonzero((parts.fold != fold) & (parts.fold >= 0)), np.flatnonzero(parts.fold == fold)
        model = fit_linear([texts[i] for i in seen], [labels[i] for i in seen], spec=spec, seed=7)
        place = np.array([names.index(label) for label in model.labels])
        shares = model.predict([texts[i] for i in held])
        confidence[held], right[held] = shares.max(axis=1), place[shares.argmax(axis=1)] == truth[held]
    dev = parts.dev
    unit = dev if parts.unit is None else parts.unit[dev]
    print(f"{name}: {len(dev):,} rows, {right[dev].mean():.1%} right", file=sys.stderr, flush=True)
    return confidence[dev], right[dev], unit


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
    confidence, right, _ = world
    rng = np.random.default_rng(7)
    thresholds = []
    for _ in range(resamples):
        drawn = rng.integers(len(confidence), size=rows)
        thresholds.append(rule(confidence[drawn], right[drawn], wanted))
    return line(name, wanted, label, thresholds, [at(one, confidence, right) for one in thresholds])


def halved(world: tuple[np.ndarray, ...], *, wanted: float, resamples: int, name: str) -> str:
    confidence, right, unit = world
    rng = np.random.default_rng(8)
    thresholds, outcomes = [], []
    names, place = np.unique(unit, return_inverse=True)
    for _ in range(resamples):
        first = (rng.permutation(len(names)) % 2 == 0)[place]
        chosen = choose_threshold(confidence[first], right[first], error=wanted, unit=unit[first]).threshold
        thresholds.append(chosen)
        outcomes.append(at(chosen, confidence[~first], right[~first]))
    return line(name, wanted, "tested (ratchet)", thresholds, outcomes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpora", type=Path)
    parser.add_argument("--rows", type=int, default=4_000)
    parser.add_argument("--resamples", type=int, default=200)
    parser.add_argument("--tables", default=",".join(NAMES))
    asked = parser.parse_args()
    known = tables(asked.corpora)
    worlds = {name: answered(known[name](), name=name) for name in asked.tables.split(",") if name in known}
    command = f"python benchmarks/selective.py --corpora FOLDER --rows {asked.rows} --resamples {asked.resamples}"
    head = (
        "| table | wanted | threshold | kept [95 %] | mean error | worst | answered | no threshold |\n"
        + "|---" * 8
        + "|"
    )
    lines = [
        "# Selective answers: is the promise kept?\n",
        f"{datetime.now(UTC):%Y-%m-%d}, `{command} --tables {','.join(worlds)}`, {machine()}.\n",
        "Promised with probability .95: at most the wanted share of what is answered is wrong. *kept*: resamples in which that",
        "holds in the world that the rows were drawn from (Wilson's interval); *mean error*, *worst*: that error over the",
        "resamples; *answered*: the mean share of rows answered; *no threshold*: resamples that leave everything to people.\n",
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
    lines += [f"\n## {asked.resamples} times one half chooses and the other judges, whose own chance is in it\n", head]
    for name, world in worlds.items():
        for wanted in WANTED:
            lines.append(halved(world, wanted=wanted, resamples=asked.resamples, name=name))
            print(lines[-1], flush=True)
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
