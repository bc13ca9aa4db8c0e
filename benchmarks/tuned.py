"""What tuning does to the error level, where there is nothing to tune: all settings are equally good.

    python benchmarks/tuned.py [--quick]

300 rows of two classes have 200 columns that all tell the class equally well. A setting is 40 of the columns, so that no
setting is better than another; the champion has 40 of its own. The challenger is "tune, then train": the best of some
settings. The share of comparisons that call it better has to be at most 5 %: with a study inside of each fold's training
rows, as Ratchet does it, but not where the trials are scored on the rows that the challenger is then judged on. The last
line goes through `contenders.tune` itself: Optuna, its journal, its pruner. Writes benchmarks/results/tuned.md.
"""

from __future__ import annotations

import argparse
import math
import os
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from run_all import machine

from ratchet.contenders import registry
from ratchet.contenders.base import Contender
from ratchet.contenders.kind import FoldKind, Training
from ratchet.contenders.material import Material
from ratchet.contenders.rows import PartedRows
from ratchet.contenders.tune import Tune
from ratchet.gate.verdict import compare
from ratchet.metrics.evidence import Evidence
from ratchet.prepare.parts import parts_of
from ratchet.prepare.stratify import folds
from ratchet.recipe.section import Section
from ratchet.recipe.space import Range
from ratchet.recipe.tune import TuneSpec
from ratchet.tables.dataset import Dataset, Roles
from ratchet.tasks.registry import task_of

RESULTS = Path(__file__).parent / "results"
ROWS, COLUMNS, USED, EFFECT, FOLDS, INNER = 300, 200, 40, 0.18, 5, 3
Floats = npt.NDArray[np.float64]


def table(seed: int, settings: int) -> tuple[Floats, Floats, Floats]:
    """Values of shape (rows, columns), classes of -1 and 1, and the columns of each setting, (columns, settings)."""
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.resize([-1.0, 1.0], ROWS))
    values = EFFECT * truth[:, None] + rng.normal(size=(ROWS, COLUMNS))
    used = np.zeros((COLUMNS, settings))
    for setting in range(settings):
        used[rng.choice(COLUMNS, USED, replace=False), setting] = 1
    return values, truth, used


def right(values: Floats, truth: Floats, used: Floats, train: Floats, test: Floats) -> Floats:
    """Whether each test row is right by each setting, (rows, settings): the nearer mean of two classes."""
    weight = (truth[train][:, None] * values[train]).mean(axis=0)
    return (truth[test][:, None] * ((values[test] * weight) @ used) > 0).astype(np.float64)


def evidence(name: str, outcome: Floats, truth: Floats, fold: npt.NDArray[np.int64]) -> Evidence:
    rows = np.arange(ROWS)
    return Evidence(name=name, rows=rows, targets={"reference": truth}, outcomes={"exact_match": outcome}, fold=fold)


def null_run(way: str, settings: int, seed: int) -> bool:
    """Whether the best of the settings is called better than the champion, setting 0."""
    values, truth, used = table(seed, settings + 1)
    unit, label = np.arange(ROWS), (truth > 0).astype(np.int64)
    fold = folds(unit, label, count=FOLDS, seed=seed)
    champion, every = np.zeros(ROWS), np.zeros((ROWS, settings))
    challenger = np.zeros(ROWS)
    for out in range(FOLDS):
        train, test = np.flatnonzero(fold != out), np.flatnonzero(fold == out)
        found = right(values, truth, used, train, test)
        champion[test], every[test] = found[:, 0], found[:, 1:]
        inner = folds(train, label[train], count=INNER, seed=seed)
        scores = np.zeros(settings)
        for one in range(INNER):
            seen, asked = train[inner != one], train[inner == one]
            scores += right(values, truth, used, seen, asked)[:, 1:].mean(axis=0)
        challenger[test] = every[test, int(scores.argmax())]
    if way == "judged":
        challenger = every[:, int(every.mean(axis=0).argmax())]
    sides = [evidence(name, one, truth, fold) for name, one in (("tuned", challenger), ("champion", champion))]
    return compare(sides[0], sides[1], ["exact_match"], seed=seed).promotes


class ColumnsSpec(Section):
    """Some of the columns."""

    kind: Literal["columns"] = "columns"
    """Which kind this is."""
    setting: int = 0
    """Which columns."""


