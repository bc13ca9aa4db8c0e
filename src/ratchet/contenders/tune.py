"""A tuned contender: its settings are chosen by trials inside of each fold's training rows, and again for what is served."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from ratchet.contenders.base import CARD, FOLDS, MODEL, Contender, Identity, Trained, save_seeds, write_contender
from ratchet.contenders.folded import SEED_STEP, fold_folder, linked, own_source
from ratchet.contenders.kind import FoldKind, Kind, Training
from ratchet.contenders.material import Counts, Material, held, judged_folds, summed
from ratchet.contenders.rows import Ints, PartedRows
from ratchet.contenders.tune_spaces import usual_space
from ratchet.contenders.tuner import Tuner, facts_of, record_of, tuned_by_name
from ratchet.errors import ExtraMissing, RecipeError
from ratchet.recipe.section import Section
from ratchet.recipe.space import Range, changed, is_whole
from ratchet.recipe.tune import TuneSpec
from ratchet.workspace.finished import finished, load_json, save_json
from ratchet.workspace.workspace import writing

TUNING = "tuning.json"
"""The studies of a contender, in its folder."""
TRAINED = "trained"
_NOTED = ("source", "features", "epochs", "tokens_per_second", "padding")
"""What is kept of the first fold's card."""


class Tune(Kind[TuneSpec]):
    """The settings of another kind, chosen by a study and then trained.

    What is judged is the whole procedure: each fold has a study of its own, on folds of that fold's training rows, so that no
    row is ever predicted by a model whose settings it took part in choosing. The number of trials cannot flatter it then.
    """

    name, spec, runtime = "tune", TuneSpec, "linear"
    tasks = ("classification", "multilabel", "regression", "generation")
    packages = ("optuna",)
    cheap = False

    def learner(self, spec: TuneSpec) -> Kind[Any]:
        """The kind that is tuned."""
        from ratchet.contenders.registry import kinds

        return kinds()[str(getattr(spec.of, "kind", ""))]

    def named_by(self, spec: TuneSpec) -> object:
        """Where the trials are kept makes no other contender; another metric does, and what names another of what is tuned."""
        settings = spec.model_dump(mode="json", exclude={"storage", "password"})
        own = own_source(spec.metric) if spec.metric else []
        return settings, own, tuned_by_name(self.learner(spec), spec.of, spec.space)

    def sources(self, spec: TuneSpec) -> list[str]:
        """As `Kind.sources`, of what is tuned."""
        return self.learner(spec).sources(spec.of)

    def require(self, spec: TuneSpec, rows: PartedRows) -> None:
        """As `Kind.require`, of what is tuned, as it is and at each end of the space."""
        learner = self.learner(spec)
        if rows.task.name not in learner.tasks or learner.missing() is not None:
            return  # said when its turn comes, as of every other kind
        for tried in _ends(spec.of, dict(spec.space) or usual_space(spec.of, rows)):
            learner.require(tried, rows)

    def corpus(self, spec: TuneSpec) -> tuple[str, ...]:
        """As `Kind.corpus`: all files of any trial, each once."""
        learner = self.learner(spec)
        return tuple(dict.fromkeys(file for tried in _ends(spec.of, spec.space) for file in learner.corpus(tried)))

    def chooses(self, spec: TuneSpec) -> bool:
        """As `Kind.chooses`: training rows score the trials."""
        del spec
        return True

    def train(self, folder: Path, spec: TuneSpec, training: Training) -> None:
        """As `Kind.train`: a study and a model for each fold; each fold is a finished folder, and can be bought."""
        spec = self._settled(spec, training)
        folds, places = training.folds or judged_folds(training.rows), list[list[Path]]()
        for turn in range(training.seeds):
            places.append([])
            for number, fold in enumerate(folds):
                about = f"fold {number + 1} of {len(folds)}"
                place = fold_folder(training.store, training.key, fold, turn)
                finished(place, partial(self._fold, spec=spec, training=training, fold=fold, turn=turn, about=about))
                places[-1].append(place)
        trained = _assembled(folder, places, folds=folds, training=training, learner=self.learner(spec))
        write_contender(folder, training.rows, self.identity(spec, training), trained)

    def refit(self, folder: Path, spec: TuneSpec, training: Training) -> None:
        """As `Kind.refit`: by the same procedure, so with one more study, on folds of all rows but the test part.

        The card has the settings that were chosen, as those of the kind that was tuned.
        """
        spec = self._settled(spec, training)
        tuner = Tuner.of(self.learner(spec), spec, training, training.rows.parts.dev)
        found = tuner.studied(training, about="all rows")
        record = record_of(tuner, found)
        facts = {**training.facts, **facts_of(record)}
        tuner.learner.refit(folder, changed(tuner.base, found.values), replace(training, facts=facts))
        save_json(folder / TUNING, record)

    def identity(self, spec: TuneSpec, training: Training) -> Identity:
        """It runs on what the kind that is tuned runs on."""
        return replace(super().identity(spec, training), runtime=self.learner(spec).runtime)

    def _settled(self, spec: TuneSpec, training: Training) -> TuneSpec:
        """The settings with what depends on the rows, as they are recorded: a later training begins with the same."""
        learner, task = self.learner(spec), training.rows.task.name
        if task not in learner.tasks:
            raise RecipeError(
                f"What is tuned must be for {task} but {learner.name} is for {' and '.join(learner.tasks)}."
            )
        missing = learner.missing()
        if missing is not None:
            raise ExtraMissing(missing, extra=learner.extra, why=f"The challenger {training.name!r}")
        if not isinstance(learner, FoldKind):
            return spec
        return spec.model_copy(update={"of": learner.resolve(spec.of, training.rows)})

    def _fold(self, target: Path, *, spec: TuneSpec, training: Training, fold: int, turn: int, about: str) -> None:
        """The study of one fold, and the model that is trained with what it chose."""
        begun, rows = time.perf_counter(), training.rows
        seen, out = held(rows, fold)
        tuner = Tuner.of(self.learner(spec), spec, training, seen)
        found = tuner.studied(training, about=about)
        counts: list[Counts] = []

        def change(rows: Ints, *, held_out: Ints) -> Material:
            material = training.change(rows, held_out=held_out)
            counts.append(material.counts)
            return material

        inner = replace(
            training,
            rows=rows.apart(seen, out),
            key=f"{training.key}.fold-{fold}.{turn}.inner",
            seed=training.seed + fold + SEED_STEP * turn,
            folds=(),
            seeds=1,
            facts={},
            change=change,
        )
        with writing(target):
            (target / TRAINED).mkdir(parents=True)
        tuner.learner.train(target / TRAINED, changed(tuner.base, found.values), inner)
        for spare in training.store.glob(f"{inner.key}.*"):
            shutil.rmtree(spare, ignore_errors=True)
        save_json(target / TUNING, record_of(tuner, found))
        seconds = round(time.perf_counter() - begun, 2)
        save_json(target / "fold.json", {"seconds": seconds, "counts": summed(counts[:1])})


