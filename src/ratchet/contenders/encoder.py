"""Encoders as contenders: trained once a fold, each fold a finished folder of its own, so that folds can be bought."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ratchet.contenders.base import FOLDS, MODEL, SEEDS, Trained, write_contender
from ratchet.contenders.kind import NONE, Kind, Training
from ratchet.contenders.material import Counts, held, judged_folds, summed
from ratchet.contenders.rows import Ints, PartedRows
from ratchet.errors import ExtraMissing, RatchetError, WorkspaceError
from ratchet.recipe.sections import EncoderSpec
from ratchet.workspace.finished import finished, load_array, load_json, save_array, save_json
from ratchet.workspace.workspace import writing

if TYPE_CHECKING:
    from ratchet.models.encoder import FittedEncoder

SMALL = 2_000
"""Up to so many dev rows all folds are trained at once: a fifth of the rows would decide nothing, and a fold is cheap."""
SEED_STEP = 1_000
"""Between the seeds of two turns through the folds."""
WATCHED = 0.1
"""Share of a fold's training rows that chooses the epoch, where ``keep`` is not ``last``: never the rows that are judged."""


def fold_folder(store: Path, key: str, fold: int, turn: int = 0) -> Path:
    """Where the model of one fold lies; each turn after the first is another seed of the same training."""
    return store / (f"{key}.fold-{fold}.seed-{turn}" if turn else f"{key}.fold-{fold}")


class Encoder(Kind[EncoderSpec]):
    """A transformer encoder with a classification head, trained on each fold's complement and exported to ONNX.

    The folds' folders and the checkpoints live outside the contender's folder, so that a killed training goes on and a
    contender with more folds trains none again. Of further seeds only the predictions are kept.
    """

    name, spec, runtime = "encoder", EncoderSpec, "onnx"
    tasks = ("classification", "multilabel", "regression")
    packages = ("torch", "transformers", "onnx")
    cheap, chance, threaded, weighted = False, True, True, False

    def folds_at_first(self, rows: PartedRows) -> tuple[int, ...]:
        """All folds of a small table, else the valid part's."""
        if rows.parts.order == "time" or len(rows.parts.dev) > SMALL:
            return (0,)
        return tuple(range(rows.parts.folds))

    def train(self, folder: Path, spec: EncoderSpec, training: Training) -> None:
        """As `Kind.train`, for the folds and seeds of ``training``.

        Raises:
            RatchetError: no fold could be trained.
        """
        folds = training.folds or judged_folds(training.rows)
        missing: dict[str, str] = {}
        for turn in range(training.seeds):
            for fold in folds:
                reason = _try_fold(spec, training, fold=fold, turn=turn)
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

    def refit(self, folder: Path, spec: EncoderSpec, training: Training) -> None:
        """As `Kind.refit`."""
        from ratchet.train.export import export_onnx

        begun, rows = time.perf_counter(), training.rows
        checkpoints = training.store / f"{training.key}.refit.training"
        fitted, _ = _fitted(spec, training, seen=rows.parts.dev, out=NONE, seed=training.seed, folder=checkpoints)
        export_onnx(fitted, folder / MODEL)
        trained = Trained(
            predicted=rows.parts.valid,
            answers=fitted.predict(rows.texts(rows.parts.valid)),
            seconds=time.perf_counter() - begun,
            facts={"folds": [0], "chance": self.chance, **training.facts},
        )
        write_contender(folder, rows, self.identity(spec, training), trained)
        shutil.rmtree(checkpoints, ignore_errors=True)


def _try_fold(spec: EncoderSpec, training: Training, *, fold: int, turn: int) -> str:
    """Train one fold with one seed unless that is done; why it could not be trained, empty where it could."""
    place = fold_folder(training.store, training.key, fold, turn)
    seed = training.seed + fold + SEED_STEP * turn
    try:
        finished(place, partial(_fold, spec=spec, training=training, fold=fold, seed=seed, model=turn == 0))
    except (WorkspaceError, ExtraMissing):
        raise
    except (RatchetError, MemoryError, RuntimeError) as error:  # torch: out of memory, a kernel that is missing
        return (str(error).strip().splitlines() or [type(error).__name__])[0]
    shutil.rmtree(_checkpoints(training, fold=fold, seed=seed), ignore_errors=True)
    return ""


def _checkpoints(training: Training, *, fold: int, seed: int) -> Path:
    return training.store / f"{training.key}.fold-{fold}.{seed}.training"


