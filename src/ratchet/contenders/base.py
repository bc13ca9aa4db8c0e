"""What every contender is: a finished folder with its model, its predictions on rows it was not trained on, and a card."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import UnionType
from typing import Any

import numpy as np
import numpy.typing as npt

from ratchet.bundle.runtimes import load_model_folder
from ratchet.contenders.rows import JUDGE, NLL, Ints, PartedRows
from ratchet.errors import WorkspaceError
from ratchet.gate.ledger import ContenderRef
from ratchet.metrics.evidence import Evidence
from ratchet.metrics.metrics import MEASURED
from ratchet.models.model import Answers, Predictor
from ratchet.prepare.saved import load_dataset
from ratchet.tables.dataset import Dataset
from ratchet.workspace.finished import file_sha256, load_array, load_json, save_array, save_json

CARD, MODEL, FOLDS, HEADS, SEEDS = "contender.json", "model", "folds", "heads.npz", "seeds.npy"
PROBABILITY, TEXTS, SEED_TEXTS = "probability.npy", "answers.json", "seeds.json"
KEPT = (*MEASURED, JUDGE, NLL)
"""What is kept of each answer beside it."""
_CARD: dict[str, type | UnionType] = {
    "name": str,
    "kind": str,
    "runtime": str,
    "spec": dict | None,
    "labels": list,
    "rows": str,
    "bytes": int,
    "seconds": int | float,
    "facts": dict,
    "sha256": dict,
}


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
        return cls(folder=folder, card=load_json(folder / CARD, keys=_CARD))

    @property
    def name(self) -> str:
        """Its name in verdicts."""
        return str(self.card["name"])

    @property
    def runtime(self) -> str:
        """What its model runs on."""
        return str(self.card["runtime"])

    @property
    def learns(self) -> bool:
        """Whether other training rows would give another model; the first champion learns nothing."""
        return self.card["spec"] is not None

    @property
    def facts(self) -> Mapping[str, Any]:
        """What its training noted."""
        facts: Mapping[str, Any] = self.card["facts"]
        return facts

    @property
    def ref(self) -> ContenderRef:
        """How the ledger knows it."""
        return ContenderRef(
            name=self.name,
            kind=str(self.card["kind"]),
            key=self.folder.name,
            bytes=int(self.card["bytes"]),
            seconds=float(self.card["seconds"]),
            trials=int(self.facts.get("trials", 0)),
        )

    def model(self, *, threads: int = 0) -> Predictor:
        """The model, as it will be served."""
        return load_model_folder(self.folder / MODEL, self.runtime, threads=threads)

    def fold_model(self, fold: int) -> Path:
        """Where the model of a fold lies: the first of its folds is the one to be served."""
        return self.folder / MODEL if fold == self.folds[0] else self.folder / FOLDS / str(fold)

    @cached_property
    def rows(self) -> Ints:
        """Rows it predicted, as positions in the prepared rows."""
        rows: Ints = self._array("rows.npy")
        return rows

    @cached_property
    def answers(self) -> Answers:
        """(len(rows), labels) answers of the trained model."""
        self._require_unchanged(TEXTS if (self.folder / TEXTS).is_file() else PROBABILITY)
        return load_answers(self.folder)

    def _further(self) -> Sequence[Answers]:
        """The answers of further seeds, as `answers`."""
        if (self.folder / SEED_TEXTS).is_file():
            self._require_unchanged(SEED_TEXTS)
            seeds = load_json(self.folder / SEED_TEXTS)["answers"]
            return [as_answers(seed) for seed in seeds]
        return [*self._array(SEEDS)] if (self.folder / SEEDS).is_file() else []

    @cached_property
    def measured(self) -> dict[str, npt.NDArray[np.float64]]:
        """What each answer cost, how many seconds it took, and its grade, shape (len(rows),), and the likelihood of the right
        one, (len(rows), 2); empty where that is unknown."""
        return {name: self._array(f"{name}.npy") for name in KEPT if (self.folder / f"{name}.npy").is_file()}

    def _array(self, name: str) -> npt.NDArray[Any]:
        """An array of its evidence, as it was written.

        Raises:
            WorkspaceError: its bytes are others than those whose sha256 the card holds.
        """
        array = load_array(self.folder / name)
        self._require_unchanged(name)
        return array

    def _require_unchanged(self, name: str) -> None:
        path = self.folder / name
        if file_sha256(path) != self.card.get("sha256", {}).get(name):
            raise WorkspaceError(
                f"{path} must be as it was written but was changed: a verdict on it would not be one.",
                next_step=f"Remove {self.folder} and run again.",
            )

    def evidence(
        self,
        rows: PartedRows,
        *,
        measures: Mapping[str, npt.NDArray[np.float64]] | None = None,
        seeds: bool = False,
    ) -> Evidence:
        """Its predictions as evidence for a verdict; with ``seeds`` those of all seeds that it was trained with.

        Rows of which the judge said nothing of use are left out.
        """
        further = self._further() if seeds else ()
        places = self.placed(rows)
        read = np.isfinite(self.measured.get(JUDGE, np.zeros(len(places))))
        places, answers = places[read], self.answers[read]
        columns = rows.columns(places, answers)
        return Evidence(
            name=self.name,
            rows=places,
            targets=columns.targets,
            outcomes={**columns.outcomes, **{name: values[read] for name, values in self.measured.items()}},
            seeds=tuple(rows.columns(places, seed[read]).outcomes for seed in further),
            fold=None if self.facts.get("fixed") else rows.parts.fold[places],
            unit=None if rows.parts.unit is None else rows.parts.unit[places],
            chance=bool(self.facts.get("chance")),
            measures={"bytes": np.array([float(self.card["bytes"])]), **(measures or {})},
            labels=rows.labels,
            features=rows.beside(places),
        )

    @property
    def folds(self) -> tuple[int, ...]:
        """The folds that it was judged on; a contender of a single model has fold 0 alone."""
        if folds := self.facts.get("folds"):
            return tuple(folds)
        further = (path.name for path in (self.folder / FOLDS).glob("*"))  # of an earlier version, whose card has none
        return (0, *sorted(int(name) for name in further if name.isdecimal()))

    def placed(self, rows: PartedRows) -> Ints:
        """Positions, in these rows, of the rows that it predicted; the same table may have come in another order.

        Raises:
            WorkspaceError: the rows that it was judged on are gone, or one of them is not here.
        """
        before = str(self.card["rows"])
        if before == rows.key:
            return self.rows
        folder = self.folder.parent.parent / "data" / f"rows-{before}"
        again = f"Remove {self.folder.parent} and the ledger to judge everything anew, or begin another workspace."
        if not folder.is_dir():
            raise WorkspaceError(
                f"{folder}, the rows that {self.name!r} was judged on, must be there.", next_step=again
            )
        known, where, places = _contents(load_dataset(folder), rows), defaultdict(list), []
        for place, row in reversed([*enumerate(_contents(rows.dataset, rows))]):
            where[row].append(place)
        for place in self.rows.tolist():
            alike = where.get(known[place])
            if not alike:
                raise WorkspaceError(
                    f"A row that {self.name!r} was judged on is not in the table any more.", next_step=again
                )
            places.append(alike.pop())
        return np.array(places, dtype=np.int64)

    def predictions(self, rows: PartedRows, wanted: Ints) -> tuple[Ints, Answers]:
        """Those of the wanted rows that it predicted, ascending, and its predictions of them, shape (m, labels)."""
        places = self.placed(rows)
        shared, _, own = np.intersect1d(wanted, places, return_indices=True)
        return shared, self.answers[own]

    def forget_folds(self) -> None:
        """Remove the models of the other folds: only the current champion may need them."""
        shutil.rmtree(self.folder / FOLDS, ignore_errors=True)


def _contents(dataset: Dataset, rows: PartedRows) -> list[tuple[str | None, ...]]:
    """The text, the label and the features of each row."""
    features = (dataset.column(name) for name in rows.kinds)
    return [*zip(dataset.texts, dataset.labels, *features, strict=True)]


@dataclass(frozen=True, kw_only=True, eq=False)
class Trained:
    """What training a contender gave, beside the files of its model."""

    predicted: Ints
    """(n,) the rows that were predicted, as positions in the prepared rows; no model had seen its own."""
    answers: Answers
    """(n, labels)"""
    seconds: float
    facts: Mapping[str, object] = field(default_factory=dict)
    measured: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict)
    """By the names of `KEPT`: cost and latency of each answer, (n,) each, and the likelihood of the right one, (n, 2): the sum
    of its tokens' negative log-likelihoods and their number; where they are known."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What a contender is called, and what its model is."""

    name: str
    kind: str
    """As the ledger and the report name it: the kind of its model, or what made it from the champion."""
    runtime: str
    spec: Mapping[str, object] | None
    """The settings of its model, with the key ``kind``; ``None`` for the first champion, which learns nothing."""


