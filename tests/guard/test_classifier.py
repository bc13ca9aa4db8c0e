from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ratchet.errors import BundleError
from ratchet.guard.classifier import CARD, SHIPPED, WEIGHTS, Classifier
from ratchet.guard.features import SIZE, windows
from ratchet.guard.guard import Guard
from ratchet.guard.rules import apply


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    weights = np.random.default_rng(0).normal(size=SIZE).astype(np.float32)
    Classifier(weights=weights, bias=-1.5, threshold=0.7).save(tmp_path / "model", card={"what": "a test"})
    return tmp_path / "model"


def test_what_is_saved_is_what_is_read(saved: Path) -> None:
    weights = np.random.default_rng(0).normal(size=SIZE).astype(np.float32)
    read = Classifier.load(saved)
    assert (read.bias, read.threshold) == (-1.5, 0.7)
    assert np.abs(read.weights - weights).max() <= np.abs(weights).max() / 127 / 2 + 1e-6


def test_the_card_has_the_hash(saved: Path) -> None:
    card = json.loads((saved / CARD).read_bytes())
    assert card["what"] == "a test"
    assert len(card["sha256"]) == 64


@pytest.mark.parametrize("place", [0, 100, -1])
def test_a_flipped_byte_is_refused(saved: Path, place: int) -> None:
    data = bytearray((saved / WEIGHTS).read_bytes())
    data[place] ^= 1
    (saved / WEIGHTS).write_bytes(data)
    with pytest.raises(BundleError, match=r"must have the SHA-256 .* the file was changed"):
        Guard(model=saved).check("hello")


@pytest.mark.parametrize("gone", [WEIGHTS, CARD])
def test_a_missing_file_is_refused(saved: Path, gone: str) -> None:
    (saved / gone).unlink()
    with pytest.raises(BundleError, match="must hold"):
        Classifier.load(saved)


def test_a_card_that_is_no_object_is_refused(saved: Path) -> None:
    (saved / CARD).write_bytes(b"[]")
    with pytest.raises(BundleError, match="must hold"):
        Classifier.load(saved)


def test_weights_of_another_size_are_refused(tmp_path: Path) -> None:
    Classifier(weights=np.ones(5, np.float32), bias=0.0, threshold=0.5).save(tmp_path, card={})
    with pytest.raises(BundleError, match="another version"):
        Classifier.load(tmp_path)


def test_the_score_is_that_of_logistic_regression() -> None:
    weights = np.random.default_rng(1).normal(size=SIZE).astype(np.float32)
    model = Classifier(weights=weights, bias=0.3, threshold=0.5)
    (window,) = windows(*apply("some words here"), most=1)
    dense = np.zeros(SIZE)
    dense[window.node] = window.value
    assert np.isclose(model.score(window), 1 / (1 + np.exp(-(dense @ weights + 0.3))), atol=1e-6)


def test_what_is_shipped_is_small_and_has_a_card() -> None:
    assert (SHIPPED / WEIGHTS).stat().st_size < 2_000_000
    card = json.loads((SHIPPED / CARD).read_bytes())
    assert {"what", "license", "packages", "attacks", "benign", "limits", "threshold", "sha256"} <= set(card)
    assert card["threshold"] == Classifier.load().threshold
