"""How often the gate calls a challenger better that is not, for the metrics of all tasks.

    python benchmarks/gate_tasks.py [--quick]

Two contenders are equally good; the share of comparisons that promote the challenger has to be at most 5 %. "alike": both
draw from one law, so they could be exchanged. "unlike": they have the same expected score by different laws, and the
challenger's is the more skewed one, which flatters him in small samples. Writes benchmarks/results/gate_tasks.md.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
from run_all import machine

from ratchet.gate.verdict import Claim, compare
from ratchet.metrics.evidence import Evidence

RESULTS = Path(__file__).parent / "results"
DRAWS = 499
Columns = dict[str, np.ndarray]
Simulated = tuple[Columns, Columns, Columns]
"""Targets, and the outcomes of the challenger and of the champion."""


def labels(rng: np.random.Generator, n: int, *, unlike: bool) -> Simulated:
    """Eight labels, the rarest on 2 % of the rows; unlike: the challenger gives fewer of them, all right, for one F1 of .8."""
    share = np.array([0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.05, 0.02])
    true = rng.random((n, len(share))) < share
    if unlike:
        false = 0.8 * share * 0.25 / (1 - share)  # as many wrong ones that precision is .8, as recall is
        given = rng.random(true.shape)
        champion = np.where(true, given < 0.8, given < false)
        return (
            {"labels": true},
            {"membership": 1.0 * (true & (rng.random(true.shape) < 2 / 3))},
            {"membership": 1.0 * champion},
        )
    shared = rng.normal(size=true.shape)

    def answers() -> np.ndarray:
        return shared + 0.7 * rng.normal(size=true.shape) + 2.2 * true - 1.1

    found = [1 / (1 + np.exp(0.4 - answers())) for _ in range(2)]
    return {"labels": true}, {"membership": found[0]}, {"membership": found[1]}


def values(rng: np.random.Generator, n: int, *, unlike: bool, power: int = 1) -> Simulated:
    """Errors in part shared; unlike: Student's t with five degrees of freedom against normal, with one expected loss."""
    true = rng.normal(size=n)
    shared = 0.3 * rng.normal(size=n)
    tailed = rng.standard_t(5, size=n) if unlike else rng.normal(size=n)
    if unlike:  # E|t5| = .949, E t5^2 = 5/3; of the normal law .798 and 1
        tailed *= math.sqrt(2 / math.pi) / 0.9490 if power == 1 else math.sqrt(3 / 5)
        shared = np.zeros(n)
    sides = [true + shared + 0.5 * tailed, true + shared + 0.5 * rng.normal(size=n)]
    return {"value": true}, {"value": sides[0]}, {"value": sides[1]}


def scores(rng: np.random.Generator, n: int, *, unlike: bool, name: str) -> Simulated:
    """Scores of answers; 0 or 1 for a match, else shares with many ones; unlike: rarer and deeper failures."""
    hard = rng.normal(size=n)
    reference = {"reference": np.arange(n)}
    if name == "exact_match":
        sides = [(hard + rng.normal(size=n) < 0.8).astype(float) for _ in range(2)]
        return reference, {name: sides[0]}, {name: sides[1]}
    champion = np.clip(0.8 + 0.2 * hard + 0.2 * rng.normal(size=n), 0, 1)
    if not unlike:
        return reference, {name: np.clip(0.8 + 0.2 * hard + 0.2 * rng.normal(size=n), 0, 1)}, {name: champion}
    fails = rng.random(n) < 0.1
    return reference, {name: np.where(fails, 0.0, 0.9)}, {name: np.clip(rng.normal(0.81, 0.1, size=n), 0.62, 1.0)}


