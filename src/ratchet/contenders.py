"""Contenders: models that were trained and scored on held-out rows, each a finished folder in the workspace."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter

from ratchet.config import BalanceSpec, BlendSpec, EdaSpec, EncoderSpec, LinearSpec
from ratchet.data.balance import rebalance
from ratchet.data.leaks import leaks
from ratchet.data.ordered import times
from ratchet.data.parts import Parts
from ratchet.data.table import Dataset
from ratchet.errors import DataError, WorkspaceError
from ratchet.ledger import ContenderRef
from ratchet.metrics import Evidence
from ratchet.models.baseline import Augment, Sample, fit_folds
from ratchet.models.linear import LinearModel
from ratchet.models.logistic import Corpus
from ratchet.models.specs import resolve
from ratchet.screen import Advance
from ratchet.serve.predict import Predictor
from ratchet.store import load_array, load_json, save_array, save_json
from ratchet.workspace import writing

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Runtime = Literal["linear", "onnx"]
Language = Literal["zh", "en", "mixed"]
CARD, MODEL, FOLDS = "contender.json", "model", "folds"
PRUNED = (
    0.5  # share of a linear model's n-grams, the smallest weights, that its int8 form leaves out: 4x smaller with it
)
_SPEC: TypeAdapter[LinearSpec | BlendSpec | EncoderSpec] = TypeAdapter(LinearSpec | BlendSpec | EncoderSpec)


@dataclass(frozen=True, kw_only=True, eq=False)
class PartedRows:
    """The prepared rows, their parts, and what every contender needs to know of them."""

    dataset: Dataset
    parts: Parts
    language: Language
    seal: str
    key: str
    removed: Mapping[str, int] = field(default_factory=dict)
    """Rows taken out, by reason."""
    changed: Mapping[str, int] = field(default_factory=dict)
    """Texts and labels changed, by reason; a text may have several."""

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Sorted names of all labels."""
        return tuple(sorted(set(self.dataset.labels)))

    @cached_property
    def truth(self) -> Ints:
        """(n,) class of each row."""
        place = {label: index for index, label in enumerate(self.labels)}
        return np.array([place[label] for label in self.dataset.labels], dtype=np.int64)

    @cached_property
    def corpus(self) -> Corpus:
        """The dev rows, whose n-grams are counted once for all linear contenders."""
        return Corpus(self.texts(self.parts.dev))

    def texts(self, rows: Ints) -> list[str]:
        """Texts of some rows."""
        texts = self.dataset.texts
        return [texts[row] for row in rows.tolist()]

    def names(self, rows: Ints) -> list[str]:
        """Labels of some rows."""
        labels = self.dataset.labels
        return [labels[row] for row in rows.tolist()]


