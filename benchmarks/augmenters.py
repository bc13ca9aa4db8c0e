"""Does augmentation help this table? The verdict of each augmenter against none, and the truth on rows nobody saw.

    python benchmarks/augmenters.py [--corpora FOLDER] [--sizes 500,1000000] [--seeds 3] [--champion encoder] [--tables A,B]

Each cell (table, rows, seed) is one run of the product whose challengers are row changes alone: the champion's own settings on
the train part and new rows. Beside each verdict stands what it would have brought: both trained again on all dev rows and
scored on up to 2,000 rows of the table that were kept away. A finished cell is a line of results/augmenters.jsonl and is not
done again; results/augmenters.md is drawn from them.

``--champion encoder`` takes minutes a cell; ``--minutes 0`` draws the page and makes no cell. `eda-wordnet` takes part where
the table is English and WordNet is found.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from regret import Table, on_all_rows, parted, tables
from run_all import command, machine
from sklearn.metrics import f1_score

from ratchet.augment.wordnet import find_wordnet
from ratchet.contenders.base import Contender
from ratchet.contenders.rows import PartedRows
from ratchet.gate.ledger import Ledger
from ratchet.pipeline import run
from ratchet.recipe.recipe import parse_recipe
from ratchet.workspace.workspace import Workspace

RESULTS = Path(__file__).parent / "results"
LINES, PAGE = RESULTS / "augmenters.jsonl", RESULTS / "augmenters.md"
CHANGES = {
    "eda": "{kind: eda, name: eda}",
    "eda-4": "{kind: eda, name: eda-4, copies: 4}",
    "eda-wordnet": "{kind: eda, name: eda-wordnet, synonyms: auto}",
    "noise": "{kind: noise, name: noise}",
    "policy": "{kind: augment, name: policy, of: [eda, noise], trials: 6}",
}
WORDNET = "eda-wordnet"
CHINESE = ("reviews",)
"""Tables for which WordNet has no words."""
METRICS = {"sms": "macro_f1"}
"""Where the most frequent label is nearly always right; else it is accuracy."""
TABLES, SIZES, SEEDS, CHAMPION = ("reviews", "docstrings", "sms", "intents-10", "banking77"), (500, 10**9), 3, "linear"
"""The default plan."""
Cell = tuple[str, int, int]
"""A table, how many dev rows of it at most, and a seed."""


def changes(table: str) -> list[str]:
    """The challengers of a run on this table."""
    able = table not in CHINESE and find_wordnet() is not None
    return [section for name, section in CHANGES.items() if able or name != WORDNET]


def findings(line: Mapping[str, Any]) -> dict[str, Any]:
    """What a cell found, by augmenter, without that which could do nothing there."""
    return {name: one for name, one in line["found"].items() if not (name == WORDNET and line["table"] in CHINESE)}


def cells(
    known: Mapping[str, Callable[[], Table]], *, named: Sequence[str], sizes: Sequence[int], seeds: int
) -> Iterator[tuple[Cell, tuple[Table, Table] | None]]:
    """The cells of a plan with their dev and test rows; none of a table that is not on this machine."""
    for name in named:
        table = known[name]() if name in known else None
        for size in sizes:
            for seed in range(seeds):
                both = None if table is None else parted(table, size=size, seed=seed)
                if both is not None or table is None:
                    yield (name, size, seed), both


def cell(dev: Table, test: Table, *, table: str, seed: int, champion: str, metric: str) -> dict[str, Any]:
    """One run, and every contender on the rows that were kept away."""
    with tempfile.TemporaryDirectory() as folder:
        for name, (texts, labels) in (("dev", dev), ("test", test)):
            with Path(folder, f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows([("text", "label"), *zip(texts, labels, strict=True)])
        made = ", ".join(changes(table))
        first = "{kind: encoder, name: encoder}, " if champion == "encoder" else ""
        text = (
            f"data: {{files: [dev.csv], test_files: [test.csv]}}\nseed: {seed}\ncompress: {{methods: []}}\n"
            f"gate: {{metrics: [{metric}]}}\nchallengers: [{first}{made}]\n"
        )
        recipe = parse_recipe(text, folder=Path(folder))
        begun = time.monotonic()
        run(recipe)
        made = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "seconds": round(time.monotonic() - begun)}
        return {**made, **_found(recipe, metric)}


def _found(recipe: Any, metric: str) -> dict[str, Any]:
    workspace = Workspace(recipe.workspace)
    ledger = Ledger(workspace.ledger)
    family = next(record.body["family"] for record in ledger.records() if record.kind == "champion-root")
    rows = PartedRows.load(next(workspace.data.glob("rows-*")))
    truth = rows.truth[rows.parts.test]
    found: dict[str, Any] = {}
    tested: dict[str, float] = {}

    def score(key: str) -> float:
        if key not in tested:
            contender = Contender.load(workspace.models / key)
            whole = on_all_rows(contender, rows, recipe)
            given = whole.model(threads=recipe.threads).predict(rows.texts(rows.parts.test)).argmax(axis=1)
            tested[key] = float(
                f1_score(truth, given, average="macro") if metric == "macro_f1" else (given == truth).mean()
            )
        return tested[key]

    for challenge in ledger.challenges(family):
        contender = Contender.load(workspace.models / challenge.challenger.key)
        if "made_by" not in contender.facts:
            continue
        verdict, finding = challenge.verdict, challenge.verdict.findings[0]
        origin = str(contender.facts["from_key"])
        found[contender.name] = {
            "from": str(contender.facts["from"]),
            "outcome": str(verdict.outcome),
            "points": [100 * value for value in (finding.estimate, finding.low, finding.high)],
            "test": 100 * (score(challenge.challenger.key) - score(origin)),
            "made": contender.facts.get("augmented"),
        }
    return {"rows": len(rows.parts.dev), "tested": len(truth), "found": found}


def missed(cells: Sequence[Cell]) -> str:
    """Cells of the default plan that are not there, for people."""
    seeds: dict[tuple[str, int], list[str]] = {}
    for table, size, seed in cells:
        seeds.setdefault((table, size), []).append(str(seed))
    told = [
        f"{table} with {'all' if size == max(SIZES) else f'{size:,}'} rows (seed {', '.join(of)})"
        for (table, size), of in seeds.items()
    ]
    return f"Missing of the default plan: {'; '.join(told)}." if told else "No cell of the default plan is missing."


def page(lines: Sequence[Mapping[str, Any]], missing: Sequence[Cell]) -> str:
    """The table of all cells, seeds together, and what is not there."""
    groups: dict[tuple[str, str, int], list[Mapping[str, Any]]] = {}
    for line in lines:
        groups.setdefault((line["champion"], line["table"], line["size"]), []).append(line)
    days = ", ".join(sorted({line["date"] for line in lines}))
    told = [
        "# augmenters",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, `{command()}`, {machine()}. Cells were made on {days}.",
        "",
        __doc__.split("\n\n")[2].replace("\n", " "),
        "",
        "Points of accuracy (SMS: macro-F1) over the champion without new rows, means over the seeds: the estimate of the "
        "gate (out of fold), and on the rows that were kept away, with its standard error. Verdicts: better / not worse or "
        "undecided / worse.",
        "",
        missed(missing),
        "",
        "| champion | table | dev rows | augmenter | verdicts | out of fold | kept away |",
        "|---|---|---|---|---|---|---|",
    ]
    for (champion, table, _), cells in sorted(groups.items()):
        for name in CHANGES:
            found = [findings(line)[name] for line in cells if name in findings(line)]
            if not found:
                continue
            counts = Counter(one["outcome"] for one in found)
            others = len(found) - counts["better"] - counts["worse"]
            test = np.array([one["test"] for one in found])
            error = f" ± {test.std(ddof=1) / np.sqrt(len(test)):.2f}" if len(test) > 1 else ""
            inside = np.mean([one["points"][0] for one in found])
            told.append(
                f"| {champion} | {table} | {cells[0]['rows']:,} | {name} | {counts['better']} / {others} / {counts['worse']} "
                f"| {inside:+.2f} | {test.mean():+.2f}{error} |"
            )
    every = [one for line in lines for one in findings(line).values()]
    won = [one for one in every if one["outcome"] == "better"]
    if won:
        told += [
            "",
            f"{len(won)} of {len(every)} verdicts are `better`; on the rows that were kept away these brought "
            f"{np.mean([one['test'] for one in won]):+.2f} points on average, the other {len(every) - len(won)} "
            f"{np.mean([one['test'] for one in every if one['outcome'] != 'better']):+.2f}.",
        ]
    told += [
        "",
        "Wei and Zou (2019) report +3.0 points at N = 500 for EDA, as the mean of five sets with an RNN and a CNN; Longpre "
        "et al. (2020) find no consistent gain for pretrained transformers. Those are other tables and other models.",
        "",
    ]
    return "\n".join(told)


def main() -> None:
    """Do the cells that are not there, and draw the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=Path)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--champion", choices=["linear", "encoder"], default=CHAMPION)
    parser.add_argument("--tables", default=",".join(TABLES))
    parser.add_argument("--minutes", type=float, default=600)
    asked = parser.parse_args()
    lines = [json.loads(line) for line in LINES.read_text().splitlines()] if LINES.is_file() else []
    done = {(line["champion"], line["table"], line["size"], line["seed"]) for line in lines}
    end = time.monotonic() + 60 * asked.minutes
    known = {name: cache(read) for name, read in tables(asked.corpora).items()}
    sizes = [int(size) for size in asked.sizes.split(",")]
    for one, both in cells(known, named=asked.tables.split(","), sizes=sizes, seeds=asked.seeds):
        if both is None or (asked.champion, *one) in done or time.monotonic() > end:
            continue
        name, size, seed = one
        line = {"champion": asked.champion, "table": name, "size": size, "seed": seed}
        metric = METRICS.get(name, "accuracy")
        line |= cell(*both, table=name, seed=seed, champion=asked.champion, metric=metric)
        lines.append(line)
        done.add((asked.champion, *one))
        with LINES.open("a") as file:
            file.write(f"{json.dumps(line)}\n")
        print(name, size, seed, line["seconds"], "s", flush=True)
    plan = cells(known, named=TABLES, sizes=SIZES, seeds=SEEDS)
    PAGE.write_text(page(lines, [one for one, _ in plan if (CHAMPION, *one) not in done]), encoding="utf-8")


if __name__ == "__main__":
    main()