def _fold(target: Path, *, spec: EncoderSpec, training: Training, fold: int, seed: int, model: bool) -> None:
    """The model of one fold (where it is wanted), its predictions, and its learning curve."""
    from ratchet.train.export import export_onnx
    from ratchet.train.loop import PRECISION, read_history

    begun, rows = time.perf_counter(), training.rows
    seen, predicted = held(rows, fold)
    checkpoints = _checkpoints(training, fold=fold, seed=seed)
    fitted, counts = _fitted(
        spec, training, seen=seen, out=predicted, seed=seed, folder=checkpoints, about=f"fold {fold}"
    )
    save_array(target / "rows.npy", predicted)
    save_array(target / "probability.npy", fitted.predict(rows.texts(predicted)))
    if model:
        export_onnx(fitted, target / MODEL)
    board = checkpoints / "tensorboard"
    if board.is_dir():
        with writing(target):
            shutil.copytree(board, target / "tensorboard")
    history = read_history(checkpoints)
    last = history[-1] if history else None
    curve = [
        {"epoch": e.epoch, "train_loss": e.train_loss, "valid_loss": e.valid_loss, "accuracy": e.valid_accuracy}
        for e in history
    ]
    measured = load_json(checkpoints / PRECISION)["measured"] if (checkpoints / PRECISION).is_file() else ""
    facts = {
        "source": fitted.source,
        **({"precision_measured": measured} if measured else {}),
        "epochs": curve,
        "tokens_per_second": round(last.tokens_per_second) if last else None,
        "padding": round(last.padding, 4) if last else None,
        "seed": seed,
        **{
            key: value
            for key, value in fitted.facts.items()
            if key in ("precision", "kept_epoch", "notes", "cut_texts")
        },
    }
    record = {"seconds": round(time.perf_counter() - begun, 2), "facts": facts, "counts": dict(counts)}
    save_json(target / "fold.json", record)


def _fitted(
    spec: EncoderSpec, training: Training, *, seen: Ints, out: Ints, seed: int, folder: Path, about: str = "all rows"
) -> tuple[FittedEncoder, Counts]:
    """An encoder trained on the rows that it may see, and the counts of how they were changed."""
    from ratchet.train.encoder import fit_encoder

    rows = training.rows
    material = training.change(seen, held_out=out)
    train, chooser = watched(material.rows, rows, spec=spec, seed=seed)
    if not len(chooser):  # nothing to choose by: the rows that are judged are looked at for the curve alone
        spec = spec.model_copy(update={"keep": "last"})
    looked_at = chooser if len(chooser) else out
    right = rows.targets.take(train)
    fitted = fit_encoder(
        [*rows.texts(train), *material.texts],
        right.followed_by(rows.made(material.labels)) if len(material.labels) else right,
        rows.texts(looked_at),
        rows.targets.take(looked_at),
        spec=spec,
        language=rows.language,
        seed=seed,
        threads=training.threads,
        folder=folder,
        columns=rows.texts_a_row,
        watching=training.watching.named(about),
        progress=lambda p: training.advance(
            p.step, p.steps, f"{about} epoch {p.epoch} loss {p.loss:.3f} {p.tokens_per_second:,.0f} tok/s"
        ),
    )
    return fitted, material.counts


def watched(train: Ints, rows: PartedRows, *, spec: EncoderSpec, seed: int) -> tuple[Ints, Ints]:
    """The training rows, and those that choose the epoch: a share of every label, with whole units; none for ``last``."""
    if spec.keep == "last":
        return train, np.zeros(0, np.int64)
    count = len(rows.dataset)
    group = rows.truth if rows.targets.kind == "classes" else np.zeros(count, np.int64)
    unit = rows.parts.unit if rows.parts.unit is not None else np.arange(count)
    generator, chosen = np.random.default_rng(seed), np.zeros(count, bool)
    for label in range(int(group.max(initial=0)) + 1):
        own = np.unique(train[group[train] == label])
        count = round(WATCHED * len(own))
        if 0 < count < len(own):
            chosen |= np.isin(unit, unit[generator.choice(own, size=count, replace=False)])
    watch = chosen[train]
    if watch.all() or not watch.any():
        return train, np.zeros(0, np.int64)
    return train[~watch], np.unique(train[watch])


def _assembled(
    folder: Path, places: Sequence[Sequence[Path]], *, folds: Sequence[int], facts: Mapping[str, object]
) -> Trained:
    """The contender out of the folds that are there, of each seed; big files are linked, not copied."""
    first, *others = places
    records = [load_json(place / "fold.json", keys={"facts": dict}) for turn in places for place in turn]
    with writing(folder):
        for number, (fold, place) in enumerate(zip(folds, first, strict=True)):
            _link(place / MODEL, folder / MODEL if number == 0 else folder / FOLDS / str(fold))
        if (first[0] / "tensorboard").is_dir():
            shutil.copytree(first[0] / "tensorboard", folder / "tensorboard")
    if others:
        further = [np.concatenate([load_array(place / "probability.npy") for place in turn]) for turn in others]
        save_array(folder / SEEDS, np.stack(further))
    counts = summed(record.get("counts", {}) for record in records[: len(first)])
    return Trained(
        predicted=np.concatenate([load_array(place / "rows.npy") for place in first]),
        answers=np.concatenate([load_array(place / "probability.npy") for place in first]),
        seconds=sum(record["seconds"] for record in records),
        facts={**records[0]["facts"], "folds": list(folds), **facts, **counts},
    )


def _link(source: Path, target: Path) -> None:
    """The same files under another name; a copy where the file system has no links."""

    def one(before: str, after: str) -> str:
        try:
            os.link(before, after)
        except OSError:
            shutil.copy2(before, after)
        return after

    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, target, copy_function=one)
