"""What the gate costs and what it lets through: rows for 80 % power, and false promotions where nothing is better.

    python benchmarks/gate_power.py [--quick]

1. power: rows that a plan of 1, 5 and 10 challengers needs for 80 % power, over those of one paired one-sided McNemar test at
   5 % (the textbook's): one truly better challenger among useless ones, out of fold, linear models and networks;
2. null: the share of families that promote anything although nothing is better (at most 5 %; at least 2 % where the null is
   exact: caution that costs power is a defect too);
3. hard nulls: rows that belong together, rare classes, curves that cross, seeds, procedures on disjoint features,
   a challenger who uses every word he has seen, and `not_worse` at a true loss of exactly the margin;
4. a climber who uses the estimates that he is shown: how far his score is from the truth, and what he is told.

Every share has its binomial standard error. Writes benchmarks/results/gate_power.md and .json.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from run_all import machine

from ratchet.gate.error_budget import Family, optimism
from ratchet.gate.verdict import Claim, compare, judge
from ratchet.metrics.evidence import Evidence
from ratchet.metrics.paired_tests import normal_quantile

RESULTS = Path(__file__).parent / "results"
FOLDS, SEEDS = 5, 3
DRAWS = 499


def evidence(name: str, truth: np.ndarray, probability: np.ndarray, **more: object) -> Evidence:
    return Evidence.of_classes(name=name, rows=np.arange(len(truth)), truth=truth, probability=probability, **more)  # type: ignore[arg-type]


def hits(name: str, right: np.ndarray, **more: object) -> Evidence:
    """A model that has these rows right, of two classes; ``right`` is (rows,) or, of several seeds, (seeds, rows)."""
    truth = np.arange(right.shape[-1]) % 2
    return evidence(name, truth, np.eye(2)[np.where(right, truth, 1 - truth)], **more)


# ---- 1. power


def textbook(gain: float, discordance: float) -> float:
    """Rows of one paired McNemar test, one-sided 5 %, 80 % power (Connor 1987, Biometrics 43)."""
    above = normal_quantile(0.95) * math.sqrt(discordance) + normal_quantile(0.8) * math.sqrt(discordance - gain**2)
    return (above / gain) ** 2


def power_run(
    n: int, planned: int, gain: float, discordance: float, seed_sd: float | None, seeds: int, seed: int
) -> bool:
    """Whether the one better challenger of a plan is proven; the others are as good as the champion.

    Several seeds of a network differ by ``seed_sd`` in each fold and by nothing else: they flip the same rows, which
    makes a further seed worth least.
    """
    rng = np.random.default_rng(seed)
    champion = rng.random(n) < 0.9
    fold = np.arange(n) % FOLDS
    chance = seed_sd is not None

    def against(gain: float) -> np.ndarray:
        """A model that differs from the champion on ``discordance`` of the rows; its wins and losses overlap with others'."""
        shift = np.zeros(n)
        if seed_sd is not None:
            shift = rng.normal(0, seed_sd, (seeds, FOLDS) if seeds > 1 else FOLDS)[..., fold]
        won = (discordance + gain + shift) / 2 / 0.1
        lost = (discordance - gain - shift) / 2 / 0.9
        shared = rng.random(n) if gain else base
        flip = np.where(rng.random(n) < 0.5, rng.random(n), shared)
        return np.where(champion, flip >= lost, flip < won)

    base = rng.random(n)
    models = [hits(f"m{k}", against(0.0), fold=fold, chance=chance) for k in range(planned - 1)]
    models.append(hits("better", against(gain), fold=fold, chance=chance))
    family = Family(name="rows")
    found = judge(models, hits("a", champion, fold=fold), family=family, level=family.share(planned), draws=DRAWS)
    return found.verdicts[-1].outcome == "better"


def rows_for_power(
    pool: ProcessPoolExecutor, planned: int, seed_sd: float | None, seeds: int, repeats: int
) -> tuple[float, float]:
    """Rows for 80 % power over the textbook's, by bisection on the logarithm of the rows; and the power at the end."""
    gain, discordance = 0.01, 0.05
    base = textbook(gain, discordance)
    low, high, power = 0.8, 4.0, 0.0
    for turn in range(6):
        ratio = math.sqrt(low * high)
        run = partial(power_run, round(base * ratio), planned, gain, discordance, seed_sd, seeds)
        power, _ = rate(pool, run, repeats, first=turn * repeats)
        low, high = (low, ratio) if power > 0.8 else (ratio, high)
    return math.sqrt(low * high), power