@dataclass(frozen=True, kw_only=True, eq=False)
class Contender:
    """A finished contender: what it is, its model, and its predictions for rows it was not trained on."""

    folder: Path
    card: Mapping[str, Any]

    @classmethod
    def load(cls, folder: Path) -> Contender:
        """Read a finished folder.

        Raises:
            WorkspaceError: it is missing or damaged.
        """
        card = load_json(folder / CARD)
        if not isinstance(card, dict) or not {"name", "kind", "runtime", "spec", "bytes", "seconds"} <= set(card):
            raise WorkspaceError(f"{folder / CARD} must describe a contender but does not.")
        return cls(folder=folder, card=card)

    @property
    def name(self) -> str:
        """Its name in verdicts."""
        return str(self.card["name"])

    @property
    def runtime(self) -> Runtime:
        """What its model runs on."""
        runtime: Runtime = self.card["runtime"]
        return runtime

    @property
    def ref(self) -> ContenderRef:
        """How the ledger knows it."""
        return ContenderRef(
            name=self.name,
            kind=str(self.card["kind"]),
            key=self.folder.name,
            bytes=int(self.card["bytes"]),
            seconds=float(self.card["seconds"]),
        )

    def spec(self) -> LinearSpec | BlendSpec | EncoderSpec | None:
        """The settings it was trained with; ``None`` for the majority model."""
        return None if self.card["spec"] is None else _SPEC.validate_python(self.card["spec"])

    def model(self, *, threads: int = 0) -> Predictor:
        """The model, as it will be served."""
        return load_model_folder(self.folder / MODEL, self.runtime, threads=threads)

    @cached_property
    def rows(self) -> Ints:
        """Rows it predicted, as positions in the prepared rows."""
        rows: Ints = load_array(self.folder / "rows.npy")
        return rows

    @cached_property
    def probability(self) -> Floats:
        """(len(rows), labels) predictions of the trained model."""
        probability: Floats = load_array(self.folder / "probability.npy")
        return probability

    def evidence(self, rows: PartedRows, *, measures: Mapping[str, npt.NDArray[np.float64]] | None = None) -> Evidence:
        """Its predictions as evidence for a verdict."""
        return Evidence(
            name=self.name,
            rows=self.rows,
            truth=rows.truth[self.rows],
            probability=self.probability,
            fold=rows.parts.fold[self.rows],
            unit=None if rows.parts.unit is None else rows.parts.unit[self.rows],
            chance=isinstance(self.spec(), EncoderSpec),
            measures={"bytes": np.array([float(self.card["bytes"])]), **(measures or {})},
        )

    def valid(self, rows: PartedRows) -> Floats:
        """(m, labels) predictions of the trained model for the valid part, in its order."""
        order = np.argsort(self.rows)
        where = order[np.searchsorted(self.rows, rows.parts.valid, sorter=order)]
        return self.probability[where]

    def forget_folds(self) -> None:
        """Remove the models of the other folds: only the standing champion may need them."""
        shutil.rmtree(self.folder / FOLDS, ignore_errors=True)


def load_model_folder(folder: Path, runtime: Runtime, *, threads: int = 0) -> Predictor:
    """The model of a folder as it will be served; no torch is imported."""
    if runtime == "linear":
        return LinearModel.load(folder)
    from ratchet.models.onnx_model import OnnxModel

    return OnnxModel.load(folder, threads=threads)


