"""From logits to answers: links, units and features, in and out of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import expit
from scipy.special import softmax as theirs
from sklearn.preprocessing import StandardScaler

from ratchet.errors import BundleError, DataError
from ratchet.models.answering import FEATURES, FORMAT, SOFTMAX, WEIGHTS, Answering
from ratchet.models.features import FeatureEncoder
from ratchet.models.inputs import Inputs

LOGITS = np.array([[0.0, 2.0], [-60.0, 60.0], [1.5, 1.5]], np.float32)


def test_links_are_scipys() -> None:
    np.testing.assert_allclose(SOFTMAX.answers(LOGITS), theirs(LOGITS, axis=1), atol=1e-6)
    found = Answering(link="independent").answers(LOGITS)
    np.testing.assert_allclose(found, expit(LOGITS.astype(float)), atol=1e-6)
    assert found.dtype == np.float32


def test_a_value_is_in_its_own_unit() -> None:
    values = np.array([[1e9], [1e9 + 1], [1e9 + 3]])
    unit = StandardScaler().fit(values)
    link = Answering(link="identity", mean=float(unit.mean_[0]), spread=float(unit.scale_[0]))
    found = link.answers(unit.transform(values).astype(np.float32))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, values, atol=1e-6 * unit.scale_[0])


def encoder() -> tuple[Inputs, FeatureEncoder]:
    rows = Inputs(["a", "b", "c"], {"price": ["1", "2", None]})
    return rows, FeatureEncoder.learn(rows, {"price": "number"})


def with_features() -> tuple[Inputs, Answering]:
    rows, learned = encoder()
    return rows, Answering(link="identity", encoder=learned, weights=np.array([[2.0], [5.0]], np.float32))


def test_features_are_added_to_the_logits() -> None:
    rows, answering = with_features()
    assert answering.encoder is not None
    found = answering.answers(np.zeros((3, 1), np.float32), rows)
    np.testing.assert_allclose(found, answering.encoder.encode(rows) @ np.array([[2.0], [5.0]]), atol=1e-12)
    assert found[2, 0] == 5.0  # missing: the mean, and the weight of missing
    with pytest.raises(DataError, match="must have the column 'price'"):
        answering.answers(np.zeros((3, 1), np.float32), ["a", "b", "c"])


def test_a_folder_of_a_plain_softmax_says_nothing() -> None:
    assert SOFTMAX.meta() == {}
    assert Answering.read(Path("nowhere"), {}, labels=2).answers(LOGITS).tolist() == SOFTMAX.answers(LOGITS).tolist()


def test_it_comes_out_of_its_folder_as_it_went_in(tmp_path: Path) -> None:
    rows, answering = with_features()
    answering.write(tmp_path)
    meta = answering.meta()
    assert meta == {"format": FORMAT, "link": "identity", "mean": 0.0, "spread": 1.0, "features": ["price"]}
    again = Answering.read(tmp_path, meta, labels=1)
    logits = np.array([[0.5], [1.0], [2.0]], np.float32)
    assert again.answers(logits, rows).tolist() == answering.answers(logits, rows).tolist()


@pytest.mark.parametrize(
    "meta",
    [
        {"link": "probit"},
        {"link": ["softmax"]},
        {"link": "identity", "mean": float("nan")},
        {"link": "identity", "spread": "1"},
        {"link": "identity", "mean": True},
    ],
)
def test_a_forged_link_or_unit_is_refused(meta: dict[str, Any]) -> None:
    with pytest.raises(BundleError, match="must have a link of softmax, independent, identity and a finite unit"):
        Answering.read(Path("nowhere"), meta, labels=1)


@pytest.mark.parametrize("what", [FEATURES, WEIGHTS, "labels", "cut off"])
def test_files_of_features_must_fit(tmp_path: Path, what: str) -> None:
    _, answering = with_features()
    answering.write(tmp_path)
    if what in (FEATURES, WEIGHTS):
        (tmp_path / what).unlink()
    elif what == "cut off":
        (tmp_path / FEATURES).write_bytes((tmp_path / FEATURES).read_bytes()[:-20])
    with pytest.raises(BundleError, match="must hold the features beside the text"):
        Answering.read(tmp_path, answering.meta(), labels=2 if what == "labels" else 1)
