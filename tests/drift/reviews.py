"""Tables of made Chinese reviews, for the tests of differences between tables."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

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
