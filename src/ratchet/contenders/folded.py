"""Kinds whose training takes long: each fold a finished folder of its own, so that folds and seeds can be bought."""

from __future__ import annotations

import os
import re
import shutil
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ratchet.contenders.base import FOLDS, MODEL, Trained, load_answers, save_answers, save_seeds, write_contender
from ratchet.contenders.kind import NONE, Kind, S, Training
from ratchet.contenders.material import Counts, Material, RowChange, held, judged_folds, summed
from ratchet.contenders.rows import Ints, PartedRows
from ratchet.errors import ExtraMissing, MetricFailed, RatchetError, RecipeError, WorkspaceError
from ratchet.metrics.metrics import named
from ratchet.metrics.own_function import is_own, known_as
from ratchet.models.model import Answers
from ratchet.monitoring.alerts import Stopped
from ratchet.monitoring.sinks import BOARD, STEPS
from ratchet.train.loop import PRECISION
from ratchet.train.records import Progress, read_history
from ratchet.train.scoring import without_value
from ratchet.workspace.finished import finished, load_array, load_json, save_array, save_json
from ratchet.workspace.workspace import writing

SMALL = 2_000
"""Up to so many dev rows all folds are trained at once: a fifth of the rows would decide nothing, and a fold is cheap."""
SEED_STEP = 1_000
"""Between the seeds of two turns through the folds."""
NOTES = "notes"
"""The fact of a training that holds what a person should know of it beside its settings: what was cut, what went wrong."""
SET_APART = 0.1
"""Share of a fold's training rows that chooses the epoch, where ``keep`` is not ``last``: never the rows that are judged."""


def fold_folder(store: Path, key: str, fold: int, turn: int = 0) -> Path:
    """Where the model of one fold lies; each turn after the first is another seed of the same training."""
    return store / (f"{key}.fold-{fold}.seed-{turn}" if turn else f"{key}.fold-{fold}")


@dataclass(frozen=True, kw_only=True, eq=False)
class One:
    """One model that was trained."""

    predict: Callable[[Sequence[str]], Answers]
    save: Callable[[Path], object]
    """Writes its folder, as its runtime loads it; not asked of further seeds, of which only the predictions are kept."""
    facts: Mapping[str, object] = field(default_factory=dict)
    counts: Counts = field(default_factory=dict)
    """How its rows were changed."""


class Folded(Kind[S]):
    """A kind of which a subclass says only how one model is trained, in a folder where a killed training goes on.

    The folds' folders and the checkpoints live outside the contender's folder, so that a contender with more folds trains
    none again. Of further seeds only the predictions are kept.
    """

    cheap, chance, threaded, weighted, epochs = False, True, True, False, True

    @abstractmethod
    def one(self, spec: S, training: Training, *, seen: Ints, out: Ints, seed: int, folder: Path, about: str) -> One:
        """A model trained on the rows that it may see.

        Args:
            spec: its settings.
            training: what else it is trained with.
            seen: the rows.
            out: rows that it will answer: they may be looked at for the curve, and choose nothing.
            seed: of this training.
            folder: of this training alone; it is removed once the model is saved elsewhere.
            about: for the bar.
        """

    def folds_at_first(self, rows: PartedRows) -> tuple[int, ...]:
        """All folds of a small table, else the valid part's."""
        if rows.parts.order == "time" or len(rows.parts.dev) > SMALL:
            return (0,)
        return tuple(range(rows.parts.folds))

    def train(self, folder: Path, spec: S, training: Training) -> None:
        """As `Kind.train`, for the folds and seeds of ``training``.

        Raises:
            RatchetError: no fold could be trained.
        """
        folds = training.folds or judged_folds(training.rows)
        missing: dict[str, str] = {}
        for turn in range(training.seeds):
            for fold in folds:
                reason = self._try_fold(spec, training, fold=fold, turn=turn)
                if reason:
                    missing[f"{fold} (seed {turn + 1})" if turn else str(fold)] = reason
        there = [fold for fold in folds if str(fold) not in missing]
        if not there:
            first = next(iter(missing.values()))
            raise RatchetError(f"{training.name!r} could not be trained on any fold: {first}")
        places = [
            [fold_folder(training.store, training.key, fold, turn) for fold in there] for turn in range(training.seeds)
        ]
        whole = [turn for turn in places if all(place.is_dir() for place in turn)]
        facts = {"seeds": len(whole), "chance": self.chance, **training.facts}
        if missing:
            facts["missing_folds"] = missing
        trained = _assembled(folder, whole, folds=there, facts=facts)
        write_contender(folder, training.rows, self.identity(spec, training), trained)

    def refit(self, folder: Path, spec: S, training: Training) -> None:
        """As `Kind.refit`."""
        begun, rows = time.perf_counter(), training.rows
        work = training.store / f"{training.key}.refit.training"
        one = self.one(spec, training, seen=rows.parts.dev, out=NONE, seed=training.seed, folder=work, about="all rows")
        one.save(folder / MODEL)
        trained = Trained(
            predicted=rows.parts.valid,
            answers=one.predict(rows.texts(rows.parts.valid)),
            seconds=time.perf_counter() - begun,
            facts={"folds": [0], "chance": self.chance, **training.facts},
        )
        write_contender(folder, rows, self.identity(spec, training), trained)
        shutil.rmtree(work, ignore_errors=True)

    def _try_fold(self, spec: S, training: Training, *, fold: int, turn: int) -> str:
        """Train one fold with one seed unless that is done; why it could not be trained, empty where it could."""
        place = fold_folder(training.store, training.key, fold, turn)
        seed = training.seed + fold + SEED_STEP * turn
        work = training.store / f"{training.key}.fold-{fold}.{seed}.training"
        made = replace(training, change=_apart_from_training(training.change))
        build = partial(self._fold, spec=spec, training=made, fold=fold, seed=seed, work=work, model=turn == 0)
        try:
            finished(place, build)
        except _NotMade as failed:
            raise failed.error from failed.__cause__
        except (WorkspaceError, ExtraMissing, Stopped, MetricFailed):
            # a fold that an alert ended is not left out: its rows may be what the alert looked at
            raise
        except (RatchetError, MemoryError, RuntimeError) as error:  # torch: out of memory, a kernel that is missing
            return _first_line(error)
        shutil.rmtree(work, ignore_errors=True)
        return ""

    def _fold(
        self, target: Path, *, spec: S, training: Training, fold: int, seed: int, work: Path, model: bool
    ) -> None:
        """The model of one fold (where it is wanted), and its answers to the rows that it had not seen."""
        begun, rows = time.perf_counter(), training.rows
        seen, out = held(rows, fold)
        one = self.one(spec, training, seen=seen, out=out, seed=seed, folder=work, about=f"fold {fold}")
        save_array(target / "rows.npy", out)
        save_answers(target, one.predict(rows.texts(out)))
        if model:
            one.save(target / MODEL)
        _copy_course(work, target)
        seconds = round(time.perf_counter() - begun, 2)
        record = {"seconds": seconds, "facts": {**one.facts, "seed": seed}, "counts": dict(one.counts)}
        save_json(target / "fold.json", record)