def grams(rng: np.random.Generator, n: int, *, name: str) -> Simulated:
    """Counts of n-grams of answers whose quality varies from row to row."""
    wanted = 3 + rng.poisson(np.exp(rng.normal(2.5, 0.6, size=n)) * (1 if name == "bleu" else 5))
    hard = rng.normal(size=n)
    orders = 4 if name == "bleu" else 6
    sides = []
    for _ in range(2):
        quality = 1 / (1 + np.exp(-(1.2 + 0.6 * hard + 0.4 * rng.normal(size=n))))
        said = np.maximum(1, rng.poisson(wanted))
        totals = np.maximum(said[:, None] - np.arange(orders), 0)
        matches = rng.binomial(totals, quality[:, None] ** np.arange(1, orders + 1))
        if name == "bleu":
            side = np.concatenate([matches, totals, said[:, None], wanted[:, None]], axis=1)
        else:
            side = np.concatenate([matches, totals, np.maximum(wanted[:, None] - np.arange(orders), 0)], axis=1)
        sides.append(side.astype(float))
    return {"reference": np.arange(n)}, {name: sides[0]}, {name: sides[1]}


def likelihood(rng: np.random.Generator, n: int, *, unlike: bool) -> Simulated:
    """Likelihoods of texts of very different lengths; unlike: the challenger's surprise per token is skewed."""
    tokens = 1 + rng.poisson(np.exp(rng.normal(4, 1, size=n)))
    hard = rng.gamma(4, 0.5, size=n)
    sides = []
    for skewed in (unlike, False):
        own = rng.lognormal(-0.5 * 0.8**2, 0.8, size=n) if skewed else rng.lognormal(-0.5 * 0.3**2, 0.3, size=n)
        sides.append(np.stack([tokens * hard * own, tokens], axis=1))
    return {"reference": np.arange(n)}, {"nll": sides[0]}, {"nll": sides[1]}


def costs(rng: np.random.Generator, n: int, *, unlike: bool, name: str, factor: float = 1.0) -> Simulated:
    """Costs in proportion to a long-tailed size of the row; unlike: the challenger's has a longer tail of its own."""
    size = rng.lognormal(0, 0.7, size=n)
    sides = []
    for spread in (0.8 if unlike else 0.3, 0.3):
        sides.append(size * rng.lognormal(-0.5 * spread**2, spread, size=n))
    return {"reference": np.arange(n)}, {name: sides[0] / factor}, {name: sides[1]}


def alarms(rng: np.random.Generator, n: int, *, unlike: bool) -> Simulated:
    """A fifth of the rows is a "1"; unlike: the challenger finds .6 of them without a false alarm, the champion .8 with some.

    By the cost-weighted F1 of `own_metrics` that is 1.2 / (1.2 + 3 * .4) = 1.6 / (1.6 + 3 * .2 + 1) = .5 for both.
    """
    true = rng.random(n) < 0.2
    shared = rng.normal(size=n)
    if unlike:
        found = true & (rng.random(n) < 0.6), rng.random(n) < np.where(true, 0.8, 0.25)
        sides = [np.where(side, 0.9, 0.1) for side in found]
    else:
        sides = [1 / (1 + np.exp(1.2 - 2 * true - 0.7 * shared - 0.7 * rng.normal(size=n))) for _ in range(2)]
    both = [{"probability": np.stack([1 - side, side], axis=1)} for side in sides]
    return {"truth": true.astype(np.int64)}, both[0], both[1]


def classes(rng: np.random.Generator, n: int, *, unlike: bool) -> Simulated:
    """Three classes, the rarest on a tenth of the rows; unlike: the challenger mixes up the two rarer ones only.

    Both give every class as often as it is there; so equal shares of right rows are equal values of MCC and of weighted F1.
    """
    share = np.array([0.6, 0.3, 0.1])
    true, hard, sides = rng.choice(3, size=n, p=share), rng.random(n), []
    away = 0.15 * np.outer(share, share)
    np.fill_diagonal(away, 0)
    rare = np.zeros((3, 3))
    rare[1, 2] = rare[2, 1] = away.sum() / 2
    for wrong in (rare, away):
        if unlike:
            table = (wrong + np.diag(share - wrong.sum(axis=1))) / share[:, None]
            said = (rng.random(n)[:, None] > np.cumsum(table, axis=1)[true]).sum(axis=1).clip(max=2)
        else:
            said = np.where((hard + rng.random(n)) / 2 < 0.7, true, rng.choice(3, size=n, p=share))
        sides.append(np.eye(3)[said])
    return {"truth": true}, {"probability": sides[0]}, {"probability": sides[1]}


