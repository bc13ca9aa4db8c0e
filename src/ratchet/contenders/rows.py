"""The prepared rows as contenders see them: their parts, texts and labels, read once for all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypedDict

import numpy as np
import numpy.typing as npt

from ratchet.metrics.evidence import Evidence
from ratchet.metrics.metrics import named
from ratchet.metrics.own_function import is_own
from ratchet.models.inputs import Inputs
from ratchet.models.linear_fit import Corpus
from ratchet.models.model import Answers
from ratchet.models.targets import Targets
from ratchet.near.copies import NGRAM, THRESHOLD
from ratchet.prepare.parts import TEST, VALID, Parts
from ratchet.prepare.saved import load_dataset, load_parts
from ratchet.recipe.sections import FeatureKind
from ratchet.tables.dataset import Dataset
from ratchet.tasks.registry import EARLIEST, task_of
from ratchet.tasks.task import Columns, Task
from ratchet.workspace.finished import load_json

Ints = npt.NDArray[np.int64]
Language = Literal["zh", "en", "mixed"]
Judging = Callable[[Ints, Answers], npt.NDArray[np.float64]]
"""Grades of the answers to some rows, (n,) from 0 to 1, NaN where the judge said nothing of use."""
JUDGE, NLL = "judge", "nll"
"""Columns that are kept beside the answers: a grade, (n,); and of each answer's tokens the sum of the negative
log-likelihoods and their number, (n, 2)."""
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


class Near(TypedDict):
    """From which likeness on, of which n-grams, two texts are near-copies."""

    threshold: float
    ngram: int


@dataclass(frozen=True, kw_only=True, eq=False)
class PartedRows:
    """The prepared rows, their parts, and what every contender needs to know of them."""

    dataset: Dataset
    parts: Parts
    language: Language
    seal: str
    key: str
    task: Task
    judge: Judging | None = None
    """Who grades the answers to some rows, where a metric of the gate is a judge's."""
    judged_as: str = ""
    """What names the judge: another rubric, another model or another way to ask is another judge."""
    metrics: tuple[str, ...] = ()
    """What the gate judges by; empty: the task's first metric."""
    removed: Mapping[str, int] = field(default_factory=dict)
    """Rows taken out, by reason."""
    changed: Mapping[str, int] = field(default_factory=dict)
    """Texts and labels changed, by reason; a text may have several."""
    unlabelled: Dataset | None = None
    """Rows without an answer that may be labelled: none of them is near a valid or a test row."""
    near: Near = field(default_factory=lambda: Near(threshold=THRESHOLD, ngram=NGRAM))
    """What a near-copy is, as ``check`` of the recipe says."""
    origin: PartedRows | None = None
    """The same rows in other parts, from which is taken what both have in common; see `apart`."""

    @classmethod
    def load(cls, folder: Path, *, metrics: Sequence[str] = ()) -> PartedRows:
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
            task=task_of(facts.get("task", EARLIEST)),
            metrics=tuple(metrics),
            removed=facts["removed"],
            changed=facts["changed"],
        )

    @cached_property
    def targets(self) -> Targets:
        """The right answers of all rows, as models learn them."""
        if self.origin is not None:
            return self.origin.targets
        return self.task.targets(self.dataset.labels)

    @property
    def labels(self) -> tuple[str, ...]:
        """The columns of a model's answer: the sorted names of all labels, or one name for a value or a text."""
        return self.targets.names

    @property
    def truth(self) -> Ints:
        """(n,) class of each row, where every row has one label."""
        classes: Ints = self.targets.values
        return classes

    @cached_property
    def corpus(self) -> Corpus:
        """The dev rows, whose n-grams are counted once for all linear contenders."""
        if self.origin is not None and np.array_equal(self.origin.parts.dev, self.parts.dev):
            return self.origin.corpus
        return Corpus(self.inputs(self.parts.dev), kinds=self.kinds)

    @property
    def kinds(self) -> dict[str, FeatureKind]:
        """The features beside the text, by name."""
        return dict(self.dataset.roles.features)

    def kinds_of(self, columns: Sequence[str] | None) -> dict[str, FeatureKind]:
        """These of the features; ``None``: all."""
        return {name: kind for name, kind in self.kinds.items() if columns is None or name in columns}

    @property
    def texts_a_row(self) -> int:
        """Columns that hold a text of each row."""
        return len(self.dataset.roles.own_texts)

    def apart(self, train: Ints, valid: Ints) -> PartedRows:
        """The same rows in two parts: those that a model may see, and those that it is to predict; no others are there.

        As in time order there is one fold to be judged on. Nobody grades the answers: there are too many.
        """
        fold = np.full(len(self.parts.fold), TEST, np.int64)
        fold[train], fold[valid] = VALID + 1, VALID
        parts = replace(self.parts, fold=fold, order="time", notes=())
        return replace(self, parts=parts, judge=None, origin=self)

    @property
    def whole(self) -> PartedRows:
        """The same rows in the parts that they were prepared in."""
        return self if self.origin is None else self.origin.whole

    @cached_property
    def _features(self) -> dict[str, list[str | None]]:
        if self.origin is not None:
            return self.origin._features
        return {name: self.dataset.column(name) for name in self.kinds}

    def inputs(self, rows: Ints) -> Inputs:
        """Texts of some rows, with the features beside them."""
        places = rows.tolist()
        return Inputs(
            self.texts(rows), {name: [cells[row] for row in places] for name, cells in self._features.items()}
        )

    def texts(self, rows: Ints) -> list[str]:
        """Texts of some rows."""
        texts = self.dataset.texts
        return [texts[row] for row in rows.tolist()]

    def made(self, answers: Sequence[str]) -> Targets:
        """The right answers of rows that were made, from their cells."""
        return self.task.targets(answers, names=self.labels)

    def columns(self, rows: Ints, answers: Answers) -> Columns:
        """What the gate reads of the answers to some rows."""
        return self.task.columns(self.targets.take(rows), answers, metrics=self.judged_by)

    def evidence(self, rows: Ints, answers: Answers, *, metric: str, name: str = "") -> Evidence:
        """What a metric is computed of, from the answers to some rows."""
        columns = self.columns(rows, answers)
        return Evidence(
            name=name,
            rows=rows,
            targets=columns.targets,
            outcomes=columns.outcomes,
            labels=self.labels,
            features=self.beside(rows, metrics=(metric,)),
        )

    def beside(self, rows: Ints, *, metrics: Sequence[str] = ()) -> dict[str, npt.NDArray[Any]]:
        """The features of some rows, where a metric of the user's may read them: one of the gate, or of these."""
        if not any(map(is_own, (*self.judged_by, *metrics))):
            return {}
        return {name: np.array(cells, dtype=object)[rows] for name, cells in self._features.items()}

    def graded(self, rows: Ints, answers: Answers) -> dict[str, npt.NDArray[np.float64]]:
        """The column of the judge's grades, where there is a judge."""
        return {} if self.judge is None else {JUDGE: self.judge(rows, answers)}

    @property
    def judged_by(self) -> tuple[str, ...]:
        """The metrics of the gate, and of its claims."""
        return self.metrics or self.task.metrics[:1]

    def margin_of(self, metric: str) -> float:
        """What a margin of 1 is in the metric's own unit: 1 for shares and savings, the spread of the values for an error."""
        found = named(metric)[0]
        return 1.0 if found.bounded or found.saving else self.task.margin(self.targets.take(self.parts.dev))

    def names(self, rows: Ints) -> list[str]:
        """Labels of some rows."""
        labels = self.dataset.labels
        return [labels[row] for row in rows.tolist()]
