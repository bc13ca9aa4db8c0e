"""The champion of earlier rows as it is, as a contender on new rows."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import numpy as np

from ratchet.augment.filters import near_to
from ratchet.contenders.base import MODEL, Contender, Identity, Trained, write_contender
from ratchet.contenders.refit import MADE
from ratchet.contenders.rows import PartedRows
from ratchet.contenders.sources import SOURCES
from ratchet.errors import DataError
from ratchet.prepare.leaks import leaks
from ratchet.prepare.split_by_time import times
from ratchet.tables.dataset import Dataset
from ratchet.workspace.workspace import writing


def trained_in(of: Contender) -> list[str | int]:
    """The key of the rows that a model was trained on, and the fold it left out: those of its origin where it is a copy."""
    known = of.facts.get("trained")
    return list(known) if known else [str(of.card["rows"]), of.folds[0]]


def made_in(of: Contender) -> list[str | int]:
    """The contender and the fold for which a row change made rows that a model was trained on, those of its origin where it is
    a copy; empty: there are none."""
    while "of_key" in of.facts:
        of = Contender.load(of.folder.parent / str(of.facts["of_key"]))
    if not of.facts.get("augmented"):
        return list(of.facts.get("made", ()))
    return [of.folder.name, of.folds[0]]


def texts_made(of: Contender) -> list[str]:
    """The texts that it was trained on beside the rows of the table.

    Raises:
        DataError: they were made and are gone.
    """
    made = made_in(of)
    if not made:
        return []
    key, fold = made
    path = of.folder.parent / MADE / str(key) / f"fold-{fold}.jsonl"
    if not path.is_file():
        raise DataError(f"{path} is gone, so nobody knows what {of.name!r} was trained on.")
    lines = path.read_text("utf-8", "surrogatepass").split("\n")  # a text may hold other ends of a line
    return [str(json.loads(line)["text"]) for line in lines if line]


def defend(folder: Path, rows: PartedRows, *, name: str, of: Contender, trained_on: Dataset) -> None:
    """The champion of other rows as it is, scored on the rows of the comparison that it cannot know.

    A row is left out when it is a copy or a near-copy of one that the model was trained on, made ones too, or of its group;
    in time order also when it is not later than all of those.

    Raises:
        DataError: it knows every row, or nobody knows which.
    """
    begun = time.perf_counter()
    asked = rows.parts.compared
    known = leaks(trained_on, rows.dataset.take(asked), **rows.near).right_rows
    known |= near_to(texts_made(of), **rows.near)(rows.texts(asked))
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
    files = {SOURCES: of.facts[SOURCES]} if SOURCES in of.facts else {}
    trained = Trained(
        predicted=unknown,
        answers=of.model().predict(rows.inputs(unknown)),
        seconds=time.perf_counter() - begun,
        facts={
            "of": of.name,
            "left_out": len(asked) - len(unknown),
            "trained": trained_in(of),
            "made": made_in(of),
            **files,
        },
    )
    identity = Identity(name=name, kind=of.ref.kind, runtime=of.runtime, spec=of.card["spec"])
    write_contender(folder, rows, identity, trained)
