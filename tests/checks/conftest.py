"""Small tables to check, and real-looking ones."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ratchet.checks import Context, Finding
from ratchet.data import Dataset, Roles
from ratchet.recipe.sections import Recipe

Columns = Mapping[str, Sequence[str | None]]
Table = Callable[..., Dataset]
Found = Callable[..., dict[str, Finding]]

GOOD = re.findall("..", "房间干净服务热情早餐丰富位置方便价廉物美值得推荐质量很好喜欢孩子满意下次还会再来")
BAD = re.findall("..", "房间很脏服务冷淡早餐难吃位置偏僻价格太贵不会退货质量很差失望破损客服不理浪费后悔")
INTENTS = {
    "card_lost": re.findall(r"\w+", "my card was lost stolen please block it now i can not find wallet need new"),
    "top_up": re.findall(r"\w+", "how do i top up add money account transfer balance automatic limit today"),
    "exchange": re.findall(r"\w+", "which rate currency exchange abroad dollars euros fee convert holiday weekend"),
}


@pytest.fixture
def table() -> Table:
    """Makes a dataset from columns; ``text`` and ``label`` are their roles where they are there."""

    def make(
        columns: Columns, *, files: Sequence[str] = ("a.csv",), per_file: int | None = None, **roles: str
    ) -> Dataset:
        rows = len(next(iter(columns.values())))
        place = np.arange(rows)
        each = per_file or max(rows, 1)
        names = {"text": "text", **({"label": "label"} if "label" in columns else {}), **roles}
        return Dataset(
            table=pa.table({name: pa.array(cells, pa.string()) for name, cells in columns.items()}),
            roles=Roles(**names),
            files=tuple(files),
            file_index=place // each,
            origin=place % each + 1,
        )

    return make


@pytest.fixture
def found() -> Found:
    """Runs one check and gives its findings by id; a second one of an id is an error."""

    def run(
        check: Callable[[Context], Iterable[Finding]], dataset: Dataset, *, recipe: Recipe | None = None, **extra: Any
    ) -> dict[str, Finding]:
        context = Context(dataset=dataset, recipe=recipe or Recipe(), seed=3, **extra)
        findings = list(check(context))
        assert len({(finding.id, finding.column) for finding in findings}) == len(findings)
        return {finding.id: finding for finding in findings}

    return run


@pytest.fixture
def chinese(table: Table) -> Dataset:
    """240 rows of Chinese reviews: half of them are copies, three texts carry both labels."""
    rng = random.Random(1)
    texts, labels = [], []
    for words, label in ((GOOD, "pos"), (BAD, "neg")):
        for _ in range(60):
            texts.append("".join(rng.sample(words, 6)) + "。")
            labels.append(label)
    texts, labels = texts * 2, labels * 2
    for row in (120, 130, 140):
        labels[row] = "neg"
    return table({"text": texts, "label": labels})


@pytest.fixture
def english(table: Table) -> Dataset:
    """180 rows of three intents, in two files."""
    rng = random.Random(2)
    rows = [(" ".join(rng.sample(words, 8)), label) for label, words in INTENTS.items() for _ in range(60)]
    rng.shuffle(rows)
    texts, labels = zip(*rows, strict=True)
    return table({"text": texts, "label": labels}, files=("train.csv", "more.csv"), per_file=100)


@pytest.fixture
def with_columns() -> Callable[[Dataset, Columns], Dataset]:
    """Adds columns to a dataset."""

    def add(dataset: Dataset, columns: Columns) -> Dataset:
        wide = dataset.table
        for name, cells in columns.items():
            wide = wide.append_column(name, pa.array(cells, pa.string()))
        return replace(dataset, table=wide)

    return add
