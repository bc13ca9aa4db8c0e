"""A kind of contender: how it is trained out of fold, trained again on all rows, and made smaller."""

from __future__ import annotations

import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np

from ratchet.bundle.bundle import Bundle
from ratchet.bundle.predict import load_model
from ratchet.bundle.runtimes import load_model_folder
from ratchet.compress.compressor import Compressor
from ratchet.contenders.base import FOLDS, MODEL, Contender, Identity, Trained, write_contender
from ratchet.contenders.material import Material, RowChange, held, judged_folds, plain, summed
from ratchet.contenders.rows import Ints, PartedRows
from ratchet.errors import RatchetError
from ratchet.models.model import Answers, Destination, Model
from ratchet.monitoring.watching import Watching
from ratchet.recipe.sections import Section
from ratchet.screen import Advance
from ratchet.workspace.workspace import writing

S = TypeVar("S", bound=Section)
NONE: Ints = np.zeros(0, np.int64)
EARLIER = ("left_out", "trained")
"""Facts of a champion of earlier rows, and of its smaller forms: it is judged on rows that it cannot know."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Look:
    """Somebody who looks at a training after each epoch."""

    metric: str
    """By what, of the answers to the rows that are watched."""
    reached: Callable[[float, float], None]
    """Takes the share of the training that is done, and the metric, higher is better; what it raises ends the training."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Training:
    """What a contender is trained with, beside the settings of its model."""

    rows: PartedRows
    name: str
    kind: str
    """As the ledger and the report name it: the kind of its model, or of the row change that made it."""
    key: str
    """Names what is kept of it outside its folder: trained folds, checkpoints."""
    seed: int
    threads: int
    store: Path
    """Folder of all contenders."""
    advance: Advance
    change: RowChange = plain
    folds: tuple[int, ...] = ()
    """The folds to train, for a kind whose folds can be bought; empty: all."""
    seeds: int = 1
    """How often all folds are trained, each time with another seed."""
    facts: Mapping[str, object] = field(default_factory=dict)
    """For the card: what it was made from."""
    watching: Watching = field(default_factory=Watching)
    """How its training is watched, where that takes long; it changes no answer."""
    look: Look | None = None
    """Of a study, at a trial of a kind that is trained in epochs."""


class Kind(ABC, Generic[S]):
    """One kind of contender: what it is and needs, and how it is trained. `FoldKind` is the short way to write one.

    Register an instance in `contenders.registry.KINDS`, or in the entry point group ``ratchet.contenders``.
    """

    name: ClassVar[str]
    """The ``kind`` of a challenger in the recipe."""
    spec: ClassVar[type[Section]]
    """Its section in the recipe."""
    runtime: ClassVar[str]
    """What its models run on; see `bundle.runtimes`."""
    tasks: ClassVar[tuple[str, ...]] = ("classification",)
    """The tasks whose answers it can give."""
    packages: ClassVar[tuple[str, ...]] = ()
    """What must be installed to train it."""
    extra: ClassVar[str] = "train"
    """The extra that installs them."""
    cheap: ClassVar[bool] = True
    """It is trained in seconds: on a small table it is judged together with the baseline."""
    chance: ClassVar[bool] = False
    """Training draws numbers at random, so that another seed gives another model."""
    threaded: ClassVar[bool] = False
    """The number of threads may change a rounding, so that it is part of what names the contender."""
    epochs: ClassVar[bool] = False
    """It is trained in epochs, and heeds `Training.look`."""
    weighted: ClassVar[bool] = True
    """It takes weights of rows."""
    featured: ClassVar[bool] = False
    """It uses the features beside the text; a run says of any other kind that it does not."""
    trained: ClassVar[bool] = True
    """Its models are trained here; else nothing is to be refitted, changed or made smaller."""
    exported: ClassVar[bool] = True
    """It can be written as a bundle; a file of answers cannot."""

    @abstractmethod
    def train(self, folder: Path, spec: S, training: Training) -> None:
        """Fill a contender's folder: the model to be served, and predictions of rows by models that had not seen them."""

    def tried(self, spec: S, training: Training) -> Answers:
        """The answers to the valid part of a model that is trained on the train part and not kept: a trial of settings.

        What it leaves beside the folder ``training.key`` has that key as the beginning of its name.
        """
        folder = training.store / training.key
        _remove(training)  # of a trial that was killed
        with writing(folder):
            folder.mkdir(parents=True)
        try:
            self.train(folder, spec, training)
            return Contender.load(folder).answers
        finally:
            _remove(training)

    def refit(self, folder: Path, spec: S, training: Training) -> None:
        """Fill a contender's folder with the model to be served, trained on all rows but the test part.

        Its recorded predictions are of the valid part, which it has seen: they serve the parity check of the export alone.

        Raises:
            RatchetError: the kind is not ``trained``.
        """
        del folder, spec
        raise RatchetError(f"{training.name!r} must be of a kind that is trained but is of the kind {self.name}.")

    def learner(self, spec: S) -> Kind[Any]:
        """The kind whose models are trained: this one, but for one that chooses the settings of another."""
        del spec
        return self

    def folds_at_first(self, rows: PartedRows) -> tuple[int, ...]:
        """The folds to train before the first look, where further ones can be bought; empty: all at once."""
        del rows
        return ()

    def sealed(self, spec: S, training: Training, of: Contender, bundle: Bundle) -> Answers:
        """The answers to the rows of the sealed test part, asked once."""
        del spec, of
        rows = training.rows
        return load_model(bundle, threads=training.threads).predict(rows.inputs(rows.parts.test))

    def named_by(self, spec: S) -> object:
        """What makes it another contender: its settings but those that change no answer, and what they name."""
        return spec

    def sources(self, spec: S) -> list[str]:
        """The sha256 of each file that a training with these settings reads beside the rows, as they are now."""
        del spec
        return []

    def sends_to(self, spec: S) -> Destination | None:
        """Where the texts of the rows are sent while it is made; ``None``: nowhere."""
        del spec
        return None

    def require(self, spec: S, rows: PartedRows) -> None:
        """Refuse settings that cannot be trained with on these rows, by what is known before anything is trained.

        It is asked of every challenger before the first fold, so it reads no weights; what it lets pass may still fail.

        Raises:
            RatchetError: naming the key, what is there, and what to do.
        """
        del spec, rows

    def corpus(self, spec: S) -> tuple[str, ...]:
        """Files of plain texts that are read beside the rows; before the first fold they are refused where they hold a row that
        is judged."""
        del spec
        return ()

    def chooses(self, spec: S) -> bool:
        """Whether training rows choose something of it, such as the epoch: what it reads beside the rows must not hold them."""
        del spec
        return False

    def missing(self) -> str | None:
        """The first package that must be installed and is not."""
        return next((package for package in self.packages if find_spec(package) is None), None)

    def identity(self, spec: S, training: Training) -> Identity:
        """What the card calls it."""
        settings = spec.model_dump(mode="json")
        return Identity(name=training.name, kind=training.kind, runtime=self.runtime, spec=settings)

    def compress(self, folder: Path, compressor: Compressor, of: Contender, training: Training) -> None:
        """Every fold's model in a smaller form, so that its predictions stay out of fold.

        Raises:
            RatchetError: a fold's model is gone.
        """
        begun, rows = time.perf_counter(), training.rows
        known = {name: of.facts[name] for name in EARLIER if name in of.facts}
        predicted, answers = [], []
        for fold in of.folds:
            target = folder / MODEL if fold == of.folds[0] else folder / FOLDS / str(fold)
            if not of.fold_model(fold).is_dir():
                raise RatchetError(
                    f"{of.name!r} must have the models of all its folds but those were removed once it lost."
                )
            compressor.apply(of.fold_model(fold), target)
            out = of.placed(rows) if known else held(rows, fold)[1]
            predicted.append(out)
            model = load_model_folder(target, of.runtime, threads=training.threads)
            answers.append(model.predict(rows.inputs(out)))
        trained = Trained(
            predicted=np.concatenate(predicted),
            answers=np.concatenate(answers),
            seconds=time.perf_counter() - begun,
            facts={"folds": list(of.folds), "chance": bool(of.facts.get("chance")), **known, **training.facts},
        )
        write_contender(folder, rows, compressed(of, training), trained)


