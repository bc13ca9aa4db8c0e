"""Encoders as contenders: trained once a fold, each fold a finished folder of its own, so that folds can be bought."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ratchet.contenders.base import FOLDS, MODEL, SEEDS, Ints, PartedRows, finish
from ratchet.contenders.material import Source, held, plain
from ratchet.errors import ExtraMissing, RatchetError, WorkspaceError
from ratchet.recipe.sections import EncoderSpec
from ratchet.screen import Advance
from ratchet.workspace.finished import finished, load_array, load_json, save_array, save_json
from ratchet.workspace.workspace import writing

SMALL = 2_000
"""Up to so many dev rows all folds are trained at once: a fifth of the rows would decide nothing, and a fold is cheap."""
SEED_STEP = 1_000
"""Between the seeds of two turns through the folds."""
WATCHED = 0.1
"""Share of a fold's training rows that chooses the epoch, where ``keep`` is not ``last``: never the rows that are judged."""


def folds_at_first(rows: PartedRows) -> tuple[int, ...]:
    """The folds that an encoder is trained on before anybody looks: all of a small table, else the valid part's."""
    if rows.parts.order == "time" or len(rows.parts.dev) > SMALL:
        return (0,)
    return tuple(range(rows.parts.folds))


def fold_folder(store: Path, key: str, fold: int, turn: int = 0) -> Path:
    """Where the model of one fold lies; each turn after the first is another seed of the same training."""
    return store / (f"{key}.fold-{fold}.seed-{turn}" if turn else f"{key}.fold-{fold}")


def train_encoder(
    folder: Path,
    rows: PartedRows,
    *,
    name: str,
    spec: EncoderSpec,
    seed: int,
    threads: int,
    store: Path,
    key: str,
    folds: Sequence[int],
    advance: Advance,
    seeds: int = 1,
    kind: str = "encoder",
    material: Source = plain,
    more: Mapping[str, Any] | None = None,
) -> None:
    """Train an encoder on the complement of each fold, export it to ONNX, and predict the fold.

    Args:
        folder: the contender's folder, being built.
        store: where the folds' folders and the checkpoints live: outside ``folder``, so that a killed training goes on and
            a contender with more folds trains none again.
        key: names the folds' folders.
        folds: which folds are predicted; the first that is there is the model to be served.
        seeds: how often all folds are trained, each time with other seeds; only their predictions are kept of the further ones.
        material: what a fold is trained on.
        more: facts for the card.

    Raises:
        RatchetError: no fold could be trained.
    """
    missing: dict[str, str] = {}
    for turn in range(seeds):
        for fold in folds:
            place = fold_folder(store, key, fold, turn)
            training = place.with_name(f"{place.name}.training")
            build = partial(
                _fold,
                rows=rows,
                fold=fold,
                spec=spec,
                seed=seed + fold + SEED_STEP * turn,
                threads=threads,
                training=training,
                advance=advance,
                material=material,
                model=turn == 0,
            )
            try:
                finished(place, build)
            except (WorkspaceError, ExtraMissing):
                raise
            except (RatchetError, MemoryError, RuntimeError) as error:  # torch: out of memory, a kernel that is missing
                named = f"{fold} (seed {turn + 1})" if turn else str(fold)
                missing[named] = (str(error).strip().splitlines() or [type(error).__name__])[0]
                continue
            shutil.rmtree(training, ignore_errors=True)
    there = [fold for fold in folds if str(fold) not in missing]
    if not there:
        first = next(iter(missing.values()))
        raise RatchetError(f"{name!r} could not be trained on any fold: {first}")
    whole = [turn for turn in range(seeds) if all(fold_folder(store, key, fold, turn).is_dir() for fold in there)]
    _assemble(
        folder,
        rows,
        name=name,
        spec=spec,
        kind=kind,
        places=[[fold_folder(store, key, fold, turn) for fold in there] for turn in whole],
        folds=there,
        missing=missing,
        more=more,
    )


