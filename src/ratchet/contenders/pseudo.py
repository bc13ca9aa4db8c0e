"""Pseudo-labels as a row change: rows that came without an answer get one from a model that is sure of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ratchet.augment.drafts import Drafts
from ratchet.augment.filters import Made, keep, near_to
from ratchet.bundle.runtimes import load_model_folder
from ratchet.contenders.augmented import record, require_some, source_of
from ratchet.contenders.change import Change, Changing
from ratchet.contenders.kind import EARLIER, NONE
from ratchet.contenders.labeller import Labeller, Learner, temperature_of_answers
from ratchet.contenders.material import Counts, Material, fold_held_out, held, judged_parts
from ratchet.contenders.rows import Ints, PartedRows
from ratchet.errors import RecipeError
from ratchet.models.inputs import Inputs
from ratchet.models.model import Answers
from ratchet.recipe.augment import PseudoSpec
from ratchet.tables.dataset import Dataset
from ratchet.tasks.certainty import TEMPERATURE

BELOW, OVER = "confidence", "cap"
"""Further reasons why a row was not taken: its label is not sure enough, or there are enough of its label."""


class Pseudo(Change[PseudoSpec]):
    """The rows, and those of ``data.unlabelled`` that the champion labels surely (Lee 2013, "Pseudo-label").

    What labels rows for a model that is to predict a fold has not seen that fold.
    """

    name, spec = "pseudo", PseudoSpec
    tasks = ("classification", "multilabel")

    def require(self, spec: PseudoSpec, rows: PartedRows) -> None:
        """As `Change.require`: there are rows to be labelled."""
        del spec
        if rows.unlabelled is None:
            raise RecipeError(
                "data.unlabelled must name files of rows to be labelled for a challenger of the kind pseudo but is empty.",
                next_step="Set it, or leave the challenger out.",
            )

    def depends_on(self, spec: PseudoSpec, rows: PartedRows) -> object:
        """As `Change.depends_on`: the rows themselves."""
        del spec
        return None if rows.unlabelled is None else rows.unlabelled.content_hash

    def material(self, spec: PseudoSpec, changing: Changing, seen: Ints, *, held_out: Ints) -> Material:
        """As `Change.material`."""
        rows = changing.rows
        self.require(spec, rows)
        assert rows.unlabelled is not None
        given = rows.unlabelled
        answers = _answers(changing, given, seen, held_out=held_out)
        sure = rows.task.confidence(answers)
        assert sure is not None, "asked of tasks with a confidence alone"
        order = np.array(sorted(range(len(given)), key=lambda row: (-sure[row], given.texts[row])), np.int64)
        drafts = _drafts(rows, given, answers, sure, order, least=spec.confidence)
        protected = near_to([*rows.texts(held_out), *rows.texts(rows.parts.test)], **rows.near)
        source = source_of(rows, seen)
        made = keep(drafts, source, filters=spec.filters, about=self.name, protected=protected)
        taken = _under_cap(made.labels, rows.names(seen), cap=spec.cap)
        rejected = {**made.rejected, OVER: len(made.labels) - len(taken)}
        record(changing, held_out, _provenance(made, given, order, sure, taken))
        places = order[made.place[taken]]
        require_some(len(taken), rejected, about=self.name)
        counts: Counts = {"augmented": len(taken), "rejected": rejected}
        return Material(
            rows=seen,
            texts=[made.texts[one] for one in taken.tolist()],
            labels=[made.labels[one] for one in taken.tolist()],
            features=_inputs(rows, given).take(places).features,
            counts=counts,
        )


def _drafts(
    rows: PartedRows, given: Dataset, answers: Answers, sure: npt.NDArray[np.float64], order: Ints, *, least: float
) -> Drafts:
    """The rows, the surest first, with their labels; those below the confidence have no text."""
    cells = rows.task.cells(answers, names=rows.labels, facts={}, each_label=False)
    above = sure >= least
    return Drafts(
        texts=[given.texts[row] if above[row] else None for row in order.tolist()],
        parent=np.full(len(order), -1, np.int64),
        operation=["pseudo-label"] * len(order),
        labels=[str(cells[row]["prediction"]) for row in order.tolist()],
        failed={place: BELOW for place, row in enumerate(order.tolist()) if not above[row]},
    )


def _answers(changing: Changing, given: Dataset, seen: Ints, *, held_out: Ints) -> Answers:
    """(n, k) answers to the unlabelled rows by a model that saw ``seen`` alone, at the temperature of rows out of fold."""
    rows, learner = changing.rows, Learner.of(changing)
    asked = _inputs(rows, given)
    kept = None if learner.own else _kept(changing, asked, seen, held_out=held_out)
    if kept is None:
        temperature = Labeller(changing, seen).temperature
        kept = learner.fitted(changing, rows.apart(seen, NONE)).predict(asked), temperature
    answers, temperature = kept
    return answers if temperature == 1.0 else rows.task.served(answers, {TEMPERATURE: temperature})


def _kept(changing: Changing, asked: Inputs, seen: Ints, *, held_out: Ints) -> tuple[Answers, float] | None:
    """The answers of a champion that takes long to train, by its kept model of the fold, and their temperature.

    That is of its answers to other rows of ``seen``, each by the model that left it out. ``None``: no such model is kept.
    """
    rows, champion = changing.rows, changing.champion
    if champion is None or not champion.learns or any(name in champion.facts for name in EARLIER):
        return None
    fold_out = fold_held_out(rows, held_out)
    fold = champion.folds[0] if fold_out is None else fold_out
    saw = held(judged_parts(rows), fold)[0]
    if not np.isin(saw, np.concatenate([seen, held_out])).all():
        return None  # of a learning curve, whose models see a share of the rows
    if fold not in champion.folds or not champion.fold_model(fold).is_dir():
        return None
    model = load_model_folder(champion.fold_model(fold), champion.runtime, threads=changing.threads)
    places = champion.placed(rows)
    own = np.flatnonzero(np.isin(places, seen))
    unit = None if rows.parts.unit is None else rows.parts.unit[places[own]]
    temperature = temperature_of_answers(
        rows, places[own], champion.answers[own], fold=rows.parts.fold[places[own]], unit=unit
    )
    return model.predict(asked), temperature


def _inputs(rows: PartedRows, given: Dataset) -> Inputs:
    return Inputs(given.texts, {name: given.column(name) for name in rows.kinds})


def _under_cap(labels: list[str], train: list[str], *, cap: float | None) -> Ints:
    """The places of those labels that are taken: of each at most ``cap`` times its training rows, the first ones."""
    if cap is None:
        return np.arange(len(labels))
    most = {label: max(1, int(cap * count)) for label, count in Counter(train).items()}
    taken, used = [], Counter[str]()
    for place, label in enumerate(labels):
        if used[label] < most.get(label, 1):
            used[label] += 1
            taken.append(place)
    return np.array(taken, np.int64)


def _provenance(
    made: Made, given: Dataset, order: Ints, sure: npt.NDArray[np.float64], taken: Ints
) -> Iterator[dict[str, object]]:
    """Every row that was taken, with where it came from."""
    for one in taken.tolist():
        row = int(order[made.place[one]])
        yield {
            "text": made.texts[one],
            "label": made.labels[one],
            "file": given.files[int(given.file_index[row])],
            "row": int(given.origin[row]),
            "augmenter": Pseudo.name,
            "operation": made.operation[one],
            "confidence": round(float(sure[row]), 6),
        }
