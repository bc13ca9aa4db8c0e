"""How often does a verdict say `better` when nothing is better, and how often when something is?

    python benchmarks/verdict_calibration.py [--quick]

Four simulations, each with its binomial error:

1. null: two models of equal quality, n = 50 ... 5,000, balanced and 1:20, accuracy, macro-F1 and AUC;
2. power: McNemar against Connor's (1987) formula;
3. family: fifty useless challengers in a row on the same rows, each a fresh model of the champion's quality;
4. folds: two training procedures of equal expected quality, compared out of fold, with and without the correction.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np

from ratchet.family import Family
from ratchet.metrics import Evidence
from ratchet.paired import normal_quantile
from ratchet.verdict import compare

SIZES = (50, 200, 1_000, 5_000)
SHARES = {"1:1": 1 / 2, "1:20": 1 / 21}
DRAWS = 999


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


def evidence(name: str, truth: np.ndarray, probability: np.ndarray, fold: np.ndarray | None = None) -> Evidence:
    return Evidence(name=name, rows=np.arange(len(truth)), truth=truth, probability=probability, fold=fold)


def null_run(metric: str, n: int, positive: float, seed: int) -> bool:
    truth, (a, b) = two_models(np.random.default_rng(seed), n, positive)
    return (
        compare(evidence("b", truth, b), evidence("a", truth, a), [metric], seed=seed, draws=DRAWS).outcome == "better"
    )


def power_run(n: int, gain: float, discordance: float, seed: int) -> bool:
    rng = np.random.default_rng(seed)
    truth = np.zeros(n, np.int64)
    kind = rng.choice(3, size=n, p=[(discordance + gain) / 2, (discordance - gain) / 2, 1 - discordance])
    first, second = np.eye(2)[(kind == 1).astype(int)], np.eye(2)[(kind == 0).astype(int)]
    return compare(evidence("b", truth, first), evidence("a", truth, second)).outcome == "better"


def connor_power(n: int, gain: float, discordance: float) -> float:
    """Power of the two-sided 5 % McNemar test (Connor 1987, Biometrics 43)."""
    z = (gain * math.sqrt(n) - normal_quantile(0.975) * math.sqrt(discordance)) / math.sqrt(discordance - gain**2)
    return math.erfc(-z / math.sqrt(2)) / 2


def family_run(metric: str, n: int, challengers: int, seed: int) -> bool:
    """True when any of the useless challengers is promoted; the champion moves with a promotion, as in a real run."""
    truth, models = two_models(np.random.default_rng(seed), n, 0.5, challengers + 1)
    champion, family = evidence("champion", truth, models[0]), Family(name="rows")
    for model in models[1:]:
        challenger = evidence("challenger", truth, model)
        if compare(challenger, champion, [metric], family=family, seed=seed, draws=DRAWS).promotes:
            return True
        family = family.after(promoted=False)
    return False


def fold_run(corrected: bool, n: int, folds: int, seed: int) -> bool:
    """Two nearest-mean classifiers, each on its own half of exchangeable features: equal in expectation, not in a sample."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, size=n)
    features = rng.normal(size=(n, 40)) + 0.25 * (2 * truth[:, None] - 1)
    fold = rng.permutation(n) % folds
    sides = []
    for half in (features[:, :20], features[:, 20:]):
        score = np.empty(n)
        for held in range(folds):
            train, test = fold != held, fold == held
            up, down = half[train & (truth == 1)].mean(axis=0), half[train & (truth == 0)].mean(axis=0)
            score[test] = (half[test] - (up + down) / 2) @ (up - down)
        sides.append(np.stack([score < 0, score >= 0], axis=1).astype(float))
    a, b = (evidence(name, truth, side, fold if corrected else None) for name, side in zip("ab", sides, strict=True))
    return compare(b, a).outcome in ("better", "worse")


def rate(pool: ProcessPoolExecutor, run: partial, repeats: int) -> tuple[float, float]:
    """Share of runs that say yes, and its standard error."""
    hits = sum(pool.map(run, range(repeats), chunksize=max(1, repeats // 16)))
    share = hits / repeats
    return share, math.sqrt(max(share * (1 - share), 0.25 / repeats) / repeats)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the repeats")
    scale = 10 if parser.parse_args().quick else 1
    worst, started = 0.0, time.time()
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        print("## False `better` under the null (at most 5 %; a two-sided 5 % test has 2.5 %)\n")
        print("| metric | n | classes | false better | standard error |\n|---|---|---|---|---|")
        for metric in ("accuracy", "macro_f1", "auc"):
            for n in SIZES:
                for name, positive in SHARES.items():
                    repeats = (
                        2_000 if metric == "accuracy" else 1_000 if metric == "macro_f1" or n < 1_000 else 400
                    ) // scale
                    share, error = rate(pool, partial(null_run, metric, n, positive), repeats)
                    worst = max(worst, share)
                    print(f"| {metric} | {n:,} | {name} | {share:.2%} | {error:.2%} |", flush=True)
        print("\n## Power of accuracy, against Connor's formula (within 3 points)\n")
        print("| .90 -> .92, discordance | n | seen | theory | gap | standard error |\n|---|---|---|---|---|---|")
        for discordance, n in ((0.05, 780), (0.05, 1_000), (0.08, 1_270), (0.08, 1_600), (0.16, 2_500), (0.16, 3_200)):
            share, error = rate(pool, partial(power_run, n, 0.02, discordance), 4_000 // scale)
            theory = connor_power(n, 0.02, discordance)
            print(
                f"| {discordance:.0%} | {n:,} | {share:.1%} | {theory:.1%} | {share - theory:+.1%} | {error:.1%} |",
                flush=True,
            )
        print("\n## Fifty useless challengers in a row: share of families that promote one (at most 5 %)\n")
        print("| metric | n | promoted | standard error |\n|---|---|---|---|")
        for metric, n, repeats in (("accuracy", 500, 2_000), ("accuracy", 5_000, 1_000), ("macro_f1", 500, 500)):
            share, error = rate(pool, partial(family_run, metric, n, 50), repeats // scale)
            worst = max(worst, share)
            print(f"| {metric} | {n:,} | {share:.2%} | {error:.2%} |", flush=True)
        print(
            "\n## Two training procedures of equal expected quality, out of fold, n = 500 (better or worse: at most 5 %)\n"
        )
        print("| folds | rows alone | with the correction | standard error |\n|---|---|---|---|")
        for folds in (5, 10):
            plain, _ = rate(pool, partial(fold_run, False, 500, folds), 4_000 // scale)
            share, error = rate(pool, partial(fold_run, True, 500, folds), 4_000 // scale)
            worst = max(worst, share)
            print(f"| {folds} | {plain:.2%} | {share:.2%} | {error:.2%} |", flush=True)
    print(f"\nWorst rate {worst:.2%}; {time.time() - started:.0f} s.")


if __name__ == "__main__":
    main()