def _fold(
    target: Path,
    *,
    rows: PartedRows,
    fold: int,
    spec: EncoderSpec,
    seed: int,
    threads: int,
    training: Path,
    advance: Advance,
    material: Source,
    model: bool,
) -> None:
    """The model of one fold (where it is wanted), its predictions, and its learning curve."""
    from ratchet.train.export import export_onnx
    from ratchet.train.loop import fit_encoder, read_history

    begun = time.perf_counter()
    seen, predicted = held(rows, fold)
    used = material(seen, held_out=predicted)
    train, chooser = watched(used.rows, rows, spec=spec, seed=seed)
    if not len(chooser):  # nothing to choose by: the rows that are judged are looked at for the curve alone
        spec = spec.model_copy(update={"keep": "last"})
    fitted = fit_encoder(
        [*rows.texts(train), *used.texts],
        [*rows.names(train), *used.labels],
        rows.texts(chooser if len(chooser) else predicted),
        rows.names(chooser if len(chooser) else predicted),
        spec=spec,
        labels=rows.labels,
        language=rows.language,
        seed=seed,
        threads=threads,
        folder=training,
        progress=lambda p: advance(
            p.step, p.steps, f"fold {fold} epoch {p.epoch} loss {p.loss:.3f} {p.tokens_per_second:,.0f} tok/s"
        ),
    )
    save_array(target / "rows.npy", predicted)
    save_array(target / "probability.npy", fitted.predict(rows.texts(predicted)).astype(np.float32))
    if model:
        export_onnx(fitted, target / MODEL)
    board = training / "tensorboard"
    if board.is_dir():
        with writing(target):
            shutil.copytree(board, target / "tensorboard")
    history = read_history(training)
    last = history[-1] if history else None
    facts = {
        "source": fitted.source,
        "epochs": [
            {
                "epoch": record.epoch,
                "train_loss": record.train_loss,
                "valid_loss": record.valid_loss,
                "accuracy": record.valid_accuracy,
            }
            for record in history
        ],
        "tokens_per_second": round(last.tokens_per_second) if last else None,
        "padding": round(last.padding, 4) if last else None,
        "seed": seed,
        **{key: value for key, value in fitted.facts.items() if key in ("precision", "kept_epoch")},
    }
    save_json(target / "fold.json", {"seconds": round(time.perf_counter() - begun, 2), "facts": facts})


def watched(train: Ints, rows: PartedRows, *, spec: EncoderSpec, seed: int) -> tuple[Ints, Ints]:
    """The training rows, and those that choose the epoch: a share of every label, with whole units; none for ``last``."""
    if spec.keep == "last":
        return train, np.zeros(0, np.int64)
    unit = rows.parts.unit if rows.parts.unit is not None else np.arange(len(rows.truth))
    dice, chosen = np.random.default_rng(seed), np.zeros(len(rows.truth), bool)
    for label in range(len(rows.labels)):
        own = np.unique(train[rows.truth[train] == label])
        count = round(WATCHED * len(own))
        if 0 < count < len(own):
            chosen |= np.isin(unit, unit[dice.choice(own, size=count, replace=False)])
    watch = chosen[train]
    if watch.all() or not watch.any():
        return train, np.zeros(0, np.int64)
    return train[~watch], np.unique(train[watch])


def _assemble(
    folder: Path,
    rows: PartedRows,
    *,
    name: str,
    spec: EncoderSpec,
    kind: str,
    places: Sequence[Sequence[Path]],
    folds: Sequence[int],
    missing: Mapping[str, str],
    more: Mapping[str, Any] | None,
) -> None:
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
    facts = {**records[0]["facts"], "folds": list(folds), "seeds": len(places), **(more or {})}
    if missing:
        facts["missing_folds"] = dict(missing)
    finish(
        folder,
        rows,
        name=name,
        kind=kind,
        runtime="onnx",
        spec=spec,
        predicted=np.concatenate([load_array(place / "rows.npy") for place in first]),
        probability=np.concatenate([load_array(place / "probability.npy") for place in first]),
        seconds=sum(record["seconds"] for record in records),
        facts=facts,
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
