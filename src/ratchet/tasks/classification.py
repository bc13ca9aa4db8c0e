"""Classification: one label for each row, and a probability for each label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ratchet.models.model import Answers
from ratchet.models.targets import Targets
from ratchet.tasks.certainty import abstain_column, abstain_schema, abstains, tempered
from ratchet.tasks.stated import Stated, label_probabilities
from ratchet.tasks.task import (
    EXAMPLES,
    FILE_DECIMALS,
    NO_FACTS,
    Array,
    Cell,
    CellType,
    Columns,
    Mask,
    Parity,
    Task,
    Wrong,
    object_schema,
    share_columns,
)
from ratchet.tasks.views import Confusion, View

if TYPE_CHECKING:
    from ratchet.tables.dataset import Dataset
    from ratchet.tasks.replies import Parsed

TIE = 2e-5
"""Two labels closer than this in probability are a tie: rounding in float32, which moves each by up to 1e-5 with the
other texts of a batch, may break it either way."""
NO_ANSWER = "(no answer)"
ROUNDING = 7
"""Decimals of a probability in an answer; float32 holds no more."""


class Classification(Task):
    """One label for each row."""

    name = "classification"
    metrics = ("accuracy", "macro_f1", "weighted_f1", "mcc", "auc", "log_loss")
    shares = True
    own_metrics = True
    row_metrics = ("accuracy",)

    def require_trainable(self, dataset: Dataset) -> None:
        """Two labels, each with two rows."""
        from ratchet.prepare.labels import require_trainable

        require_trainable(dataset)

    def targets(self, answers: Sequence[str], *, names: tuple[str, ...] | None = None) -> Targets:
        """The class of each row."""
        return Targets.of_labels(answers, names=names)

    def strata(self, answers: Sequence[str]) -> None:
        """The labels themselves."""
        del answers

    def imbalance(self, targets: Targets) -> float:
        """The largest class over the smallest."""
        counts = np.bincount(targets.values, minlength=len(targets.names))
        return float(counts.max() / max(counts.min(), 1))

    def columns(self, targets: Targets, answers: Answers, *, metrics: Sequence[str]) -> Columns:
        """True classes (n,) and probabilities (n, k)."""
        del metrics
        return Columns(targets={"truth": targets.values}, outcomes={"probability": answers})

    def parity(self, before: Answers, after: Answers) -> Parity:
        """Probabilities, and the most probable label; two labels nearer than `TIE` are a tie."""
        rows = np.arange(len(before))
        lost = before.max(axis=1) - before[rows, after.argmax(axis=1)]
        difference = float(np.abs(before - after).max())
        return Parity(max_difference=difference, disagreements=int((lost > TIE).sum()), n=len(before))

    def choices(self, names: Sequence[str]) -> tuple[str, ...]:
        """The labels."""
        return tuple(names)

    def understood(self, text: str, *, names: Sequence[str]) -> Parsed[str]:
        """The one label that it names."""
        from ratchet.tasks.replies import label

        return label(text, names)

    def written(self, text: str, *, names: Sequence[str]) -> Parsed[str]:
        """The label, as it is."""
        from ratchet.tasks.replies import UNKNOWN_LABEL, Parsed

        said = text.strip()
        return Parsed(value=said) if said in names else Parsed(reason=UNKNOWN_LABEL)

    def row_scores(self, targets: Targets, answers: Answers, *, metrics: Sequence[str]) -> dict[str, Array]:
        """Whether the label is right."""
        right = (answers.argmax(axis=1) == targets.values).astype(np.float64)
        return {"accuracy": right} if "accuracy" in metrics else {}

    def stated(self, said: Stated, cells: Sequence[str | None], targets: Targets, *, metric: str) -> Answers:
        """The columns ``probability_LABEL``; of two labels also ``probability``, that of the label which was given."""
        return label_probabilities(said, cells, targets.names, metric=metric)

    def answers(self, cells: Sequence[str | None], targets: Targets) -> Answers:
        """Probability 1 for the label that was given; for no answer, for a column that is nobody's label."""
        place = {name: column for column, name in enumerate(targets.names)}
        columns = [place[cell] if cell is not None else len(place) for cell in cells]
        shares = np.zeros((len(cells), len(place) + 1), np.float32)
        shares[np.arange(len(cells)), columns] = 1.0
        return shares if None in cells else shares[:, :-1]

    def worst(self, targets: Targets, answers: Answers, *, most: int) -> list[Wrong]:
        """The wrong labels that were surest."""
        given, sure = answers.argmax(axis=1), answers.max(axis=1)
        wrong = np.flatnonzero(given != targets.values)
        first = wrong[np.argsort(-sure[wrong], kind="stable")][:most]
        names = (*targets.names, NO_ANSWER)
        return [
            Wrong(
                place=place, right=names[targets.values[place]], given=names[given[place]], certainty=float(sure[place])
            )
            for place in first.tolist()
        ]

    def views(
        self, targets: Targets, answers: Answers, *, texts: Sequence[str], metrics: Sequence[str]
    ) -> tuple[View, ...]:
        """Which label was taken for which."""
        del texts, metrics
        return (Confusion.of(targets.values, answers.argmax(axis=1), (*targets.names, NO_ANSWER)),)

    def counts(self, answers: Sequence[str]) -> Mapping[str, int]:
        """Rows of each label."""
        return Counter(answer for answer in answers if answer)

    def confidence(self, answers: Answers) -> npt.NDArray[np.float64]:
        """The probability of the most probable label."""
        sure: npt.NDArray[np.float64] = answers.max(axis=1, initial=0.0).astype(np.float64)
        return sure

    def right(self, targets: Targets, answers: Answers) -> npt.NDArray[np.bool_]:
        """Whether the most probable label is the right one."""
        hit: npt.NDArray[np.bool_] = answers.argmax(axis=1) == targets.values
        return hit

    def borne_out(self, targets: Targets, answers: Answers, *, least: float, known: tuple[Targets, Answers]) -> Mask:
        """Whether the label has this probability."""
        del known
        sure: Mask = answers[np.arange(len(answers)), targets.values] >= least
        return sure

    def served(self, answers: Answers, facts: Mapping[str, Any]) -> Answers:
        """The probabilities at the bundle's temperature."""
        return tempered(answers, facts)

    def predictions(self, answers: Answers, *, names: Sequence[str], facts: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The most probable label, its probability, those of all labels, and whether it is left to people."""
        best, shares = answers.argmax(axis=1).tolist(), self.served(answers, facts)
        rows = np.round(shares.astype(np.float64), ROUNDING).tolist()
        left = abstains(self.confidence(shares), facts)
        return [
            {"label": names[top], "probability": row[top], "probabilities": dict(zip(names, row, strict=True)), **one}
            for row, top, one in zip(rows, best, left, strict=True)
        ]

    def schema(self, *, names: Sequence[str], facts: Mapping[str, Any]) -> dict[str, Any]:
        """As `predictions` writes it."""
        shown = names[:EXAMPLES]
        answers = np.array([[0.75, *[0.25 / max(len(shown) - 1, 1)] * (len(shown) - 1)]], np.float32)
        return object_schema(
            "The most probable label of one text, and the probability of every label.",
            {
                "label": {"type": "string"},
                "probability": {"type": "number"},
                "probabilities": {"type": "object", "additionalProperties": {"type": "number"}},
                **abstain_schema(facts),
            },
            example=self.predictions(answers, names=shown, facts=facts)[0],
        )

    def cell_types(
        self, names: Sequence[str], *, each_label: bool, facts: Mapping[str, Any] = NO_FACTS
    ) -> dict[str, CellType]:
        """The label, its probability, whether it is left to people, and on request the probabilities of all labels."""
        further = share_columns(names) if each_label else []
        return {"prediction": str, "probability": float, **abstain_column(facts), **dict.fromkeys(further, float)}

    def cells(
        self, answers: Answers, *, names: Sequence[str], facts: Mapping[str, Any], each_label: bool
    ) -> list[dict[str, Cell]]:
        """As `cell_types` names them."""
        columns, shares = share_columns(names), self.served(answers, facts)
        rows = np.round(shares.astype(np.float64), FILE_DECIMALS).tolist()
        left = abstains(self.confidence(shares), facts)
        return [
            {"prediction": names[top], "probability": row[top], **one}
            | (dict(zip(columns, row, strict=True)) if each_label else {})
            for row, top, one in zip(rows, answers.argmax(axis=1).tolist(), left, strict=True)
        ]

    def counted(self, cells: Mapping[str, Cell]) -> list[str]:
        """Its label."""
        return [str(cells["prediction"])]
