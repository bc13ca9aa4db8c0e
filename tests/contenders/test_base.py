"""A contender finds the rows that it was judged on, in whatever order the table has them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ratchet.contenders.base import FOLDS, MODEL, Contender, Trained, write_contender
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


def contender(folder: Path, **facts: Any) -> Contender:
    card = {"name": "a", "kind": "linear", "runtime": "linear", "spec": {"kind": "linear"}, "facts": facts}
    return Contender(folder=folder, card=card)


@pytest.mark.parametrize(
    ("facts", "folders", "folds"),
    [
        ({"folds": [0, 3]}, (), (0, 3)),
        ({}, (), (0,)),
        ({}, ("1", "2", "10", "notes"), (0, 1, 2, 10)),  # a linear model of an earlier version: its card has no folds
    ],
)
def test_folds(tmp_path: Path, facts: dict[str, Any], folders: tuple[str, ...], folds: tuple[int, ...]) -> None:
    for name in folders:
        (tmp_path / FOLDS / name).mkdir(parents=True)
    found = contender(tmp_path, **facts)
    assert found.folds == folds
    assert found.fold_model(folds[0]) == tmp_path / MODEL
    assert [found.fold_model(fold) for fold in folds[1:]] == [tmp_path / FOLDS / str(fold) for fold in folds[1:]]


def test_the_first_champion_learns_nothing(tmp_path: Path) -> None:
    assert contender(tmp_path).learns
    assert not Contender(folder=tmp_path, card={"spec": None, "facts": {}}).learns