def null_run(claim: Claim, simulate: Callable[..., Simulated], n: int, seed: int) -> bool:
    """Whether a challenger is promoted who is no better."""
    targets, challenger, champion = simulate(np.random.default_rng(seed), n)
    sides = [
        Evidence(name=name, rows=np.arange(n), targets=targets, outcomes=outcomes)
        for name, outcomes in (("b", challenger), ("a", champion))
    ]
    return compare(sides[0], sides[1], [claim], seed=seed, draws=DRAWS).promotes


def cells() -> list[tuple[str, str, Claim, Callable[..., Simulated]]]:
    """What is simulated: metric, law, claim and the rows."""
    found: list[tuple[str, str, Claim, Callable[..., Simulated]]] = []

    def add(
        metric: str, simulate: Callable[..., Simulated], laws: tuple[bool, ...] = (False, True), **more: object
    ) -> None:
        for unlike in laws:
            law = "unlike" if unlike else "alike"
            found.append((metric, law, Claim(metric=metric), partial(simulate, unlike=unlike, **more)))

    add("subset_accuracy", labels, (False,))
    add("micro_f1", labels)
    add("macro_f1", labels)
    add("mae", values, power=1)
    add("rmse", values, power=2)
    add("r2", values, power=2)
    add("spearman", values, (False,))
    add("exact_match", scores, (False,), name="exact_match")
    add("token_f1", scores, name="token_f1")
    found += [(name, "alike", Claim(metric=name), partial(grams, name=name)) for name in ("bleu", "chrf")]
    add("nll_per_token", likelihood)
    for name in ("cost", "latency"):
        add(name, costs, name=name)
    for unlike in (False, True):
        claim = Claim(metric="cost", factor=10.0)
        simulate = partial(costs, unlike=unlike, name="cost", factor=10.0)
        found.append(("cost, by a factor of 10", "unlike" if unlike else "alike", claim, simulate))
    add("own_metrics:cost_weighted_f1", alarms)
    add("own_metrics:recall_at_precision", alarms, (False,))
    add("own_metrics:dear_errors:min", values, power=1)
    add("mcc", classes)
    add("weighted_f1", classes)
    add("rouge_l", scores, name="rouge_l")
    add("perplexity", likelihood)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a fifth of the repeats")
    parser.add_argument("--only", default="", help="the metrics whose name begins so; nothing is written")
    asked = parser.parse_args()
    scale = 5 if asked.quick else 1
    chosen = [cell for cell in cells() if cell[0].startswith(tuple(asked.only.split(",")))]
    started, lines, bad = time.time(), [], 0

    def say(line: str) -> None:
        print(line, flush=True)
        lines.append(line)

    say("| metric | law | n = 50 | n = 200 | n = 1,000 |\n|---|---|---|---|---|")
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for metric, law, claim, simulate in chosen:
            shares = []
            for n, repeats in ((50, 2_000), (200, 1_000), (1_000, 500)):
                repeats //= scale
                run = partial(null_run, claim, simulate, n)
                share = sum(pool.map(run, range(repeats), chunksize=25)) / repeats
                error = math.sqrt(max(share * (1 - share), 0.25 / repeats) / repeats)
                above = share - 2 * error > 0.05
                bad += above
                shares.append(f"{share:.1%} ± {error:.1%}" + (" **above 5 %**" if above else ""))
            say(f"| {metric} | {law} | {' | '.join(shares)} |")
    say(
        f"\n{bad} of {3 * len(chosen)} cells are above 5 % by more than two standard errors; {time.time() - started:.0f} s."
    )
    head = f"# Equally good contenders that are called better, by metric\n\n{datetime.now(UTC):%Y-%m-%d}, "
    head += f"`python benchmarks/gate_tasks.py`, {machine()}.\n\n"
    if scale == 1 and not asked.only:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "gate_tasks.md").write_text(head + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
