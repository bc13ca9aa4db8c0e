from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ratchet.bundle.bundle import GOLDEN, Bundle, write_bundle
from ratchet.bundle.golden import LONGEST, Golden
from ratchet.errors import BundleError
from ratchet.models.inputs import Inputs


class Lengths:
    labels = ("short", "long")

    def predict(self, texts: object) -> np.ndarray:
        sizes = np.array([len(text) for text in texts], np.float32)  # type: ignore[attr-defined]
        return np.stack([1 / (1 + sizes), sizes / (1 + sizes)], axis=1)


Write = Callable[[bytes], Bundle]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(golden: bytes) -> Bundle:
        (tmp_path / "model").mkdir(exist_ok=True)
        (tmp_path / "model" / "w.bin").write_bytes(b"1")
        folder, labels = tmp_path / "bundle", Lengths.labels
        return write_bundle(
            folder, model_folder=tmp_path / "model", name="m", created="", kind="linear", labels=labels, golden=golden
        )

    return write


def test_they_come_back_to_the_last_bit_and_are_of_all_lengths(write: Write) -> None:
    texts = ["字" * size for size in range(1, 101)] * 2
    made = Golden.made(Inputs(texts, {"n": [str(len(text)) for text in texts]}), Lengths(), most=5)
    assert [len(text) for text in made.rows] == [1, 26, 51, 75, 100]
    assert made.rows.features == {"n": ("1", "26", "51", "75", "100")}
    found = Golden.of(write(made.to_json()))
    assert found is not None
    assert found.rows.features == made.rows.features
    assert list(found.rows) == list(made.rows)
    assert found.answers.dtype == np.float32
    np.testing.assert_array_equal(found.answers, made.answers)


def test_answers_that_are_texts_come_back(write: Write) -> None:
    answers = np.array([["Paris", None], ["伦敦", "x"]], dtype=object)
    found = Golden.of(write(Golden(rows=Inputs(["a", "b"]), answers=answers).to_json()))
    assert found is not None
    assert found.answers.tolist() == answers.tolist()


def test_personal_data_is_masked_and_long_texts_are_cut() -> None:
    made = Golden.made(["write to ann.lee@example.com or 13812345678", "x" * 5000], Lengths(), most=9)
    assert len(made.rows) == 2
    assert "ann.lee" not in made.rows[0]
    assert "13812345678" not in made.rows[0]
    assert len(made.rows[1]) == LONGEST
    np.testing.assert_array_equal(made.answers, Lengths().predict(made.rows))


def test_a_bundle_without_them_has_none(write: Write) -> None:
    assert Golden.of(write(b"")) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda kept: kept.pop("texts"),
        lambda kept: kept.update(texts=["a"]),
        lambda kept: kept.update(answers=[[1]]),
        lambda kept: kept.update(answers=[["a", 1.0], [2.0, 3.0]]),
        lambda kept: kept.update(numbers="<zz"),
        lambda kept: kept.update(features={"n": ["1"]}),
        lambda kept: kept.update(more=1),
    ],
)
def test_damaged_ones_are_refused_in_a_sentence(write: Write, change: Callable[[dict[str, object]], object]) -> None:
    kept = json.loads(Golden.made(["a", "bb"], Lengths(), most=2).to_json())
    change(kept)
    bundle = write(json.dumps(kept).encode())
    with pytest.raises(BundleError, match=f"{GOLDEN} must hold golden rows"):
        Golden.of(bundle)
