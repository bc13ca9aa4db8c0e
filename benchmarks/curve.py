"""Does the interval of `ratchet curve` hold the gain of rows that it never saw? 70 % of three tables are hidden, then revealed.

    python benchmarks/curve.py [--corpora FOLDER] [--resamples N] [--seed S] [--size 1000]

A resample draws rows and a test part of a table, shows 30 % of the rows to `ratchet curve` and asks what the hidden ones would
bring (3.3 times the rows). Then the same model is trained on the shown rows, and on all of them, and both are scored on the
test part: that difference is the truth, with the noise that anybody who labels rows will see. ``--corpora`` holds sms_spam/
and banking77/; without it only the tables of installed packages take part.
"""

from __future__ import annotations

import argparse
import csv
import math
import tempfile
import time
import warnings
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from regret import Table, tables
from run_all import machine

from ratchet.metrics.proportions import wilson
from ratchet.models.inputs import Inputs
from ratchet.models.linear_defaults import resolve
from ratchet.models.linear_fit import Corpus, fit_rows
from ratchet.models.targets import Targets
from ratchet.recipe.recipe import parse_recipe
from ratchet.recipe.sections import LinearSpec
from ratchet.stages.curve import learning_curve
from ratchet.stages.rows import job_of, prepared

RESULTS = Path(__file__).parent / "results"
NAMES = ("sms", "reviews", "intents-10", "docstrings")
TEST, SIZE = 2_000, 1_000
SHOWN = 0.3
FEWEST = 500
"""Test rows, at least."""


def accuracy(texts: list[str], labels: list[str], train: np.ndarray, test: np.ndarray, *, language: str) -> float:
    """Of the baseline on the test rows."""
    targets, rows = Targets.of_labels(labels), np.sort(np.concatenate([train, test]))
    spec = resolve(
        LinearSpec(),
        language=language,
        n_rows=len(train),
        n_labels=len(targets.names),
        kind=targets.kind,  # type: ignore[arg-type]
    )
    place = np.searchsorted(rows, np.sort(train))
    model = fit_rows(
        Corpus(Inputs([texts[row] for row in rows])),
        targets.take(rows),
        rows=place,
        spec=spec,
        seed=0,  # type: ignore[arg-type]
    )
    answers = model.predict([texts[row] for row in test])
    return float((answers.argmax(axis=1) == targets.values[test]).mean())


def resample(table: Table, *, size: int, seed: int) -> dict[str, float]:
    """One resample: what was forecast, and what the hidden rows brought."""
    pairs = sorted(set(zip(*table, strict=True)))
    order = np.random.default_rng(seed).permutation(len(pairs))
    tests = min(TEST, len(pairs) - size)
    texts, labels = [pairs[row][0] for row in order], [pairs[row][1] for row in order]
    shown = round(SHOWN * size)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shown.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("text", "label"), *zip(texts[:shown], labels[:shown], strict=True)])
        written = (
            f"task: classification\ndata: {{files: [{path}]}}\nworkspace: {folder}/work\n"
            f"split: {{test: 0.05}}\nseed: {seed}"
        )
        recipe = parse_recipe(written, folder=Path(folder))
        begun = time.perf_counter()
        found = learning_curve(recipe, more=(size - shown,))
        seconds = time.perf_counter() - begun
        _, rows = prepared(job_of(recipe))
        language, seen = rows.language, {rows.dataset.texts[row] for row in rows.parts.dev.tolist()}
    known = np.array([row for row in range(shown) if texts[row] in seen])
    more, test = np.concatenate([known, np.arange(shown, size)]), np.arange(size, size + tests)
    before, after = (accuracy(texts, labels, train, test, language=language) for train in (known, more))
    gain = found.measured[0].gains[0]
    return {
        "estimate": gain.estimate,
        "low": gain.low,
        "high": gain.high,
        "told": float(not gain.reason),
        "begun": float(found.measured[0].extrapolation.begun),
        "truth": after - before,
        "seconds": seconds,
    }


def line(name: str, found: list[dict[str, float]]) -> str:
    """A row of the table of results."""
    values = {key: np.array([one[key] for one in found]) for key in found[0]}
    inside = (values["low"] <= values["truth"]) & (values["truth"] <= values["high"])
    begun, told = values["begun"] > 0, values["told"] > 0
    low, high = wilson(float(inside[begun].sum()), max(int(begun.sum()), 1), alpha=0.05)
    width = 100 * np.median((values["high"] - values["low"])[begun]) if begun.any() else math.nan
    error = np.abs(values["estimate"] - values["truth"]).mean()
    return (
        f"| {name} | {len(found)} | {(~begun).sum()} | {inside[begun].sum()} of {begun.sum()} [{low:.0%}, {high:.0%}] | "
        f"{inside[told].sum()} of {told.sum()} | {100 * values['truth'].mean():+.1f} | "
        f"{100 * values['estimate'].mean():+.1f} | {100 * error:.1f} | {width:.1f} | "
        f"{values['seconds'].mean():.1f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--corpora", type=Path)
    parser.add_argument("--resamples", type=int, default=34)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, default=SIZE)
    parser.add_argument("--minutes", type=float, default=8)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    known = tables(given.corpora)
    read = {name: known[name]() for name in [name for name in NAMES if name in known][:3]}
    read = {name: table for name, table in read.items() if len(set(zip(*table, strict=True))) >= given.size + FEWEST}
    found, begun = defaultdict(list), time.perf_counter()
    for number in range(given.resamples):
        for name, table in read.items():
            if time.perf_counter() - begun < 60 * given.minutes:
                found[name].append(resample(table, size=given.size, seed=given.seed + number))
                print(name, number, {key: round(value, 4) for key, value in found[name][-1].items()}, flush=True)
    every = [one for of in found.values() for one in of]
    head = (
        f"# curve\n\n{datetime.now(UTC):%Y-%m-%d}, `python benchmarks/curve.py --corpora FOLDER --resamples "
        f"{given.resamples} --seed {given.seed} --size {given.size}`, {machine()}.\n\n"
        f"{round(SHOWN * given.size)} rows are shown and the gain of {round((1 - SHOWN) * given.size)} hidden ones is "
        f"asked; the truth is measured on up to {TEST:,} other rows. Points of accuracy. Not begun: "
        "curves that have hardly left the score of the most frequent label, which are answered with `cannot be told` and no "
        "interval to hold anything. Where it is told: those without `cannot be told`.\n\n"
        "| table | resamples | not begun | interval holds the truth | where it is told | true gain | forecast | mean error | "
        "median width | seconds |\n|---|---|---|---|---|---|---|---|---|---|\n"
    )
    page = head + "\n".join([*(line(name, of) for name, of in found.items()), line("all", every)]) + "\n"
    name = "curve.md" if given.size == SIZE else f"curve_{given.size}.md"
    (RESULTS / name).write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
