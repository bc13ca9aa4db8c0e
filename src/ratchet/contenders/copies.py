"""Copies of a champion: the same fitted model in a smaller form, and the champion of other rows."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ratchet.bundle.predict import Predictor
from ratchet.contenders.base import (
    FOLDS,
    HEADS,
    MODEL,
    Contender,
    Floats,
    Ints,
    PartedRows,
    finish,
    load_model_folder,
)
from ratchet.contenders.embedding import shrink_embedding
from ratchet.contenders.linear import save_models
from ratchet.contenders.material import held
from ratchet.errors import DataError
from ratchet.models.linear import LinearModel
from ratchet.prepare.leaks import leaks
from ratchet.prepare.split_by_time import times
from ratchet.tables.dataset import Dataset
from ratchet.workspace.workspace import writing

PRUNED = (
    0.5  # share of a linear model's n-grams, the smallest weights, that its int8 form leaves out: 4x smaller with it
)


def shrink(folder: Path, rows: PartedRows, *, name: str, of: Contender, threads: int, store: Path) -> None:
    """The champion with int8 weights (a linear one without its smaller half of them).

    Every fold's model is shrunk alike, so its predictions stay out of fold.
    """
    begun = time.perf_counter()
    facts = of.card["facts"]
    if "embedder" in facts:
        predicted, probability = shrink_embedding(
            folder, rows, heads=of.folder / HEADS, origin=facts["embedder"], facts=facts, threads=threads, store=store
        )
    elif of.runtime == "onnx":
        predicted, probability = _shrink_encoder(folder, rows, of=of, threads=threads)
    else:
        predicted, probability = _shrink_linear(folder, rows, of=of)
    finish(
        folder,
        rows,
        name=name,
        kind="int8",
        runtime=of.runtime,
        spec=of.spec(),
        predicted=predicted,
        probability=probability,
        seconds=time.perf_counter() - begun,
        facts={"of": of.name, "of_key": of.folder.name, "folds": list(of.folds)},
    )


def fold_model(of: Contender, number: int, fold: int) -> Path:
    """Where the model of a fold lies: the first of a contender's folds is the one to be served."""
    return of.folder / MODEL if number == 0 else of.folder / FOLDS / str(fold)


def _shrink_encoder(folder: Path, rows: PartedRows, *, of: Contender, threads: int) -> tuple[Ints, Floats]:
    from ratchet.compress.quantise import quantise_onnx

    predicted: list[Ints] = []
    probability: list[npt.NDArray[np.float32]] = []
    for number, fold in enumerate(of.folds):
        target = folder / MODEL if number == 0 else folder / FOLDS / str(fold)
        quantise_onnx(fold_model(of, number, fold), target)
        _, out = held(rows, fold)
        predicted.append(out)
        answers = load_model_folder(target, "onnx", threads=threads).predict(rows.texts(out))
        probability.append(answers.astype(np.float32, copy=False))
    return np.concatenate(predicted), np.concatenate(probability)


def _shrink_linear(folder: Path, rows: PartedRows, *, of: Contender) -> tuple[Ints, Floats]:
    from ratchet.compress.linear import quantise_linear

    sources = [of.folder / MODEL, *sorted((of.folder / FOLDS).glob("*"), key=lambda path: int(path.name))]
    models = [quantise_linear(LinearModel.load(source), prune=PRUNED) for source in sources]
    save_models(folder, models)
    fold = rows.parts.fold
    predicted = np.flatnonzero((fold >= 0) & (fold < len(models)))
    probability = np.zeros((len(predicted), len(rows.labels)), np.float32)
    for number, model in enumerate(models):
        out = np.flatnonzero(fold[predicted] == number)
        probability[out] = model.predict(rows.texts(predicted[out]))
    return predicted, probability


def trained_in(of: Contender) -> list[str | int]:
    """The key of the rows that a model was trained on, and the fold it left out: those of its origin where it is a copy."""
    known = of.card["facts"].get("trained")
    return list(known) if known else [str(of.card["rows"]), of.folds[0]]


def defend(folder: Path, rows: PartedRows, *, name: str, of: Contender, trained_on: Dataset) -> None:
    """The champion of other rows as it is, scored on the rows of the comparison that it cannot know.

    A row is left out when it is a copy or a near-copy of one that the model was trained on, or of its group; in time order
    also when it is not later than all of those.

    Raises:
        DataError: it knows every row.
    """
    begun = time.perf_counter()
    asked = rows.parts.compared
    known = leaks(trained_on, rows.dataset.take(asked)).right_rows
    if rows.parts.order == "time":
        seen, seconds = times(trained_on, rows.dataset)
        known |= ~(seconds[asked] > np.max(seen))  # a time that is missing may be any
    unknown = asked[~known]
    if not len(unknown):
        later = " or on later ones" if rows.parts.order == "time" else ""
        raise DataError(
            f"{of.name!r} was trained on copies of all {len(asked):,} rows{later}, so it cannot be scored on them."
        )
    with writing(folder):
        shutil.copytree(of.folder / MODEL, folder / MODEL)
    finish(
        folder,
        rows,
        name=name,
        kind=of.ref.kind,
        runtime=of.runtime,
        spec=of.spec(),
        predicted=unknown,
        probability=of.model().predict(rows.texts(unknown)),
        seconds=time.perf_counter() - begun,
        facts={"of": of.name, "left_out": len(asked) - len(unknown), "trained": trained_in(of)},
    )


def latency(models: Sequence[Predictor], texts: Sequence[str], *, rounds: int = 9) -> list[npt.NDArray[np.float64]]:
    """Seconds a text, one by one, of several models in interleaved rounds: for each model shape (rounds, len(texts))."""
    found = [np.empty((rounds, len(texts))) for _ in models]
    for model in models:
        model.predict(texts[:1])
    for turn in range(rounds):
        for number in range(len(models)):
            place = (number + turn) % len(models)
            for index, text in enumerate(texts):
                begun = time.perf_counter()
                models[place].predict([text])
                found[place][turn, index] = time.perf_counter() - begun
    return found
