"""A dataset in a folder of finished work: its rows as Parquet, and where each came from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ratchet.bounds import json_value
from ratchet.errors import WorkspaceError
from ratchet.prepare.parts import Parts
from ratchet.tables.dataset import Dataset, Roles
from ratchet.workspace.finished import load_array, load_json
from ratchet.workspace.workspace import writing

ROWS, FOLD, UNIT = "rows.parquet", "fold.npy", "unit.npy"
_META, _FILE, _ORIGIN = b"ratchet", "ratchet.file", "ratchet.row"


def save_dataset(folder: Path, dataset: Dataset) -> None:
    """Write ``rows.parquet``; the columns ``ratchet.file`` and ``ratchet.row`` say where each row came from."""
    meta = {"roles": asdict(dataset.roles), "files": dataset.files}
    table = dataset.table.append_column(_FILE, pa.array(dataset.file_index))
    table = table.append_column(_ORIGIN, pa.array(dataset.origin))
    with writing(folder / ROWS):
        pq.write_table(table.replace_schema_metadata({_META: json.dumps(meta)}), folder / ROWS, compression="zstd")


def load_dataset(folder: Path) -> Dataset:
    """Read what `save_dataset` wrote.

    Raises:
        WorkspaceError: the file is missing or damaged.
    """
    path = folder / ROWS
    try:
        table = pq.read_table(path)
        meta = json_value(table.schema.metadata[_META])
        roles, files = _roles(meta["roles"]), tuple(meta["files"])
        index, origin = (np.asarray(table.column(name).to_numpy(), np.int64) for name in (_FILE, _ORIGIN))
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise WorkspaceError(
            f"{path} must hold the prepared rows but is missing or damaged: {error}.",
            next_step=f"Remove the folder {folder} and run again; it is written again.",
        ) from error
    rows = table.drop_columns([_FILE, _ORIGIN]).replace_schema_metadata(None)
    return Dataset(table=rows, roles=roles, files=files, file_index=index, origin=origin)


def _roles(known: Mapping[str, Any]) -> Roles:
    """Roles as they were written; those of an earlier version have fewer keys."""
    texts, features = known.get("texts", ()), known.get("features", ())
    return Roles(**{**known, "texts": tuple(texts), "features": tuple((name, kind) for name, kind in features)})


def load_parts(folder: Path) -> Parts:
    """The parts of the rows in this folder, from ``fold.npy`` and ``facts.json``."""
    facts = load_json(folder / "facts.json", keys={"hash": str, "notes": list})
    return Parts(
        fold=load_array(folder / FOLD),
        hash=facts["hash"],
        notes=tuple(facts["notes"]),
        order=facts.get("order", "random"),
        unit=load_array(folder / UNIT) if (folder / UNIT).is_file() else None,
    )