class _NotMade(Exception):
    """The rows of a fold could not be changed. That is no fault of its training: the contender is not judged without it."""

    def __init__(self, error: RatchetError) -> None:
        super().__init__(str(error))
        self.error = error


def _apart_from_training(change: RowChange) -> RowChange:
    """The same row change, whose failure is told from that of a training."""

    def asked(rows: Ints, *, held_out: Ints) -> Material:
        try:
            return change(rows, held_out=held_out)
        except RatchetError as error:
            raise _NotMade(error) from error
        except (MemoryError, RuntimeError) as error:
            reason = _first_line(error)
            raise _NotMade(RatchetError(f"The row change must make its rows but failed: {reason}")) from error

    return asked


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _copy_course(source: Path, target: Path) -> None:
    """What a training wrote of its steps, for those who look at it after its end."""
    with writing(target):
        if (source / BOARD).is_dir():
            shutil.copytree(source / BOARD, target / BOARD)
        if (source / STEPS).is_file():
            shutil.copy(source / STEPS, target / STEPS)


def linked(source: Path, target: Path) -> None:
    """The same files under another name; a copy where the file system has no links."""

    def one(before: str, after: str) -> str:
        try:
            os.link(before, after)
        except OSError:
            shutil.copy2(before, after)
        return after

    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target, copy_function=one)


def _assembled(
    folder: Path, places: Sequence[Sequence[Path]], *, folds: Sequence[int], facts: Mapping[str, object]
) -> Trained:
    """The contender out of the folds that are there, of each seed; big files are linked, not copied."""
    first, *others = places
    records = [load_json(place / "fold.json", keys={"facts": dict}) for turn in places for place in turn]
    for number, (fold, place) in enumerate(zip(folds, first, strict=True)):
        linked(place / MODEL, folder / MODEL if number == 0 else folder / FOLDS / str(fold))
    _copy_course(first[0], folder)
    save_seeds(folder, [np.concatenate([load_answers(place) for place in turn]) for turn in others])
    counts = summed(record.get("counts", {}) for record in records[: len(first)])
    noted = _noted([record["facts"] for record in records], folds)
    return Trained(
        predicted=np.concatenate([load_array(place / "rows.npy") for place in first]),
        answers=np.concatenate([load_answers(place) for place in first]),
        seconds=sum(record["seconds"] for record in records),
        facts={**records[0]["facts"], **noted, "folds": list(folds), **facts, **counts},
    )


def _noted(facts: Sequence[Mapping[str, Any]], folds: Sequence[int]) -> dict[str, list[str]]:
    """The notes of all trainings, and what is said of the first with these in the place of its own.

    Notes that differ in their numbers alone are told once; one that is not of every training has the folds before it.
    """
    if not any(NOTES in one for one in facts):
        return {}
    alike: dict[str, dict[str, str]] = {}
    for place, one in enumerate(facts):
        turn, number = divmod(place, len(folds))
        where = f"fold {folds[number]}" + (f" (seed {turn + 1})" if turn else "")
        for line in one.get(NOTES, ()):
            alike.setdefault(re.sub(r"\d[\d,.]*", "0", line), {}).setdefault(where, line)
    notes = []
    for found in alike.values():
        line = next(iter(found.values()))
        same, every = len({*found.values()}) == 1, len(found) == len(facts)
        about = "in each training" if every else ", ".join(found)
        notes.append(line if same and every else f"{line} ({about}{'' if same else ', with other numbers'})")
    own = facts[0].get(NOTES, ())
    said = [line for line in facts[0].get("said", ()) if line not in own]
    return {NOTES: notes, "said": [*said, *notes]}


