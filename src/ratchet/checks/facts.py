"""Facts of a table: its size, classes, lengths, language and what is missing, for reports and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from ratchet.checks.balance import class_texts
from ratchet.checks.completeness import missing_map
from ratchet.checks.context import Context
from ratchet.checks.diversity import Diversity, measure
from ratchet.checks.random_split import NaiveSplit, naive_split_of
from ratchet.text.columns import Rows
from ratchet.text.language import guess_language

CLASSES = 10_000
_BINS = 24
_SAMPLE = 5_000


@dataclass(frozen=True, kw_only=True)
class Class:
    """A label, its rows, and its different texts."""

    name: str
    rows: int
    texts: int


@dataclass(frozen=True, kw_only=True)
class Lengths:
    """Distribution of text lengths in characters: equal bins up to the 99th percentile, ``above`` counts longer texts."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    above: int
    median: float
    p95: float
    longest: float
    unit: str = "characters"

    @classmethod
    def of(cls, lengths: Rows) -> Lengths | None:
        """``None`` without texts."""
        if not len(lengths):
            return None
        median, p95, top = np.quantile(lengths, (0.5, 0.95, 0.99), method="inverted_cdf")
        step = -(-(int(top) + 1) // min(_BINS, int(top) + 1))
        edges = np.arange(0, int(top) + 1 + step, step)
        inside = lengths[lengths < edges[-1]]
        return cls(
            edges=tuple(edges.tolist()),
            counts=tuple(np.bincount(inside // step, minlength=len(edges) - 1).tolist()),
            above=len(lengths) - len(inside),
            median=float(median),
            p95=float(p95),
            longest=float(lengths.max()),
        )


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is so, without judgement.

    Attributes:
        rows: rows of the table.
        unique_rows: different texts as they are written; a missing one counts as one.
        distinct_texts: different texts after normalisation (full width, case, white space): what prepare keeps at most.
        conflicting_texts: distinct texts that carry two labels or more.
        labels: different labels.
        classes: the labels by falling number of rows, ten thousand at most.
        lengths: of the texts.
        language: ``zh``, ``en`` or ``mixed``; empty without texts.
        missing: per column with missing cells, the missing share in up to 60 equal blocks of rows.
        near_clusters: sizes of the largest clusters of near-duplicates, in distinct texts; ``None`` where not looked for.
        naive: what a random split would claim; ``None`` where not looked for.
        diversity: the vocabulary; ``None`` where not looked at.
    """

    rows: int
    columns: tuple[str, ...]
    files: tuple[str, ...]
    unique_rows: int
    distinct_texts: int
    conflicting_texts: int
    labels: int
    classes: tuple[Class, ...]
    lengths: Lengths | None
    language: str
    missing: Mapping[str, list[float]]
    near_clusters: tuple[int, ...] | None = None
    naive: NaiveSplit | None = None
    diversity: Diversity | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Facts:
        """The inverse of ``to_dict``."""
        return _adapter().validate_python(plain)


@cache
def _adapter() -> TypeAdapter[Facts]:
    return TypeAdapter(Facts)


def gather(context: Context, *, pairs: bool, naive: bool, terms: bool) -> Facts:
    """The facts; ``pairs``, ``naive`` and ``terms`` say which of the expensive ones to compute."""
    texts = context.texts
    return Facts(
        rows=len(context.dataset),
        columns=_own_columns(context),
        files=context.dataset.files,
        unique_rows=len(texts) + bool((texts.member < 0).any()),
        distinct_texts=int(context.text_groups.max(initial=-1)) + 1,
        conflicting_texts=len(context.conflicting_groups),
        labels=len(context.labels),
        classes=_classes(context),
        lengths=Lengths.of(context.texts.characters.look["length"][context.texts.member[context.texts.member >= 0]]),
        language=guess_language(texts.some(np.arange(0, len(texts), max(len(texts) // _SAMPLE, 1))))
        if len(texts)
        else "",
        missing=missing_map(context),
        near_clusters=_near_clusters(context) if pairs else None,
        naive=naive_split_of(context) if naive else None,
        diversity=measure(context) if terms else None,
    )


def _own_columns(context: Context) -> tuple[str, ...]:
    """The columns of the table as it came, without the one of joined texts."""
    roles = context.dataset.roles
    made = roles.text if roles.texts else None
    return tuple(name for name in context.dataset.table.column_names if name != made)


def _classes(context: Context) -> tuple[Class, ...]:
    names, counts, texts = context.labels.values, context.labels.counts, class_texts(context)
    order = sorted(range(len(names)), key=lambda i: (-counts[i], names[i]))[:CLASSES]
    return tuple(Class(name=names[i], rows=int(counts[i]), texts=int(texts[i])) for i in order)


def _near_clusters(context: Context) -> tuple[int, ...]:
    """Sizes in distinct texts of the fifty largest clusters with two or more."""
    pairs = np.unique(context.text_clusters * max(len(context.texts), 1) + context.text_groups)
    sizes = np.bincount(pairs // max(len(context.texts), 1))
    return tuple(np.sort(sizes[sizes > 1])[::-1][:50].tolist())