def _ends(base: Section, space: Mapping[str, Range]) -> Iterator[Section]:
    """What is tuned as it is, and with each end or choice of the space alone."""
    yield base
    for key, one in space.items():
        whole = not one.choices and is_whole(type(base), key)
        for end in one.ends:
            # one that may stand only beside other values is left to the trials, which say so
            with suppress(ValidationError):
                yield changed(base, {key: int(end) if whole and isinstance(end, float) else end})


def _assembled(
    folder: Path, places: Sequence[Sequence[Path]], *, folds: Sequence[int], training: Training, learner: Kind[Any]
) -> Trained:
    """The contender out of its folds, those of further seeds as predictions alone; big files are linked, not copied."""
    first, *others = [[Contender.load(place / TRAINED) for place in turn] for turn in places]
    records = [load_json(place / TUNING, keys={"studies": list}) for place in places[0]]
    for number, (fold, one) in enumerate(zip(folds, first, strict=True)):
        linked(one.folder / MODEL, folder / MODEL if number == 0 else folder / FOLDS / str(fold))
    save_seeds(folder, [np.concatenate([one.answers for one in turn]) for turn in others])
    whole = {**records[0], "folds": list(folds), "studies": [one for record in records for one in record["studies"]]}
    save_json(folder / TUNING, whole)
    noted = load_json(first[0].folder / CARD)["facts"]
    facts = {
        **{key: noted[key] for key in _NOTED if key in noted},
        "folds": list(folds),
        "chance": learner.chance,
        "seeds": len(places),
        **facts_of(whole),
        **training.facts,
        **summed(load_json(place / "fold.json")["counts"] for place in places[0]),
    }
    seconds = [
        load_json(place / "fold.json", keys={"seconds": int | float})["seconds"] for turn in places for place in turn
    ]
    return Trained(
        predicted=np.concatenate([one.rows for one in first]),
        answers=np.concatenate([one.answers for one in first]),
        seconds=sum(seconds),
        facts=facts,
    )
