"""A finished contender: what its card says, and what cards of earlier versions leave open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ratchet.contenders.base import FOLDS, MODEL, Contender


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
