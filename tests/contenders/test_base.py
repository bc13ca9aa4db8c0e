"""A contender finds the rows that it was judged on, in whatever order the table has them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ratchet.contenders.base import Contender, Trained, write_contender
from ratchet.contenders.kind import Identity
from ratchet.contenders.rows import PartedRows
from ratchet.errors import WorkspaceError
from ratchet.prepare.saved import save_dataset
from ratchet.tables.dataset import Dataset


@pytest.fixture
def twins(parted: Callable[..., PartedRows], table: Callable[..., Dataset]) -> PartedRows:
    """Rows of one text and one label that differ in their feature alone."""
    plain = parted(key="first")
    data = table({"text": ["one text"] * 4, "label": ["a", "a", "b", "b"], "desk": list("xyxy")})
    data = replace(data, roles=replace(data.roles, features=(("desk", "category"),)))
    return replace(plain, dataset=data)


def test_rows_of_one_text_are_told_apart_by_their_features(twins: PartedRows, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows-first").mkdir()
    save_dataset(tmp_path / "data" / "rows-first", twins.dataset)
    folder = tmp_path / "models" / "mine"
    (folder / "model").mkdir(parents=True)
    told = Identity(name="mine", kind="linear", runtime="linear", spec={"kind": "linear"})
    trained = Trained(predicted=np.arange(4), answers=np.eye(4, 2, dtype=np.float32), seconds=0.0)
    write_contender(folder, twins, told, trained)
    turned = replace(twins, dataset=twins.dataset.take(np.array([1, 0, 3, 2])), key="second")
    contender = Contender.load(folder)
    assert contender.placed(twins).tolist() == [0, 1, 2, 3]
    assert contender.placed(turned).tolist() == [1, 0, 3, 2]
    fewer = replace(turned, dataset=turned.dataset.take(np.array([0, 1, 2])))
    with pytest.raises(WorkspaceError, match="not in the table any more"):
        contender.placed(fewer)
