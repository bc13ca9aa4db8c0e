"""Fixing cells of a table: its texts are mended and its labels renamed, and every changed cell is recorded."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ratchet.errors import DataError
from ratchet.prepare.changes import BETWEEN, united, with_cells
from ratchet.prepare.cleaning import STEPS, mended
from ratchet.prepare.review import Answers
from ratchet.recipe.sections import PrepareConfig
from ratchet.tables.dataset import Dataset
from ratchet.text.columns import coded

RENAMED, REVIEWED = "labels.renamed", "labels.review"


@dataclass(frozen=True, kw_only=True, eq=False)
class Fixed:
    """The dataset with its cells fixed, and the record of the changes (see :data:`ratchet.prepare.changes.SCHEMA`)."""

    dataset: Dataset
    changes: pa.Table


def fix(dataset: Dataset, *, config: PrepareConfig, answers: Answers | None = None) -> Fixed:
    """Mend the texts and rename the labels; rows stay where they are, and ``answers`` have the last word on a label.

    The reasons are ``text.mojibake``, ``text.html``, ``text.invisible`` and ``text.mask``, of which a text may have
    several, ``labels.renamed`` and ``labels.review``. :func:`ratchet.prepare.changes.undone` undoes it.
    """
    dataset, texts = _with_texts(dataset, config=config)
    if dataset.roles.label is None:
        return Fixed(dataset=dataset, changes=texts)
    dataset, labels = _with_labels(dataset, config=config, answers=answers)
    return Fixed(dataset=dataset, changes=united([texts, labels]))


def require_labels(config: PrepareConfig, datasets: Sequence[Dataset]) -> None:
    """Refuse new names for labels that no row has.

    Raises:
        DataError: with the nearest label that there is.
    """
    known = {label for dataset in datasets for label in dataset.labels}
    for label in config.labels:
        if label not in known:
            near = difflib.get_close_matches(label, sorted(known), n=1, cutoff=0.4)
            raise DataError(
                f"prepare.labels must rename labels of the table but no row has {label!r}.",
                next_step=f"Did you mean {near[0]!r}?"
                if near
                else f"It has {', '.join(map(repr, sorted(known)[:10]))}.",
            )


def _with_texts(dataset: Dataset, *, config: PrepareConfig) -> tuple[Dataset, pa.Table]:
    """Each different text that may need a fix is looked at once."""
    coarse = "|".join(f"(?:{step.coarse})" for step in STEPS if step.name in config.text)
    if not coarse or not len(dataset):
        return dataset, united([])
    values, member = coded(dataset.table.column(dataset.roles.text))
    maybe = np.flatnonzero(pc.match_substring_regex(values, coarse).to_numpy(zero_copy_only=False))
    number = np.full(len(values) + 1, -1, np.int64)
    now, reasons = list[str](), list[str]()
    for value, text in zip(maybe.tolist(), values.take(pa.array(maybe)).to_pylist(), strict=True):
        after, steps = mended(text, config.text)
        if after != text:
            number[value] = len(now)
            now.append(after)
            reasons.append(BETWEEN.join(f"text.{step}" for step in steps))
    place = number[member]
    rows = np.flatnonzero(place >= 0)
    which = pa.array(place[rows])
    return with_cells(
        dataset,
        dataset.roles.text,
        rows,
        now=pa.array(now, pa.string()).take(which),
        reasons=pa.array(reasons, pa.string()).take(which),
    )


def _with_labels(dataset: Dataset, *, config: PrepareConfig, answers: Answers | None) -> tuple[Dataset, pa.Table]:
    if not config.labels and answers is None:
        return dataset, united([])
    assert dataset.roles.label is not None
    values, member = coded(dataset.table.column(dataset.roles.label))
    before: list[str] = values.to_pylist()
    number = {label: i for i, label in enumerate(before)}
    renamed = [number.setdefault(new, len(number)) for new in (config.labels.get(label, label) for label in before)]
    after = np.array([*renamed, -1], np.int64)[member]
    reason = np.zeros(len(dataset), np.int64)
    if answers is not None:
        relabelled = np.array([bool(label) for label in answers.labels], bool)
        rows = answers.rows[relabelled]
        after[rows] = [number.setdefault(label, len(number)) for label in answers.labels if label]
        reason[rows] = 1
    rows = np.flatnonzero(after != member)
    return with_cells(
        dataset,
        dataset.roles.label,
        rows,
        now=pa.array(list(number), pa.string()).take(pa.array(after[rows])),
        reasons=pa.array([RENAMED, REVIEWED]).take(pa.array(reason[rows])),
    )
