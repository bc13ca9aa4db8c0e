"""Does augmentation help this table? The verdict of each augmenter against none, and the truth on rows nobody saw.

    python benchmarks/augmenters.py [--corpora FOLDER] [--sizes 500,1000000] [--seeds 3] [--champion encoder] [--tables A,B]

Each cell (table, rows, seed) is one run of the product whose challengers are row changes alone: the champion's own settings on
the train part and new rows. Beside each verdict stands what it would have brought: both trained again on all dev rows and
scored on up to 2,000 rows of the table that were kept away. A finished cell is a line of results/augmenters.jsonl and is not
done again; results/augmenters.md is drawn from them. ``--champion encoder`` takes minutes a cell.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from regret import Table, on_all_rows, parted, tables
from run_all import machine
from sklearn.metrics import f1_score

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


METRICS = {"sms": "macro_f1"}
"""Where the most frequent label is nearly always right; else it is accuracy."""


def cell(dev: Table, test: Table, *, seed: int, champion: str, metric: str) -> dict[str, Any]:
    """One run, and every contender on the rows that were kept away."""
    with tempfile.TemporaryDirectory() as folder:
        for name, (texts, labels) in (("dev", dev), ("test", test)):
            with Path(folder, f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows([("text", "label"), *zip(texts, labels, strict=True)])
        made = ", ".join(CHANGES.values())
        first = "{kind: encoder, name: encoder}, " if champion == "encoder" else ""
        text = (
            f"data: {{files: [dev.csv], test_files: [test.csv]}}\nseed: {seed}\ncompress: {{methods: []}}\n"
            f"gate: {{metrics: [{metric}]}}\nchallengers: [{first}{made}]\n"
        )
        recipe = parse_recipe(text, folder=Path(folder))
        begun = time.monotonic()
        run(recipe)
        return {"seconds": round(time.monotonic() - begun), **_found(recipe, metric)}


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


def page(lines: Sequence[Mapping[str, Any]]) -> str:
    """The table of all cells, seeds together."""
    groups: dict[tuple[str, str, int], list[Mapping[str, Any]]] = {}
    for line in lines:
        groups.setdefault((line["champion"], line["table"], line["size"]), []).append(line)
    told = [
        "# augmenters",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, `python benchmarks/augmenters.py --corpora FOLDER`, {machine()}.",
        "",
        __doc__.split("\n\n")[2].replace("\n", " "),
        "",
        "Points of accuracy (SMS: macro-F1) over the champion without new rows, means over the seeds: the estimate of the "
        "gate (out of fold), and on the rows that were kept away, with its standard error. Verdicts: better / not worse or "
        "undecided / worse.",
        "",
        "| champion | table | dev rows | augmenter | verdicts | out of fold | kept away |",
        "|---|---|---|---|---|---|---|",
    ]
    for (champion, table, _), cells in sorted(groups.items()):
        for name in CHANGES:
            found = [line["found"][name] for line in cells if name in line["found"]]
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
    every = [one for line in lines for one in line["found"].values()]
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
    parser.add_argument("--sizes", default="500,1000000000")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--champion", choices=["linear", "encoder"], default="linear")
    parser.add_argument("--tables", default="reviews,docstrings,sms,intents-10,banking77")
    parser.add_argument("--minutes", type=float, default=600)
    asked = parser.parse_args()
    lines = [json.loads(line) for line in LINES.read_text().splitlines()] if LINES.is_file() else []
    done = {(line["champion"], line["table"], line["size"], line["seed"]) for line in lines}
    end = time.monotonic() + 60 * asked.minutes
    known = tables(asked.corpora)
    for size in map(int, asked.sizes.split(",")):
        for name in asked.tables.split(","):
            if name not in known:
                continue
            table = known[name]()
            for seed in range(asked.seeds):
                both = parted(table, size=size, seed=seed)
                if both is None or (asked.champion, name, size, seed) in done or time.monotonic() > end:
                    continue
                line = {"champion": asked.champion, "table": name, "size": size, "seed": seed}
                line |= cell(*both, seed=seed, champion=asked.champion, metric=METRICS.get(name, "accuracy"))
                lines.append(line)
                with LINES.open("a") as file:
                    file.write(f"{json.dumps(line)}\n")
                print(name, size, seed, line["seconds"], "s", flush=True)
    PAGE.write_text(page(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
