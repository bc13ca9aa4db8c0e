"""Requests to a generator: which rows each shows, and how many new texts it asks for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ratchet.augment.source import Source
from ratchet.recipe.augment import GenerateSpec


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request; all of its rows have the label and the group of the first."""

    rows: tuple[int, ...]
    label: str
    count: int
    """New texts that it asks for."""
    needed: int
    """Of these, those that are used."""
    again: int
    """How many requests before it showed the same first row."""


def requests(source: Source, spec: GenerateSpec, *, seed: int) -> list[Request]:
    """What a generator is asked; it depends on the seed and on which rows there are, not on their order.

    The requests of a group depend on the rows of that group alone (with ``per_label``, how many of them are sent depends on
    how many groups there are), so that all folds that may see a group ask for the same.
    """
    families = _families(source, seed=seed)
    spread: dict[str, int] = {}
    for label, _ in families:
        spread[label] = spread.get(label, 0) + 1
    found: list[Request] = []
    for (label, _), rows in families.items():
        share = None if spec.per_label is None else -(-spec.per_label // spread[label])
        one = _paraphrases if spec.mode == "paraphrase" else _new
        found += one(source, spec, rows, label=label, share=share, seed=seed)
    return found


def _families(source: Source, *, seed: int) -> dict[tuple[str, int], list[int]]:
    """The rows of each label and group that have a text, copies once, in the order in which they are shown first."""
    groups = source.group.tolist() if len(source.group) else [0] * len(source.texts)
    first: dict[tuple[str, int, str], int] = {}
    for row, (text, label, group) in enumerate(zip(source.texts, source.labels, groups, strict=True)):
        if text.strip():
            first.setdefault((label, group, text), row)
    found: dict[tuple[str, int], list[int]] = {}
    for (label, group, _), row in sorted(first.items(), key=lambda one: (one[0][:2], _place(seed, one[0][2]))):
        found.setdefault((label, group), []).append(row)
    return found


def _new(
    source: Source, spec: GenerateSpec, rows: Sequence[int], *, label: str, share: int | None, seed: int
) -> Iterator[Request]:
    """Requests for new texts, each with another row first, until there are enough."""
    left = spec.copies * len(rows) if share is None else share
    number = 0
    while left > 0:
        again, place = divmod(number, len(rows))
        first, others = rows[place], [*rows[:place], *rows[place + 1 :]]
        dice = np.random.default_rng(int.from_bytes(_place(seed, source.texts[first], again), "little"))
        shown = dice.choice(len(others), size=min(spec.shots - 1, len(others)), replace=False) if others else ()
        # Of a share as many are asked for as of a larger one: the answer is paid for once whatever the share is.
        count = spec.at_once if share is not None else min(spec.at_once, left)
        needed = min(count, left)
        chosen = (first, *(others[one] for one in shown))
        yield Request(rows=chosen, label=label, count=count, needed=needed, again=again)
        left -= needed
        number += 1


def _paraphrases(
    source: Source, spec: GenerateSpec, rows: Sequence[int], *, label: str, share: int | None, seed: int
) -> Iterator[Request]:
    """Requests for a row in other words."""
    del source, seed
    if share is not None:
        for number in range(share):
            again, place = divmod(number, len(rows))
            yield Request(rows=(rows[place],), label=label, count=1, needed=1, again=again)
        return
    for row in rows:
        for again, done in enumerate(range(0, spec.copies, spec.at_once)):
            count = min(spec.at_once, spec.copies - done)
            yield Request(rows=(row,), label=label, count=count, needed=count, again=again)


def _place(*content: object) -> bytes:
    data = "/".join(map(str, content)).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(data, digest_size=16).digest()