# ---- 2. null


def two_models(
    rng: np.random.Generator, n: int, positive: float, count: int = 2
) -> tuple[np.ndarray, list[np.ndarray]]:
    """True classes and `count` equally good, correlated score vectors, as probabilities of shape (n, 2)."""
    truth = (rng.random(n) < positive).astype(np.int64)
    truth[:2] = 0, 1
    shared = rng.normal(size=n) + 2 * truth
    shift = 1 - math.log(positive / (1 - positive)) / 2
    scores = [1 / (1 + np.exp(-(shared + 0.7 * rng.normal(size=n) - shift))) for _ in range(count)]
    return truth, [np.stack([1 - score, score], axis=1) for score in scores]


def null_run(metric: str, n: int, positive: float, seed: int) -> bool:
    truth, (a, b) = two_models(np.random.default_rng(seed), n, positive)
    return compare(evidence("b", truth, b), evidence("a", truth, a), [metric], seed=seed, draws=DRAWS).promotes


def family_run(metric: str, n: int, planned: int, later: int, seed: int) -> bool:
    """True when a plan and the single challengers of later runs, all useless, promote anything."""
    truth, models = two_models(np.random.default_rng(seed), n, 0.5, planned + later + 1)
    champion, family = evidence("a", truth, models[0]), Family(name="rows")
    named = [evidence(f"m{k}", truth, model) for k, model in enumerate(models[1:])]
    for part in [named[:planned], *([model] for model in named[planned:])]:
        found = judge(part, champion, [metric], family=family, level=family.share(len(part)), seed=seed, draws=DRAWS)
        if found.winner:
            return True
        family = family.after(found.spent)
    return False


# ---- 3. hard nulls


@lru_cache(maxsize=64)
def lost_share(sizes: tuple[int, ...], few: int, good: float, margin: float) -> float:
    """How much less often the rare classes must be right, so that macro-F1 truly falls by ``margin``."""
    count = len(sizes)
    sized = np.array(sizes, dtype=float)
    target = np.array([[_target(t, wrong, few, count) for wrong in range(1, count)] for t in range(count)])

    def value(lose: float) -> float:
        matrix = np.zeros((count, count))
        for t in range(count):
            right = good - lose if t < few else good
            matrix[t, t] += sized[t] * right
            for goal in target[t]:
                matrix[t, goal] += sized[t] * (1 - right) / (count - 1)
        return float((2 * np.diag(matrix) / (matrix.sum(axis=0) + matrix.sum(axis=1))).mean())

    low, high = 0.0, good
    assert value(0.0) - value(good) >= margin
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if value(0.0) - value(middle) >= margin else (middle, high)
    return low


def _target(t: int, step: int, few: int, count: int) -> int:
    """The class that a wrong answer names; never a rare one, where there are more than two."""
    wrong = (t + step) % count
    return few + wrong % (count - few) if wrong < few and count > 2 else wrong


def classes_run(n: int, rare: int, count: int, margin: float, seed: int) -> bool:
    """Macro-F1 with ``count`` classes of which half have ``rare`` rows; the challenger truly loses ``margin``, by these.

    With a margin of 0 the models are equally good, and ``better`` is counted, else ``not_worse``.
    """
    rng = np.random.default_rng(seed)
    few, good = count // 2, 0.9 if count > 2 else 0.99
    truth = np.concatenate([np.repeat(np.arange(few), rare), few + np.arange(n - few * rare) % (count - few)])
    sizes = tuple(np.bincount(truth, minlength=count).tolist())
    lose = np.where(truth < few, lost_share(sizes, few, good, margin), 0.0)
    targets = np.array([[_target(t, step, few, count) for step in range(1, count)] for t in range(count)])

    def answers(accuracy: np.ndarray) -> np.ndarray:
        wrong = targets[truth, rng.integers(0, count - 1, size=n)]
        return np.where(rng.random(n) < accuracy, truth, wrong)

    a, b = answers(np.full(n, good)), answers(good - lose)
    first, second = (evidence(name, truth, np.eye(count)[found]) for name, found in (("b", b), ("a", a)))
    claim = Claim(metric="macro_f1", kind="noninferior" if margin else "superior", margin=margin or 0.01)
    found = compare(first, second, [claim], seed=seed, draws=DRAWS)
    return found.findings[0].holds


