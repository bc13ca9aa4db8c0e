from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from ratchet.drift.diff import diff
from ratchet.tables.dataset import Dataset, Roles

Row = dict[str, str | None]


WORDS = [
    "房间",
    "干净",
    "服务",
    "态度",
    "很好",
    "差",
    "位置",
    "方便",
    "早餐",
    "不错",
    "电脑",
    "性能",
    "书",
    "内容",
    "屏幕",
    "键盘",
]


def rows(count: int, *, seed: int, positive: float = 0.5, mean: float = 0.0, words: Sequence[str] = WORDS) -> list[Row]:
    dice = random.Random(seed)
    return [
        {
            "text": "".join(dice.choices(words, k=dice.randint(4, 14))) + str(dice.random())[2:6],
            "label": "正" if dice.random() < positive else "负",
            "stars": f"{dice.gauss(mean, 1):.2f}",
            "channel": dice.choice(["app", "web", None]),
        }
        for _ in range(count)
    ]


def dataset(found: list[Row], name: str = "r.csv", **roles: str) -> Dataset:
    table = pa.table({column: pa.array([row[column] for row in found], pa.string()) for column in found[0]})
    return Dataset(
        table=table,
        roles=Roles(text="text", label="label", **roles),
        files=(name,),
        file_index=np.zeros(len(found), np.int64),
        origin=np.arange(1, len(found) + 1),
    )


def test_copies_conflicts_and_leaks_that_new_rows_bring() -> None:
    old = rows(50, seed=1)
    near: Row = {**old[3], "text": "这是一条很长的评论，讲的是房间和早餐，还有服务态度", "label": "正"}
    closest: Row = {**near, "text": str(near["text"]) + "！！好"}
    clash: Row = {**old[5], "label": "正" if old[5]["label"] == "负" else "负"}
    fresh = rows(3, seed=8)
    new = [*old, old[0], near, closest, clash, *fresh, fresh[1]]
    test = dataset([fresh[2], old[9], rows(1, seed=77)[0]], "t.csv")
    found = diff(dataset(old), dataset(new), test=test)
    assert found.copies.exact.tolist() == [50, 53, 57]
    assert found.copies.near is not None
    assert found.copies.near.tolist() == [51, 52]
    assert (found.copies.old, found.copies.new) == (0, 3)
    assert (found.copies.conflicts_old, found.copies.conflicts_new, found.copies.conflicts.tolist()) == (0, 1, [53])
    assert found.leaked is not None
    assert (found.leaked.rows.tolist(), found.leaked.fresh, found.leaked.counts["exact"]) == ([56], 1, 1)
