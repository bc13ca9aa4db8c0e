"""Examples for a prompt: training rows with their answers, none of them near a row that the prompt is judged on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from ratchet.endpoint.prompt import Example
from ratchet.errors import DataError
from ratchet.forms import json_bytes
from ratchet.near.copies import NGRAM, THRESHOLD, same_words
from ratchet.prepare.leaks import leaks
from ratchet.tables.dataset import Dataset


@dataclass(frozen=True, kw_only=True)
class Examples:
    """The examples in the order in which a prompt shows them, their positions in the training rows, and how many drawn
    rows were left out because they are near a row that must stay unseen.
    """

    examples: tuple[Example, ...]
    rows: tuple[int, ...]
    left_out: int


def choose(
    train: Dataset,
    *,
    shots: int,
    seed: int,
    unseen: Sequence[Dataset],
    ngram: int = NGRAM,
    threshold: float = THRESHOLD,
) -> Examples:
    """Draw examples, as many of each label as can be; the draw depends on the seed and the rows, not on their order.

    Args:
        train: the rows to draw from.
        shots: how many; fewer where ``train`` has fewer different texts that may be shown.
        seed: another seed, other examples.
        unseen: rows that the prompt will be judged on, and the test rows; nothing that is a copy or near-copy of one of
            them, or of one group with it, is shown.
        ngram: characters of an n-gram.
        threshold: Jaccard similarity from which two texts are near-copies.

    Raises:
        DataError: no row is left.
    """
    queues = _queues(train, seed=seed)
    chosen: list[int] = []
    left_out, size = 0, shots
    while len(chosen) < shots and (drawn := _drawn(queues, train.labels, chosen, count=size)):
        near = _near(train.take(drawn), unseen, ngram=ngram, threshold=threshold)
        left_out += int(near.sum())
        chosen += [row for row, leaks_ in zip(drawn, near.tolist(), strict=True) if not leaks_]
        size *= 2  # where nearly every row is near an unseen one, few rounds still see them all
    if shots and not chosen:
        raise DataError(
            f"Some training rows must differ from the judged rows to be shown as examples but all {left_out:,} are copies or "
            "near-copies of one.",
            next_step="Set shots to 0, or add training rows.",
        )
    rows = tuple(chosen[:shots])
    return Examples(examples=tuple(_shown(train, rows)), rows=rows, left_out=left_out)


def _queues(train: Dataset, *, seed: int) -> dict[str, list[int]]:
    """The rows of each label in the order in which they are drawn, the next one last; copies are drawn once."""
    first: dict[str, int] = {}
    for row, text in enumerate(train.texts):
        if text.strip() and (train.labels[row] or train.roles.label is None):
            first.setdefault(same_words(text), row)
    queues: dict[str, list[int]] = {}
    for row in sorted(first.values(), key=lambda row: _place(seed, train.texts[row], train.labels[row]), reverse=True):
        queues.setdefault(train.labels[row], []).append(row)
    return {label: queues[label] for label in sorted(queues, key=lambda label: _place(seed, label))}


def _place(seed: int, *content: str) -> bytes:
    return blake2b(json_bytes([seed, *content]), digest_size=16).digest()


def _drawn(queues: dict[str, list[int]], labels: Sequence[str], chosen: Sequence[int], *, count: int) -> list[int]:
    """Take rows out of the queues, each from the label that has the fewest so far."""
    have = Counter(labels[row] for row in chosen)
    drawn: list[int] = []
    while len(drawn) < count and (open_ := [label for label, queue in queues.items() if queue]):
        label = min(open_, key=lambda label: have[label])
        drawn.append(queues[label].pop())
        have[label] += 1
    return drawn


def _near(rows: Dataset, unseen: Sequence[Dataset], *, ngram: int, threshold: float) -> npt.NDArray[np.bool_]:
    found = np.zeros(len(rows), bool)
    for table in unseen:
        found |= leaks(rows, table, ngram=ngram, threshold=threshold).left_rows
    return found


def _shown(train: Dataset, rows: Sequence[int]) -> list[Example]:
    taken = train.take(rows)
    columns = {name: taken.column(name) for name in taken.table.column_names}
    return [
        {**{name: cells[row] or "" for name, cells in columns.items()}, "text": text, "label": label}
        for row, (text, label) in enumerate(zip(taken.texts, taken.labels, strict=True))
    ]