class Means:
    """The nearer mean of two classes; a text is the number of its row."""

    labels = ("a", "b")

    def __init__(self, values: Floats, weight: Floats) -> None:
        self.values, self.weight = values, weight

    def predict(self, texts: Sequence[str], /) -> npt.NDArray[np.float32]:
        score = self.values[[int(text) for text in texts]] @ self.weight
        second = 1 / (1 + np.exp(-score))
        return np.stack([1 - second, second], axis=1).astype(np.float32)

    def save(self, folder: Path, /) -> None:
        np.save(folder / "weight.npy", self.weight, allow_pickle=False)


class Columns(FoldKind[ColumnsSpec]):
    """A kind of which all settings are equally good."""

    name, spec, runtime = "columns", ColumnsSpec, "linear"
    table: tuple[Floats, Floats, Floats]

    def fit(self, spec: ColumnsSpec, material: Material, training: Training) -> Means:
        del training
        values, truth, used = self.table
        rows = material.rows
        return Means(values, (truth[rows][:, None] * values[rows]).mean(axis=0) * used[:, spec.setting])


def real_run(settings: int, seed: int) -> bool:
    """As `null_run`, through the whole of `Tune`."""
    kind = Columns()
    kind.table = table(seed, settings + 1)
    registry.KINDS = (Tune(), kind)
    labels = ["b" if one > 0 else "a" for one in kind.table[1]]
    columns = {"text": pa.array(list(map(str, range(ROWS)))), "label": pa.array(labels)}
    place = np.arange(ROWS)
    roles = Roles(text="text", label="label")
    data = Dataset(table=pa.table(columns), roles=roles, files=("t",), file_index=place * 0, origin=place + 1)
    fold = folds(place, (kind.table[1] > 0).astype(np.int64), count=FOLDS, seed=seed)
    parts = parts_of(data, fold, labelled=False)
    rows = PartedRows(
        dataset=data,
        parts=parts,
        language="en",
        seal="",
        key="rows",
        task=task_of("classification"),
        metrics=("accuracy",),
    )
    space = {"setting": Range(choices=tuple(range(1, settings + 1)))}
    spec = TuneSpec(of=ColumnsSpec(), space=space, trials=settings, folds=INNER)
    sides = []
    with tempfile.TemporaryDirectory() as name:
        for which, settled in ((Tune(), spec), (kind, ColumnsSpec())):
            training = Training(
                rows=rows,
                name=which.name,
                kind=which.name,
                key=which.name,
                seed=seed,
                threads=1,
                store=Path(name),
                advance=lambda *_: None,
            )
            folder = Path(name) / f"made-{which.name}"
            folder.mkdir()
            which.train(folder, settled, training)  # type: ignore[arg-type]
            sides.append(Contender.load(folder).evidence(rows))
    return compare(sides[0], sides[1], ["accuracy"], seed=seed).promotes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the repeats")
    quick = parser.parse_args().quick
    repeats, real = (400, 30) if quick else (2_000, 200)
    started, lines = time.time(), [f"{ROWS} rows, {FOLDS} folds, studies of {INNER} folds.\n"]
    lines.append(
        "| where trials are scored | settings | comparisons | called better | standard error | |\n|---|---|---|---|---|---|"
    )
    ways = [
        *(("inside of each fold's training rows", s, repeats, partial(null_run, "nested", s)) for s in (10, 50, 200)),
        *(("on the rows that are judged", s, repeats, partial(null_run, "judged", s)) for s in (10, 50, 200)),
        ("inside of each fold's training rows, by `contenders.tune`", 12, real, partial(real_run, 12)),
    ]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for title, settings, count, run in ways:
            share = sum(pool.map(run, range(count), chunksize=5)) / count
            error = math.sqrt(max(share * (1 - share), 1 / count) / count)
            note = "above 5 %" if share - 2 * error > 0.05 else ""
            lines.append(f"| {title} | {settings} | {count:,} | {share:.1%} | {error:.1%} | {note} |")
            print(lines[-1], flush=True)
    lines.append(f"\n{time.time() - started:.0f} s.")
    head = f"# Tuning where there is nothing to tune\n\n{datetime.now(UTC):%Y-%m-%d}, "
    head += f"`python benchmarks/tuned.py`, {machine()}.\n\n"
    if not quick:
        (RESULTS / "tuned.md").write_text(head + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
