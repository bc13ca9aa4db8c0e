"""Loading a bundle's model, looking at its answers, and parity."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import numpy.typing as npt
import pytest

from ratchet.bundle import runtimes
from ratchet.bundle.bundle import Bundle
from ratchet.bundle.predict import Parity, Recorded, checked, load_model, parity, require_parity
from ratchet.errors import BundleError, ExtraMissing, RatchetError
from ratchet.recipe.sections import ExportConfig
from ratchet.tasks.classification import Classification

CLASSES = Classification()


@dataclass
class Fixed:
    rows: Sequence[Sequence[float]]
    labels: tuple[str, ...] = ("a", "b")

    def predict(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return np.array(self.rows, dtype=np.float32)


TEXTS = ["x", "y"]


def test_the_same_model_is_at_parity_with_itself() -> None:
    model = Fixed([[0.9, 0.1], [0.2, 0.8]])
    found = parity(model, model, TEXTS, task=CLASSES)
    assert found == Parity(max_difference=0.0, disagreements=0, n=2)
    require_parity(found, config=ExportConfig())


@pytest.mark.parametrize(
    ("exported", "difference", "disagreements"),
    [
        ([[0.9, 0.1], [0.2, 0.8]], 0.0, 0),
        ([[0.89, 0.11], [0.2, 0.8]], 0.01, 0),
        ([[0.9, 0.1], [0.6, 0.4]], 0.4, 1),
        ([[0.1, 0.9], [0.9, 0.1]], 0.8, 2),
    ],
)
def test_parity_counts(exported: list[list[float]], difference: float, disagreements: int) -> None:
    found = parity(Fixed([[0.9, 0.1], [0.2, 0.8]]), Fixed(exported), TEXTS, task=CLASSES)
    assert found.max_difference == pytest.approx(difference, abs=1e-6)
    assert (found.disagreements, found.n) == (disagreements, 2)


def test_a_tie_may_break_either_way() -> None:
    found = parity(Fixed([[0.500005, 0.499995]]), Fixed([[0.499995, 0.500005]]), ["x"], task=CLASSES)
    assert found.disagreements == 0


@pytest.mark.parametrize(
    ("found", "config", "message"),
    [
        (Parity(max_difference=0.0, disagreements=0, n=0), ExportConfig(), "at least one text"),
        (Parity(max_difference=2e-4, disagreements=0, n=9), ExportConfig(), "within 0.0001 .* differ by 0.0002"),
        (Parity(max_difference=5e-5, disagreements=1, n=9), ExportConfig(), "on 1 of 9"),
        (Parity(max_difference=0.3, disagreements=2, n=9), ExportConfig(tolerance=1, disagreement=0.1), "on 2 of 9"),
    ],
)
def test_export_is_refused(found: Parity, config: ExportConfig, message: str) -> None:
    with pytest.raises(BundleError, match=message):
        require_parity(found, config=config)


def test_a_wide_tolerance_lets_a_quantised_model_pass() -> None:
    require_parity(
        Parity(max_difference=0.05, disagreements=1, n=100), config=ExportConfig(tolerance=0.1, disagreement=0.01)
    )


def test_models_with_other_labels_are_not_compared() -> None:
    with pytest.raises(BundleError, match="must have the labels"):
        parity(Fixed([[1, 0]]), Fixed([[1, 0]], labels=("b", "a")), ["x"], task=CLASSES)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[0.5, 0.5]], r"shape \(2, 2\) but got \(1, 2\)"),
        ([[0.5], [0.5]], r"shape \(2, 2\) but got \(2, 1\)"),
        ([[0.5, 0.5], [float("nan"), 0.5]], "text 2 of a block"),
        ([[float("inf"), 0.5], [0.5, 0.5]], "text 1 of a block"),
    ],
)
def test_a_wrong_answer_is_seen(rows: list[list[float]], message: str) -> None:
    with pytest.raises(BundleError, match=message):
        checked(Fixed(rows), TEXTS)


def _linear(monkeypatch: pytest.MonkeyPatch, model: object) -> None:
    module = ModuleType("ratchet.models.linear")

    class LinearModel:
        @classmethod
        def load(cls, folder: object) -> object:
            return model

    module.LinearModel = LinearModel  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ratchet.models.linear", module)


def test_a_bundle_loads_by_its_kind(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Fixed([], labels=bundle.labels)
    _linear(monkeypatch, model)
    assert load_model(bundle) is model
    assert load_model(bundle.path) is model


def test_a_model_with_other_labels_than_its_manifest_is_refused(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    _linear(monkeypatch, Fixed([]))
    with pytest.raises(BundleError, match="must be those of its model"):
        load_model(bundle)


def test_a_bundle_of_an_unknown_runtime_is_refused(bundle: Bundle) -> None:
    manifest = bundle.manifest.model_copy(update={"kind": "pickle"})
    with pytest.raises(RatchetError, match="constant, decoder, endpoint but got 'pickle'"):
        load_model(Bundle(path=bundle.path, manifest=manifest))


def test_a_missing_runtime_names_the_command(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "find_spec", lambda name: None)
    manifest = bundle.manifest.model_copy(update={"kind": "onnx"})
    with pytest.raises(ExtraMissing, match=r"pip install 'ratchetml\[serve\]'"):
        load_model(Bundle(path=bundle.path, manifest=manifest))


def test_recorded_predictions_stand_for_the_model_that_made_them() -> None:
    probability = np.array([[0.9, 0.1], [0.2, 0.8]], np.float32)
    recorded = Recorded(labels=("a", "b"), probability=probability)
    assert parity(recorded, recorded, ["x", "y"], task=CLASSES) == Parity(max_difference=0.0, disagreements=0, n=2)
    with pytest.raises(AssertionError):
        recorded.predict(["x"])


class Said:
    labels = ("answer",)

    def __init__(self, *cells: object) -> None:
        self.cells = cells

    def predict(self, texts: Sequence[str]) -> npt.NDArray[np.object_]:
        found = np.empty((len(self.cells), 1), dtype=object)
        found[:, 0] = self.cells
        return found


def test_texts_are_answers_and_so_is_none() -> None:
    assert checked(Said("a", None), ["x", "y"]).tolist() == [["a"], [None]]


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Said("a", 3), "must answer with texts but one is int"),
        (Said("a", float("nan")), "must answer with texts but one is float"),
        (Said("a", ["b"]), "must answer with texts but one is list"),
        (Said("a"), r"must answer with shape \(2, 1\) but got \(1, 1\)"),
    ],
)
def test_other_answers_than_texts_are_refused(model: Said, message: str) -> None:
    with pytest.raises(BundleError, match=message):
        checked(model, ["x", "y"])


def test_strings_and_whole_numbers_are_no_answers() -> None:
    class Odd(Said):
        def predict(self, texts: Sequence[str]) -> npt.NDArray[np.object_]:
            return np.array([["a"], ["b"]])

    with pytest.raises(BundleError, match="must answer with numbers or texts but got <U1"):
        checked(Odd(), ["x", "y"])
