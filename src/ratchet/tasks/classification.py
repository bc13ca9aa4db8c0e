"""Classification: one label for each row, and a probability for each label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ratchet.models.model import Answers
from ratchet.models.targets import Targets
from ratchet.prepare.labels import require_trainable
from ratchet.tables.dataset import Dataset
from ratchet.tasks.task import Columns, Parity, Task, Wrong
from ratchet.tasks.views import Confusion, View

TIE = 2e-5
"""Two labels closer than this in probability are a tie: rounding in float32, which moves each by up to 1e-5 with the
other texts of a batch, may break it either way."""
ROUNDING = 7
"""Decimals of a probability in an answer; float32 holds no more."""


class Classification(Task):
    """One label for each row."""

    name = "classification"
    metrics = ("accuracy", "macro_f1", "auc", "log_loss")

    def require_trainable(self, dataset: Dataset) -> None:
        """Two labels, each with two rows."""
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

    def worst(self, targets: Targets, answers: Answers, *, most: int) -> list[Wrong]:
        """The wrong labels that were surest."""
        given, sure = answers.argmax(axis=1), answers.max(axis=1)
        wrong = np.flatnonzero(given != targets.values)
        first = wrong[np.argsort(-sure[wrong], kind="stable")][:most]
        names = targets.names
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
        return (Confusion.of(targets.values, answers.argmax(axis=1), targets.names),)

    def counts(self, answers: Sequence[str]) -> Mapping[str, int]:
        """Rows of each label."""
        return Counter(answer for answer in answers if answer)

    def predictions(self, answers: Answers, *, names: Sequence[str], facts: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The most probable label, its probability, and those of all labels."""
        del facts
        best = answers.argmax(axis=1).tolist()
        rows = np.round(answers.astype(np.float64), ROUNDING).tolist()
        return [
            {"label": names[top], "probability": row[top], "probabilities": dict(zip(names, row, strict=True))}
            for row, top in zip(rows, best, strict=True)
        ]