def finish(
    folder: Path,
    rows: PartedRows,
    *,
    name: str,
    kind: str,
    runtime: Runtime,
    spec: LinearSpec | BlendSpec | EncoderSpec | None,
    predicted: Ints,
    probability: Floats,
    seconds: float,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Write the predictions and the card; ``folder/model`` is there already."""
    save_array(folder / "rows.npy", predicted)
    save_array(folder / "probability.npy", probability.astype(np.float32))
    card = {
        "name": name,
        "kind": kind,
        "runtime": runtime,
        "spec": None if spec is None else spec.model_dump(mode="json"),
        "labels": list(rows.labels),
        "rows": rows.key,
        "bytes": folder_bytes(folder / MODEL),
        "seconds": round(seconds, 2),
        "facts": dict(facts or {}),
    }
    save_json(folder / CARD, card)


def folder_bytes(folder: Path) -> int:
    """Bytes of all files under a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def train_linear(
    folder: Path,
    rows: PartedRows,
    *,
    name: str,
    spec: LinearSpec | BlendSpec | Literal["majority"],
    seed: int,
    kind: str = "",
    augment: Augment | None = None,
    sample: Sample | None = None,
    facts: Callable[[], Mapping[str, Any]] | None = None,
) -> None:
    """Fit a linear contender on every fold's complement; fold 0's model is to be served, and in time order the only one."""
    dev = rows.parts.dev
    held = np.isin(dev, rows.parts.compared)
    resolved = spec
    if spec != "majority":
        resolved = resolve(spec, language=rows.language, n_rows=len(dev), n_labels=len(rows.labels))
    fold = np.where(held, rows.parts.fold[dev], -1)
    fit = fit_folds(rows.corpus, rows.names(dev), fold, spec=resolved, seed=seed, augment=augment, sample=sample)
    save_models(folder, fit.models)
    plain = None if resolved == "majority" else resolved
    finish(
        folder,
        rows,
        name=name,
        kind=kind or ("majority" if plain is None else plain.kind),
        runtime="linear",
        spec=plain,
        predicted=dev[held],
        probability=fit.probability[held],
        seconds=fit.seconds,
        facts={"features": fit.artefact.features, "converged": fit.artefact.converged, **(facts() if facts else {})},
    )


def save_models(folder: Path, models: Sequence[LinearModel]) -> None:
    """Fold 0's model as ``model/``, the others under ``folds/``."""
    for fold, model in enumerate(models):
        target = folder / MODEL if fold == 0 else folder / FOLDS / str(fold)
        with writing(target):
            target.mkdir(parents=True)
        model.save(target)


def train_encoder(
    folder: Path,
    rows: PartedRows,
    *,
    name: str,
    spec: EncoderSpec,
    seed: int,
    threads: int,
    training: Path,
    advance: Advance,
    kind: str = "encoder",
    extra: tuple[Sequence[str], Sequence[str]] = ((), ()),
    sample: Sample | None = None,
) -> None:
    """Train an encoder on the train part, export it to ONNX, and score the valid part.

    Args:
        folder: the contender's folder, being built.
        training: where the checkpoints live: outside ``folder``, so that a killed training goes on.
        extra: augmented texts and their labels.
        sample: which rows of the train part are trained on; its weights are for linear models.
    """
    from ratchet.train.export import export_onnx
    from ratchet.train.loop import fit_encoder, read_history

    begun = time.perf_counter()
    train, valid = rows.parts.train, rows.parts.valid
    if sample is not None:
        train = sample(train)[0]
    fitted = fit_encoder(
        [*rows.texts(train), *extra[0]],
        [*rows.names(train), *extra[1]],
        rows.texts(valid),
        rows.names(valid),
        spec=spec,
        labels=rows.labels,
        language=rows.language,
        seed=seed,
        threads=threads,
        folder=training,
        progress=lambda p: advance(
            p.step, p.steps, f"epoch {p.epoch} loss {p.loss:.3f} {p.tokens_per_second:,.0f} tok/s"
        ),
    )
    probability = fitted.predict(rows.texts(valid))
    export_onnx(fitted, folder / MODEL)
    history = read_history(training)
    board = training / "tensorboard"
    if board.is_dir():
        with writing(folder):
            shutil.copytree(board, folder / "tensorboard")
    epochs = [
        {
            "epoch": record.epoch,
            "train_loss": record.train_loss,
            "valid_loss": record.valid_loss,
            "accuracy": record.valid_accuracy,
        }
        for record in history
    ]
    last = history[-1] if history else None
    facts = {
        "source": fitted.source,
        "epochs": epochs,
        "tokens_per_second": round(last.tokens_per_second) if last else None,
        "padding": round(last.padding, 4) if last else None,
        **{key: value for key, value in fitted.facts.items() if key in ("precision", "kept_epoch")},
    }
    finish(
        folder,
        rows,
        name=name,
        kind=kind,
        runtime="onnx",
        spec=spec,
        predicted=valid,
        probability=probability,
        seconds=time.perf_counter() - begun,
        facts=facts,
    )


def train_augmented(
    folder: Path,
    rows: PartedRows,
    *,
    name: str,
    spec: EdaSpec,
    of: Contender,
    seed: int,
    threads: int,
    training: Path,
    advance: Advance,
) -> None:
    """The champion's own settings, trained on augmented rows; no augmented row is near a held-out or a test text."""
    from ratchet.augment import augment, near_to

    sealed = rows.texts(rows.parts.test)
    rejected: dict[str, int] = {}
    made = 0

    def augmented(
        texts: Sequence[str], labels: Sequence[str], *, held_out: Sequence[str]
    ) -> tuple[Sequence[str], Sequence[str]]:
        nonlocal made
        found = augment(texts, labels, spec=spec, seed=seed, protected=near_to([*held_out, *sealed]))
        made += len(found.texts)
        for reason, count in found.rejected.items():
            rejected[reason] = rejected.get(reason, 0) + count
        return found.texts, found.labels

    base = of.spec()
    if isinstance(base, EncoderSpec):
        train, valid = rows.parts.train, rows.parts.valid
        extra = augmented(rows.texts(train), rows.names(train), held_out=rows.texts(valid))
        train_encoder(
            folder,
            rows,
            name=name,
            spec=base,
            seed=seed,
            threads=threads,
            training=training,
            advance=advance,
            kind="eda",
            extra=extra,
        )
        return
    assert base is not None, "the majority model is challenged before anything is augmented"
    train_linear(
        folder,
        rows,
        name=name,
        spec=base,
        seed=seed,
        kind="eda",
        augment=augmented,
        facts=lambda: {"of": of.name, "augmented": made, "rejected": rejected},
    )


def train_balanced(
    folder: Path,
    rows: PartedRows,
    *,
    name: str,
    spec: BalanceSpec,
    of: Contender,
    seed: int,
    threads: int,
    training: Path,
    advance: Advance,
) -> None:
    """The champion's own settings, trained on a re-balanced train part."""
    base, dev = of.spec(), rows.parts.dev
    assert base is not None, "the majority model is challenged before anything is re-balanced"
    encoder = isinstance(base, EncoderSpec)
    if encoder and spec.method == "weights":
        raise DataError(
            f"balance.method must be under or over for an encoder ({of.name!r}) but got weights.",
            next_step="Set the challenger's method to over.",
        )
    counts: dict[str, float] = {}

    def sample(part: Ints) -> tuple[Ints, Sequence[float]]:
        """Rows as positions among the dev rows for linear models, among all rows for an encoder."""
        whole = part if encoder else dev[part]
        keys = [text.encode("utf-8", "surrogatepass") for text in rows.texts(whole)]
        found = rebalance(
            rows.names(whole), method=spec.method, ratio=spec.ratio, target=spec.target, seed=seed, keys=keys
        )
        counts.update(found.counts)
        weights = np.ones(len(rows.dataset))
        weights[part[found.rows]] = found.weights
        return part[found.rows], weights.tolist()

    if isinstance(base, EncoderSpec):
        train_encoder(
            folder,
            rows,
            name=name,
            spec=base,
            seed=seed,
            threads=threads,
            training=training,
            advance=advance,
            kind="balance",
            sample=sample,
        )
        return
    facts = partial(dict[str, Any], of=of.name, method=spec.method, train_rows=counts)
    train_linear(folder, rows, name=name, spec=base, seed=seed, kind="balance", sample=sample, facts=facts)


def shrink(folder: Path, rows: PartedRows, *, name: str, of: Contender, threads: int) -> None:
    """The champion with int8 weights (a linear one without its smaller half of them).

    Every fold's model is shrunk alike, so its predictions stay out of fold.
    """
    begun = time.perf_counter()
    if of.runtime == "onnx":
        from ratchet.compress.quantise import quantise_onnx

        quantise_onnx(of.folder / MODEL, folder / MODEL)
        predicted = rows.parts.valid
        probability = load_model_folder(folder / MODEL, "onnx", threads=threads).predict(rows.texts(predicted))
    else:
        from ratchet.compress.linear import quantise_linear

        sources = [of.folder / MODEL, *sorted((of.folder / FOLDS).glob("*"), key=lambda path: int(path.name))]
        models = [quantise_linear(LinearModel.load(source), prune=PRUNED) for source in sources]
        save_models(folder, models)
        fold = rows.parts.fold
        predicted = np.flatnonzero((fold >= 0) & (fold < len(models)))
        probability = np.zeros((len(predicted), len(rows.labels)), np.float32)
        for number, model in enumerate(models):
            held = np.flatnonzero(fold[predicted] == number)
            probability[held] = model.predict(rows.texts(predicted[held]))
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
        facts={"of": of.name},
    )


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
        facts={"of": of.name, "left_out": len(asked) - len(unknown)},
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