def crossing_run(n: int, positives: int, seed: int) -> bool:
    """Two rankings of equal AUC (.8) whose curves cross: one spreads the positives widely, one narrowly."""
    rng = np.random.default_rng(seed)
    truth = np.arange(n) < positives
    centre = normal_quantile(0.8)
    sides = []
    for spread in (3.0, 0.3):
        score = rng.normal(size=n)
        score[truth] = rng.normal(size=positives) * spread + centre * math.sqrt(1 + spread**2)
        score = 1 / (1 + np.exp(-score))
        sides.append(np.stack([1 - score, score], axis=1))
    named = [
        evidence(name, truth.astype(int), side)
        for name, side in zip("ab", sides[:: 1 if seed % 2 else -1], strict=True)
    ]
    return compare(named[0], named[1], ["auc"], seed=seed, draws=DRAWS).promotes


def groups_run(size: int, folds: bool, n: int, seed: int) -> bool:
    """Rows in groups of equal answers: both models are right or wrong on a whole group, nearly always."""
    rng = np.random.default_rng(seed)
    unit = np.arange(n) // size
    count = unit[-1] + 1
    sides = []
    for _ in range(2):
        right = (rng.random(count) < 0.8)[unit]
        noise = rng.random(n) < 0.05
        sides.append(right ^ noise)
    more = {"unit": unit, "fold": unit % FOLDS if folds else None}
    return compare(hits("b", sides[0], **more), hits("a", sides[1], **more), seed=seed, draws=DRAWS).promotes


def seeds_run(n: int, sd: float, seed: int) -> bool:
    """A network's folds against a linear champion of the same expected accuracy; each fold drew its own luck."""
    rng = np.random.default_rng(seed)
    fold = np.arange(n) % FOLDS
    luck = rng.normal(0, sd, FOLDS)[fold]
    hard = rng.random(n)
    a = np.where(rng.random(n) < 0.7, hard, rng.random(n)) < 0.85
    b = np.where(rng.random(n) < 0.7, hard, rng.random(n)) < 0.85 + luck
    return compare(hits("b", b, fold=fold, chance=True), hits("a", a, fold=fold), seed=seed, draws=DRAWS).promotes


def disjoint_run(n: int, seed: int) -> bool:
    """Two ridge regressions on disjoint, equally good features, out of fold: equal in expectation, not on a table."""
    rng = np.random.default_rng(seed)
    width = 20
    truth = rng.integers(0, 2, size=n)
    features = rng.normal(size=(n, 2 * width)) + 0.25 * (2 * truth[:, None] - 1)
    fold = rng.permutation(n) % FOLDS
    sides = []
    for half in (features[:, :width], features[:, width:]):
        score = np.empty(n)
        for held in range(FOLDS):
            train = half[fold != held]
            weights = np.linalg.solve(train.T @ train + np.eye(width), train.T @ (2.0 * truth[fold != held] - 1))
            score[fold == held] = half[fold == held] @ weights
        sides.append(np.stack([score < 0, score >= 0], axis=1).astype(float))
    a, b = (evidence(name, truth, side, fold=fold) for name, side in zip("ab", sides, strict=True))
    return compare(b, a, seed=seed, draws=DRAWS).promotes


def margin_run(n: int, discordance: float, seed: int) -> bool:
    """`not_worse` although the copy truly loses exactly the margin of one point."""
    rng = np.random.default_rng(seed)
    champion = rng.random(n) < 0.9
    flip = rng.random(n)
    lost, won = (discordance + 0.01) / 2 / 0.9, (discordance - 0.01) / 2 / 0.1
    copy = np.where(champion, flip >= lost, flip < won)
    claim = Claim(metric="accuracy", kind="noninferior", margin=0.01)
    return compare(hits("b", copy), hits("a", champion), [claim], copy=True).findings[0].holds


