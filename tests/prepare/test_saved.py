from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ratchet.errors import WorkspaceError
from ratchet.prepare.saved import FOLD, ROWS, UNIT, load_dataset, load_parts, save_dataset
from ratchet.tables.dataset import Dataset, Roles


def dataset() -> Dataset:
    table = pa.table({"text": ["好", None, "\ud7ffa\n"], "label": ["x", "y", None], "other": ["", "2", "3"]})
    return Dataset(
        table=table,
        roles=Roles(text="text", label="label", group="other"),
        files=("a.csv", "b.csv"),
        file_index=np.array([1, 0, 1]),
        origin=np.array([7, 1, 2]),
    )


def test_a_dataset_comes_back_with_its_roles_and_places(tmp_path: Path) -> None:
    save_dataset(tmp_path, dataset())
    back, wanted = load_dataset(tmp_path), dataset()
    assert back.table.equals(wanted.table)
    assert (back.roles, back.files) == (wanted.roles, wanted.files)
    assert [back.place(row) for row in range(3)] == [wanted.place(row) for row in range(3)]


@pytest.mark.parametrize("damage", ["missing", "cut", "no meta", "no columns"])
def test_a_damaged_file_is_one_line(tmp_path: Path, damage: str) -> None:
    path = tmp_path / ROWS
    if damage != "missing":
        save_dataset(tmp_path, dataset())
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-9])
    if damage == "no meta":
        pq.write_table(pq.read_table(path).replace_schema_metadata(None), path)
    if damage == "no columns":
        table = pq.read_table(path)
        pq.write_table(table.drop_columns(["ratchet.row"]), path)
    with pytest.raises(WorkspaceError, match="must hold the prepared rows but is missing or damaged"):
        load_dataset(tmp_path)


def test_parts_of_before_there_were_units_and_orders(tmp_path: Path) -> None:
    np.save(tmp_path / FOLD, np.array([-1, 0, 1]))
    (tmp_path / "facts.json").write_text(json.dumps({"hash": "ab", "notes": ["n"]}), encoding="utf-8")
    old = load_parts(tmp_path)
    assert (old.hash, old.notes, old.order, old.unit) == ("ab", ("n",), "random", None)
    np.save(tmp_path / UNIT, np.array([0, 1, 1]))
    assert load_parts(tmp_path).unit is not None
    (tmp_path / "facts.json").write_text("{}", encoding="utf-8")
    with pytest.raises(WorkspaceError):
        load_parts(tmp_path)
