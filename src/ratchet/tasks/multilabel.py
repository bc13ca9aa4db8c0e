"""Multilabel: any number of labels for each row, none included."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ratchet.errors import DataError
from ratchet.models.model import Answers
from ratchet.models.targets import Targets
from ratchet.tasks.certainty import abstain_column, abstain_schema, abstains, tempered
from ratchet.tasks.classification import ROUNDING, TIE
from ratchet.tasks.label_lists import cut, is_nested, listed, mark_of
from ratchet.tasks.task import (
    EXAMPLES,
    FILE_DECIMALS,
    NAMED,
    NO_FACTS,
    OF_CLASSES,
    Array,
    Cell,
    CellType,
    Columns,
    Mask,
    Parity,
    Task,
    Wrong,
    filled,
    json_list,
    object_schema,
    require_columns,
    share_columns,
)
from ratchet.tasks.views import LabelTable, View

if TYPE_CHECKING:
    from ratchet.tables.dataset import Dataset
    from ratchet.tasks.replies import Parsed

GIVEN = 0.5
"""A label is given from this probability on."""
FEWEST = 2
"""Rows that a label must have, so that it is learned in one part and measured in another."""
_STRATUM = 20
"""Rows of a stratum at least: smaller ones cannot be divided over the parts."""


class Multilabel(Task):
    """Any number of labels for each row; the cell is a JSON list, a list as Python writes it, or names with a mark between."""

    name = "multilabel"
    answer = "label list"
    metrics = ("micro_f1", "subset_accuracy", "macro_f1")
    shares = True
    own_metrics = True
    checks_apart = frozenset({*OF_CLASSES, "labels.many", "labels.lists", "labels.variants", "labels.spelling"})
    row_metrics = ("subset_accuracy",)

    def read(self, dataset: Dataset, *, like: Dataset | None = None) -> Dataset:
        """Every cell as a JSON list of its different labels, sorted: ``["a", "b"]``.

        Raises:
            DataError: a list holds lists, objects or null.
        """
        import pyarrow as pa

        if dataset.roles.label is None:
            return dataset
        values = [*dict.fromkeys(label for label in dataset.labels if label)]
        _require_names(dataset, nested={value for value in values if is_nested(value)})
        mark = mark_of([*dict.fromkeys(filter(None, (like or dataset).labels))])
        spelled = dict(zip(values, _spelled(values, mark), strict=True))
        cells = pa.array([spelled[label] if label else None for label in dataset.labels], pa.string())
        place = dataset.table.column_names.index(dataset.roles.label)
        return replace(dataset, table=dataset.table.set_column(place, dataset.roles.label, cells))

    def spelled(self, answers: Sequence[str]) -> list[str]:
        """Every cell as a JSON list of its different labels, sorted."""
        return _spelled(answers, mark_of([*dict.fromkeys(answers)]))

    def require_trainable(self, dataset: Dataset) -> None:
        """A label at least, two rows for most, and rows that differ."""
        require_columns(dataset, answer=self.answer)
        rows = filled(dataset)
        counts = Counter(name for row in rows.tolist() for name in names_of(dataset.labels[row]))
        if not counts:
            raise DataError(
                f"Column {dataset.roles.label!r} must hold lists of labels but every list is empty.",
                next_step="Set data.label to another column.",
            )
        rare = _rare(counts)
        if 2 * len(rare) > len(counts):
            raise DataError(
                f"Every label should have at least {FEWEST} rows but {len(rare):,} of {len(counts):,} have fewer: "
                f"{_shown(rare)}.",
                next_step=f"Is {dataset.roles.label!r} a list of labels? It looks like free text.",
            )
        cells = {dataset.labels[row] for row in rows.tolist()}
        if len(cells) == 1:
            raise DataError(
                f"Column {dataset.roles.label!r} must hold different lists of labels but all {len(rows):,} rows are "
                f"{cells.pop()}.",
                next_step="Add rows with other labels, or set data.label to another column.",
            )

    def notes(self, dataset: Dataset) -> list[str]:
        """Labels of which too few rows are there to be learned in one part and measured in another."""
        counts = Counter(name for row in filled(dataset).tolist() for name in names_of(dataset.labels[row]))
        rare = _rare(counts)
        if not rare:
            return []
        return [
            f"{len(rare):,} of {len(counts):,} labels have fewer than {FEWEST} rows and cannot be both learned and measured: "
            f"{_shown(rare)}"
        ]

    def targets(self, answers: Sequence[str], *, names: tuple[str, ...] | None = None) -> Targets:
        """(n, k) which labels each row has."""
        return Targets.of_sets([names_of(answer) for answer in answers], names=names)

    def strata(self, answers: Sequence[str]) -> list[str] | None:
        """The rarest label of each row, where enough rows share it (after Sechidis et al. 2011)."""
        sets = [names_of(answer) for answer in answers]
        uses = Counter(name for labels in sets for name in labels)
        rarest = [min(labels, key=lambda name: (uses[name], name), default="") for labels in sets]
        sizes = Counter(rarest)
        return [name if sizes[name] >= _STRATUM else "" for name in rarest]

    def columns(self, targets: Targets, answers: Answers, *, metrics: Sequence[str]) -> Columns:
        """True labels (n, k) and the probability of each."""
        del metrics
        return Columns(targets={"labels": targets.values}, outcomes={"membership": answers})

    def parity(self, before: Answers, after: Answers) -> Parity:
        """Probabilities, and the labels that are given, ties apart."""
        other = ((before >= GIVEN) != (after >= GIVEN)) & (np.abs(before - GIVEN) > TIE)
        difference = float(np.abs(before - after).max())
        return Parity(max_difference=difference, disagreements=int(other.any(axis=1).sum()), n=len(before))

    def choices(self, names: Sequence[str]) -> tuple[str, ...]:
        """The labels."""
        return tuple(names)

    def understood(self, text: str, *, names: Sequence[str]) -> Parsed[str]:
        """The labels that it lists, as `read` writes them."""
        from ratchet.tasks.replies import Parsed, label_set

        listed_ = label_set(text, names)
        value = None if listed_.value is None else json.dumps(sorted(listed_.value), ensure_ascii=False)
        return Parsed(value=value, reason=listed_.reason)

    def row_scores(self, targets: Targets, answers: Answers, *, metrics: Sequence[str]) -> dict[str, Array]:
        """Whether all labels are right."""
        right = ((answers >= GIVEN) == targets.values).all(axis=1).astype(np.float64)
        return {"subset_accuracy": right} if "subset_accuracy" in metrics else {}

    def answers(self, cells: Sequence[str | None], targets: Targets) -> Answers:
        """Probability 1 for each label that was given; no answer is wrong in every label."""
        known = [names_of(cell) if cell is not None else () for cell in cells]
        given = Targets.of_sets(known, names=targets.names).values
        failed = np.array([cell is None for cell in cells], dtype=bool)
        return np.where(failed[:, None], ~targets.values, given).astype(np.float32)

    def worst(self, targets: Targets, answers: Answers, *, most: int) -> list[Wrong]:
        """The rows with the most labels too many or too few."""
        given, names = answers >= GIVEN, targets.names
        missed = (given != targets.values).sum(axis=1)
        first = [place for place in np.argsort(-missed, kind="stable")[:most].tolist() if missed[place]]

        def written(row: npt.NDArray[np.bool_]) -> str:
            return ", ".join(name for name, there in zip(names, row.tolist(), strict=True) if there) or "none"

        return [
            Wrong(place=place, right=written(targets.values[place]), given=written(given[place]), certainty=None)
            for place in first
        ]

    def views(
        self, targets: Targets, answers: Answers, *, texts: Sequence[str], metrics: Sequence[str]
    ) -> tuple[View, ...]:
        """How well each label is found."""
        del texts, metrics
        return (LabelTable.of(targets.values.astype(bool), answers >= GIVEN, targets.names),)

    def counts(self, answers: Sequence[str]) -> Mapping[str, int]:
        """Rows of each label; a row with several counts for each of them."""
        return Counter(name for answer in answers for name in names_of(answer))

    def confidence(self, answers: Answers) -> npt.NDArray[np.float64]:
        """The probability that no label is wrong, if labels are independent: of each the larger of p and 1 - p, multiplied."""
        shares = answers.astype(np.float64)
        sure: npt.NDArray[np.float64] = np.maximum(shares, 1.0 - shares).prod(axis=1)
        return sure

    def right(self, targets: Targets, answers: Answers) -> npt.NDArray[np.bool_]:
        """Whether every label is right."""
        hit: npt.NDArray[np.bool_] = ((answers >= GIVEN) == targets.values).all(axis=1)
        return hit

    def borne_out(self, targets: Targets, answers: Answers, *, least: float, known: tuple[Targets, Answers]) -> Mask:
        """Whether yes, or no, has this probability for each label; .5: every label is given, or not, as it is said."""
        del known
        sure: Mask = np.where(targets.values, answers, 1.0 - answers).min(axis=1, initial=1.0) >= least
        return sure

    def served(self, answers: Answers, facts: Mapping[str, Any]) -> Answers:
        """The probabilities at the bundle's temperature, which leaves .5 where it is."""
        return tempered(answers, facts, apart=True)

    def predictions(self, answers: Answers, *, names: Sequence[str], facts: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The labels that are given, the probability of each label, and whether the answer is left to people."""
        shares = self.served(answers, facts)
        rows = np.round(shares.astype(np.float64), ROUNDING).tolist()
        given, left = _given(answers), abstains(self.confidence(shares), facts)
        return [
            {
                "labels": [name for name, there in zip(names, chosen, strict=True) if there],
                "probabilities": dict(zip(names, row, strict=True)),
                **one,
            }
            for row, chosen, one in zip(rows, given, left, strict=True)
        ]

    def schema(self, *, names: Sequence[str], facts: Mapping[str, Any]) -> dict[str, Any]:
        """As `predictions` writes it."""
        shown = names[:EXAMPLES]
        answers = np.array([[0.9, 0.2, 0.6][: len(shown)]], np.float32)
        return object_schema(
            f"The labels of one text, which are those of a probability from {GIVEN:g} on, and the probability of every label.",
            {
                "labels": {"type": "array", "items": {"type": "string"}},
                "probabilities": {"type": "object", "additionalProperties": {"type": "number"}},
                **abstain_schema(facts),
            },
            example=self.predictions(answers, names=shown, facts=facts)[0],
        )

    def cell_types(
        self, names: Sequence[str], *, each_label: bool, facts: Mapping[str, Any] = NO_FACTS
    ) -> dict[str, CellType]:
        """The labels as a JSON list, whether they are left to people, and on request the probability of each."""
        further = share_columns(names) if each_label else []
        return {"prediction": str, **abstain_column(facts), **dict.fromkeys(further, float)}

    def cells(
        self, answers: Answers, *, names: Sequence[str], facts: Mapping[str, Any], each_label: bool
    ) -> list[dict[str, Cell]]:
        """As `cell_types` names them."""
        columns, shares = share_columns(names), self.served(answers, facts)
        rows = np.round(shares.astype(np.float64), FILE_DECIMALS).tolist()
        given, left = _given(answers), abstains(self.confidence(shares), facts)
        lists = [json_list([name for name, there in zip(names, chosen, strict=True) if there]) for chosen in given]
        return [
            {"prediction": labels, **one, **(dict(zip(columns, row, strict=True)) if each_label else {})}
            for row, labels, one in zip(rows, lists, left, strict=True)
        ]

    def counted(self, cells: Mapping[str, Cell]) -> list[str]:
        """Each of its labels; ``none`` where it has none."""
        return names_of(str(cells["prediction"])) or ["none"]


def _given(answers: Answers) -> list[list[bool]]:
    """Which labels are given, by the probabilities as they are written."""
    given: list[list[bool]] = (np.round(answers.astype(np.float64), ROUNDING) >= GIVEN).tolist()
    return given


def _rare(counts: Mapping[str, int]) -> list[str]:
    return sorted(name for name, count in counts.items() if count < FEWEST)


def _shown(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:NAMED])) + (" and others" if len(names) > NAMED else "")


def names_of(cell: str) -> list[str]:
    """The labels of a cell that `Multilabel.read` has written."""
    return [str(name) for name in json.loads(cell)] if cell else []


def _spelled(cells: Sequence[str], mark: str) -> list[str]:
    """Every cell as a JSON list of its different labels, sorted; the mark divides those that are no lists."""
    lists = [cut(cell, mark) if (names := listed(cell)) is None else names for cell in cells]
    return [json_list(sorted({name.strip() for name in names if name.strip()})) for names in lists]


def _require_names(dataset: Dataset, *, nested: set[str]) -> None:
    rows = [row for row, label in enumerate(dataset.labels) if label in nested] if nested else []
    if rows:
        raise DataError(
            f"Column {dataset.roles.label!r} must hold lists of names but {dataset.place(rows[0])} has "
            f"{dataset.labels[rows[0]]} ({len(rows):,} such cells).",
            next_step='Write each label as a name, such as ["a", "b"].',
        )
