"""What the label column holds: whether a model can be trained on it, and labels that are one label written twice."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from ratchet.errors import DataError
from ratchet.near.copies import normalise
from ratchet.tables.dataset import Dataset

_NAMED = 3
_WORDS = 3
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]*)?")


def require_trainable(dataset: Dataset) -> None:
    """Refuse a table from which no classifier can be both trained and measured.

    Rows without text or label are left out of the count, as prepare leaves them out.

    Raises:
        DataError: no label column, no row with text and label, one class only, or a class with a single row.
    """
    roles = dataset.roles
    if roles.label is None or roles.label == roles.text:
        raise DataError(
            f"The label must be a column of its own but is {roles.label!r}.", next_step="Set data.label to that column."
        )
    for role, column, cells in (("text", roles.text, dataset.texts), ("label", roles.label, dataset.labels)):
        if not any(cells):
            raise DataError(
                f"Column {column!r} must hold the {role}s but is empty in all {len(dataset):,} rows.",
                next_step=f"Set data.{role} to another column, or see data.missing for what counts as missing.",
            )
    counts = Counter(label for text, label in zip(dataset.texts, dataset.labels, strict=True) if text and label)
    if len(counts) < 2:
        only = next(iter(counts), "")
        raise DataError(
            f"Column {roles.label!r} must hold at least 2 labels but all {counts.total():,} rows are {only!r}.",
            next_step="Add rows of another class, or set data.label to another column.",
        )
    _require_two_rows(dataset, counts)


def one_spelling(label: str) -> str:
    """Equal for labels that differ only in case, width, spaces or how a number is written: ``1``, ``1.0``, ``01``, ``+1``."""
    plain = normalise(label)
    if not _NUMBER.fullmatch(plain):
        return plain
    whole, _, fraction = plain.lstrip("+-").partition(".")
    fraction = fraction.rstrip("0")
    number = (whole.lstrip("0") or "0") + (f".{fraction}" if fraction else "")
    return f"-{number}" if plain.startswith("-") and number != "0" else number


def label_variants(dataset: Dataset) -> tuple[tuple[str, ...], ...]:
    """Labels that are one label by `one_spelling`, such as ``("Spam", "spam ")``; each group and all sorted."""
    spellings: dict[str, set[str]] = {}
    for label in set(dataset.labels) - {""}:
        spellings.setdefault(one_spelling(label), set()).add(label)
    return tuple(sorted(tuple(sorted(group)) for group in spellings.values() if len(group) > 1))


def _require_two_rows(dataset: Dataset, counts: Counter[str]) -> None:
    single = sorted(label for label, count in counts.items() if count == 1)
    if not single:
        return
    shown = ", ".join(map(repr, single[:_NAMED])) + (" and others" if len(single) > _NAMED else "")
    if len(single) == 1:
        rows = [row for row, label in enumerate(dataset.labels) if label == single[0]]
        row = dataset.place(next((row for row in rows if dataset.texts[row].strip()), rows[0]))
        problem = f"Every label must have at least 2 rows but {shown} has 1 ({row})."
    else:
        problem = f"Every label must have at least 2 rows but {len(single):,} of {len(counts):,} have 1: {shown}."
    step = "Add rows to it, merge it with another label, or take it out."
    alike = next((group for group in label_variants(dataset) if single[0] in group), None)
    if alike:
        step = f"Write {' and '.join(map(repr, alike))} the same way, here or with prepare.labels."
    elif 2 * len(single) > len(counts):
        step = f"Is {dataset.roles.label!r} the label? It looks like a column of names or free text."
    step += _other_task(list(counts))
    raise DataError(problem, next_step=step)


def _other_task(labels: Sequence[str]) -> str:
    """The task that labels look like which are no classes; empty where they may be."""
    if 2 * sum(_NUMBER.fullmatch(normalise(label)) is not None for label in labels) > len(labels):
        return " For numbers set task to regression."
    if 2 * sum(len(label.split()) >= _WORDS for label in labels) > len(labels):
        return " For answers to prompts set task to generation."
    return ""
