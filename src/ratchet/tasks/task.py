"""What every task must say: what an answer is and how it is kept, who the first champion is, and by what it is judged."""

from __future__ import annotations

import difflib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from ratchet.errors import DataError, RecipeError
from ratchet.models.linear_fit import fit_majority
from ratchet.models.model import Answers, Model
from ratchet.models.targets import Targets
from ratchet.tasks.views import View

if TYPE_CHECKING:
    from ratchet.tables.dataset import Dataset  # it needs Arrow, which a server of texts does not
    from ratchet.tasks.replies import Parsed
    from ratchet.tasks.stated import Stated

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]
Cell: TypeAlias = str | float | bool | None
CellType: TypeAlias = type[str] | type[float] | type[bool]
NO_FACTS: Mapping[str, Any] = MappingProxyType({})
NAMED = 3
FILE_DECIMALS = 6
"""Decimals of a probability in a table."""
EXAMPLES = 3
"""Labels in an example of a prediction."""
OF_CLASSES = ("leaks", "noise", "giveaway", "balance", "diversity.tail", "diversity.repetitive", "parts.labels")
"""Checks and findings about classes: where each row has one label of a few, and a classifier is fitted for some."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Columns:
    """The columns of a contender's evidence: what is true of each row, and what was answered."""

    targets: Mapping[str, Array]
    outcomes: Mapping[str, Array]


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """A row that was answered wrong, as people read it."""

    place: int
    """Among the rows that were answered."""
    right: str
    given: str
    certainty: float | None
    """The probability of the answer; ``None`` where the task has none."""


@dataclass(frozen=True, kw_only=True)
class Parity:
    """How far an exported model is from the trained one, on the same texts."""

    max_difference: float
    """Largest difference of a probability; of a value, as a share of the spread of all values."""
    disagreements: int
    """Texts with another answer, ties apart."""
    n: int

    @property
    def disagreement(self) -> float:
        """Share of the texts with another answer."""
        return self.disagreements / self.n if self.n else 0.0