class FoldKind(Kind[S]):
    """A kind of which a subclass says only how one model is fitted; the folds and the refit follow from that."""

    @abstractmethod
    def fit(self, spec: S, material: Material, training: Training) -> Model:
        """A model trained on the material and on nothing else."""

    def resolve(self, spec: S, rows: PartedRows) -> S:
        """The settings with everything chosen that depends on the rows; these are recorded."""
        del rows
        return spec

    def noted(self, model: Model) -> Mapping[str, object]:
        """What the card says of the served model; ``converged: false`` is printed with its verdict."""
        del model
        return {}

    def train(self, folder: Path, spec: S, training: Training) -> None:
        """Fit one model for each fold on the other folds, and predict the fold; fold 0's model is to be served."""
        begun, rows = time.perf_counter(), training.rows
        spec, folds = self.resolve(spec, rows), judged_folds(rows)
        predicted, answers, counts, noted = [], [], [], dict[str, object]()
        for fold in folds:
            seen, out = held(rows, fold)
            material = training.change(seen, held_out=out)
            model = self.fit(spec, material, training)
            save_model(model, folder / MODEL if fold == folds[0] else folder / FOLDS / str(fold))
            noted = noted or dict(self.noted(model))
            counts.append(material.counts)
            predicted.append(out)
            answers.append(model.predict(rows.inputs(out)))
        facts = {"folds": list(folds), "chance": self.chance, **noted, **training.facts, **summed(counts)}
        trained = Trained(
            predicted=np.concatenate(predicted),
            answers=np.concatenate(answers),
            seconds=time.perf_counter() - begun,
            facts=facts,
        )
        write_contender(folder, rows, self.identity(spec, training), trained)

    def tried(self, spec: S, training: Training) -> Answers:
        """As `Kind.tried`: nothing is written."""
        rows = training.rows
        material = training.change(rows.parts.train, held_out=rows.parts.valid)
        return self.fit(self.resolve(spec, rows), material, training).predict(rows.inputs(rows.parts.valid))

    def refit(self, folder: Path, spec: S, training: Training) -> None:
        """As `Kind.refit`."""
        begun, rows = time.perf_counter(), training.rows
        model = self.fit(spec, training.change(rows.parts.dev, held_out=NONE), training)
        save_model(model, folder / MODEL)
        trained = Trained(
            predicted=rows.parts.valid,
            answers=model.predict(rows.inputs(rows.parts.valid)),
            seconds=time.perf_counter() - begun,
            facts={"folds": [0], "chance": self.chance, **training.facts},
        )
        write_contender(folder, rows, self.identity(spec, training), trained)


def _remove(training: Training) -> None:
    """Remove whatever a trial was made in."""
    for path in (training.store / training.key, *training.store.glob(f"{training.key}.*")):
        shutil.rmtree(path, ignore_errors=True)


def compressed(of: Contender, training: Training) -> Identity:
    """What the card calls a smaller form of a contender."""
    return Identity(name=training.name, kind=training.kind, runtime=of.runtime, spec=of.card["spec"])


def save_model(model: Model, target: Path) -> None:
    """Write a model into a new folder."""
    with writing(target):
        target.mkdir(parents=True)
    model.save(target)