def learnt_and_apart(training: Training, seen: Ints, *, out: Ints, keep: str, seed: int) -> tuple[Material, Ints]:
    """What a model is trained on, and the rows that choose its epoch, as they are.

    The latter are set apart before any row is changed, and are held out beside ``out``, so that nothing is made from them,
    nor near them. Where ``keep`` has no value for them, whatever is answered (both classes must be there for ``auc``), none are
    set apart.
    """
    rest, chooser = set_apart(seen, training.rows, keep=keep, seed=seed)
    if without_value(keep, training.rows.targets.take(chooser)) is not None:
        rest, chooser = seen, NONE
    return training.change(rest, held_out=np.concatenate([out, chooser])), chooser


def set_apart(train: Ints, rows: PartedRows, *, keep: str, seed: int) -> tuple[Ints, Ints]:
    """The training rows, and those that choose the epoch: a share of every label, with whole units; none for ``last``."""
    if keep == "last":
        return train, np.zeros(0, np.int64)
    count = len(rows.dataset)
    group = rows.truth if rows.targets.kind == "classes" else np.zeros(count, np.int64)
    unit = rows.parts.unit if rows.parts.unit is not None else np.arange(count)
    generator, chosen = np.random.default_rng(seed), np.zeros(count, bool)
    for label in range(int(group.max(initial=0)) + 1):
        own = np.unique(train[group[train] == label])
        count = round(SET_APART * len(own))
        if 0 < count < len(own):
            chosen |= np.isin(unit, unit[generator.choice(own, size=count, replace=False)])
    watch = chosen[train]
    if watch.all() or not watch.any():
        return train, np.zeros(0, np.int64)
    return train[~watch], np.unique(train[watch])


def require_choosing(keep: str, rows: PartedRows) -> None:
    """Refuse a metric that can choose no epoch on any of these rows, such as AUC of three classes.

    Raises:
        RecipeError: with the reason.
    """
    reason = without_value(keep, rows.targets.take(rows.parts.dev))
    if reason is not None:
        raise RecipeError(f"keep must have a value for these rows: {reason.problem}", next_step=reason.next_step)


def own_source(*metrics: str) -> list[str]:
    """What names the user's own among these metrics: an edited function is another one."""
    return [known_as(name) for name in metrics if is_own(name)]


def chosen(folder: Path, *, keep: str, rows: int, epoch: int) -> list[str]:
    """For people: which epoch was kept and by what, where that was not simply the last.

    Args:
        folder: of the training.
        keep: as the recipe says.
        rows: that were set apart to choose by; 0: there were too few.
        epoch: that was kept, counted from 1.
    """
    if keep == "last":
        return []
    history = read_history(folder)
    if not rows or keep not in history[epoch - 1].valid:
        return [
            f"the last epoch was kept: there were too few rows, or too alike, to set some apart that choose by {keep}"
        ]
    value = history[epoch - 1].valid[keep]
    return [f"epoch {epoch} of {len(history)} was kept, the best by {keep} ({value:.4g}) of {rows:,} rows set apart"]


def curve(folder: Path) -> dict[str, object]:
    """For the card: the epochs of the training in a folder, how fast it was, and what chose its numbers."""
    history = read_history(folder)
    measured = load_json(folder / PRECISION)["measured"] if (folder / PRECISION).is_file() else ""
    return {
        "epochs": [
            {
                "epoch": one.epoch,
                "train_loss": one.train_loss,
                "valid_loss": one.valid_loss,
                "accuracy": one.valid_accuracy,
            }
            for one in history
        ],
        "tokens_per_second": round(history[-1].tokens_per_second) if history else None,
        "padding": round(history[-1].padding, 4) if history else None,
        **({"precision_measured": measured} if measured else {}),
    }


def follow(now: Progress, *, training: Training, about: str) -> None:
    """Tell the bar where a training stands, and who looks at it what an epoch gave."""
    training.advance(now.step, now.steps, told(now, about=f"{about} {now.part}".strip()))
    look = training.look
    if look is not None and not now.part and look.metric in now.valid:
        look.reached(now.step / now.steps, named(look.metric)[0].sign * now.valid[look.metric])


def looked_by(training: Training) -> tuple[str, ...]:
    """The metric that is asked for after each epoch."""
    return () if training.look is None else (training.look.metric,)


def told(now: Progress, *, about: str) -> str:
    """Where a training stands, for the bar."""
    return f"{about} epoch {now.epoch} loss {now.loss:.3f} {now.tokens_per_second:,.0f} tok/s"