def word_run(n: int, rounds: int, seed: int) -> bool:
    """A challenger who sees the words alone: he keeps what was not called worse, and changes a tenth of it each time."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, size=n)
    champion, family = (
        evidence("a", truth, np.eye(2)[np.where(rng.random(n) < 0.8, truth, 1 - truth)]),
        Family(name="rows"),
    )
    current = np.where(rng.random(n) < 0.8, truth, 1 - truth)
    for _ in range(rounds):
        drawn = np.where(rng.random(n) < 0.8, truth, 1 - truth)
        tried = np.where(rng.random(n) < 0.1, drawn, current)
        found = judge([evidence("b", truth, np.eye(2)[tried])], champion, family=family, level=family.share())
        if found.winner:
            return True
        current = current if found.verdicts[0].outcome == "worse" else tried
        family = family.after(found.spent)
    return False


def rate(pool: ProcessPoolExecutor, run: Callable[[int], bool], repeats: int, *, first: int = 0) -> tuple[float, float]:
    """Share of runs that say yes, and its standard error."""
    share = sum(pool.map(run, range(first, first + repeats), chunksize=max(1, repeats // 16))) / repeats
    return share, math.sqrt(max(share * (1 - share), 0.25 / repeats) / repeats)


# ---- 4. the climber


def climb(n: int, rounds: int, seed: int) -> tuple[float, float]:
    """Best of ``rounds`` useless models by their estimates on the same rows: its lead, and the optimism that is told."""
    rng = np.random.default_rng(seed)
    leads = []
    error = 0.0
    champion = rng.random(n) < 0.8
    for _ in range(rounds):
        model = rng.random(n) < 0.8
        difference = model.astype(float) - champion
        leads.append(difference.mean())
        error = difference.std() / math.sqrt(n)
    return max(leads), optimism(error, rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a fifth of the repeats")
    scale = 5 if parser.parse_args().quick else 1
    started, lines, cells = time.time(), [], []

    def say(line: str) -> None:
        print(line, flush=True)
        lines.append(line)

    with ProcessPoolExecutor(os.cpu_count()) as pool:
        say("## Rows for 80 % power over the textbook's (a gain of 1 point, 5 % discordance, out of fold)\n")
        say(
            "| planned | linear | network, fold sd .5 point | the same, three seeds bought | bar |\n|---|---|---|---|---|"
        )
        powers = {}
        for planned, bar in ((1, 1.5), (5, 1.8), (10, 2.2)):
            linear, network, bought = (
                rows_for_power(pool, planned, sd, seeds, 600 // scale)[0]
                for sd, seeds in ((None, 1), (0.005, 1), (0.005, SEEDS))
            )
            powers[planned] = {
                "linear": round(linear, 2),
                "network": round(network, 2),
                "three_seeds": round(bought, 2),
                "bar": bar,
            }
            say(f"| {planned} | {linear:.2f} | {network:.2f} | {bought:.2f} | {bar} |")

        def table(title: str, head: str, runs: dict[str, tuple[Callable[[int], bool], int, bool]]) -> None:
            say(f"\n## {title}\n")
            say(f"| {head} | promoted | standard error | |\n|---|---|---|---|")
            for name, (run, repeats, exact) in runs.items():
                share, error = rate(pool, run, repeats // scale)
                bad = (
                    "above 5 %"
                    if share - 2 * error > 0.05
                    else "under 2 %"
                    if exact and share + 2 * error < 0.02
                    else ""
                )
                cells.append({"cell": f"{title}: {name}", "share": share, "error": error, "exact": exact, "bad": bad})
                say(f"| {name} | {share:.2%} | {error:.2%} | {bad} |")

        nulls: dict[str, tuple[Callable[[int], bool], int, bool]] = {}
        for metric in ("accuracy", "macro_f1", "auc"):
            for n in (50, 200, 1_000, 5_000):
                for share, positive in (("1:1", 1 / 2), ("1:20", 1 / 21), ("1:100", 1 / 101)):
                    repeats = 2_000 if metric == "accuracy" else 1_000 if n <= 200 else 500 if n <= 1_000 else 200
                    exact = metric == "accuracy" and share == "1:1"
                    nulls[f"{metric}, n = {n:,}, {share}"] = (partial(null_run, metric, n, positive), repeats, exact)
        table("Two equal models, one comparison", "metric, rows, classes", nulls)
        table(
            "A plan of useless challengers, then ten more one by one",
            "metric, rows, planned",
            {
                f"{metric}, n = {n:,}, {planned} planned": (
                    partial(family_run, metric, n, planned, 10),
                    repeats,
                    metric == "accuracy",
                )
                for metric, n, planned, repeats in (
                    ("accuracy", 200, 1, 1_000),
                    ("accuracy", 500, 5, 1_000),
                    ("accuracy", 2_000, 10, 1_000),
                    ("macro_f1", 500, 5, 300),
                )
            },
        )
        hard: dict[str, tuple[Callable[[int], bool], int, bool]] = {}
        for size in (1, 2, 5, 20):
            for folds in (False, True):
                where = "out of fold" if folds else "fixed models"
                hard[f"groups of {size}, n = 1,000, {where}"] = (
                    partial(groups_run, size, folds, 1_000),
                    2_000,
                    not folds,
                )
        for n in (50, 200, 500, 2_000, 5_000):
            hard[f"disjoint features, n = {n:,}"] = (partial(disjoint_run, n), 2_000 if n <= 2_000 else 600, False)
        for n in (500, 1_000, 5_000):
            for sd in (0.003, 0.01):
                hard[f"seeds, sd {100 * sd:g} point, n = {n:,}"] = (partial(seeds_run, n, sd), 2_000, False)
        for n, positives in ((200, 10), (200, 20), (2_000, 20), (2_000, 100)):
            hard[f"curves that cross, {positives} positives in {n:,}"] = (
                partial(crossing_run, n, positives),
                1_000 if n <= 200 else 300,
                False,
            )
        for n, rare, count in ((1_000, 5, 2), (1_000, 20, 2), (1_000, 20, 10), (5_000, 100, 10)):
            hard[f"macro-F1, {count} classes, half with {rare} rows, n = {n:,}"] = (
                partial(classes_run, n, rare, count, 0.0),
                600,
                False,
            )
        hard["thirty rounds, words alone, n = 500"] = (partial(word_run, 500, 30), 600, False)
        hard["thirty rounds, words alone, n = 5,000"] = (partial(word_run, 5_000, 30), 300, False)
        table("Hard nulls", "what", hard)
        margins: dict[str, tuple[Callable[[int], bool], int, bool]] = {
            f"accuracy, n = {n:,}, {discordance:.0%} discordance": (partial(margin_run, n, discordance), 2_000, False)
            for n, discordance in ((1_000, 0.05), (5_000, 0.02), (5_000, 0.1))
        }
        for n, rare, count in ((1_000, 5, 2), (1_000, 20, 2), (1_000, 20, 10), (5_000, 500, 10)):
            margins[f"macro-F1, {count} classes, half with {rare} rows, n = {n:,}"] = (
                partial(classes_run, n, rare, count, 0.01),
                600,
                False,
            )
        table("`not_worse` at a true loss of the margin, 1 point", "what", margins)
    say("\n## A climber who takes the best of 200 estimates\n")
    say("| rows | his lead over the truth | what he is told to expect at most |\n|---|---|---|")
    for n in (500, 5_000):
        found = np.array([climb(n, 200, seed) for seed in range(20)]).mean(axis=0)
        say(f"| {n:,} | {100 * found[0]:.1f} points | {100 * found[1]:.1f} points |")
    bad = [cell for cell in cells if cell["bad"]]
    say(f"\n{len(cells)} cells, {len(bad)} outside their bounds; {time.time() - started:.0f} s. {machine()}")
    RESULTS.mkdir(exist_ok=True)
    head = (
        "# What the gate costs and what it lets through\n\n"
        f"{datetime.now(UTC):%Y-%m-%d}, `python benchmarks/gate_power.py`, {machine()}.\n\n"
    )
    (RESULTS / "gate_power.md").write_text(head + "\n".join(lines) + "\n", encoding="utf-8")
    record = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "command": "python benchmarks/gate_power.py",
        "machine": machine(),
        "power": powers,
        "cells": cells,
    }
    (RESULTS / "gate_power.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
