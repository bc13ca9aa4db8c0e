"""Tables of unlike sentences, for the tests of parts."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa

from ratchet.tables.dataset import Dataset, Roles

CHARACTERS = [chr(0x4E00 + 7 * i) for i in range(700)]


def dataset(
    texts: list[str], labels: list[str], *, groups: list[str | None] | None = None, name: str = "a.csv"
) -> Dataset:
    columns = {"text": pa.array(texts, pa.string()), "label": pa.array(labels, pa.string())}
    if groups is not None:
        columns["group"] = pa.array(groups, pa.string())
    return Dataset(
        table=pa.table(columns),
        roles=Roles(text="text", label="label", group="group" if groups is not None else None),
        files=(name,),
        file_index=np.zeros(len(texts), np.int64),
        origin=np.arange(1, len(texts) + 1),
    )


def sentence(rng: random.Random, length: int = 30) -> str:
    return "".join(rng.choices(CHARACTERS, k=length))


def labelled(counts: dict[str, int], *, seed: int = 0, copies: int = 1) -> Dataset:
    """Unlike sentences, this many of each label, each with ``copies - 1`` edits of itself."""
    rng = random.Random(seed)
    texts, labels = [], []
    for label, count in counts.items():
        for _ in range(count // copies):
            text = sentence(rng)
            texts += [text, *(text[: 5 + i] + "改" + text[6 + i :] for i in range(copies - 1))]
            labels += [label] * copies
    return dataset(texts, labels)