def write_contender(folder: Path, rows: PartedRows, identity: Identity, trained: Trained) -> None:
    """Write the predictions and the card; ``folder/model`` is there already."""
    save_array(folder / "rows.npy", trained.predicted)
    save_answers(folder, trained.answers)
    refitted = "refit" in trained.facts  # it serves the parity check alone, and no verdict
    graded = {} if refitted else rows.graded(trained.predicted, trained.answers)
    for name, values in {**trained.measured, **graded}.items():
        save_array(folder / f"{name}.npy", values)
    files = ("rows.npy", PROBABILITY, TEXTS, SEEDS, SEED_TEXTS, *(f"{name}.npy" for name in KEPT))
    card = {
        "name": identity.name,
        "kind": identity.kind,
        "runtime": identity.runtime,
        "spec": identity.spec,
        "labels": list(rows.labels),
        "rows": rows.key,
        "bytes": folder_bytes(folder / MODEL),
        "seconds": round(trained.seconds, 2),
        "facts": dict(trained.facts),
        "sha256": {name: file_sha256(folder / name) for name in files if (folder / name).is_file()},
    }
    save_json(folder / CARD, card)


def as_answers(texts: Sequence[str | None]) -> Answers:
    """(n, 1) texts as a model answers them."""
    return np.array([*([text] for text in texts), [""]], dtype=object)[:-1]


def save_answers(folder: Path, answers: Answers) -> None:
    """Write (n, k) answers: texts as JSON, numbers as an array."""
    if answers.dtype == object:
        save_json(folder / TEXTS, {"answers": answers[:, 0].tolist()})
    else:
        save_array(folder / PROBABILITY, answers)


def load_answers(folder: Path) -> Answers:
    """What `save_answers` wrote.

    Raises:
        WorkspaceError: it is missing or damaged.
    """
    if (folder / TEXTS).is_file():
        return as_answers(load_json(folder / TEXTS, keys={"answers": list})["answers"])
    answers: Answers = load_array(folder / PROBABILITY)
    return answers


def save_seeds(folder: Path, further: Sequence[Answers]) -> None:
    """Write the answers of further seeds, where there are some."""
    if further and further[0].dtype == object:
        save_json(folder / SEED_TEXTS, {"answers": [seed[:, 0].tolist() for seed in further]})
    elif further:
        save_array(folder / SEEDS, np.stack(further))


def folder_bytes(folder: Path) -> int:
    """Bytes of all files under a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
