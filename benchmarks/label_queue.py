"""How many labels does `ratchet queue` save? Against a random choice of as many rows, by the score on other rows.

    python benchmarks/label_queue.py [--corpora FOLDER] [--seeds N] [--seed S] [--start 100] [--count 100] [--rounds 3]

Each seed draws a start of labelled rows, a pool of unlabelled ones and a test part. In each round the baseline is trained on
what is labelled, and either the queue or chance chooses the next rows of the pool. Rows needed: how many rows chance needs for
the score that the queue's rows give, by the straight lines between its means, with a bootstrap over the seeds. ``--corpora``
holds sms_spam/ and banking77/.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from regret import Table, tables
from run_all import machine

from ratchet.labels.queue import queue
from ratchet.models.inputs import Inputs
from ratchet.models.linear import LinearModel
from ratchet.models.linear_defaults import resolve
from ratchet.models.linear_fit import Corpus, fit_rows
from ratchet.models.targets import Targets
from ratchet.recipe.sections import LinearSpec
from ratchet.text.language import guess_language

RESULTS = Path(__file__).parent / "results"
NAMES = ("sms", "reviews", "intents-10")
POOL, TEST = 1_200, 1_000
DRAWS = 4_000


def fitted(texts: Sequence[str], labels: Sequence[str], *, language: str) -> LinearModel:
    """The baseline trained on these rows."""
    targets = Targets.of_labels(labels)
    spec = resolve(
        LinearSpec(),
        language=language,  # type: ignore[arg-type]
        n_rows=len(texts),
        n_labels=len(targets.names),
        kind=targets.kind,
    )
    return fit_rows(Corpus(Inputs(texts)), targets, rows=np.arange(len(texts)), spec=spec, seed=0)  # type: ignore[arg-type]


def one(table: Table, *, seed: int, start: int, count: int, rounds: int) -> dict[str, list[float]]:
    """The scores by either choice after each round, on the same test rows."""
    pairs = sorted(set(zip(*table, strict=True)))
    order = np.random.default_rng(seed).permutation(len(pairs))[: start + POOL + TEST]
    texts, labels = [pairs[row][0] for row in order], [pairs[row][1] for row in order]
    pool = min(POOL, (len(order) - start) // 2)
    test = slice(start + pool, None)
    language = guess_language(texts)
    scores = dict[str, list[float]]()
    for choice in ("queue", "chance"):
        known, open_, scores[choice] = [*range(start)], [*range(start, start + pool)], []
        for _ in range(rounds + 1):
            model = fitted([texts[row] for row in known], [labels[row] for row in known], language=language)
            given = [model.labels[best] for best in model.predict(texts[test]).argmax(axis=1)]
            scores[choice].append(float(np.mean([a == b for a, b in zip(given, labels[test], strict=True)])))
            picked = open_[:count]
            if choice == "queue":
                some = [texts[row] for row in open_]
                found = queue(some, model.predict(some), labelled=[texts[row] for row in known], held=[], count=count)
                picked = [open_[row] for row in found.rows.tolist()]
            known += picked
            open_ = [row for row in open_ if row not in set(picked)]
    return scores


def saved(queued: np.ndarray, chance: np.ndarray, rows: np.ndarray) -> tuple[float, float]:
    """Rows that chance needs for the score of the queue's after the middle round, and those that the queue had.

    Args:
        queued: (rounds + 1,) mean scores.
        chance: the same by chance.
        rows: labelled rows at each.
    """
    middle = (len(rows) - 1) // 2 or 1
    rising = np.maximum.accumulate(chance)
    wanted = float(queued[middle])
    if wanted >= rising[-1]:
        return float(rows[-1]), float(rows[middle])  # at least so many: no more were tried
    return float(np.interp(wanted, rising, rows)), float(rows[middle])


def line(name: str, found: list[dict[str, list[float]]], rows: np.ndarray) -> list[str]:
    """What one table showed."""
    queued, chance = (np.array([scores[choice] for scores in found]) for choice in ("queue", "chance"))
    gain = queued - chance
    rng = np.random.default_rng(0)
    picked = rng.integers(0, len(found), (DRAWS, len(found)))
    low, high = np.quantile(gain[picked].mean(axis=1), [0.025, 0.975], axis=0)
    needed, had = saved(queued.mean(axis=0), chance.mean(axis=0), rows)
    ends = np.quantile(
        [saved(queued[of].mean(axis=0), chance[of].mean(axis=0), rows)[0] for of in picked], [0.025, 0.975]
    )
    lines = [
        f"| {name} | {len(found)} | {size} | {q:.1%} | {c:.1%} | {100 * g:+.1f} [{100 * a:+.1f}, {100 * b:+.1f}] |"
        for size, q, c, g, a, b in zip(
            rows[1:],
            queued.mean(axis=0)[1:],
            chance.mean(axis=0)[1:],
            gain.mean(axis=0)[1:],
            low[1:],
            high[1:],
            strict=True,
        )
    ]
    most = " (the most that were tried)" if needed >= rows[-1] or ends[1] >= rows[-1] else ""
    return [
        *lines,
        f"{name}: what {had:.0f} rows reach with the queue takes chance {needed:.0f} [{ends[0]:.0f}, {ends[1]:.0f}]{most}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--corpora", type=Path)
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=int, default=100)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--minutes", type=float, default=8)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    known = tables(given.corpora)
    read = {name: known[name]() for name in NAMES if name in known}
    found, begun = defaultdict(list), time.perf_counter()
    for number in range(given.seeds):
        for name, table in read.items():
            if time.perf_counter() - begun < 60 * given.minutes:
                scores = one(table, seed=given.seed + number, start=given.start, count=given.count, rounds=given.rounds)
                found[name].append(scores)
                print(name, number, {key: [round(v, 3) for v in values] for key, values in scores.items()}, flush=True)
    rows = given.start + given.count * np.arange(given.rounds + 1)
    told = [line(name, of, rows) for name, of in found.items()]
    page = (
        f"# label_queue\n\n{datetime.now(UTC):%Y-%m-%d}, `python benchmarks/label_queue.py --corpora FOLDER "
        f"--seeds {given.seeds} --seed {given.seed} --start {given.start} --count {given.count} --rounds {given.rounds}`, "
        f"{machine()}.\n\n"
        f"A pool of {POOL:,} rows, accuracy on {TEST:,} others (half of the rest where a table is smaller), the baseline; "
        "the difference is in points, with a 95 % bootstrap over the seeds.\n\n"
        "| table | seeds | labelled rows | queue | chance | difference |\n|---|---|---|---|---|---|\n"
    )
    page += (
        "\n".join([*(row for lines in told for row in lines[:-1]), "", *(f"- {lines[-1]}" for lines in told)]) + "\n"
    )
    (RESULTS / "label_queue.md").write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
