"""Who is asked for the label of a new text: models that saw neither the row it was made from nor any held-out row."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ratchet.augment.augmenter import silent
from ratchet.augment.filters import Agrees, Mask
from ratchet.contenders.change import Changing
from ratchet.contenders.kind import FoldKind, Training
from ratchet.contenders.linear import Linear
from ratchet.contenders.material import Material
from ratchet.contenders.nested import inner_parts
from ratchet.contenders.rows import Ints, PartedRows
from ratchet.models.calibration import calibrate
from ratchet.models.model import Answers, Model
from ratchet.models.targets import Targets
from ratchet.recipe.section import Section
from ratchet.recipe.sections import LinearSpec
from ratchet.tasks.certainty import TEMPERATURE

FOLDS = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class Learner:
    """A kind of model that is trained in seconds, with its settings."""

    kind: FoldKind[Any]
    spec: Section
    own: bool
    """These are the champion's own; else it is the baseline in its place."""

    @classmethod
    def of(cls, changing: Changing) -> Learner:
        """The champion's own settings where its kind costs seconds, else TF-IDF with logistic regression."""
        from ratchet.contenders.registry import kind_of

        champion = changing.champion
        if champion is not None and champion.learns:
            kind, spec = kind_of(champion)
            if kind.cheap and isinstance(kind, FoldKind):
                return cls(kind=kind, spec=spec, own=True)
        return cls(kind=Linear(), spec=LinearSpec(), own=False)

    def resolved(self, rows: PartedRows) -> Section:
        """The settings for these rows."""
        settled: Section = self.kind.resolve(self.spec, rows)
        return settled

    def fitted(self, changing: Changing, rows: PartedRows) -> Model:
        """A model of the train part of these rows."""
        training = training_in(changing, rows, kind=self.kind.name)
        return self.kind.fit(self.resolved(rows), Material(rows=rows.parts.train), training)


def training_in(changing: Changing, rows: PartedRows, *, kind: str) -> Training:
    """What a model is trained with that is asked and not kept."""
    return Training(
        rows=rows,
        name=kind,
        kind=kind,
        key=f"asked-{kind}",
        seed=changing.seed,
        threads=changing.threads,
        store=changing.store or Path(tempfile.gettempdir()),
        advance=silent,
    )


class Labeller:
    """Models cross-fitted inside of the rows ``seen``, each asked about what was made from the rows that it left out.

    The folds are drawn over whole units (copies, near-copies, one group), so that no near-copy of a parent had a part either.
    Where the answers out of fold are better at another temperature, they are given at it.

    Args:
        changing: the rows, the champion and the seed.
        seen: the rows that may be learned from.

    Raises:
        DataError: the rows cannot be divided.
    """

    def __init__(self, changing: Changing, seen: Ints) -> None:
        self._rows, self._seen = changing.rows, seen
        self.learner = Learner.of(changing)
        parts = inner_parts(changing.rows, seen, count=FOLDS, seed=changing.seed, drawn=True)
        self._fold = np.zeros(len(seen), np.int64)  # the model that left each of the rows out
        self._models: list[Model] = []
        self._trained: list[Targets] = []
        out: list[tuple[Ints, Answers]] = []
        for number, part in enumerate(parts):
            model = self.learner.fitted(changing, part)
            inside = np.flatnonzero(np.isin(seen, part.parts.valid))
            self._fold[inside] = number
            self._models.append(model)
            self._trained.append(self._rows.targets.take(part.parts.train))
            out.append((inside, model.predict(self._rows.inputs(seen[inside]))))
        order = np.argsort(np.concatenate([inside for inside, _ in out]), kind="stable")
        self._raw = np.concatenate([answers for _, answers in out])[order]

    @cached_property
    def temperature(self) -> float:
        """At which the probabilities are given; 1 where they are good as they are, or there are none."""
        rows, seen = self._rows, self._seen
        unit = None if rows.parts.unit is None else rows.parts.unit[seen]
        return temperature_of_answers(rows, seen, self._raw, fold=self._fold, unit=unit)

    @property
    def known(self) -> tuple[Targets, Answers]:
        """The right answers of the rows ``seen``, and those of the models that left each out."""
        return self._rows.targets.take(self._seen), self._served(self._raw)

    def answers(self, texts: Sequence[str], parent: Ints) -> Answers:
        """(n, k) answers to texts by the models that did not see their parents.

        Args:
            texts: n texts.
            parent: (n,) the row that each was made from, as its place in ``seen``.
        """
        asked = self._rows.inputs(self._seen[parent]).with_texts(texts)
        found = np.zeros((len(texts), self._raw.shape[1]), self._raw.dtype)
        for number, model in enumerate(self._models):
            own = np.flatnonzero(self._fold[parent] == number)
            if len(own):
                found[own] = model.predict(asked.take(own))
        return self._served(found)

    def agrees(self, least: float) -> Agrees:
        """Whether the labels of texts are borne out, as `filters.keep` asks it.

        A label that no row had which the model was trained on cannot be borne out by it: such texts are not rejected for it.
        """

        def asked(texts: Sequence[str], labels: Sequence[str], parent: Ints) -> Mask:
            targets = self._rows.made(labels)
            answers = self._known_labels(targets, self.answers(texts, parent), parent)
            sure = self._rows.task.borne_out(targets, answers, least=least, known=self.known)
            return sure | self._unknown(targets, parent)

        return asked

    def _unknown(self, targets: Targets, parent: Ints) -> Mask:
        """(n,) whether the model that is asked about a text has never seen its label."""
        unknown = np.zeros(len(targets), np.bool_)
        if targets.kind == "classes":
            for number, trained in enumerate(self._trained):
                own = self._fold[parent] == number
                unknown[own] = ~np.isin(targets.values[own], trained.values)
        return unknown

    def _known_labels(self, targets: Targets, answers: Answers, parent: Ints) -> Answers:
        """(n, k) the answers; where rows have several labels, what is said of those that the asked model never saw."""
        if targets.kind != "labels":
            return answers
        found = answers.copy()
        for number, trained in enumerate(self._trained):
            own, unknown = self._fold[parent] == number, ~trained.values.any(axis=0)
            found[np.ix_(own, unknown)] = targets.values[np.ix_(own, unknown)]
        return found

    def _served(self, answers: Answers) -> Answers:
        return answers if self.temperature == 1.0 else self._rows.task.served(answers, {TEMPERATURE: self.temperature})


def temperature_of_answers(rows: PartedRows, places: Ints, answers: Answers, *, fold: Ints, unit: Ints | None) -> float:
    """The temperature that mends these answers, as of rows that no model had seen; 1 where it would mend nothing."""
    if not len(places) or rows.task.confidence(answers) is None:
        return 1.0
    targets = rows.targets.take(places)
    right = rows.task.right(targets, answers)
    return calibrate(answers, targets, right=right, fold=fold, unit=unit).temperature
