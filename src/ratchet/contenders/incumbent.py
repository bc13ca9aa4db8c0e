"""The champion of earlier rows as it is, as a contender on new rows."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import numpy as np

from ratchet.contenders.base import MODEL, Contender, Identity, Trained, write_contender
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
    files = {SOURCES: of.facts[SOURCES]} if SOURCES in of.facts else {}
    trained = Trained(
        predicted=unknown,
        answers=of.model().predict(rows.inputs(unknown)),
        seconds=time.perf_counter() - begun,
        facts={"of": of.name, "left_out": len(asked) - len(unknown), "trained": trained_in(of), **files},
    )
    identity = Identity(name=name, kind=of.ref.kind, runtime=of.runtime, spec=of.card["spec"])
    write_contender(folder, rows, identity, trained)