class Task(ABC):
    """One task. Nothing outside this folder asks which task it is: whoever needs to know asks the task.

    Register an instance in `tasks.registry.TASKS`, or in the entry point group ``ratchet.tasks``.
    """

    name: ClassVar[str]
    """As the recipe names it."""
    answer: ClassVar[str] = "label"
    """What a row's answer is called in messages."""
    metrics: ClassVar[tuple[str, ...]]
    """What may decide in the gate; the first does where the recipe names none."""
    runtime: ClassVar[str] = "linear"
    """What the first champion runs on."""
    checks_apart: ClassVar[frozenset[str]] = frozenset()
    """Ids of checks and of findings that do not apply: what they say would be wrong for these answers."""
    row_metrics: ClassVar[tuple[str, ...]] = ()
    """Metrics that may be the mean over several answers to a row."""
    own_scores: ClassVar[bool] = False
    """Whether a score of the user's own (``module:function``), a number of each answer, may judge it."""
    own_metrics: ClassVar[bool] = False
    """Whether a metric of the user's own, one number of all right and given answers, may judge it."""
    told: ClassVar[tuple[str, ...]] = ()
    """Metrics that a report tells beside those of the gate; empty: all."""
    unreferenced: ClassVar[tuple[str, ...]] = ()
    """Metrics that need no right answers."""
    contradictions: ClassVar[bool] = True
    """Whether one text with two answers is a mistake; where it is not, such rows stay unless the recipe says otherwise."""
    shares: ClassVar[bool] = False
    """Whether an answer is a probability for each of its columns."""

    @abstractmethod
    def require_trainable(self, dataset: Dataset) -> None:
        """Refuse a table from which no model can be both trained and measured.

        Raises:
            DataError: it names the column and, where there is one, the row.
        """

    @abstractmethod
    def targets(self, answers: Sequence[str], *, names: tuple[str, ...] | None = None) -> Targets:
        """The right answers of rows, as models learn them.

        Args:
            answers: the cells of the answer column, as `read` leaves them.
            names: the columns of a model's answer; absent: made from the answers.
        """

    @abstractmethod
    def strata(self, answers: Sequence[str]) -> list[str] | None:
        """The group of each row, of which every part gets its share; ``None``: the answers themselves, and every answer
        must be in train and in another part."""

    @abstractmethod
    def columns(self, targets: Targets, answers: Answers, *, metrics: Sequence[str]) -> Columns:
        """What the gate reads: the columns that these metrics need."""

    @abstractmethod
    def parity(self, before: Answers, after: Answers) -> Parity:
        """How far the answers of an exported model are from those of the trained one, on the same rows."""

    def first_champion(self, targets: Targets) -> Model:
        """The model that learns nothing from texts, which every challenger must beat."""
        return fit_majority(targets)

    @abstractmethod
    def predictions(self, answers: Answers, *, names: Sequence[str], facts: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The answers of a served model, one JSON object for each row.

        Args:
            answers: (n, k) of a model.
            names: the columns of its answer.
            facts: what the bundle's manifest holds of the model.
        """

    def choices(self, names: Sequence[str]) -> tuple[str, ...]:
        """The answers that there are, where a model chooses among them; none where it does not."""
        del names
        return ()

    @abstractmethod
    def understood(self, text: str, *, names: Sequence[str]) -> Parsed[str]:
        """What a text says, as the cell of an answer, or why it says nothing.

        Args:
            text: what somebody answered: a cell of a table, or the reply of a language model.
            names: the columns of a model's answer.
        """

    def written(self, text: str, *, names: Sequence[str]) -> Parsed[str]:
        """As `understood`, of a text that must be written as the right answers are, such as a column of predictions."""
        return self.understood(text, names=names)

    def spelled(self, answers: Sequence[str]) -> list[str]:
        """Right answers in one spelling, as `read` leaves them.

        Raises:
            DataError: one is no answer; the message names it.
        """
        return [answer.strip() for answer in answers]

    def row_scores(self, targets: Targets, answers: Answers, *, metrics: Sequence[str]) -> dict[str, Array]:
        """By metric, the score of each answer, (n,) or (n, d), of those that are in `row_metrics`."""
        del targets, answers, metrics
        return {}

    def row_quality(self, targets: Targets, answers: Answers) -> tuple[str, npt.NDArray[np.float64]] | None:
        """The metric by which slices are told apart, and its value in each row, (n,), higher is better; ``None``: none is."""
        if not self.row_metrics:
            return None
        name = self.row_metrics[0]
        return name, np.asarray(self.row_scores(targets, answers, metrics=(name,))[name], dtype=np.float64)

    def stated(self, said: Stated, cells: Sequence[str | None], targets: Targets, *, metric: str) -> Answers:
        """Answers with the probabilities that a file has beside them.

        Args:
            said: the columns of the file.
            cells: n cells, as `understood` gives them.
            targets: what is right in these rows.
            metric: what needs the probabilities.

        Raises:
            DataError: there are none, or they are no probabilities.
        """
        del cells, targets
        raise DataError(
            f"The metric {metric} must have probabilities, which {self.name} has not, but {said.path} was to give them.",
            next_step=f"Compare by {self.metrics[0]}.",
        )

    @abstractmethod
    def answers(self, cells: Sequence[str | None], targets: Targets) -> Answers:
        """Cells that were given from outside as answers; ``None`` scores as badly as an answer can.

        Args:
            cells: n cells, as `understood` gives them.
            targets: what is right in these rows.
        """

    @abstractmethod
    def schema(self, *, names: Sequence[str], facts: Mapping[str, Any]) -> dict[str, Any]:
        """The JSON schema of one prediction, with an example in it; arguments as of `predictions`."""

    def confidence(self, answers: Answers) -> npt.NDArray[np.float64] | None:
        """(n,) how sure the model is of each answer that it gives, from 0 to 1; ``None`` where it does not say."""
        del answers
        return None

    def right(self, targets: Targets, answers: Answers) -> npt.NDArray[np.bool_]:
        """(n,) whether the answer that is given is right; asked of tasks with a `confidence` alone."""
        raise NotImplementedError(f"{self.name} has a confidence, so it must say what is right")

    def borne_out(self, targets: Targets, answers: Answers, *, least: float, known: tuple[Targets, Answers]) -> Mask:
        """(n,) whether a model that had not seen the rows bears out what they are said to be.

        Args:
            targets: what they are said to be.
            answers: (n, k) of the model.
            least: the least probability.
            known: rows of which that is certain, and the model's answers to them, which it had not seen either.

        Raises:
            RecipeError: the answers of this task cannot be borne out so.
        """
        del targets, answers, least, known
        raise RecipeError(
            f"filters.label must be 0 for {self.name}, whose answers have no probability and no distance.",
            next_step="Remove it.",
        )

    def served(self, answers: Answers, facts: Mapping[str, Any]) -> Answers:
        """The answers as they go out: at the temperature of the bundle, where it has one."""
        del facts
        return answers

    @abstractmethod
    def cell_types(
        self, names: Sequence[str], *, each_label: bool, facts: Mapping[str, Any] = NO_FACTS
    ) -> dict[str, CellType]:
        """The columns that predictions of a table add to it, by name.

        Args:
            names: the columns of a model's answer.
            each_label: also the probability of each, where there are such.
            facts: what the bundle's manifest holds of the model.
        """

    @abstractmethod
    def cells(
        self, answers: Answers, *, names: Sequence[str], facts: Mapping[str, Any], each_label: bool
    ) -> list[dict[str, Cell]]:
        """What stands in those columns, for each row; arguments as of `predictions` and `cell_types`."""

    def counted(self, cells: Mapping[str, Cell]) -> list[str]:
        """What an answered row counts as, by its new cells, where predictions of a table are told in one line; or nothing."""
        del cells
        return []

    @abstractmethod
    def worst(self, targets: Targets, answers: Answers, *, most: int) -> list[Wrong]:
        """The rows that were answered worst, the worst first."""

    @abstractmethod
    def views(
        self, targets: Targets, answers: Answers, *, texts: Sequence[str], metrics: Sequence[str]
    ) -> tuple[View, ...]:
        """What a report shows of a model's answers to rows that it had not seen.

        Args:
            targets: the right answers of these rows.
            answers: (n, k) of the model.
            texts: of these rows.
            metrics: what the gate judges by.
        """

    @abstractmethod
    def counts(self, answers: Sequence[str]) -> Mapping[str, int] | None:
        """Rows of each label; ``None`` where answers are no labels."""

    def read(self, dataset: Dataset, *, like: Dataset | None = None) -> Dataset:
        """The table with its answers in one spelling.

        Args:
            dataset: the table as it came.
            like: the training table as it came, whose way to write answers holds for a table of test rows too.

        Raises:
            DataError: a cell is not an answer; the message names the row.
        """
        del like
        return dataset

    def notes(self, dataset: Dataset) -> list[str]:
        """What a person should know of the answers of a table before anything is trained, in sentences."""
        del dataset
        return []

    def facts(self, targets: Targets, answers: Answers) -> dict[str, Any]:
        """What the bundle says of the champion, from its predictions of rows that it had not seen."""
        del targets, answers
        return {}

    def imbalance(self, targets: Targets) -> float:
        """The largest class over the smallest; 1 where there are no classes."""
        del targets
        return 1.0

    def margin(self, targets: Targets) -> float:
        """What a margin of 1 is in the unit of the answers: 1 for shares."""
        del targets
        return 1.0


def object_schema(
    description: str, properties: Mapping[str, Mapping[str, Any]], *, example: Mapping[str, Any]
) -> dict[str, Any]:
    """The JSON schema of an object that has all of these properties."""
    return {
        "title": "Prediction",
        "description": description,
        "type": "object",
        "required": [*properties],
        "properties": {name: dict(facts) for name, facts in properties.items()},
        "examples": [dict(example)],
    }


def share_columns(names: Sequence[str]) -> list[str]:
    """Names of the columns that hold the probability of each label."""
    return [f"probability_{name}" for name in names]


def json_list(names: Sequence[str]) -> str:
    """A list in one cell."""
    return json.dumps(list(names), ensure_ascii=False)


def require_metrics(names: Sequence[str], task: Task, *, key: str = "gate.metrics") -> None:
    """Refuse a metric, in that key of the recipe, that the task does not have.

    Raises:
        RecipeError: it names those that the task has.
    """
    for name in names:
        if name in task.metrics or ((task.own_scores or task.own_metrics) and ":" in name):
            continue
        close = difflib.get_close_matches(name, task.metrics, n=1)
        raise RecipeError(
            f"{key} must be of {', '.join(task.metrics)} for {task.name} but got {name!r}.",
            next_step=f"Did you mean {close[0]}?" if close else "Or set task in the recipe.",
        )


def require_columns(dataset: Dataset, *, answer: str) -> None:
    """Refuse a table without a text or an answer.

    Raises:
        DataError: no such column, or an empty one.
    """
    roles = dataset.roles
    if roles.label is None or roles.label == roles.text:
        raise DataError(
            f"The {answer} must be a column of its own but is {roles.label!r}.",
            next_step="Set data.label to that column.",
        )
    for role, column, cells in (("text", roles.text, dataset.texts), ("label", roles.label, dataset.labels)):
        if not any(cells):
            noun = "text" if role == "text" else answer
            raise DataError(
                f"Column {column!r} must hold the {noun}s but is empty in all {len(dataset):,} rows.",
                next_step=f"Set data.{role} to another column, or see data.missing for what counts as missing.",
            )


def filled(dataset: Dataset) -> npt.NDArray[np.int64]:
    """Positions of the rows that have a text and an answer."""
    pairs = zip(dataset.texts, dataset.labels, strict=True)
    return np.flatnonzero([bool(text) and bool(label) for text, label in pairs])
