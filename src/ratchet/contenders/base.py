"""What every contender is: a finished folder with its model, its predictions on rows it was not trained on, and a card."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import UnionType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter

from ratchet.bundle.predict import Predictor
from ratchet.errors import WorkspaceError
from ratchet.gate.ledger import ContenderRef
from ratchet.gate.metrics import Evidence
from ratchet.models.linear import Answers, LinearModel
from ratchet.models.linear_fit import Corpus
from ratchet.prepare.parts import Parts
from ratchet.prepare.saved import load_dataset, load_parts
from ratchet.recipe.sections import BlendSpec, EmbeddingSpec, EncoderSpec, LinearSpec
from ratchet.tables.dataset import Dataset
from ratchet.workspace.finished import file_sha256, load_array, load_json, save_array, save_json

Floats = Answers
Ints = npt.NDArray[np.int64]
Runtime = Literal["linear", "onnx"]
Language = Literal["zh", "en", "mixed"]
Spec = LinearSpec | BlendSpec | EmbeddingSpec | EncoderSpec
CARD, MODEL, FOLDS, HEADS, SEEDS = "contender.json", "model", "folds", "heads.npz", "seeds.npy"
FACTS = {
    "hash": str,
    "seal": str,
    "language": str,
    "notes": list,
    "read": int,
    "removed": dict,
    "crossing": dict,
    "changed": dict,
    "changed_texts": int,
}
"""What ``facts.json`` of prepared rows holds at least."""
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
_SPEC: TypeAdapter[Spec] = TypeAdapter(Spec)


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

    @classmethod
    def load(cls, folder: Path) -> PartedRows:
        """Read the folder ``rows-KEY`` that prepare finished.

        Raises:
            WorkspaceError: it is missing or damaged.
        """
        facts = load_json(folder / "facts.json", keys=FACTS)
        return cls(
            dataset=load_dataset(folder),
            parts=load_parts(folder),
            language=facts["language"],
            seal=facts["seal"],
            key=folder.name.removeprefix("rows-"),
            removed=facts["removed"],
            changed=facts["changed"],
        )

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
        card = load_json(folder / CARD, keys=_CARD)
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

    def spec(self) -> Spec | None:
        """The settings it was trained with; ``None`` for the majority model."""
        return None if self.card["spec"] is None else _SPEC.validate_python(self.card["spec"])

    def model(self, *, threads: int = 0) -> Predictor:
        """The model, as it will be served."""
        return load_model_folder(self.folder / MODEL, self.runtime, threads=threads)

    @cached_property
    def rows(self) -> Ints:
        """Rows it predicted, as positions in the prepared rows."""
        rows: Ints = self._array("rows.npy")
        return rows

    @cached_property
    def probability(self) -> Floats:
        """(len(rows), labels) predictions of the trained model."""
        probability: Floats = self._array("probability.npy")
        return probability

    def _array(self, name: str) -> npt.NDArray[Any]:
        """An array of its evidence, as it was written.

        Raises:
            WorkspaceError: its bytes are others than those whose sha256 the card holds.
        """
        path = self.folder / name
        array = load_array(path)
        if file_sha256(path) != self.card.get("sha256", {}).get(name):
            raise WorkspaceError(
                f"{path} must be as it was written but was changed: a verdict on it would not be one.",
                next_step=f"Remove {self.folder} and run again.",
            )
        return array

    def evidence(
        self,
        rows: PartedRows,
        *,
        measures: Mapping[str, npt.NDArray[np.float64]] | None = None,
        seeds: bool = False,
    ) -> Evidence:
        """Its predictions as evidence for a verdict; with ``seeds`` those of all seeds that it was trained with."""
        probability, further = self.probability, self.folder / SEEDS
        if seeds and further.is_file():
            probability = np.concatenate([probability[None], self._array(SEEDS)])
        places = self.placed(rows)
        return Evidence(
            name=self.name,
            rows=places,
            truth=rows.truth[places],
            probability=probability,
            fold=rows.parts.fold[places],
            unit=None if rows.parts.unit is None else rows.parts.unit[places],
            chance=isinstance(self.spec(), EncoderSpec),
            measures={"bytes": np.array([float(self.card["bytes"])]), **(measures or {})},
        )

    @property
    def folds(self) -> tuple[int, ...]:
        """The folds that it was judged on; a contender of a single model has fold 0 alone."""
        found = self.card["facts"].get("folds")
        return tuple(found) if found else (0,)

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
        known, where = load_dataset(folder), defaultdict(list)
        for place, row in reversed([*enumerate(zip(rows.dataset.texts, rows.dataset.labels, strict=True))]):
            where[row].append(place)
        texts, labels, places = known.texts, known.labels, []
        for place in self.rows.tolist():
            found = where.get((texts[place], labels[place]))
            if not found:
                raise WorkspaceError(
                    f"A row that {self.name!r} was judged on is not in the table any more.", next_step=again
                )
            places.append(found.pop())
        return np.array(places, dtype=np.int64)

    def predictions(self, rows: PartedRows, wanted: Ints) -> tuple[Ints, Floats]:
        """Those of the wanted rows that it predicted, ascending, and its predictions of them, shape (m, labels)."""
        places = self.placed(rows)
        shared, _, own = np.intersect1d(wanted, places, return_indices=True)
        return shared, self.probability[own]

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
    spec: Spec | None,
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
        "sha256": {
            name: file_sha256(folder / name)
            for name in ("rows.npy", "probability.npy", SEEDS)
            if (folder / name).is_file()
        },
    }
    save_json(folder / CARD, card)


def folder_bytes(folder: Path) -> int:
    """Bytes of all files under a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
