"""The prepared rows as contenders see them: their parts, texts and labels, read once for all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from ratchet.models.linear_fit import Corpus
from ratchet.prepare.parts import Parts
from ratchet.prepare.saved import load_dataset, load_parts
from ratchet.tables.dataset import Dataset
from ratchet.workspace.finished import load_json

Ints = npt.NDArray[np.int64]
Language = Literal["zh", "en", "mixed"]
FACTS = {
    "hash": str,
    "seal": str,
    "language": str,
    "notes": list,
    "read": int,
    "removed": dict,
    "crossing": dict,
    "changed": dict,
    "changed_texts": int,
}
"""What ``facts.json`` of prepared rows holds at least."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PartedRows:
    """The prepared rows, their parts, and what every contender needs to know of them."""

    dataset: Dataset
    parts: Parts
    language: Language
    seal: str
    key: str
    removed: Mapping[str, int] = field(default_factory=dict)
    """Rows taken out, by reason."""
    changed: Mapping[str, int] = field(default_factory=dict)
    """Texts and labels changed, by reason; a text may have several."""

    @classmethod
    def load(cls, folder: Path) -> PartedRows:
        """Read the folder ``rows-KEY`` that prepare finished.

        Raises:
            WorkspaceError: it is missing or damaged.
        """
        facts = load_json(folder / "facts.json", keys=FACTS)
        return cls(
            dataset=load_dataset(folder),
            parts=load_parts(folder),
            language=facts["language"],
            seal=facts["seal"],
            key=folder.name.removeprefix("rows-"),
            removed=facts["removed"],
            changed=facts["changed"],
        )

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Sorted names of all labels."""
        return tuple(sorted(set(self.dataset.labels)))

    @cached_property
    def truth(self) -> Ints:
        """(n,) class of each row."""
        place = {label: index for index, label in enumerate(self.labels)}
        return np.array([place[label] for label in self.dataset.labels], dtype=np.int64)

    @cached_property
    def corpus(self) -> Corpus:
        """The dev rows, whose n-grams are counted once for all linear contenders."""
        return Corpus(self.texts(self.parts.dev))

    def texts(self, rows: Ints) -> list[str]:
        """Texts of some rows."""
        texts = self.dataset.texts
        return [texts[row] for row in rows.tolist()]

    def names(self, rows: Ints) -> list[str]:
        """Labels of some rows."""
        labels = self.dataset.labels
        return [labels[row] for row in rows.tolist()]
