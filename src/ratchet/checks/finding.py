"""A finding: one thing that is wrong with a table, the rows it is about, why it matters, and the recipe that mends it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np

from ratchet.forms import legible
from ratchet.recipe.yaml import read_yaml, write_yaml
from ratchet.text.columns import Rows
from ratchet.text.personal import mask

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
ID = re.compile(r"[a-z][a-z0-9]*\.[a-z][a-z0-9_]*")
LISTED = 1_000


@dataclass(frozen=True, kw_only=True)
class Example:
    """One cell that shows a finding: shortened, personal data masked, control characters written as escapes.

    ``row`` is the 1-based data row (header not counted) of ``file``; ``note`` says what is wrong with this one.
    """

    file: str
    row: int
    column: str
    text: str
    note: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "note", legible(mask(self.note)))

    def __str__(self) -> str:
        return f"row {self.row}: {self.text or '(missing)'}" + (f" ({self.note})" if self.note else "")


@dataclass(frozen=True, kw_only=True, eq=False)
class Finding:
    """One thing that a check found.

    Attributes:
        id: stable, ``topic.thing``.
        severity: ``error``: a model trained on this, or its score, would lie; ``warning``: it would be worse than it needs
            to be; ``note``: good to know.
        message: what was found, with the figures.
        why: why it matters, in one sentence.
        rows: rows that it is about.
        share: ``rows`` as a share of the rows looked at, 0 to 1; ``None`` where rows are not the measure.
        column: the column that it is about; empty: the text, the label or the whole table.
        fix: a recipe patch in YAML that mends it; empty where a person must decide.
        examples: up to three cells.
        row_numbers: the 1-based data rows by file, ascending; as many as ``rows`` over all files, or none where the
            finding is about the table as a whole.
    """

    id: str
    severity: Severity
    message: str
    why: str
    rows: int
    share: float | None = None
    column: str = ""
    fix: str = ""
    examples: tuple[Example, ...] = ()
    row_numbers: Mapping[str, Rows] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Whatever a message quotes, it prints no personal data and nothing that a terminal would obey."""
        object.__setattr__(self, "message", legible(mask(self.message)))

    def among(self, total: int) -> Finding:
        """The same finding as a share of ``total`` rows, where not all rows were looked at."""
        return replace(self, share=self.rows / total if total else 0.0)

    def to_dict(self, *, listed: int = LISTED) -> dict[str, Any]:
        """Plain JSON values, with the first ``listed`` row numbers of each file; ``rows`` counts all."""
        return {
            "id": self.id,
            "severity": self.severity,
            "message": self.message,
            "why": self.why,
            "rows": self.rows,
            "share": self.share,
            "column": self.column,
            "fix": self.fix,
            "examples": [asdict(example) for example in self.examples],
            "row_numbers": {file: rows[:listed].tolist() for file, rows in self.row_numbers.items()},
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Finding:
        """The inverse of ``to_dict``, with as many row numbers as were listed."""
        examples = tuple(Example(**example) for example in plain["examples"])
        rows = {file: np.array(numbers, np.int64) for file, numbers in plain["row_numbers"].items()}
        return cls(**{**plain, "examples": examples, "row_numbers": rows})


def patch(values: Mapping[str, Any]) -> str:
    """A recipe patch from nested values: ``{"prepare": {"conflicts": "drop"}}``."""
    return write_yaml(dict(values))


def mending(step: str, *, already: Iterable[str] = ()) -> str:
    """The patch that adds a fix of texts to those that a recipe has already."""
    return patch({"prepare": {"text": list(dict.fromkeys([*already, step]))}})


def merged(fixes: Iterable[str]) -> str:
    """All patches as one: lists are united in order, of two different values the later one stays."""
    total: dict[str, Any] = {}
    for fix in fixes:
        _merge(total, read_yaml(fix, name="a fix").value or {})
    return patch(total) if total else ""


def _merge(into: dict[str, Any], values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        have = into.get(key)
        if isinstance(have, dict) and isinstance(value, dict):
            _merge(have, value)
        elif isinstance(have, list) and isinstance(value, list):
            into[key] = [*have, *(item for item in value if item not in have)]
        else:
            into[key] = value
